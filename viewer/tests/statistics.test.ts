import { describe, expect, test } from "vitest";
import { headOrder, sortedBy, statistic } from "../src/engine/statistics";
import { initialState, type SortName, type State } from "../src/state/state";
import type { Image, Numbers } from "../src/payload";
import { FIRST, makePage, openGallery, range, SECOND } from "./payloads";

const HEADS = [3, 2, 3, 1, 3]; // by layer; arrays are as wide as the widest
const WIDEST = 3;

type Name = "distance" | "rescaled_distance" | "entropy" | "prefix_mass";

/** A page whose first image has these numbers. */
async function pageWith(name: Name, values: number[], shape: number[]) {
  const page = makePage({ ...FIRST, heads: HEADS }, SECOND);
  page.payload.looks[0].images[0][name] = page.blocks.add(values, shape, "float32", 0);
  return { page, gallery: await openGallery(page), state: initialState(page.payload) };
}

describe("a statistic by layer and head", () => {
  const page = makePage({ ...FIRST, heads: HEADS, images: 2 }, SECOND);
  const opened = openGallery(page);
  const expected = ({ distance }: Image, reference: Numbers | null = distance, heads = HEADS) => {
    const flat = page.numbers(reference);
    const widest = Math.max(...heads);
    return heads.map((count, layer) => flat.slice(layer * widest, layer * widest + count));
  };

  test("has each layer's own heads, of the picture that is asked for", async () => {
    const [first, second] = page.payload.looks;
    const found = [0, 1, 2].map(async (view) => statistic(await opened, view, "distance", false)!.values);
    expect(await Promise.all(found)).toEqual([
      expected(first.images[0]),
      expected(first.images[1]!),
      expected(second!.images[0], undefined, SECOND.heads),
    ]);
  });

  test("distance and rescaled distance have their own convention and baseline", async () => {
    const image = page.payload.looks[0].images[0];
    expect(statistic(await opened, 0, "distance", false)).toEqual({
      baselines: HEADS.map(() => 71.5),
      convention: "distance in pixels",
      values: expected(image),
    });
    expect(statistic(await opened, 0, "distance", true)).toEqual({
      baselines: HEADS.map(() => 73.5),
      convention: "distance, rescaled",
      values: expected(image, image.rescaled_distance),
    });
  });

  test("entropy's baseline is that of uniform attention over all tokens", async () => {
    const image = page.payload.looks[0].images[0];
    const found = statistic(await opened, 0, "entropy", true)!;
    expect(found.values).toEqual(expected(image, image.entropy));
    expect([found.baselines, found.convention]).toEqual([HEADS.map(() => Math.log(37)), "entropy in nats"]);
  });

  test("prefix mass is summed over the prefix tokens", async () => {
    const flat = page.numbers(page.payload.looks[0].images[0].prefix_mass); // (layers, heads, 2)
    const found = statistic(await opened, 0, "prefix", false)!;
    const sums = HEADS.map((heads, layer) =>
      range(heads).map((head) => flat[2 * (3 * layer + head)]! + flat[2 * (3 * layer + head) + 1]!),
    );
    expect(found.values).toEqual(sums);
    expect(found.baselines).toEqual(HEADS.map(() => 2 / 37));
    expect(found.convention).toBe("mass on prefix tokens, summed over them");
  });

  test("there is none where Python has none, and no prefix mass without prefix tokens", async () => {
    const none = makePage({ ...SECOND, prefix: [], readout: "mean" });
    const image = none.payload.looks[0].images[0];
    Object.assign(image, { distance: null, entropy: null });
    const gallery = await openGallery(none);
    expect(statistic(gallery, 0, "distance", false)).toBeNull();
    expect(statistic(gallery, 0, "distance", true)).not.toBeNull();
    expect(statistic(gallery, 0, "entropy", false)).toBeNull();
    expect(statistic(gallery, 0, "prefix", false)).toBeNull();
  });
});

describe("the order of heads", () => {
  const places = HEADS.flatMap((heads, layer) => range(heads).map((head) => ({ layer, head })));
  const words = (found: { layer: number; head: number }[]) =>
    found.map(({ layer, head }) => `${layer}·${head}`).join(" ");
  // 1·2, 3·1 and 3·2 are no heads: their numbers must not matter.
  const values = [5, 2, 2, 7, NaN, -99, 2, 9, 1, 5, -99, 99, NaN, 0, 7];
  const sorted = (change: Partial<State>, name: Name = "distance", numbers = values) =>
    pageWith(name, numbers, numbers.length > 15 ? [5, WIDEST, 2] : [5, WIDEST]).then(({ gallery, state }) =>
      words(headOrder(gallery, { ...state, ...change })),
    );

  test("is by layer and head where nothing sorts", async () => {
    expect(await sorted({ sort: "none" })).toBe(words(places));
    expect(await sorted({ sort: "none", reversed: true })).toBe(words(places));
  });

  const least = "4·1 2·2 0·1 0·2 2·0 0·0 3·0 1·0 4·2 2·1 1·1 4·0";
  const most = "2·1 1·0 4·2 0·0 3·0 0·1 0·2 2·0 2·2 4·1 1·1 4·0";

  test.each<[SortName, Name]>([
    ["distance", "distance"],
    ["entropy", "entropy"],
  ])("by %s is from the least, equal ones as they were, and what is no number last", async (sort, name) => {
    expect(await sorted({ sort }, name)).toBe(least);
    expect(await sorted({ sort, reversed: true }, name)).toBe(most);
  });

  test("by rescaled distance, where that is shown", async () => {
    expect(await sorted({ sort: "distance", rescale: true }, "rescaled_distance")).toBe(least);
  });

  test("by prefix mass is from the most", async () => {
    const pairs = values.flatMap((value) => [value / 4, (3 * value) / 4]);
    expect(await sorted({ sort: "prefix" }, "prefix_mass", pairs)).toBe(most);
    expect(await sorted({ sort: "prefix", reversed: true }, "prefix_mass", pairs)).toBe(least);
  });

  test("is by layer and head where the statistic is missing", async () => {
    const { page, gallery, state } = await pageWith("distance", values, [5, WIDEST]);
    page.payload.looks[0].images[0].entropy = null;
    const asked: State = { ...state, sort: "entropy" };
    expect(words(headOrder(gallery, asked))).toBe(words(places));
    expect(sortedBy(gallery, asked)).toBeNull();
  });

  test("goes by the picture that is shown", async () => {
    const { gallery, state } = await pageWith("distance", values, [5, WIDEST]);
    const asked: State = { ...state, shown: 1, sort: "distance" };
    const second = statistic(gallery, 1, "distance", false)!;
    const order = headOrder(gallery, asked).map(({ layer, head }) => second.values[layer]![head]!);
    expect(order).toHaveLength(14);
    expect(order).toEqual([...order].sort((one, other) => one - other));
    expect(sortedBy(gallery, asked)).toEqual(second);
    expect(sortedBy(gallery, { ...asked, sort: "none" })).toBeNull();
  });
});
