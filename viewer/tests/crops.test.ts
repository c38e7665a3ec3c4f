import { describe, expect, test } from "vitest";
import { resample } from "../src/maps/resample";
import type { Image, Look } from "../src/payload";
import { WHOLE, windowOf, type Window } from "../src/state/crops";
import { carryQuery, OUTSIDE } from "../src/state/query";

const crop = (box: number[] | null, original: string | null = "data:a") => ({ box, original }) as Image;
const look = (rows: number, columns: number) =>
  ({
    layout: { grid: [rows, columns], prefix: ["cls"] },
    layers: [],
    images: [{ pool: null }],
  }) as unknown as Look;
const MIDDLE: Window = [0, 0.25, 1, 0.75];

describe("where one crop lies in another", () => {
  test("is said in shares of the other's height and width", () => {
    const [wide, narrow] = [crop([10, 20, 110, 70]), crop([35, 30, 85, 70])];
    expect(windowOf(narrow, wide)).toEqual([0.2, 0.25, 1, 0.75]);
    expect(windowOf(wide, narrow)).toEqual([-0.25, -0.5, 1, 1.5]);
  });

  test("is the whole for the same crop, for different pictures, and where no original is known", () => {
    const one = crop([10, 20, 110, 70]);
    expect(windowOf(one, one)).toEqual(WHOLE);
    expect(windowOf(one, crop([0, 0, 7, 11], "data:b"))).toBe(WHOLE);
    expect(windowOf(one, crop(null, null))).toBe(WHOLE);
    expect(windowOf(crop([0, 0, 7, 11], null), crop([0, 0, 5, 3], null))).toBe(WHOLE);
  });
});

describe("a query in another crop", () => {
  test("is the patch at the same place of the picture", () => {
    expect(carryQuery("2,4", look(5, 8), look(5, 2), MIDDLE)).toBe("2,1"); // from 0.5625 of the width to 0.625 of half
    expect(carryQuery("2,3", look(5, 8), look(5, 2), MIDDLE)).toBe("2,0");
  });

  test("is nowhere where the other crop does not reach", () => {
    expect(carryQuery("2,1", look(5, 8), look(5, 2), MIDDLE)).toBe(OUTSIDE);
    expect(carryQuery("2,6", look(5, 8), look(5, 2), MIDDLE)).toBe(OUTSIDE);
    expect(carryQuery("cls", look(5, 8), look(5, 2), MIDDLE)).toBe("cls");
  });
});

describe("a map laid on another crop", () => {
  test("gives each new patch what lies in it", () => {
    expect([...resample([1, 2, 3, 4], [1, 4], [1, 2], MIDDLE)]).toEqual([2, 3]);
    expect([...resample([1, 2, 3, 4], [1, 4], [1, 1], MIDDLE)]).toEqual([5]);
    expect([...resample([1, 2, 3, 4], [4, 1], [2, 1], [0.125, 0, 0.625, 1])]).toEqual([1.5, 2.5]); // halves of two each
  });

  test("is no number where the old grid does not reach", () => {
    expect([...resample([1, 2], [1, 2], [1, 4], [0, -0.5, 1, 1.5])]).toEqual([NaN, 1, 2, NaN]);
    expect([...resample([1, 2], [2, 1], [3, 1], [-0.25, 0, 1.25, 1])]).toEqual([NaN, 1.5, NaN]);
  });

  test.each([-0.1, 0.1])(
    "never has a number beside the old grid taken for one in it, from %f of its width",
    (start) => {
      const beyond = resample(Array(35).fill(1), [5, 7], [11, 13], [0.3, start, 1.1, start + 1]);
      for (let row = 0; row < 11; row++) {
        for (let column = 0; column < 13; column++) {
          const [bottom, left, right] = [
            0.3 + (0.8 * (row + 1)) / 11,
            start + column / 13,
            start + (column + 1) / 13,
          ];
          const outside = bottom > 1 + 1e-9 || left < -1e-9 || right > 1 + 1e-9;
          expect(Number.isNaN(beyond[row * 13 + column]!)).toBe(outside);
        }
      }
    },
  );
});
