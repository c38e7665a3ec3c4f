/** Attention as its formulas read: the plain sibling of `layer`, which the tests join with it. */
import type { Numbers, Product, Size, Weights } from "../payload";
import type { AnyBias } from "./bias";

/** What is needed to compute a layer: its entry, the layout, and how to read an array (flat, row-major). */
export interface PlainLayer {
  attention: Product | Weights;
  layout: { grid: Size; prefix: string[] };
  read(reference: Numbers): ArrayLike<number>;
}

/** A[query, key] for every key. */
export function plainRow(layer: PlainLayer, head: number, query: number): number[] {
  const { attention } = layer;
  const keys = range(tokensOf(layer));
  if (attention.form === "weights")
    return keys.map((key) => element(layer, attention.weights, head, query, key));
  const exponentials = softmaxTerms(keys.map((key) => logit(layer, attention, head, query, key)));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

/** A[query, key] for every query. */
export function plainColumn(layer: PlainLayer, head: number, key: number): number[] {
  return range(tokensOf(layer)).map((query) => plainRow(layer, head, query)[key]!);
}

/** ln Σ exp(logits) of one query. */
export function plainLogNormaliser(layer: PlainLayer, product: Product, head: number, query: number): number {
  const logits = range(tokensOf(layer)).map((key) => logit(layer, product, head, query, key));
  const largest = Math.max(...logits);
  return largest + Math.log(logits.reduce((total, value) => total + Math.exp(value - largest), 0));
}

function logit(layer: PlainLayer, product: Product, head: number, query: number, key: number): number {
  const products = range(product.queries.shape[2]!).map(
    (k) =>
      (product.steps ? element(layer, product.steps, head, k) : 1) *
      element(layer, product.queries, head, query, k) *
      element(layer, product.keys, head, key, k),
  );
  const dot = products.reduce((total, value) => total + value, 0);
  return dot + element(layer, product.key_bias, head, key) + biasOf(layer, product.bias, head, query, key);
}

function biasOf(layer: PlainLayer, bias: AnyBias | null, head: number, query: number, key: number): number {
  if (bias === null) return 0;
  if (bias.form === "dense") return element(layer, bias.term, head, query, key);
  if (bias.form === "windows") throw new Error("layers in windows are not computed here");
  const prefix = layer.layout.prefix.length;
  if (query < prefix) return element(layer, bias.from_prefix, head, query, key);
  if (key < prefix) return element(layer, bias.to_prefix, head, query - prefix, key);
  const [rows, columns] = layer.layout.grid;
  const [from, to] = [place(query - prefix, columns), place(key - prefix, columns)];
  const [down, right] = [to.row - from.row, to.column - from.column];
  return element(layer, bias.table, head, down + rows - 1, right + columns - 1);
}

/** One number of an array; axes of length 1 repeat. */
function element({ read }: PlainLayer, reference: Numbers, ...index: number[]): number {
  const flat = reference.shape.reduce(
    (at, length, axis) => at * length + (length === 1 ? 0 : index[axis]!),
    0,
  );
  return read(reference)[flat]!;
}

function place(patch: number, columns: number): { row: number; column: number } {
  return { row: Math.floor(patch / columns), column: patch % columns };
}

function softmaxTerms(logits: number[]): number[] {
  const largest = Math.max(...logits);
  return logits.map((value) => Math.exp(value - largest));
}

function tokensOf({ layout }: PlainLayer): number {
  return layout.prefix.length + layout.grid[0] * layout.grid[1];
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
