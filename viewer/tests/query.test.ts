import { describe, expect, test } from "vitest";
import type { Look } from "../src/payload";
import {
  carryQuery,
  moveQuery,
  namedQueries,
  patchQuery,
  queryWords,
  resolveQuery,
  shortName,
  theQuery,
} from "../src/state/query";
import { FIRST, makePage, SECOND } from "./payloads";

const [first, second] = makePage(FIRST, SECOND).payload.looks as [Look, Look];
const pooled = makePage({ ...SECOND, pool: { heads: 5, prefix: true } }).payload.looks[0];

describe("a query as a look's tokens have it", () => {
  test("prefix tokens come first, patches row by row", () => {
    expect(resolveQuery("reg1", first)).toEqual({ kind: "prefix", name: "reg1" });
    const patch = { kind: "patch", row: 4, column: 5 };
    expect(resolveQuery(patchQuery(4, 5), first)).toEqual(patch);
    expect(resolveQuery("mean", first)).toEqual({ kind: "mean" });
  });

  test.each(["5,0", "0,7", "-1,0", "1", "1,2,3", "1.5,2", " 1,2", "01,2", "1,02", "1,١", "", "reg2", "CLS"])(
    "%j is none",
    (query) => expect(resolveQuery(query, first)).toBeNull(),
  );

  test.each(["__proto__", "constructor", "toString", "length"])("neither is %s", (query) =>
    expect(resolveQuery(query, first)).toBeNull(),
  );

  test("the pooling head's is one where every image has its row", () => {
    expect(resolveQuery("pool", first)).toBeNull();
    expect(resolveQuery("pool", pooled)).toEqual({ kind: "pool" });
    const [image] = pooled.images;
    const refused = { ...pooled, images: [image, { ...image, pool: null }] } as typeof pooled;
    expect(resolveQuery("pool", refused)).toBeNull();
    expect(namedQueries(refused).map(({ query }) => query)).toEqual(["cls", "mean"]);
  });
});

describe("names", () => {
  test("buttons stand for the prefix tokens in their order, then for the pooling head, then for the mean", () => {
    expect(namedQueries(first).map(({ query, label }) => [query, label])).toEqual([
      ["cls", "CLS"],
      ["reg1", "R1"],
      ["mean", "Mean"],
    ]);
    expect(namedQueries(pooled).map(({ query }) => query)).toEqual(["cls", "pool", "mean"]);
    expect(namedQueries(first).map(({ title }) => title)).toEqual([
      "class token",
      "register 1",
      "mean over all patch queries",
    ]);
  });

  test.each([
    ["cls", "the class token"],
    ["reg1", "register 1"],
    ["3,6", "patch row 3, column 6"],
    ["mean", "the mean over the patch queries"],
    ["9,9", "9,9"],
  ])("%s in a sentence is %s", (query, words) => expect(theQuery(query, first)).toBe(words));

  test("others keep the names that they have, whatever these are", () => {
    const names = ["dist", "prefix3", "constructor", "reg"];
    const look = { ...first, layout: { ...first.layout, prefix: names } };
    expect(names.map((name) => queryWords(name, look))).toEqual([
      "distillation token",
      "token prefix3",
      "token constructor",
      "token reg",
    ]);
    expect(names.map(shortName)).toEqual(["DIST", "PREFIX3", "CONSTRUCTOR", "REG"]);
    expect(theQuery("pool", pooled)).toBe("the pooling head's query");
  });
});

describe("a query carried to another grid", () => {
  test("stands where its centre lies", () => {
    // Row 4 of 5 lies at 0.9 of the height, in row 2 of 3; column 3 of 7 at 0.5, in column 5 of 11.
    expect(carryQuery("4,3", first, second)).toBe("2,5");
    expect(carryQuery("0,0", first, second)).toBe("0,0");
    expect(carryQuery("4,6", first, second)).toBe("2,10");
  });

  test("comes back to where it was, where the other grid is finer", () => {
    const fine = { ...first, layout: { ...first.layout, grid: [11, 17] as [number, number] } };
    for (let patch = 0; patch < 35; patch++) {
      const query = patchQuery(Math.floor(patch / 7), patch % 7);
      expect(carryQuery(carryQuery(query, first, fine), fine, first)).toBe(query);
    }
  });

  test("keeps its name where it is no patch", () => {
    expect(["cls", "reg1", "mean", "8,8"].map((query) => carryQuery(query, first, second))).toEqual([
      "cls",
      "reg1",
      "mean",
      "8,8",
    ]);
  });
});

describe("a step", () => {
  test.each([
    ["2,3", 1, 0, "3,3"],
    ["2,3", 0, -1, "2,2"],
    ["0,0", -1, -1, "0,0"],
    ["4,6", 1, 1, "4,6"],
    ["4,6", -9, -9, "0,0"],
  ])("from %s by %i and %i leads to %s", (query, down, right, to) =>
    expect(moveQuery(query, down, right, first)).toBe(to),
  );

  test("from a named query leads to the middle", () => {
    expect(moveQuery("cls", 1, 0, first)).toBe("2,3");
    expect(moveQuery("mean", 0, -1, second)).toBe("1,5");
  });
});
