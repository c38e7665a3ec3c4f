/** What is added to a layer's logits, in the forms in which Python holds it (vitscope/attention/bias.py). */
import type { DenseBias, Numbers, RelativeBias } from "../payload";
import { checkShape, type LayerSize } from "./size";

/** A term of the logits; heads, queries and keys count from 0, prefix tokens first. */
export interface BiasTerm {
  /** Adds the term of one query to `logits` (tokens,), by key. */
  addRow(head: number, query: number, logits: Float64Array): void;
  /** Adds the term of one key to `logits` (tokens,), by query. */
  addColumn(head: number, key: number, logits: Float64Array): void;
}

type Read = (reference: Numbers) => Float32Array;

/** The bias of a layer, its arrays read by `read`. */
export function biasTerm(bias: DenseBias | RelativeBias, size: LayerSize, read: Read): BiasTerm {
  return bias.form === "dense" ? new DenseTerm(bias, size, read) : new RelativeTerm(bias, size, read);
}

/** A mask or bias held in full: (1 | heads, 1 | queries, keys). */
class DenseTerm implements BiasTerm {
  private readonly term: Float32Array;
  private readonly headStride: number;
  private readonly queryStride: number;

  constructor(bias: DenseBias, size: LayerSize, read: Read) {
    const { tokens, heads } = size;
    checkShape("dense bias", bias.term.shape, [1, heads], [1, tokens], [tokens]);
    const [ownHeads, queries] = bias.term.shape as [number, number];
    this.term = read(bias.term);
    this.queryStride = queries === 1 ? 0 : tokens;
    this.headStride = ownHeads === 1 ? 0 : queries * tokens;
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
    const { heads, prefix, tokens, grid } = size;
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
    const { prefix, tokens } = this.size;
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
    const { prefix, tokens } = this.size;
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
