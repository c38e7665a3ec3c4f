import { describe, expect, test } from "vitest";
import { meanOverHeads } from "../src/attention/average";
import { decodeLayer, type LayerAttention } from "../src/attention/layer";
import { plainColumn, plainRow } from "../src/attention/reference";
import type { DenseBias, Product, RelativeBias, Weights } from "../src/payload";
import {
  Blocks,
  cells,
  HEADS,
  LAYOUT,
  makeProduct,
  makeWeights,
  relativeError,
  TOKENS,
  type Made,
} from "./layers";
import type { Random } from "./random";

const PREFIX = LAYOUT.prefix.length;
const PATCHES = TOKENS - PREFIX;
const [ROWS, COLUMNS] = LAYOUT.grid;

function dense(heads: number, queries: number, hidden = 0) {
  return (random: Random, blocks: Blocks): DenseBias => {
    const shape = [heads, queries, TOKENS];
    const values = random
      .normals(heads * queries * TOKENS)
      .map((value) => (random.uniform() < hidden ? -Infinity : value));
    return { form: "dense", term: blocks.add(values, shape, "float32", 0) };
  };
}

function relative(table: number, fromPrefix: number, toPrefix: number) {
  return (random: Random, blocks: Blocks): RelativeBias => {
    const make = (...shape: number[]) =>
      blocks.add(random.normals(shape.reduce((a, b) => a * b)), shape, "float32", 0);
    return {
      form: "relative",
      table: make(table, 2 * ROWS - 1, 2 * COLUMNS - 1),
      from_prefix: make(fromPrefix, PREFIX, TOKENS),
      to_prefix: make(toPrefix, PATCHES, PREFIX),
    };
  };
}

const LAYERS: Record<string, () => Made<Product | Weights>> = {
  "float32 without bias": () => makeProduct(1, "float32"),
  "float16 without bias": () => makeProduct(2, "float16"),
  "integers without bias": () => makeProduct(30, "int16"),
  "integers with relative bias": () => makeProduct(31, "int16", relative(HEADS, 1, HEADS)),
  "dense bias": () => makeProduct(3, "float16", dense(HEADS, TOKENS)),
  "dense bias for all heads": () => makeProduct(4, "float32", dense(1, TOKENS)),
  "dense bias for all queries": () => makeProduct(5, "float32", dense(HEADS, 1)),
  "dense bias for all heads and queries": () => makeProduct(6, "float16", dense(1, 1)),
  "mask that hides a third": () => makeProduct(7, "float32", dense(HEADS, TOKENS, 1 / 3)),
  "relative bias": () => makeProduct(8, "float16", relative(HEADS, HEADS, HEADS)),
  "relative bias for all heads": () => makeProduct(9, "float32", relative(1, 1, 1)),
  "weights in float32": () => makeWeights(10, "float32"),
  "weights in float16": () => makeWeights(11, "float16"),
};

async function decode({ attention, blocks }: Made<Product | Weights>): Promise<LayerAttention> {
  return decodeLayer(attention, LAYOUT, blocks);
}

describe.each(Object.entries(LAYERS))("a layer with %s", (_, make) => {
  const made = make();

  test("has the rows of the plain computation", async () => {
    const layer = await decode(made);
    const out = new Float32Array(TOKENS);
    const errors = cells(HEADS, TOKENS).map(([head, query]) =>
      relativeError(layer.row(head!, query!, out), plainRow(made.plain, head!, query!)),
    );
    expect(Math.max(...errors)).toBeLessThan(1e-6);
  });

  test("has the columns of the plain computation", async () => {
    const layer = await decode(made);
    const out = new Float32Array(TOKENS);
    const some = cells(HEADS, TOKENS).filter(([head, key]) => key! < 5 || (key! + head!) % 7 === 0);
    const errors = some.map(([head, key]) =>
      relativeError(layer.column(head!, key!, out), plainColumn(made.plain, head!, key!)),
    );
    expect(Math.max(...errors)).toBeLessThan(1e-5);
  });
});

test("a row and a column worked out by hand", async () => {
  const blocks = new Blocks();
  const numbers = (values: number[], ...shape: number[]) => blocks.add(values, shape);
  const attention: Product = {
    form: "product",
    steps: null,
    queries: numbers([1, 0], 1, 2, 1),
    keys: numbers([Math.log(2), 0], 1, 2, 1),
    key_bias: numbers([0, Math.log(3)], 1, 2),
    bias: null,
    log_normaliser: numbers([Math.log(2 + 3), Math.log(1 + 3)], 1, 2),
    mean_row: numbers([0.3, 0.7], 1, 2),
    error: 0,
    probe: { head: 0, query: 0, row: numbers([0.4, 0.6], 2) },
  };
  const layer = await decodeLayer(attention, { grid: [1, 1], prefix: ["cls"] }, blocks);
  const out = new Float32Array(2);
  expect(relativeError(layer.row(0, 0, out), [2 / 5, 3 / 5])).toBeLessThan(1e-6);
  expect(relativeError(layer.column(0, 0, out), [2 / 5, 1 / 4])).toBeLessThan(1e-6);
  expect(layer.selfCheck()).toBeLessThan(1e-6);
});

test("logits far beyond the range of exp give weights all the same", async () => {
  const made = makeProduct(12, "float32", (random, blocks) => {
    const values = random.normals(TOKENS, 1000);
    return { form: "dense", term: blocks.add(values, [1, 1, TOKENS]) };
  });
  const row = (await decode(made)).row(1, 3, new Float32Array(TOKENS));
  expect(row.reduce((sum, weight) => sum + weight)).toBeCloseTo(1, 6);
});

test("sizes, error and mean rows are the payload's", async () => {
  const made = makeProduct(13, "float16");
  const layer = await decode(made);
  expect([layer.heads, layer.queries, layer.keys, layer.error]).toEqual([
    HEADS,
    TOKENS,
    TOKENS,
    made.attention.error,
  ]);
  const means = made.plain.read(made.attention.mean_row);
  const expected = Array.from({ length: TOKENS }, (_, token) => means[2 * TOKENS + token]!);
  expect(Array.from(layer.meanRow(2))).toEqual(expected);
});

test("each block is fetched once", async () => {
  const made = makeProduct(14, "float32", relative(1, HEADS, 1));
  await decode(made);
  expect([...made.blocks.fetched].sort()).toEqual([0, 1]);
});

describe("the check of a layer by Python's row", () => {
  test("finds the row alike", async () => {
    expect((await decode(makeProduct(15, "float16"))).selfCheck()).toBeLessThan(1e-6);
  });

  test("measures the largest difference by the largest weight", async () => {
    const made = makeProduct(16, "float32");
    const row = plainRow(made.plain, made.attention.probe.head, made.attention.probe.query);
    const largest = Math.max(...row);
    const other = row.indexOf(largest) === 0 ? 1 : 0;
    row[other]! += largest / 4; // sets a second weight off, but not above the largest
    made.attention.probe.row = made.blocks.add(row, [TOKENS]);
    expect((await decode(made)).selfCheck()).toBeCloseTo(1 / Math.max(4, 4 * (row[other]! / largest)), 5);
  });

  test.each(["key_bias", "probe"])("does not pass where %s is not a number", async (where) => {
    const { attention, blocks, plain } = makeProduct(17, "float32");
    const nothing = blocks.add(Array(HEADS * TOKENS).fill(NaN), [HEADS, TOKENS]);
    if (where === "probe") attention.probe.row = { ...nothing, shape: [TOKENS] };
    else attention.key_bias = nothing;
    expect((await decode({ attention, blocks, plain })).selfCheck()).toBeNaN();
  });
});

describe("the mean over heads", () => {
  const made = makeProduct(18, "float32", dense(HEADS, TOKENS));
  const mean = (rows: number[][]) =>
    rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);
  const heads = Array.from({ length: HEADS }, (_, head) => head);

  test.each([
    ["from", plainRow],
    ["to", plainColumn],
  ] as const)("%s a token", async (direction, plain) => {
    const out = new Float32Array(TOKENS).fill(7);
    const found = meanOverHeads(await decode(made), 23, direction, out, new Float32Array(TOKENS));
    expect(found).toBe(out);
    expect(relativeError(found, mean(heads.map((head) => plain(made.plain, head, 23))))).toBeLessThan(1e-5);
  });
});

describe("what does not fit is refused in words", () => {
  test("heads and tokens that do not exist", async () => {
    const layer = await decode(makeProduct(19, "float16"));
    const out = new Float32Array(TOKENS);
    expect(() => layer.row(HEADS, 0, out)).toThrow("head 3 does not exist: there are 3, from 0");
    expect(() => layer.row(0, TOKENS, out)).toThrow("query 37 does not exist");
    expect(() => layer.column(0, -1, out)).toThrow("key -1 does not exist");
    expect(() => layer.meanRow(1.5)).toThrow("head 1.5 does not exist");
    expect(() => layer.row(0, 0, new Float32Array(3))).toThrow("found an array of 3 to write 37 weights to");
  });

  test("another grid than the layout's", async () => {
    const { attention, blocks } = makeProduct(20, "float32");
    const wrong = decodeLayer(attention, { ...LAYOUT, grid: [5, 5] }, blocks);
    await expect(wrong).rejects.toThrow("mean_row: found shape (3, 37), expected (3, 27)");
  });

  test.each(["queries", "keys", "key_bias", "log_normaliser"] as const)(
    "the wrong shape of %s",
    async (name) => {
      const { attention, blocks } = makeProduct(21, "float32");
      attention[name] = { ...attention[name], shape: [HEADS, 2] };
      await expect(decodeLayer(attention, LAYOUT, blocks)).rejects.toThrow(`${name}: found shape (3, 2)`);
    },
  );

  test.each<[string, string, Made<Product | Weights>, object]>([
    [
      "a bias's table",
      "relative bias, table",
      makeProduct(22, "float32", relative(HEADS, 1, 1)),
      { table: [2, 9, 13] },
    ],
    [
      "a bias's prefix rows",
      "relative bias, from_prefix",
      makeProduct(23, "float32", relative(1, 1, 1)),
      { from_prefix: [1, 2, 35] },
    ],
    [
      "a bias's prefix columns",
      "relative bias, to_prefix",
      makeProduct(24, "float32", relative(1, 1, 1)),
      { to_prefix: [1, 37, 2] },
    ],
    ["a dense bias", "dense bias", makeProduct(25, "float32", dense(1, TOKENS)), { term: [1, TOKENS, 3] }],
    ["the columns' steps", "steps", makeProduct(32, "int16"), { steps: [HEADS, 1] }],
    ["weights", "weights", makeWeights(26, "float16"), { weights: [HEADS, TOKENS] }],
    ["the probe", "probe", makeWeights(27, "float16"), { row: [TOKENS - 1] }],
  ])("the wrong shape of %s", async (_, name, { attention, blocks }, shapes) => {
    const [[key, shape]] = Object.entries(shapes) as [[string, number[]]];
    const bias = attention.form === "product" ? attention.bias : null;
    const holders = [attention, attention.probe, bias].filter(Boolean) as unknown as Record<
      string,
      { shape: number[] }
    >[];
    const holder = holders.find((candidate) => key in candidate)!;
    holder[key] = { ...holder[key]!, shape };
    const message = `${name}: found shape (${shape.join(", ")}), expected (`;
    await expect(decodeLayer(attention, LAYOUT, blocks)).rejects.toThrow(message);
  });
});
