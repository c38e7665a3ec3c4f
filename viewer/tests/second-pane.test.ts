import { describe, expect, test } from "vitest";
import { type AttentionMap, attentionMap, isMap, type Selection } from "../src/engine/maps";
import { type Pane, secondPane } from "../src/engine/pane";
import { resample } from "../src/maps/resample";
import { initialState, type State } from "../src/state/state";
import { relativeError } from "./layers";
import { FIRST, makePage, openGallery, SECOND, settled } from "./payloads";

const page = makePage({ ...FIRST, images: 2 }, SECOND); // views 0 and 1 on one grid, 2 on another
const gallery = await openGallery(page, 0, 1, 2);
const OPENED: State = { ...initialState(page.payload), layer: 2, head: 1, compared: 2 };

function second(change: Partial<State> = {}, pointed: string | null = null): Pane {
  return secondPane(gallery, { ...OPENED, ...change }, pointed)!;
}

function map(selection: Partial<Selection>): AttentionMap {
  const whole: Selection = { view: 0, layer: 2, head: 1, query: "cls", direction: "from", ...selection };
  return attentionMap(gallery, whole) as AttentionMap;
}

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);

describe("the second pane", () => {
  test("is there where a view is beside the first", () => {
    expect(secondPane(gallery, { ...OPENED, compared: null }, null)).toBeNull();
    expect(second()).toMatchObject({ view: 2, look: page.payload.looks[1], difference: null });
  });

  test("goes to the same depth, and stays within the heads", () => {
    // Layers 0 to 4 against 0 to 6: half of the depth is 3.
    expect(second({ layer: 2 }).map).toEqual(map({ view: 2, layer: 3, head: 1 }));
    expect(second({ layer: 4, head: 2 }).map).toEqual(map({ view: 2, layer: 6, head: 1 }));
    expect(second({ layer: "mean", head: "mean" }).map).toEqual(
      map({ view: 2, layer: "mean", head: "mean" }),
    );
  });

  test.each([
    [1, 0, 0, 2, 2],
    [2, 1, 6, 4, 4],
    [2, 0, 0, 5, 4],
  ])("of %i layers' layer %i goes to %i of 6, head %i to %i", async (layers, layer, to, head, toHead) => {
    const few = { ...FIRST, heads: FIRST.heads.slice(0, layers) };
    const uneven = makePage(few, { ...SECOND, heads: [5, 2, 3, 2, 2, 2, 5] });
    const open = await openGallery(uneven, 0, 1);
    const pane = secondPane(open, { ...OPENED, compared: 1, layer, head }, null)!;
    expect((pane.map as AttentionMap).maximum).toBeCloseTo(
      Math.max(...uneven.weights(1, to, toHead)[0]!.slice(1)),
      6,
    );
  });

  test("goes to the same place: pointed at, or locked", () => {
    // Row 4 of 5 is in row 2 of 3; column 3 of 7 in column 5 of 11.
    expect(second({}, "4,3").query).toBe("2,5");
    expect(second({ locked: ["cls", "4,3"] }).query).toBe("2,5");
    expect(second({ locked: ["cls", "4,3"] }).tinted.map(({ query }) => query)).toEqual(["cls", "2,5"]);
    expect(second({ locked: ["4,3", "cls"] }).query).toBe("cls");
  });

  test("says so where its model has no such query", () => {
    expect(second({ locked: ["reg1"] }).map).toEqual({ absent: "this model has no query “reg1”" });
    expect(second({ locked: ["reg1"] }).caption).toBe(
      "What reg1 attends to, layer 3, head 1: this model has no query “reg1”.",
    );
  });

  test("carries the rollout's start layer", () => {
    const rows = page.numbers(page.payload.looks[1]!.images[0].rollout);
    const pane = second({ method: "rollout", start: 2 });
    expect(Array.from((pane.map as AttentionMap).values)).toEqual(rows.slice(3 * 33, 4 * 33));
  });

  test("keeps layer, head and place within one look", () => {
    expect(second({ compared: 1, layer: 3, head: 2 }, "4,3").map).toEqual(
      map({ view: 1, layer: 3, head: 2, query: "4,3" }),
    );
  });
});

describe("the difference", () => {
  const shown = (pane: Pane) => pane.difference!.values;

  test("of pictures on one grid is B − A, patch by patch", () => {
    const pane = second({ compared: 1, difference: true, locked: ["4,3"] });
    const [a, b] = [map({ query: "4,3" }), map({ view: 1, query: "4,3" })];
    const expected = Array.from(b.values, (value, patch) => value - a.values[patch]!);
    expect(relativeError(shown(pane), expected)).toBeLessThan(1e-5);
    expect(pane.difference!.total).toBeCloseTo(b.total - a.total, 5);
    expect(pane.caption).toBe("B − A. What patch row 4, column 3 attends to, layer 2, head 1.");
  });

  test("of pictures on two grids lays A on B's, and keeps its mass", () => {
    const pane = second({ difference: true, locked: ["4,3"] });
    const [a, b] = [map({ query: "4,3" }), map({ view: 2, layer: 3, query: "2,5" })];
    expect(sum(shown(pane))).toBeCloseTo(b.total - a.total, 5);
    const theirs = resample(a.values, [5, 7], [3, 11]);
    expect(shown(pane)[17]).toBeCloseTo(b.values[17]! - theirs[17]!, 6);
    expect(pane.caption).toContain("B − A, A laid on this grid by area.");
  });

  test("has a diverging scale that ends at the largest difference either way", () => {
    for (const locked of [["cls"], ["0,0"], ["2,2"], ["4,4"]]) {
      const pane = second({ difference: true, locked, method: "mask" });
      const largest = Math.max(...Array.from(shown(pane), Math.abs));
      expect([pane.colours, pane.scale.name, pane.mask]).toEqual(["difference", "difference", null]);
      expect(pane.difference!.maximum).toBe(largest);
      expect([-largest, 0, largest].map((value) => pane.scale.position(value))).toEqual([0, 0.5, 1]);
      expect(pane.difference!.prefix).toHaveLength(0);
    }
  });

  test("of rollouts is that of the maps", () => {
    const pane = second({ compared: 1, difference: true, method: "rollout" });
    const [a, b] = page.payload.looks[0].images.map((image) => page.numbers(image.rollout));
    expect(shown(pane)[11]).toBeCloseTo(b![11]! - a![11]!, 6);
  });

  test("is of the query locked last, alone", () => {
    const pane = second({ compared: 1, difference: true, locked: ["cls", "0,3"] });
    expect(pane.tinted).toEqual([]);
    expect(pane.caption).toBe("B − A. What patch row 0, column 3 attends to, layer 2, head 1.");
    const own = map({ view: 1, query: "0,3" });
    expect(shown(pane)[7]).toBeCloseTo(own.values[7]! - map({ query: "0,3" }).values[7]!, 6);
  });

  test("waits for both maps", async () => {
    for (const ready of [0, 1]) {
      const fresh = await openGallery(page, ready);
      const state: State = { ...OPENED, compared: 1, difference: true, method: "mask" };
      expect(secondPane(fresh, state, null)).toMatchObject({ map: "pending", difference: null, mask: null });
      await settled();
      expect(secondPane(fresh, state, null)!.difference).not.toBeNull();
    }
  });

  test("is not claimed where one has no map", async () => {
    const reason = { absent: { 2: "too large" } };
    const state: State = { ...OPENED, compared: 1, difference: true };
    const withoutA = secondPane(
      await openGallery(makePage({ ...FIRST, ...reason }, FIRST), 0, 1),
      state,
      null,
    )!;
    expect([isMap(withoutA.map), withoutA.difference, withoutA.colours]).toEqual([true, null, "viridis"]);
    expect(withoutA.caption).toBe(
      "Not the difference, as A has no map: layer 2: too large. What the class token attends to, layer 2, head 1.",
    );
    const withoutB = secondPane(
      await openGallery(makePage(FIRST, { ...FIRST, ...reason }), 0, 1),
      state,
      null,
    )!;
    expect([withoutB.map, withoutB.difference]).toEqual([{ absent: "layer 2: too large" }, null]);
    expect(withoutB.caption).toBe("What the class token attends to, layer 2, head 1: layer 2: too large.");
  });
});
