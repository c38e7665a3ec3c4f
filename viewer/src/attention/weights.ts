/** Attention whose weights are in the page as they are. */
import type { Numbers, Weights } from "../payload";
import type { Rows } from "./layer";
import { checkShape, type LayerSize } from "./size";

/** Any row or column of weights (heads, queries, keys). */
export class WeightRows implements Rows {
  private readonly weights: Float32Array;
  private readonly tokens: number;

  constructor(attention: Weights, size: LayerSize, read: (reference: Numbers) => Float32Array) {
    this.tokens = size.tokens;
    checkShape("weights", attention.weights.shape, [size.heads], [size.tokens], [size.tokens]);
    this.weights = read(attention.weights);
  }

  row(head: number, query: number, out: Float32Array): void {
    const start = (head * this.tokens + query) * this.tokens;
    out.set(this.weights.subarray(start, start + this.tokens));
  }

  column(head: number, key: number, out: Float32Array): void {
    let at = head * this.tokens * this.tokens + key;
    for (let query = 0; query < this.tokens; query++, at += this.tokens) out[query] = this.weights[at]!;
  }
}
