/** Attention in windows: rows, columns and reach over the lattice are those of the windows, put together. */
import { describe, expect, test } from "vitest";
import { decodeLayer } from "../src/attention/layer";
import { onLattice } from "../src/maps/resample";
import type { Arrangement, Weights } from "../src/payload";
import { cellIn } from "../src/state/lattices";
import { Blocks, relativeError } from "./layers";
import { range } from "./payloads";
import { seeded } from "./random";

const HEADS = 3;
const GRID = [3, 5] as [number, number];
// Two windows of four queries and five keys; query 7 stands in both, key 2 too; −1 is padding.
const QUERIES = [
  [0, 7, 3, -1],
  [7, 14, 1, 8],
];
const KEYS = [
  [2, 9, -1, 4, 0],
  [13, 2, 6, -1, -1],
];
const lattice = { grid: GRID, patch_size: [4, 4] as [number, number], prefix: [] };

function made(masked: boolean) {
  const [random, blocks] = [seeded(3), new Blocks()];
  const weights = range(2 * HEADS * 4 * 5).map(() => random.uniform());
  const at = (window: number, head: number, query: number, key: number): number =>
    Math.fround(weights[((window * HEADS + head) * 4 + query) * 5 + key]!);
  const attention: Weights = {
    form: "weights",
    weights: blocks.add(weights, [2 * HEADS, 4, 5]),
    mean_row: blocks.add(Array(HEADS * 15).fill(0.5), [HEADS, 15]),
    error: 0,
    probe: {
      head: 4,
      query: 2,
      row: blocks.add(
        range(5).map((key) => at(1, 1, 2, key)),
        [5],
      ),
    },
  };
  const allowed = {
    kinds: blocks.add([0, 1], [2], "int16"),
    masks: blocks.add([248, 248, 248, 248, 0b01100000, 248, 248, 248], [2, 4, 1], "int16"),
  };
  const arrangement: Arrangement = {
    kind: "window",
    words: "2 windows",
    queries: lattice,
    keys: lattice,
    windows: {
      query_tokens: blocks.add(QUERIES.flat(), [2, 4], "int16"),
      key_tokens: blocks.add(KEYS.flat(), [2, 5], "int16"),
      allowed: masked ? allowed : null,
    },
    uniform_distance: 1,
    uniform_rescaled_distance: 1,
    uniform_entropy: 1,
  };
  return { layer: decodeLayer(attention, lattice, blocks, arrangement), at };
}

/** A[query, key] over the lattice, as the definition reads: the mean over the windows that hold the query. */
function plain(at: ReturnType<typeof made>["at"], head: number, query: number, key: number): number {
  const holding = range(2).filter((window) => QUERIES[window]!.includes(query));
  const terms = holding.map((window) => {
    const position = KEYS[window]!.indexOf(key);
    return position < 0 ? 0 : at(window, head, QUERIES[window]!.indexOf(query), position);
  });
  return terms.reduce((sum, term) => sum + term, 0) / Math.max(1, holding.length);
}

describe("a layer in windows", () => {
  test("has rows and columns over the whole lattice", async () => {
    const { layer: promise, at } = made(false);
    const layer = await promise;
    expect([layer.heads, layer.queries, layer.keys, layer.uniform]).toEqual([HEADS, 15, 15, 1 / 5]);
    for (const head of range(HEADS)) {
      for (const query of [0, 7, 14]) {
        const row = layer.row(head, query, new Float32Array(15));
        expect(
          relativeError(
            row,
            range(15).map((key) => plain(at, head, query, key)),
          ),
        ).toBeLessThan(1e-6);
      }
      for (const key of [2, 13, 0]) {
        const column = layer.column(head, key, new Float32Array(15));
        expect(
          relativeError(
            column,
            range(15).map((query) => plain(at, head, query, key)),
          ),
        ).toBeLessThan(1e-6);
      }
    }
    expect(Array.from(layer.row(0, 5, new Float32Array(15)))).toEqual(Array(15).fill(0));
    expect(layer.selfCheck()).toBe(0);
  });

  test("reaches what its windows hold, and no mask forbids", async () => {
    const reach = async (masked: boolean, token: number, direction: "from" | "to"): Promise<number[]> => {
      const found = (await made(masked).layer).reach(token, direction)!;
      return range(15).filter((other) => found[other]);
    };
    expect(await reach(false, 7, "from")).toEqual([0, 2, 4, 6, 9, 13]);
    expect(await reach(true, 7, "from")).toEqual([0, 2, 4, 6, 9]); // in window 1, its keys 1 and 2 alone
    expect(await reach(false, 13, "to")).toEqual([1, 7, 8, 14]);
    expect(await reach(true, 13, "to")).toEqual([1, 8, 14]);
  });
});

describe("cells of two lattices", () => {
  const coarse = { grid: [2, 2] as [number, number], patch_size: [8, 8] as [number, number], prefix: [] };
  const fine = { grid: [4, 4] as [number, number], patch_size: [4, 4] as [number, number], prefix: [] };

  test("are those at one place", () => {
    expect(cellIn({ row: 3, column: 1 }, fine, coarse)).toEqual({ row: 1, column: 0 });
    expect(cellIn({ row: 1, column: 0 }, coarse, fine)).toEqual({ row: 3, column: 1 });
    expect(cellIn({ row: 3, column: 3 }, fine, { ...coarse, grid: [1, 1] })).toEqual({ row: 0, column: 0 });
  });

  test("hold a map's weights by area", () => {
    expect(Array.from(onLattice([4, 8, 12, 16], coarse, fine)).slice(0, 6)).toEqual([1, 1, 2, 2, 1, 1]);
    expect(onLattice([4, 8, 12, 16], coarse, fine).reduce((sum, value) => sum + value)).toBe(40);
  });
});
