import { describe, expect, test } from "vitest";
import { QUERY_COLOURS } from "../src/colours/colours";
import { type AttentionMap, attentionMap, isMap, type Selection } from "../src/engine/maps";
import { activeQuery, firstPane, massWords, type Pane, scaleOf } from "../src/engine/pane";
import { topMass } from "../src/maps/mass";
import { initialState, type State } from "../src/state/state";
import { FIRST, makePage, openGallery, SECOND, settled } from "./payloads";

const page = makePage({ ...FIRST, images: 2 }, SECOND); // views 0 and 1 on one grid, 2 on another
const gallery = await openGallery(page, 0, 1, 2);
const OPENED: State = { ...initialState(page.payload), layer: 2, head: 1, compared: 2 };

function first(change: Partial<State> = {}, pointed: string | null = null): Pane {
  return firstPane(gallery, { ...OPENED, ...change }, pointed);
}

function map(selection: Partial<Selection>): AttentionMap {
  const whole: Selection = { view: 0, layer: 2, head: 1, query: "cls", direction: "from", ...selection };
  return attentionMap(gallery, whole) as AttentionMap;
}

describe("whose map is shown", () => {
  const [look] = page.payload.looks;
  const locked = { ...OPENED, locked: ["reg1", "0,3"] };

  test("the query pointed at, else the one locked last, else the model's readout", () => {
    expect(activeQuery(locked, "4,4", look)).toBe("4,4");
    expect(activeQuery(locked, null, look)).toBe("0,3");
    expect(activeQuery(OPENED, null, look)).toBe("cls");
    expect(activeQuery(OPENED, null, { ...look, readout: "mean" })).toBe("mean");
  });

  test("and where it stands, if on a patch", () => {
    expect(first({}, "4,3")).toMatchObject({ query: "4,3", token: { row: 4, column: 3 } });
    expect(first()).toMatchObject({ query: "cls", token: null });
    expect(first({}, "4,3").map).toEqual(map({ query: "4,3" }));
  });

  test("the rollout's is the readout's own, whatever is pointed at", () => {
    expect(first({ method: "rollout", locked: ["0,3"] }, "4,3").query).toBe("cls");
  });
});

describe("the first pane", () => {
  test("is of the view, layer, head and direction that the state says", () => {
    const pane = first({ shown: 1, layer: 4, head: 2, direction: "to", locked: ["3,1"] });
    expect(pane.map).toEqual(map({ view: 1, layer: 4, head: 2, direction: "to", query: "3,1" }));
    expect([pane.view, pane.look, pane.direction]).toEqual([1, page.payload.looks[0], "to"]);
    expect(pane.image).toBe(page.payload.looks[0].images[1]);
    expect(pane.colours).toBe("viridis");
    expect(first({ colours: "cividis" }).colours).toBe("cividis");
  });

  test("has the mask that holds the mass", () => {
    const { mask } = first({ method: "mask", mass: 0.37 });
    expect(mask).toEqual(topMass(map({}).values, 0.37));
    expect(massWords(mask!, 35)).toMatch(/^\d+ % of the mass in \d+ of 35 patches$/);
    expect(massWords({ chosen: new Uint8Array(35), count: 23, held: 0.604 }, 196)).toBe(
      "60 % of the mass in 23 of 196 patches",
    );
    expect(first({ method: "row", mass: 0.37 }).mask).toBeNull();
  });

  test("has the rollout from the start layer", () => {
    const rows = page.numbers(page.payload.looks[0].images[0].rollout);
    const pane = first({ method: "rollout", start: 3 });
    expect(Array.from((pane.map as AttentionMap).values)).toEqual(rows.slice(3 * 35, 4 * 35));
  });

  test("is pending while its layer is", async () => {
    const fresh = await openGallery(page, 0);
    const state: State = { ...OPENED, shown: 1, method: "mask", locked: ["0,0", "0,1"] };
    expect(firstPane(fresh, state, null)).toMatchObject({ map: "pending", mask: null, tinted: [] });
    await settled();
    expect(isMap(firstPane(fresh, state, null).map)).toBe(true);
  });
});

describe("the scale", () => {
  const maximum = map({}).maximum;
  const heads = [0, 1, 2].map((head) => map({ head }).maximum);
  const shared = Math.max(...heads);

  test("ends at the map's maximum, at that of all heads, or at a multiple of uniform attention", () => {
    const top = (change: Partial<State>) => {
      const { scale } = first(change);
      return scale.position(maximum / 5) * 5; // of the maximum
    };
    expect(top({ scale: "linear" })).toBeCloseTo(1, 6);
    expect(top({ scale: "shared", head: heads.indexOf(Math.min(...heads)) })).toBeCloseTo(
      maximum / shared,
      6,
    );
    expect(top({ scale: "uniform", ceiling: 50 })).toBeCloseTo(maximum / (50 / 37), 6);
    expect(first({ scale: "logarithmic" }).scale.name).toBe("logarithmic");
  });

  test("is linear where there is nothing to share it with", () => {
    expect(first({ scale: "shared", layer: "mean" }).scale.name).toBe("linear");
    expect(first({ scale: "shared", method: "rollout" }).scale.name).toBe("linear");
    expect(first({ scale: "shared" }).scale.name).toBe("shared");
  });

  test("of no map shows nothing", () => {
    expect(scaleOf(OPENED, { absent: "refused" }, Number.NaN).position(0.5)).toBe(0);
    expect(scaleOf({ ...OPENED, scale: "uniform" }, "pending", Number.NaN).position(1)).toBe(0.1);
  });
});

describe("several queries", () => {
  const queries = ["cls", "0,3", "reg1", "4,6", "mean"];

  test("each have a colour, words, a map and a mask of their own", () => {
    const { tinted, mask } = first({ locked: queries, mass: 0.29, method: "mask" });
    expect(mask).toBeNull();
    expect(tinted.map(({ query }) => query)).toEqual(queries);
    expect(tinted.map(({ colour }) => colour)).toEqual(QUERY_COLOURS);
    expect(tinted[3]).toMatchObject({ words: "patch row 4, column 6", map: map({ query: "4,6" }) });
    expect(tinted[3]!.caption).toBe("What patch row 4, column 6 attends to, layer 2, head 1.");
    expect(tinted[3]!.mask).toEqual(topMass(map({ query: "4,6" }).values, 0.29));
  });

  test("are not drawn where one is alone, another is pointed at, or the rollout is shown", () => {
    expect(first({ locked: ["cls"] }).tinted).toEqual([]);
    expect(first({ locked: queries }, "1,1").tinted).toEqual([]);
    expect(first({ locked: queries, method: "rollout" }).tinted).toEqual([]);
  });

  test("that have no map are left out, and one that is left is shown as it is alone", () => {
    const { tinted } = first({ locked: queries, direction: "to" });
    expect(tinted.map(({ query, colour }) => [query, colour])).toEqual(
      queries.slice(0, 4).map((query, index) => [query, QUERY_COLOURS[index]]),
    );
    const alone = first({ locked: ["mean", "0,3"], direction: "to" });
    expect(alone.tinted).toEqual([]);
    expect(alone.map).toEqual(map({ query: "0,3", direction: "to" }));
  });
});

describe("captions", () => {
  test.each<[Partial<State>, string]>([
    [{}, "What the class token attends to, layer 2, head 1."],
    [{ direction: "to", locked: ["0,3"] }, "Who attends to patch row 0, column 3, layer 2, head 1."],
    [
      { layer: "mean", head: "mean", locked: ["mean"] },
      "What the mean over the patch queries attends to, mean over layers, mean over heads.",
    ],
    [{ locked: ["cls", "0,3"] }, "What each of 2 queries attends to, layer 2, head 1."],
    [
      { locked: ["cls", "0,3", "reg1"], direction: "to" },
      "Who attends to each of 3 tokens, layer 2, head 1.",
    ],
    [{ method: "rollout", start: 3 }, "Rollout of the readout, from layer 3 on."],
    [
      { locked: ["mean"], direction: "to" },
      "Who attends to the mean over the patch queries, layer 2, head 1: " +
        "nothing attends to a mean of queries: choose a patch or a prefix token.",
    ],
  ])("%o", (change, caption) => expect(first(change).caption).toBe(caption));

  test("say of how many layers a mean is, and why there is no rollout", async () => {
    const partly = makePage({ ...FIRST, absent: { 0: "too large", 3: "too large" }, rollout: false });
    const open = await openGallery(partly);
    expect(firstPane(open, { ...OPENED, layer: "mean" }, null).caption).toBe(
      "What the class token attends to, mean over 3 of 5 layers, head 1.",
    );
    expect(firstPane(open, { ...OPENED, method: "rollout" }, null).caption).toBe(
      "Rollout of the readout, from layer 0 on: layer 1 was refused.",
    );
  });
});
