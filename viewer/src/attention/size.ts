/** A layer's sizes, and the check of arrays' shapes against them. */
import type { Product, Size, Weights } from "../payload";

/** Sizes of one layer; tokens are the prefix tokens and then the patches of the grid. */
export interface LayerSize {
  readonly heads: number;
  readonly grid: Size;
  readonly prefix: number;
  readonly tokens: number;
}

/** The sizes that the layout and the payload's first axis tell. */
export function sizeOf(attention: Product | Weights, layout: { grid: Size; prefix: string[] }): LayerSize {
  const { grid, prefix } = layout;
  const heads = attention.mean_row.shape[0] ?? 0;
  return { heads, grid, prefix: prefix.length, tokens: prefix.length + grid[0] * grid[1] };
}

/** Fails unless the shape is one of those allowed: each axis lists its lengths. */
export function checkShape(what: string, shape: readonly number[], ...allowed: number[][]): void {
  const fits = shape.length === allowed.length && allowed.every((lengths, i) => lengths.includes(shape[i]!));
  if (fits) return;
  const expected = allowed.map((lengths) => [...new Set(lengths)].join(" or ")).join(", ");
  throw new Error(`${what}: found shape (${shape.join(", ")}), expected (${expected}); make the page again`);
}
