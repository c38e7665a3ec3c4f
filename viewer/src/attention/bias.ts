/** What is added to a layer's logits, in the forms in which Python holds it (vitscope/attention/bias.py). */
import type { DenseBias, Numbers, RelativeBias, WindowsBias } from "../payload";
import { checkShape, type LayerSize } from "./size";

/** A term of the logits; heads, queries and keys count from 0, prefix tokens first. */
export interface BiasTerm {
  /** Adds the term of one query to `logits` (keys,), by key. */
  addRow(head: number, query: number, logits: Float64Array): void;
  /** Adds the term of one key to `logits` (queries,), by query. */
  addColumn(head: number, key: number, logits: Float64Array): void;
}

export type AnyBias = DenseBias | RelativeBias | WindowsBias;

type Read = (reference: Numbers) => Float32Array;

/** The bias of a layer, its arrays read by `read`. */
export function biasTerm(bias: AnyBias, size: LayerSize, read: Read): BiasTerm {
  if (bias.form === "windows") return new WindowsTerm(bias, size, read);
  return bias.form === "dense" ? new DenseTerm(bias.term, size, read) : new RelativeTerm(bias, size, read);
}

/** The arrays of a bias. */
export function biasNumbers(bias: AnyBias): Numbers[] {
  if (bias.form === "relative") return [bias.table, bias.from_prefix, bias.to_prefix];
  return bias.form === "dense" ? [bias.term] : [bias.term, bias.kinds];
}

/** A mask or bias held in full: (1 | heads, 1 | queries, keys). */
class DenseTerm implements BiasTerm {
  private readonly term: Float32Array;
  private readonly headStride: number;
  private readonly queryStride: number;

  constructor(term: Numbers, { heads, queries, keys }: LayerSize, read: Read) {
    checkShape("dense bias", term.shape, [1, heads], [1, queries], [keys]);
    const [ownHeads, ownQueries] = term.shape as [number, number];
    this.term = read(term);
    this.queryStride = ownQueries === 1 ? 0 : keys;
    this.headStride = ownHeads === 1 ? 0 : ownQueries * keys;
  }

  addRow(head: number, query: number, logits: Float64Array): void {
    const start = head * this.headStride + query * this.queryStride;
    for (let key = 0; key < logits.length; key++) logits[key]! += this.term[start + key]!;
  }

  addColumn(head: number, key: number, logits: Float64Array): void {
    let at = head * this.headStride + key;
    for (let query = 0; query < logits.length; query++, at += this.queryStride)
      logits[query]! += this.term[at]!;
  }
}

/** Windows of a few kinds, each with a term of its own, (kinds, 1 | heads, 1 | queries, keys): heads are window by window. */
class WindowsTerm implements BiasTerm {
  private readonly term: DenseTerm; // by kind and head
  private readonly kinds: Float32Array; // (windows,)
  private readonly heads: number; // of a window
  private readonly ownHeads: number; // of a term

  constructor(bias: WindowsBias, size: LayerSize, read: Read) {
    const [kinds = 0, heads = 0, ...rest] = bias.term.shape;
    const [windows = 1] = bias.kinds.shape;
    this.heads = size.heads / windows;
    this.ownHeads = heads;
    checkShape("bias of windows", [heads], [1, this.heads]);
    const flat = { ...bias.term, shape: [kinds * heads, ...rest] };
    this.term = new DenseTerm(flat, { ...size, heads: kinds * heads }, read);
    this.kinds = read(bias.kinds).slice();
  }

  addRow(head: number, query: number, logits: Float64Array): void {
    this.term.addRow(this.termOf(head), query, logits);
  }

  addColumn(head: number, key: number, logits: Float64Array): void {
    this.term.addColumn(this.termOf(head), key, logits);
  }

  private termOf(head: number): number {
    const kind = this.kinds[Math.floor(head / this.heads)]!;
    return kind * this.ownHeads + (this.ownHeads === 1 ? 0 : head % this.heads);
  }
}

/** A bias between patches that depends on their offset alone; rows and columns of prefix tokens in full. */
class RelativeTerm implements BiasTerm {
  private readonly table: Float32Array; // (1 | heads, 2·rows − 1, 2·columns − 1), by key − query
  private readonly fromPrefix: Float32Array; // (1 | heads, prefix, tokens)
  private readonly toPrefix: Float32Array; // (1 | heads, patches, prefix)
  private readonly tableHead: number; // strides of the heads axes, 0 where it repeats
  private readonly fromHead: number;
  private readonly toHead: number;

  constructor(
    bias: RelativeBias,
    private readonly size: LayerSize,
    read: Read,
  ) {
    const { heads, prefix, keys: tokens, grid } = size;
    const [height, width] = [2 * grid[0] - 1, 2 * grid[1] - 1];
    checkShape("relative bias, table", bias.table.shape, [1, heads], [height], [width]);
    checkShape("relative bias, from_prefix", bias.from_prefix.shape, [1, heads], [prefix], [tokens]);
    checkShape("relative bias, to_prefix", bias.to_prefix.shape, [1, heads], [tokens - prefix], [prefix]);
    this.table = read(bias.table);
    this.fromPrefix = read(bias.from_prefix);
    this.toPrefix = read(bias.to_prefix);
    this.tableHead = bias.table.shape[0] === 1 ? 0 : height * width;
    this.fromHead = bias.from_prefix.shape[0] === 1 ? 0 : prefix * tokens;
    this.toHead = bias.to_prefix.shape[0] === 1 ? 0 : (tokens - prefix) * prefix;
  }

  addRow(head: number, query: number, logits: Float64Array): void {
    const { prefix, keys: tokens } = this.size;
    if (query < prefix) {
      const start = head * this.fromHead + query * tokens;
      for (let key = 0; key < tokens; key++) logits[key]! += this.fromPrefix[start + key]!;
      return;
    }
    const start = head * this.toHead + (query - prefix) * prefix;
    for (let key = 0; key < prefix; key++) logits[key]! += this.toPrefix[start + key]!;
    this.addOffsets(head, query - prefix, 1, logits);
  }

  addColumn(head: number, key: number, logits: Float64Array): void {
    const { prefix, keys: tokens } = this.size;
    const fromStart = head * this.fromHead + key;
    for (let query = 0; query < prefix; query++)
      logits[query]! += this.fromPrefix[fromStart + query * tokens]!;
    if (key < prefix) {
      const toStart = head * this.toHead + key;
      for (let patch = 0; patch < tokens - prefix; patch++) {
        logits[prefix + patch]! += this.toPrefix[toStart + patch * prefix]!;
      }
      return;
    }
    this.addOffsets(head, key - prefix, -1, logits);
  }

  /** Adds table[other − patch] for every other patch, or table[patch − other] where `direction` is −1. */
  private addOffsets(head: number, patch: number, direction: 1 | -1, logits: Float64Array): void {
    const [rows, columns] = this.size.grid;
    const width = 2 * columns - 1;
    const [ownRow, ownColumn] = [Math.floor(patch / columns), patch % columns];
    let to = this.size.prefix;
    for (let row = 0; row < rows; row++) {
      const line = rows - 1 + direction * (row - ownRow);
      let at = head * this.tableHead + line * width + columns - 1 - direction * ownColumn;
      for (let column = 0; column < columns; column++, at += direction) logits[to++]! += this.table[at]!;
    }
  }
}
