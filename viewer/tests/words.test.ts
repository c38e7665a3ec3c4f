import { describe, expect, test } from "vitest";
import { type AttentionMap, isMap } from "../src/engine/maps";
import { firstPane, type Pane, secondPane } from "../src/engine/pane";
import { mapWords, patchWords, prefixShares, prefixWords, shownMap, strongest } from "../src/engine/words";
import { initialState, type State } from "../src/state/state";
import { FIRST, makePage, openGallery, SECOND } from "./payloads";

const page = makePage({ ...FIRST, images: 2 }, SECOND);
const gallery = await openGallery(page, 0, 1);
const OPENED: State = { ...initialState(page.payload), layer: 2, head: 1, compared: 1 };

/** A pane whose map was written by hand: 5 × 7 patches, all but some of them 0. */
function paneOf(some: Record<number, number>, change: Partial<Pane> = {}): Pane {
  const values = Float32Array.from({ length: 35 }, (_, patch) => some[patch] ?? 0);
  const total = values.reduce((sum, value) => sum + value, 0);
  const prefix = Float32Array.of(0.12, 0.03);
  const map: AttentionMap = {
    values,
    lattice: page.payload.looks[0].layout,
    prefix,
    maximum: Math.max(...values),
    minimum: 0,
    total,
    uniform: 1 / 37,
    layers: 1,
  };
  return { ...firstPane(gallery, OPENED, null), map, ...change };
}

const pane = paneOf({ 26: 0.4, 0: 0.25, 34: 0.2 });

describe("a patch in words", () => {
  test("has its place, its weight, and that as a multiple of uniform attention", () => {
    expect(patchWords(pane, 26)).toBe("patch row 3, column 5: 40 %, 15 times uniform");
    expect(patchWords(pane, 1)).toBe("patch row 0, column 1: 0 %, 0 times uniform");
  });

  test("is its place alone where there is no map", () => {
    expect(patchWords({ ...pane, map: "pending" }, 26)).toBe("patch row 3, column 5");
    expect(patchWords({ ...pane, map: { absent: "refused" } }, 8)).toBe("patch row 1, column 1");
  });

  test("has a weight for each of several queries, in their order", () => {
    const tinted = firstPane(gallery, { ...OPENED, locked: ["cls", "2,2"] }, null).tinted;
    const weights = [0.31, 0.00024].map((weight) => paneOf({ 26: weight }).map as AttentionMap);
    const several = { ...pane, tinted: tinted.map((tint, index) => ({ ...tint, map: weights[index]! })) };
    expect(patchWords(several, 26)).toBe(
      "patch row 3, column 5: 31 % of class token; 0.024 % of patch row 2, column 2",
    );
  });

  test("has a sign in a difference, and none for no difference", () => {
    const difference = paneOf({ 26: 0.031, 8: -0.0042 }).map as AttentionMap;
    const found = [26, 8, 9].map((patch) => patchWords({ ...pane, difference }, patch));
    expect(found).toEqual([
      "patch row 3, column 5: +3.1 % beside the first",
      "patch row 1, column 1: −0.42 % beside the first",
      "patch row 1, column 2: 0 % beside the first",
    ]);
  });
});

describe("the prefix tokens", () => {
  test("come by their short names, with the patches' sum", () => {
    expect(prefixWords(pane)).toBe("CLS 12 %, R1 3.0 %, patches 85 %");
  });

  test("are those that give, where the map is what a token receives", () => {
    const received = paneOf({ 0: 0.9, 1: 0.84 }, { direction: "to" });
    expect(prefixWords(received)).toBe("Received from CLS 12 %, R1 3.0 %, patches 1.74");
  });

  test("are the last ones where the map lacks the first", () => {
    const map = { ...(pane.map as AttentionMap), prefix: Float32Array.of(0.15) };
    expect(prefixShares(map)).toEqual([{ name: "reg1", weight: Math.fround(0.15) }]);
    expect(prefixWords({ ...pane, map })).toBe("R1 15 %, patches 85 %");
  });

  test("are not there for a rollout, a difference, or no map", () => {
    const without = [
      firstPane(gallery, { ...OPENED, method: "rollout" }, null),
      secondPane(gallery, { ...OPENED, difference: true }, null)!,
      { ...pane, map: "pending" as const },
      { ...pane, map: { absent: "refused" } },
    ];
    expect(without.map(prefixWords)).toEqual(["", "", "", ""]);
  });
});

describe("the strongest patches", () => {
  test("come in order, of equal ones the first", () => {
    const { map } = paneOf({ 9: 0.2, 30: 0.5, 4: 0.2, 11: 0.1 });
    expect(strongest(map as AttentionMap, 7, 3)).toEqual([
      { patch: 30, row: 4, column: 2, weight: 0.5 },
      { patch: 4, row: 0, column: 4, weight: Math.fround(0.2) },
      { patch: 9, row: 1, column: 2, weight: Math.fround(0.2) },
    ]);
  });

  test("of a difference are the largest either way", () => {
    const { map } = paneOf({ 9: -0.5, 30: 0.25 });
    expect(strongest(map as AttentionMap, 7, 2).map(({ weight }) => weight)).toEqual([-0.5, 0.25]);
  });

  test("are no more than there are", () => {
    expect(strongest(pane.map as AttentionMap, 7, 99)).toHaveLength(35);
  });
});

describe("the whole map in words", () => {
  test("says whose it is, what is strongest, and what prefix tokens take", () => {
    expect(mapWords(pane)).toBe(
      "What the class token attends to, layer 2, head 1. " +
        "Strongest: patch row 3, column 5: 40 %, 15 times uniform. CLS 12 %, R1 3.0 %, patches 85 %.",
    );
  });

  test("is the caption, which has the reason, where there is none", () => {
    const absent = firstPane(gallery, { ...OPENED, locked: ["mean"], direction: "to" }, null);
    expect(mapWords(absent)).toBe(absent.caption);
    expect(absent.caption).toContain("nothing attends to a mean");
  });

  test("of a difference says the largest one", () => {
    const shown = secondPane(gallery, { ...OPENED, difference: true }, null)!;
    const [best] = strongest(shown.difference!, 7, 1);
    expect(mapWords(shown)).toBe(`${shown.caption} Strongest: ${patchWords(shown, best!.patch)}.`);
  });
});

test("the map that is shown is the difference, else the pane's own, if it has one", () => {
  const shown = secondPane(gallery, { ...OPENED, difference: true }, null)!;
  expect(isMap(shown.map)).toBe(true);
  expect(shownMap(shown)).toBe(shown.difference);
  expect(shownMap(pane)).toBe(pane.map);
  expect([shownMap({ ...pane, map: "pending" }), shownMap({ ...pane, map: { absent: "" } })]).toEqual([
    null,
    null,
  ]);
});
