/** Attention whose weights are in the page as they are. */
import type { Numbers, Weights } from "../payload";
import type { Rows } from "./layer";
import { checkShape, type LayerSize } from "./size";

/** Any row or column of weights (heads, queries, keys). */
export class WeightRows implements Rows {
  private readonly weights: Float32Array;
  private readonly queries: number;
  private readonly keys: number;

  constructor(attention: Weights, size: LayerSize, read: (reference: Numbers) => Float32Array) {
    this.queries = size.queries;
    this.keys = size.keys;
    checkShape("weights", attention.weights.shape, [size.heads], [size.queries], [size.keys]);
    this.weights = read(attention.weights);
  }

  row(head: number, query: number, out: Float32Array): void {
    const start = (head * this.queries + query) * this.keys;
    out.set(this.weights.subarray(start, start + this.keys));
  }

  column(head: number, key: number, out: Float32Array): void {
    let at = head * this.queries * this.keys + key;
    for (let query = 0; query < this.queries; query++, at += this.keys) out[query] = this.weights[at]!;
  }
}
