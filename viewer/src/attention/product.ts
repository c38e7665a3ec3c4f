/** Attention recomputed from factors of its logits: softmax(Σ steps · queries · keys, + key_bias + bias). */
import type { Numbers, Product } from "../payload";
import { biasTerm, type BiasTerm } from "./bias";
import type { Rows } from "./layer";
import { checkShape, type LayerSize } from "./size";

/** Any row or column of one layer; operands (heads, tokens, dim), the rest (heads, keys | queries), all flat. */
export class ProductRows implements Rows {
  private readonly queries: Float32Array; // times the steps
  private readonly keys: Float32Array;
  private readonly keyBias: Float32Array;
  private readonly logNormaliser: Float32Array;
  private readonly bias: BiasTerm | null;
  private readonly dim: number;
  private readonly queryCount: number;
  private readonly keyCount: number;
  private readonly rowLogits: Float64Array; // (keys,), reused
  private readonly columnLogits: Float64Array; // (queries,), reused

  constructor(product: Product, size: LayerSize, read: (reference: Numbers) => Float32Array) {
    const { heads, queries, keys } = size;
    this.dim = product.queries.shape[2] ?? 0;
    this.queryCount = queries;
    this.keyCount = keys;
    checkShape("queries", product.queries.shape, [heads], [queries], [this.dim]);
    checkShape("keys", product.keys.shape, [heads], [keys], [this.dim]);
    checkShape("key_bias", product.key_bias.shape, [heads], [keys]);
    checkShape("log_normaliser", product.log_normaliser.shape, [heads], [queries]);
    this.keys = read(product.keys);
    this.queries = read(product.queries);
    if (product.steps) {
      checkShape("steps", product.steps.shape, [heads], [this.dim]);
      this.queries = scaled(this.queries, read(product.steps), size, this.dim);
    }
    this.keyBias = read(product.key_bias).slice(); // a copy, as a view would hold the whole block
    this.logNormaliser = read(product.log_normaliser).slice();
    this.bias = product.bias && biasTerm(product.bias, size, read);
    this.rowLogits = new Float64Array(keys);
    this.columnLogits = new Float64Array(queries);
  }

  row(head: number, query: number, out: Float32Array): void {
    const { rowLogits: logits, queryCount, keyCount, dim, keyBias } = this;
    const first = head * keyCount;
    products(this.queries, (head * queryCount + query) * dim, this.keys, first * dim, dim, logits);
    for (let key = 0; key < keyCount; key++) logits[key]! += keyBias[first + key]!;
    this.bias?.addRow(head, query, logits);
    softmax(logits, out);
  }

  column(head: number, key: number, out: Float32Array): void {
    const { columnLogits: logits, queryCount, keyCount, dim, logNormaliser } = this;
    const first = head * queryCount;
    const own = this.keyBias[head * keyCount + key]!;
    products(this.keys, (head * keyCount + key) * dim, this.queries, first * dim, dim, logits);
    this.bias?.addColumn(head, key, logits);
    for (let query = 0; query < queryCount; query++) {
      out[query] = Math.exp(logits[query]! + own - logNormaliser[first + query]!);
    }
  }
}

/** Queries (heads, tokens, dim) times the step of each column (heads, dim). */
function scaled(
  queries: Float32Array,
  steps: Float32Array,
  { heads, queries: count }: LayerSize,
  dim: number,
): Float32Array {
  const out = new Float32Array(queries.length);
  for (let head = 0; head < heads; head++) {
    for (let query = 0; query < count; query++) {
      const first = (head * count + query) * dim;
      for (let k = 0; k < dim; k++) out[first + k] = queries[first + k]! * steps[head * dim + k]!;
    }
  }
  return out;
}

/** One vector, from `start`, times each of `out.length` vectors that lie in a row from `first`. */
function products(
  one: Float32Array,
  start: number,
  many: Float32Array,
  first: number,
  dim: number,
  out: Float64Array,
): void {
  const vector = one.subarray(start, start + dim);
  const whole = dim - (dim % 4);
  let at = first;
  for (let i = 0; i < out.length; i++) {
    let a = 0; // four sums, which the processor adds to side by side
    let b = 0;
    let c = 0;
    let d = 0;
    let k = 0;
    for (; k < whole; k += 4, at += 4) {
      a += vector[k]! * many[at]!;
      b += vector[k + 1]! * many[at + 1]!;
      c += vector[k + 2]! * many[at + 2]!;
      d += vector[k + 3]! * many[at + 3]!;
    }
    for (; k < dim; k++, at++) a += vector[k]! * many[at]!;
    out[i] = a + b + (c + d);
  }
}

/** Overwrites `logits` with their exponentials and writes the weights to `out`. */
function softmax(logits: Float64Array, out: Float32Array): void {
  let largest = -Infinity;
  for (let i = 0; i < logits.length; i++) if (logits[i]! > largest) largest = logits[i]!;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += logits[i] = Math.exp(logits[i]! - largest);
  for (let i = 0; i < logits.length; i++) out[i] = logits[i]! / sum;
}
