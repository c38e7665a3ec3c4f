/** A layer's sizes, and the check of arrays' shapes against them. */
import type { Size } from "../payload";

/** Sizes of the arrays of one layer; of one with windows, a window's tokens, and the heads of all windows. */
export interface LayerSize {
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly grid: Size; // where tokens are the prefix tokens and then the patches of this grid
  readonly prefix: number;
}

/** Fails unless the shape is one of those allowed: each axis lists its lengths. */
export function checkShape(what: string, shape: readonly number[], ...allowed: number[][]): void {
  const fits = shape.length === allowed.length && allowed.every((lengths, i) => lengths.includes(shape[i]!));
  if (fits) return;
  const expected = allowed.map((lengths) => [...new Set(lengths)].join(" or ")).join(", ");
  throw new Error(`${what}: found shape (${shape.join(", ")}), expected (${expected}); make the page again`);
}
