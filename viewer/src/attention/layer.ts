/** One layer's attention, decoded: any row, any column, and a check against a row of Python's. */
import type { Numbers, Product, Size, Weights } from "../payload";
import type { BlockSource } from "../numbers/blocks";
import { readNumbers } from "../numbers/read";
import { ProductRows } from "./product";
import { checkShape, sizeOf, type LayerSize } from "./size";
import { WeightRows } from "./weights";

/** How one layer attends; heads and tokens count from 0, prefix tokens first. */
export interface LayerAttention {
  readonly heads: number;
  readonly tokens: number;
  /** Largest difference of the page's rows and columns from the model's, over their maximum, as Python found. */
  readonly error: number;
  /** The weights of one query over all keys, written to `out` (tokens,) and given back. */
  row(head: number, query: number, out: Float32Array): Float32Array;
  /** The weight that every query gives to one key, written to `out` (tokens,) and given back. */
  column(head: number, key: number, out: Float32Array): Float32Array;
  /** Mean of the patch queries' rows (tokens,): a view, not to be written to. */
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
  layout: { grid: Size; prefix: string[] },
  source: BlockSource,
): Promise<LayerAttention> {
  const blocks = await fetchBlocks(referencesOf(attention), source);
  const read = (reference: Numbers) => readNumbers(reference, blocks.get(reference.block)!);
  return new DecodedLayer(attention, sizeOf(attention, layout), read);
}

function referencesOf(attention: Product | Weights): Numbers[] {
  const shared = [attention.mean_row, attention.probe.row];
  if (attention.form === "weights") return [...shared, attention.weights];
  const { queries, keys, key_bias, log_normaliser, bias } = attention;
  const terms = !bias
    ? []
    : bias.form === "dense"
      ? [bias.term]
      : [bias.table, bias.from_prefix, bias.to_prefix];
  return [...shared, queries, keys, key_bias, log_normaliser, ...terms];
}

async function fetchBlocks(references: Numbers[], source: BlockSource): Promise<Map<number, ArrayBuffer>> {
  const wanted = [...new Set(references.map(({ block }) => block))];
  return new Map(await Promise.all(wanted.map(async (block) => [block, await source.bytes(block)] as const)));
}

class DecodedLayer implements LayerAttention {
  readonly heads: number;
  readonly tokens: number;
  readonly error: number;
  private readonly rows: Rows;
  private readonly means: Float32Array; // (heads, tokens)
  private readonly probe: { head: number; query: number; row: Float32Array };
  private checked: number | null = null;

  constructor(attention: Product | Weights, size: LayerSize, read: (reference: Numbers) => Float32Array) {
    const { heads, tokens } = size;
    checkShape("mean_row", attention.mean_row.shape, [heads], [tokens]);
    checkShape("probe", attention.probe.row.shape, [tokens]);
    this.heads = heads;
    this.tokens = tokens;
    this.error = attention.error;
    this.rows =
      attention.form === "product"
        ? new ProductRows(attention, size, read)
        : new WeightRows(attention, size, read);
    this.means = read(attention.mean_row).slice(); // copies, as a view would hold the whole block
    this.probe = { ...attention.probe, row: read(attention.probe.row).slice() };
  }

  row(head: number, query: number, out: Float32Array): Float32Array {
    this.check(head, query, "query", out);
    this.rows.row(head, query, out);
    return out;
  }

  column(head: number, key: number, out: Float32Array): Float32Array {
    this.check(head, key, "key", out);
    this.rows.column(head, key, out);
    return out;
  }

  meanRow(head: number): Float32Array {
    checkIndex(head, this.heads, "head");
    return this.means.subarray(head * this.tokens, (head + 1) * this.tokens);
  }

  selfCheck(): number {
    this.checked ??= this.compareProbe();
    return this.checked;
  }

  private compareProbe(): number {
    const { head, query, row } = this.probe;
    const own = this.row(head, query, new Float32Array(this.tokens));
    let [difference, largest] = [0, 0];
    for (let key = 0; key < this.tokens; key++) {
      difference = Math.max(difference, Math.abs(own[key]! - row[key]!)); // NaN stays NaN
      largest = Math.max(largest, row[key]!);
    }
    return difference / largest;
  }

  private check(head: number, token: number, what: string, out: Float32Array): void {
    checkIndex(head, this.heads, "head");
    checkIndex(token, this.tokens, what);
    if (out.length !== this.tokens) {
      throw new RangeError(`found an array of ${out.length} to write ${this.tokens} weights to`);
    }
  }
}

function checkIndex(index: number, count: number, what: string): void {
  if (Number.isInteger(index) && index >= 0 && index < count) return;
  throw new RangeError(`${what} ${index} does not exist: there are ${count}, from 0`);
}
