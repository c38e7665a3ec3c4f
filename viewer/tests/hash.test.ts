import { describe, expect, test } from "vitest";
import { COLOUR_MAPS } from "../src/colours/colours";
import { readHash, writeHash } from "../src/state/hash";
import { namedQueries, patchQuery } from "../src/state/query";
import { initialState, lastCarried, type State } from "../src/state/state";
import { lookOf, viewsOf } from "../src/state/views";
import { FIRST, makePage, range, SECOND } from "./payloads";
import { seeded, type Random } from "./random";

const page = makePage(
  { ...FIRST, heads: [3, 2, 5, 3, 3], images: 2 },
  { ...SECOND, images: 3, absent: { 6: "too large" } },
).payload;
const first = initialState(page);

function randomState(random: Random): State {
  const one = <Value>(...values: Value[]): Value => values[random.below(values.length)]!;
  const shown = random.below(viewsOf(page).length);
  const look = lookOf(page, shown);
  const { layers, layout } = look;
  const named = namedQueries(look).map(({ query }) => query);
  const query = () =>
    one(patchQuery(random.below(layout.grid[0]), random.below(layout.grid[1])), one(...named));
  return {
    shown,
    compared: one(null, random.below(viewsOf(page).length)),
    difference: one(true, false),
    layer: one<number | "mean">("mean", ...layers.keys()),
    head: one<number | "mean">("mean", ...range(Math.max(...layers.map(({ heads }) => heads)))),
    method: one("row", "mask", "rollout"),
    direction: one("from", "to"),
    locked: [...new Set(range(random.below(6)).map(query))],
    scale: one("linear", "uniform", "logarithmic", "shared"),
    ceiling: 1 + 999 * random.uniform(),
    colours: one(...COLOUR_MAPS),
    smooth: one(true, false),
    opacity: random.uniform(),
    mass: 0.01 + 0.99 * random.uniform(),
    start: random.below(layers.length),
    sort: one("none", "distance", "entropy", "prefix"),
    reversed: one(true, false),
    isolated: one(true, false),
    rescale: one(true, false),
  };
}

describe("a state written and read again", () => {
  test("is the same, whatever it is", () => {
    const random = seeded(31);
    for (let trial = 0; trial < 500; trial++) {
      const state = randomState(random);
      expect(readHash(writeHash(state, page), page)).toEqual(state);
    }
  });

  test("is the same where it is a picture's first one", () => {
    viewsOf(page).forEach((_, shown) => {
      const state = { ...first, shown, layer: lastCarried(page, shown) };
      expect(readHash(writeHash(state, page), page)).toEqual(state);
    });
  });

  test.each([
    { ceiling: 1, opacity: 0, mass: 0.01 },
    { ceiling: 1000, opacity: 1, mass: 1 },
  ])("is the same at the ends of its sliders: %o", (ends) => {
    expect(readHash(writeHash({ ...first, ...ends }, page), page)).toEqual({ ...first, ...ends });
  });

  test("keeps a name of a prefix token with signs of its own", () => {
    const name = "a&b=c#%d+é <script>";
    const odd = makePage({ ...FIRST, prefix: [name] }).payload;
    const state = { ...initialState(odd), locked: [name, "1,2"] };
    expect(readHash(writeHash(state, odd), odd)).toEqual(state);
  });
});

describe("the text", () => {
  test("is empty for the first state", () => expect(writeHash(first, page)).toBe(""));

  test("holds what differs from it, and no more", () => {
    expect(writeHash({ ...first, layer: 3, locked: ["4,6", "cls"] }, page)).toBe("#layer=3&locked=4,6%3Bcls");
    expect(writeHash({ ...first, compared: null, head: 2, smooth: true }, page)).toBe(
      "#compared=none&head=2&smooth=1",
    );
  });

  test("does not name another picture's last layer", () => {
    expect(writeHash({ ...first, shown: 2, layer: 5 }, page)).toBe("#shown=2");
    expect(readHash("#shown=2", page).layer).toBe(5);
  });

  test("of a mean over layers names it", () => {
    expect(writeHash({ ...first, layer: "mean" }, page)).toBe("#layer=mean");
  });
});

describe("what has no meaning on this page is as in the first state", () => {
  test.each([
    "",
    "#",
    "#####",
    "#layer",
    "#layer=",
    "#layer=5",
    "#layer=-1",
    "#layer=1.5",
    "#layer=1e0",
    "#layer=NaN",
    "#layer=%",
    "#layer=%00",
    "#layer=__proto__",
    "#layer=00000001",
    "#shown=5",
    "#shown=none",
    "#compared=5",
    "#compared=null",
    "#head=5",
    "#method=Row",
    "#method=__proto__",
    "#direction=constructor",
    "#scale=toString",
    "#colours=hasOwnProperty",
    "#colours=difference",
    "#sort=valueOf",
    "#locked=5,0;0,7;-1,0;reg9;pool;__proto__;constructor;1,2,3;",
    "#ceiling=0.99",
    "#ceiling=1001",
    "#ceiling=NaN",
    "#ceiling=Infinity",
    "#ceiling=",
    "#opacity=-0.01",
    "#opacity=1.01",
    "#opacity=%20",
    "#mass=0",
    "#mass=1.01",
    "#start=5",
    "#start=mean",
    "#difference=true",
    "#smooth=2",
    "#isolated=",
    "#__proto__=1&constructor=2&toString=3&hasOwnProperty=4",
    "#__proto__[smooth]=1",
    "#nothing=of&that=kind",
    "#<script>alert(1)</script>",
  ])("%s", (hash) => {
    expect(readHash(hash, page)).toEqual(first);
    expect(Object.getPrototypeOf(readHash(hash, page))).toBe(Object.prototype);
  });

  test("however long it is", () => {
    expect(readHash(`#layer=${"9".repeat(1_000_000)}`, page)).toEqual(first);
    expect(readHash(`#locked=${"9,9;".repeat(100_000)}`, page)).toEqual(first);
    expect(readHash(`#${"a=b&".repeat(100_000)}`, page)).toEqual(first);
  });

  test("and the rest is read all the same", () => {
    const state = readHash("#layer=99&head=2&locked=9,9;3,4;cls&mass=x&start=4&ceiling=2.5", page);
    expect(state).toEqual({ ...first, head: 2, locked: ["3,4", "cls"], start: 4, ceiling: 2.5 });
  });

  test("each query is locked once, and five at most", () => {
    expect(readHash("#locked=cls;cls;0,0;00,0;0,1;0,0", page).locked).toEqual(["cls", "0,0", "0,1"]);
    const six = range(6).map((column) => `1,${column}`);
    expect(readHash(`#locked=${six.join(";")}`, page).locked).toEqual(six.slice(0, 5));
  });

  test("sizes are those of the picture that is shown", () => {
    expect(readHash("#shown=2&layer=6&start=6&locked=2,10", page)).toMatchObject({
      layer: 6,
      start: 6,
      locked: ["2,10"],
    });
    expect(readHash("#shown=2&head=4&locked=4,0", page)).toMatchObject({ head: "mean", locked: [] });
    expect(readHash("#layer=6&start=6&locked=2,10", page)).toEqual(first);
  });

  test("there is no rollout where the picture has none", () => {
    const none = makePage({ ...FIRST, rollout: false }).payload;
    expect(readHash("#method=rollout&head=2", none)).toEqual({ ...initialState(none), head: 2 });
    expect(readHash("#method=rollout", page).method).toBe("rollout");
    expect(readHash("#method=mask", none).method).toBe("mask");
  });
});
