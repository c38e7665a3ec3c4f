/** One layer's attention, decoded: any row, any column, and a check against a row of Python's. */
import type { Arrangement, Numbers, Product, Size, Weights } from "../payload";
import type { BlockSource } from "../numbers/blocks";
import { readNumbers } from "../numbers/read";
import { biasNumbers } from "./bias";
import { ProductRows } from "./product";
import { checkShape, type LayerSize } from "./size";
import { WeightRows } from "./weights";
import { WindowedRows, windowNumbers, WindowTokens } from "./windows";

/** How one layer attends; heads and tokens count from 0, prefix tokens of a lattice first. */
export interface LayerAttention {
  readonly heads: number;
  readonly queries: number; // tokens of their lattice
  readonly keys: number;
  /** Weight of uniform attention, within a window if the layer has such. */
  readonly uniform: number;
  /** Largest difference of the page's rows and columns from the model's, over their maximum, as Python found. */
  readonly error: number;
  /** The weights of one query over all keys, written to `out` (keys,) and given back. */
  row(head: number, query: number, out: Float32Array): Float32Array;
  /** The weight that every query gives to one key, written to `out` (queries,) and given back. */
  column(head: number, key: number, out: Float32Array): Float32Array;
  /** 1 for each token of the other side that this one may attend to, or is attended by, in its windows; null where there is one window of all. */
  reach(token: number, direction: "from" | "to"): Uint8Array | null;
  /** Mean of the patch queries' rows (keys,): a view, not to be written to. */
  meanRow(head: number): Float32Array;
  /** Largest |row − Python's| over the largest of Python's, for the probe row, found in this very browser. */
  selfCheck(): number;
}

/** Rows and columns of one form of attention; arguments are checked before. */
export interface Rows {
  row(head: number, query: number, out: Float32Array): void;
  column(head: number, key: number, out: Float32Array): void;
}

/** Fetches the blocks of one layer and decodes it. */
export async function decodeLayer(
  attention: Product | Weights,
  layout: TokenGrid,
  source: BlockSource,
  arrangement: Arrangement | null = null, // where its tokens do not stand as the layout says
): Promise<LayerAttention> {
  const sides = arrangement ?? { queries: layout, keys: layout, windows: null };
  const tokens = sides.windows ? windowNumbers(sides.windows) : [];
  const blocks = await fetchBlocks([...referencesOf(attention), ...tokens], source);
  const read = (reference: Numbers) => readNumbers(reference, blocks.get(reference.block)!);
  return new DecodedLayer(attention, sides, read);
}

interface TokenGrid {
  grid: Size;
  prefix: string[];
}

type Placed = { queries: TokenGrid; keys: TokenGrid; windows: Arrangement["windows"] };

function referencesOf(attention: Product | Weights): Numbers[] {
  const shared = [attention.mean_row, attention.probe.row];
  if (attention.form === "weights") return [...shared, attention.weights];
  const { queries, keys, key_bias, log_normaliser, bias } = attention;
  const terms = bias ? biasNumbers(bias) : [];
  return [...shared, queries, keys, key_bias, log_normaliser, ...terms];
}

async function fetchBlocks(references: Numbers[], source: BlockSource): Promise<Map<number, ArrayBuffer>> {
  const wanted = [...new Set(references.map(({ block }) => block))];
  return new Map(await Promise.all(wanted.map(async (block) => [block, await source.bytes(block)] as const)));
}

class DecodedLayer implements LayerAttention {
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly uniform: number;
  readonly error: number;
  private readonly own: Rows; // over the tokens of a window, by window and head
  private readonly rows: Rows; // over those of the lattices
  private readonly windows: WindowTokens | null;
  private readonly means: Float32Array; // (heads, keys)
  private readonly probe: { head: number; query: number; row: Float32Array };
  private checked: number | null = null;

  constructor(attention: Product | Weights, sides: Placed, read: (reference: Numbers) => Float32Array) {
    this.heads = attention.mean_row.shape[0] ?? 0;
    this.queries = tokensOf(sides.queries);
    this.keys = tokensOf(sides.keys);
    this.windows = sides.windows && new WindowTokens(sides.windows, this, read);
    const size: LayerSize = {
      heads: this.heads * (this.windows?.count ?? 1),
      queries: this.windows?.queries.own ?? this.queries,
      keys: this.windows?.keys.own ?? this.keys,
      grid: sides.queries.grid,
      prefix: sides.queries.prefix.length,
    };
    checkShape("mean_row", attention.mean_row.shape, [this.heads], [this.keys]);
    checkShape("probe", attention.probe.row.shape, [size.keys]);
    this.uniform = 1 / size.keys;
    this.error = attention.error;
    this.own =
      attention.form === "product"
        ? new ProductRows(attention, size, read)
        : new WeightRows(attention, size, read);
    this.rows = this.windows ? new WindowedRows(this.own, this.windows, this.heads) : this.own;
    this.means = read(attention.mean_row).slice(); // copies, as a view would hold the whole block
    this.probe = { ...attention.probe, row: read(attention.probe.row).slice() };
  }

  row(head: number, query: number, out: Float32Array): Float32Array {
    this.check(head, query, this.queries, "query");
    checkLength(out, this.keys);
    this.rows.row(head, query, out);
    return out;
  }

  column(head: number, key: number, out: Float32Array): Float32Array {
    this.check(head, key, this.keys, "key");
    checkLength(out, this.queries);
    this.rows.column(head, key, out);
    return out;
  }

  meanRow(head: number): Float32Array {
    checkIndex(head, this.heads, "head");
    return this.means.subarray(head * this.keys, (head + 1) * this.keys);
  }

  reach(token: number, direction: "from" | "to"): Uint8Array | null {
    return this.windows && this.windows.count > 1 ? this.windows.reach(token, direction) : null;
  }

  selfCheck(): number {
    this.checked ??= this.compareProbe();
    return this.checked;
  }

  private compareProbe(): number {
    const { head, query, row } = this.probe;
    const own = new Float32Array(row.length);
    this.own.row(head, query, own);
    let [difference, largest] = [0, 0];
    for (let key = 0; key < row.length; key++) {
      difference = Math.max(difference, Math.abs(own[key]! - row[key]!)); // NaN stays NaN
      largest = Math.max(largest, Math.abs(row[key]!)); // mixed heads may have negative weights
    }
    return difference / largest;
  }

  private check(head: number, token: number, count: number, what: string): void {
    checkIndex(head, this.heads, "head");
    checkIndex(token, count, what);
  }
}

function tokensOf({ grid, prefix }: TokenGrid): number {
  return prefix.length + grid[0] * grid[1];
}

function checkLength(out: Float32Array, count: number): void {
  if (out.length !== count)
    throw new RangeError(`found an array of ${out.length} to write ${count} weights to`);
}

function checkIndex(index: number, count: number, what: string): void {
  if (Number.isInteger(index) && index >= 0 && index < count) return;
  throw new RangeError(`${what} ${index} does not exist: there are ${count}, from 0`);
}
