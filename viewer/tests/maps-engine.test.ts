import { describe, expect, test } from "vitest";
import {
  type AttentionMap,
  attentionMap,
  isMap,
  rolloutMap,
  type Selection,
  sharedMaximum,
} from "../src/engine/maps";
import type { Product } from "../src/payload";
import { relativeError } from "./layers";
import { patchQuery } from "../src/state/query";
import { FIRST, makePage, meanOf, openGallery, range, SECOND, settled } from "./payloads";

const HEADS = [3, 2, 3, 3, 5]; // by layer
const page = makePage({ ...FIRST, heads: HEADS, images: 2 }, SECOND);
const gallery = await openGallery(page, 0, 1, 2);
const [PREFIX, PATCHES, TOKENS] = [2, 35, 37];

function map(selection: Partial<Selection>): AttentionMap {
  const whole: Selection = { view: 0, layer: 4, head: 2, query: "cls", direction: "from", ...selection };
  const found = attentionMap(gallery, whole);
  if (!isMap(found)) throw new Error(found === "pending" ? found : found.absent);
  return found;
}

function absent(selection: Partial<Selection>, of = gallery): unknown {
  return attentionMap(of, { view: 0, layer: 4, head: 2, query: "cls", direction: "from", ...selection });
}

/** Every token's weight: prefix tokens, then patches. */
function whole({ prefix, values }: AttentionMap): number[] {
  return [...prefix, ...values];
}

/** The same by the plain formulas. */
function plain(view: number, layer: number, head: number, token: number, direction: string): number[] {
  const weights = page.weights(view, layer, head);
  return direction === "from" ? weights[token]! : weights.map((row) => row[token]!);
}

const QUERIES = [
  ["cls", 0],
  ["reg1", 1],
  ["3,5", PREFIX + 3 * 7 + 5],
] as const;

describe.each(["from", "to"] as const)("direction %s", (direction) => {
  test.each(QUERIES)("every layer and head of %s is the plain computation's", (query, token) => {
    for (const layer of range(HEADS.length)) {
      for (const head of range(HEADS[layer]!)) {
        const found = map({ layer, head, query, direction });
        expect(relativeError(whole(found), plain(0, layer, head, token, direction))).toBeLessThan(1e-5);
        expect([found.prefix.length, found.values.length]).toEqual([PREFIX, PATCHES]);
      }
    }
  });

  test.each(QUERIES)("the mean over heads of %s", (query, token) => {
    for (const layer of range(HEADS.length)) {
      const heads = range(HEADS[layer]!).map((head) => plain(0, layer, head, token, direction));
      const found = map({ layer, head: "mean", query, direction });
      expect(relativeError(whole(found), meanOf(heads))).toBeLessThan(1e-5);
    }
  });

  test.each(QUERIES)("the mean over layers of %s", (query, token) => {
    const layers = range(HEADS.length).map((layer) => plain(0, layer, 1, token, direction));
    const found = map({ layer: "mean", head: 1, query, direction });
    expect(relativeError(whole(found), meanOf(layers))).toBeLessThan(1e-5);
    expect(found.layers).toBe(5);
  });

  test("the mean over layers and heads weighs layers alike, whatever their heads", () => {
    const layers = HEADS.map((heads, layer) =>
      meanOf(range(heads).map((head) => plain(0, layer, head, 1, direction))),
    );
    const found = map({ layer: "mean", head: "mean", query: "reg1", direction });
    expect(relativeError(whole(found), meanOf(layers))).toBeLessThan(1e-5);
  });

  test("another picture's and another look's are their own", () => {
    for (const [view, layer] of [
      [1, 4],
      [2, 6],
    ] as const) {
      const found = map({ view, layer, head: 1, query: "cls", direction });
      expect(relativeError(whole(found), plain(view, layer, 1, 0, direction))).toBeLessThan(1e-5);
    }
  });
});

describe("the mean over the patch queries", () => {
  const rows = (layer: number, head: number) => meanOf(page.weights(0, layer, head).slice(PREFIX));

  test("of a head, of all heads, of all layers", () => {
    expect(relativeError(whole(map({ query: "mean", head: 4 })), rows(4, 4))).toBeLessThan(1e-5);
    const heads = meanOf(range(5).map((head) => rows(4, head)));
    expect(relativeError(whole(map({ query: "mean", head: "mean" })), heads)).toBeLessThan(1e-5);
    const layers = meanOf(range(5).map((layer) => rows(layer, 1)));
    expect(relativeError(whole(map({ query: "mean", head: 1, layer: "mean" })), layers)).toBeLessThan(1e-5);
  });
});

test("a map says its maximum and its sum over the patches, and what uniform attention would be", () => {
  const found = map({ query: "3,5" });
  const values = plain(0, 4, 2, PREFIX + 26, "from").slice(PREFIX);
  expect(found.maximum).toBeCloseTo(Math.max(...values), 6);
  expect(found.total).toBeCloseTo(
    values.reduce((sum, value) => sum + value),
    6,
  );
  expect([found.uniform, found.layers]).toEqual([1 / TOKENS, 1]);
});

describe("why there is no map", () => {
  test.each<[Partial<Selection>, string]>([
    [{ query: "reg2" }, "this model has no query “reg2”"],
    [{ query: "5,0" }, "this model has no query “5,0”"],
    [{ query: "pool" }, "this model has no query “pool”"],
    [{ query: "mean", direction: "to" }, "nothing attends to a mean of queries"],
    [{ layer: 1 }, "layer 1 has 2 heads"],
    [{ layer: 5 }, "layer 5: no such layer"],
    [{ layer: "mean", head: 5 }, "layer 4 has 5 heads"],
  ])("%o", (selection, reason) => {
    expect(absent(selection)).toEqual({ absent: expect.stringContaining(reason) });
  });

  test("a layer that was refused, and one that the page does not carry", async () => {
    const some = await openGallery(
      makePage({ ...FIRST, refused: { 1: "it did not verify" }, absent: { 4: "too large" } }),
    );
    expect(absent({ layer: 1 }, some)).toEqual({ absent: "layer 1: it did not verify" });
    expect(absent({}, some)).toEqual({ absent: "layer 4: too large" });
  });

  test("a layer on its way is pending, and so is a mean with it", async () => {
    const fresh = await openGallery(page, 0);
    const selection: Selection = { view: 1, layer: 2, head: 0, query: "cls", direction: "from" };
    expect(attentionMap(fresh, selection)).toBe("pending");
    expect(attentionMap(fresh, { ...selection, layer: "mean" })).toBe("pending");
    await settled();
    expect(isMap(attentionMap(fresh, selection))).toBe(true);
  });

  test("weights that are not numbers", async () => {
    const broken = makePage(FIRST);
    const layer = broken.payload.looks[0].images[0].attention[4] as Product;
    layer.key_bias = broken.blocks.add(Array(3 * 37).fill(NaN), [3, 37], "float32", layer.queries.block);
    const reason = { absent: "some of its weights are not numbers" };
    expect(absent({}, await openGallery(broken))).toEqual(reason);
    const normaliser = broken.numbers(layer.log_normaliser).map((value, at) => (at === 74 ? NaN : value));
    const healthy = makePage(FIRST);
    const other = healthy.payload.looks[0].images[0].attention[4] as Product;
    other.log_normaliser = healthy.blocks.add(normaliser, [3, 37], "float32", other.queries.block);
    expect(absent({ direction: "to", query: "0,0" }, await openGallery(healthy))).toEqual(reason);
  });
});

test("a mean over layers is of those that can be shown, and says of how many", async () => {
  const partly = makePage({ ...FIRST, heads: HEADS, absent: { 0: "too large" }, refused: { 3: "no" } });
  const selection: Selection = { view: 0, layer: "mean", head: 2, query: "cls", direction: "from" };
  const found = attentionMap(await openGallery(partly), selection);
  const rows = [2, 4].map((layer) => partly.weights(0, layer, 2)[0]!);
  expect(relativeError(whole(found as AttentionMap), meanOf(rows))).toBeLessThan(1e-5);
  expect((found as AttentionMap).layers).toBe(2); // 1 has two heads only
});

describe("the rollout", () => {
  const rows = page.numbers(page.payload.looks[0].images[1]!.rollout);

  test("of every start layer is Python's row", () => {
    for (const start of range(5)) {
      const found = rolloutMap(gallery, 1, start) as AttentionMap;
      expect(Array.from(found.values)).toEqual(rows.slice(start * PATCHES, (start + 1) * PATCHES));
      expect([found.prefix.length, found.uniform, found.layers]).toEqual([0, 1 / TOKENS, 1]);
      expect(found.maximum).toBe(Math.max(...found.values));
    }
  });

  test("starts no later than at the last layer", () => {
    expect((rolloutMap(gallery, 1, 9) as AttentionMap).values[3]).toBe(rows[4 * PATCHES + 3]);
  });

  test("that is not there has Python's reason", async () => {
    const none = await openGallery(makePage({ ...FIRST, rollout: false }));
    expect(rolloutMap(none, 0, 0)).toEqual({ absent: "layer 1 was refused" });
  });
});

describe.each([true, false])("a pooling head that sees prefix tokens: %s", (prefix) => {
  const pooled = makePage({ ...FIRST, pool: { heads: 7, prefix } });
  const rows = pooled.numbers(pooled.payload.looks[0].images[0].pool);
  const keys = rows.length / 7;
  const heads = range(7).map((head) => rows.slice(head * keys, (head + 1) * keys));
  const selection: Selection = { view: 0, layer: 4, head: 0, query: "pool", direction: "from" };
  const open = openGallery(pooled);
  const ofHead = async (head: number | "mean") =>
    attentionMap(await open, { ...selection, head }) as AttentionMap;

  test("has its own row for each head, and for their mean", async () => {
    for (const head of range(7)) expect(whole(await ofHead(head))).toEqual(heads[head]);
    const mean = await ofHead("mean");
    expect(relativeError(whole(mean), meanOf(heads))).toBeLessThan(1e-6);
    expect([mean.prefix.length, mean.values.length]).toEqual([prefix ? 2 : 0, 35]);
    expect([mean.uniform, mean.layers]).toEqual([1 / keys, 1]);
  });

  test("reads the last layer, and nothing attends to it", async () => {
    expect(absent({ ...selection, layer: 3 }, await open)).toEqual({
      absent: "the pooling head reads the last layer, 4",
    });
    expect(absent({ ...selection, head: 7 }, await open)).toEqual({ absent: "the pooling head has 7 heads" });
    expect(absent({ ...selection, direction: "to" }, await open)).toMatchObject({
      absent: expect.stringContaining("nothing attends to a mean"),
    });
  });

  test("shares a scale among its own heads", async () => {
    const largest = Math.max(...heads.flatMap((row) => row.slice(prefix ? 2 : 0)));
    expect(sharedMaximum(await open, selection)).toBe(largest);
  });
});

describe("the largest weight of a layer's heads", () => {
  const largest = (token: number, direction: string) =>
    Math.max(...range(5).flatMap((head) => plain(0, 4, head, token, direction).slice(PREFIX)));

  test.each(["from", "to"] as const)("%s each patch", (direction) => {
    for (const patch of range(PATCHES)) {
      const query = patchQuery(Math.floor(patch / 7), patch % 7);
      const found = sharedMaximum(gallery, { view: 0, layer: 4, head: 0, query, direction });
      expect(found / largest(PREFIX + patch, direction)).toBeCloseTo(1, 5);
    }
  });

  test("has no meaning for a mean over layers", () => {
    expect(
      sharedMaximum(gallery, { view: 0, layer: "mean", head: 0, query: "cls", direction: "from" }),
    ).toBeNaN();
  });
});
