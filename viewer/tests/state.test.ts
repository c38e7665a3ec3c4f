import { describe, expect, test } from "vitest";
import { chooseHead, initialState, lastCarried, lock, MOST_QUERIES } from "../src/state/state";
import { counterpart, imageOf, lookOf, sizesOf, viewsOf } from "../src/state/views";
import { FIRST, makePage, SECOND } from "./payloads";

const page = makePage({ ...FIRST, images: 3 }, { ...SECOND, images: 2 }).payload;
const state = initialState(page);
const locked = (...queries: string[]) => ({ ...state, locked: queries });

describe("locking", () => {
  test("alone takes the place of all others", () => {
    expect(lock(locked("0,0", "cls"), "2,3", false)).toEqual({ locked: ["2,3"] });
    expect(lock(locked(), "2,3", false)).toEqual({ locked: ["2,3"] });
  });

  test("beside the others comes last", () => {
    expect(lock(locked("0,0", "cls"), "2,3", true)).toEqual({ locked: ["0,0", "cls", "2,3"] });
  });

  test("once more releases, and leaves others locked only where it was beside them", () => {
    expect(lock(locked("2,3"), "2,3", false)).toEqual({ locked: [] });
    expect(lock(locked("2,3"), "2,3", true)).toEqual({ locked: [] });
    expect(lock(locked("0,0", "2,3", "cls"), "2,3", true)).toEqual({ locked: ["0,0", "cls"] });
    expect(lock(locked("0,0", "2,3", "cls"), "2,3", false)).toEqual({ locked: ["2,3"] });
    expect(lock(locked("0,0", "2,3"), "2,3", false)).toEqual({ locked: ["2,3"] });
  });

  test("a sixth drops the oldest", () => {
    const five = ["0,0", "0,1", "0,2", "0,3", "0,4"];
    expect(five).toHaveLength(MOST_QUERIES);
    expect(lock(locked(...five), "cls", true)).toEqual({ locked: [...five.slice(1), "cls"] });
  });

  test("leaves the state as it was", () => {
    const before = locked("0,0");
    lock(before, "1,1", true);
    expect(before.locked).toEqual(["0,0"]);
  });
});

describe("a head chosen", () => {
  test("is shown by its row, where the rollout, which has no heads, was shown", () => {
    const chosen = { layer: 3, head: 1 };
    expect(chooseHead({ ...state, method: "rollout" }, 3, 1)).toEqual({ ...chosen, method: "row" });
    expect(chooseHead({ ...state, method: "mask" }, 3, 1)).toEqual({ ...chosen, method: "mask" });
  });
});

describe("the first state", () => {
  test("is the readout's row of the last layer, mean over heads, nothing locked or hidden", () => {
    expect(initialState({ ...page, compare: false })).toEqual({
      shown: 0,
      compared: null,
      difference: false,
      layer: 4,
      head: "mean",
      method: "row",
      direction: "from",
      locked: [],
      scale: "linear",
      ceiling: 10,
      colours: "viridis",
      smooth: false,
      opacity: 0.7,
      mass: 0.6,
      start: 0,
      sort: "none",
      reversed: false,
      isolated: false,
      rescale: false,
    });
    expect(initialState(makePage(FIRST, SECOND).payload)).toMatchObject({ layer: 4, compared: 1 });
  });

  test("shows the last layer that the page carries", () => {
    const plan = { ...FIRST, absent: { 2: "too large" }, refused: { 4: "it did not verify" } };
    expect(initialState(makePage(plan).payload).layer).toBe(3);
    const first = { 1: "too large", 2: "too large", 3: "too large", 4: "too large" };
    expect(initialState(makePage({ ...FIRST, absent: first }).payload).layer).toBe(0);
    expect(lastCarried(page, 3)).toBe(6);
  });

  test("shows the last of all where none is carried", () => {
    const absent = { 0: "too large", 1: "too large", 2: "too large", 3: "too large", 4: "too large" };
    expect(initialState(makePage({ ...FIRST, absent }).payload).layer).toBe(4);
  });

  test("has the first picture of the second look beside it, if the page says so", () => {
    expect(state.compared).toBe(3);
    expect(initialState({ ...page, compare: false }).compared).toBeNull();
  });

  test("has the next picture beside it, where one look holds all", () => {
    const one = { ...makePage({ ...FIRST, images: 3 }).payload, compare: true };
    expect(initialState(one).compared).toBe(1);
    expect(initialState({ ...makePage(FIRST).payload, compare: true }).compared).toBeNull();
  });
});

describe("views", () => {
  test("are the images of every look, one after another", () => {
    const expected = [0, 0, 0, 1, 1].map((look, view) => ({ look, image: view - 3 * look }));
    expect(viewsOf(page)).toEqual(expected);
    expected.forEach(({ look, image }, view) => {
      expect(lookOf(page, view)).toBe(page.looks[look]);
      expect(imageOf(page, view)).toBe(page.looks[look]!.images[image]);
    });
  });

  test("that are not there are the first", () => {
    expect([lookOf(page, 5), imageOf(page, 5)]).toEqual([page.looks[0], page.looks[0].images[0]]);
  });

  test("have a counterpart of the same number in another look, if it has so many", () => {
    expect([0, 1, 2, 3, 4].map((view) => counterpart(page, view, 1))).toEqual([3, 4, null, 3, 4]);
    expect([0, 1, 2, 3, 4].map((view) => counterpart(page, view, 0))).toEqual([0, 1, 2, 0, 1]);
    expect(counterpart(page, 0, 2)).toBeNull();
    expect(counterpart(page, 7, 0)).toBeNull();
  });

  test("have the sizes of their layout", () => {
    expect(sizesOf(page.looks[0])).toEqual({ patches: 35, prefix: 2, tokens: 37 });
  });
});
