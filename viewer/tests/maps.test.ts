import { describe, expect, test } from "vitest";
import { topMass } from "../src/maps/mass";
import { outline } from "../src/maps/outline";
import { resample } from "../src/maps/resample";
import { smooth } from "../src/maps/smooth";
import type { Size } from "../src/payload";
import { seeded } from "./random";

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);

describe("the patches that hold most of the mass", () => {
  test("worked out by hand", () => {
    const { chosen, count, held } = topMass([1, 4, 2, 3], 0.6); // 4 hold 0.4, 4 and 3 hold 0.7
    expect([Array.from(chosen), count]).toEqual([[0, 1, 0, 1], 2]);
    expect(held).toBeCloseTo(0.7, 12);
  });

  test("exactly the mass is enough", () => {
    expect(topMass([1, 4, 2, 3], 0.4).count).toBe(1);
    const uniform = new Float32Array(196).fill(1 / 196);
    expect(topMass(uniform, 0.5).count).toBe(98);
  });

  test("the first of equal patches is taken", () => {
    expect(Array.from(topMass([2, 3, 2, 2, 2], 5 / 11).chosen)).toEqual([1, 1, 0, 0, 0]);
  });

  test("all of the mass leaves patches out that hold none", () => {
    const { chosen, held } = topMass([0, 1, 0, 5], 1);
    expect([Array.from(chosen), held]).toEqual([[0, 1, 0, 1], 1]);
  });

  test("no mass, or a map of zeros, has an empty set", () => {
    expect(topMass([1, 2], 0)).toEqual({ chosen: new Uint8Array(2), count: 0, held: 0 });
    expect(topMass([0, 0, 0], 1)).toEqual({ chosen: new Uint8Array(3), count: 0, held: 0 });
  });

  test("rounding, which grows with the map, asks for no patch that holds nothing", () => {
    const map = new Float64Array(300_002).fill(1e-17, 1); // these are lost when they are added to 1, not before
    map[300_001] = 1;
    expect(topMass(map, 1).chosen[0]).toBe(0);
  });

  test("no smaller set would do, whatever the map", () => {
    const random = seeded(5);
    for (let trial = 0; trial < 50; trial++) {
      const map = random.normals(31).map((value) => value ** 2);
      const mass = random.uniform();
      const { chosen, count, held } = topMass(map, mass);
      const strongest = [...map].sort((a, b) => b - a);
      const needed = strongest.findIndex((_, i) => sum(strongest.slice(0, i + 1)) >= mass * sum(map)) + 1;
      expect(count).toBe(needed);
      expect(sum(chosen)).toBe(count);
      expect(held).toBeCloseTo(sum(map.filter((_, i) => chosen[i])) / sum(map), 10);
    }
  });

  test("what is no map and what is no share is refused", () => {
    expect(() => topMass([1], 1.01)).toThrow("mass must be from 0 to 1; found 1.01");
    expect(() => topMass([1], NaN)).toThrow("found NaN");
    expect(() => topMass([1, -0.5], 0.5)).toThrow("found -0.5 at patch 1");
    expect(() => topMass([NaN], 0.5)).toThrow("found NaN at patch 0");
  });
});

describe("a map on another grid", () => {
  test("worked out by hand", () => {
    // Two rows of three columns to one row of two: the middle column is shared.
    expect(Array.from(resample([1, 2, 3, 4, 5, 6], [2, 3], [1, 2]))).toEqual([8.5, 12.5]);
    expect(Array.from(resample([1, 2], [1, 2], [2, 4]))).toEqual([
      0.25, 0.25, 0.5, 0.5, 0.25, 0.25, 0.5, 0.5,
    ]);
  });

  test("the same grid changes nothing", () => {
    const map = seeded(6).normals(35);
    expect(Array.from(resample(map, [5, 7], [5, 7]))).toEqual(Array.from(Float32Array.from(map)));
  });

  test.each([
    [5, 7, 11, 3],
    [2, 13, 17, 19],
    [14, 14, 16, 16],
  ])("%i × %i to %i × %i keeps the sum, and each half of the picture", (...sizes) => {
    const [from, to] = [sizes.slice(0, 2) as Size, sizes.slice(2) as Size];
    const map = seeded(7)
      .normals(from[0] * from[1])
      .map((value) => value ** 2);
    expect(sum(resample(map, from, to))).toBeCloseTo(sum(map), 4);
    expect(Array.from(resample(map, from, [1, 1]))[0]).toBeCloseTo(
      sum(resample(resample(map, from, to), to, [1, 1])),
      4,
    );
  });

  test.each([
    [5, 7, 10, 14],
    [3, 2, 9, 10],
  ])("%i × %i to the multiple %i × %i and back is the map", (...sizes) => {
    const [from, to] = [sizes.slice(0, 2) as Size, sizes.slice(2) as Size];
    const map = seeded(8).normals(from[0] * from[1]);
    const back = resample(resample(map, from, to), to, from);
    back.forEach((value, i) => expect(value).toBeCloseTo(map[i]!, 5));
  });
});

describe("a smooth map", () => {
  test("worked out by hand", () => {
    // Centres of the two patches at cells 0.5 and 2.5 of four; a half and a quarter cell between.
    const { values, size } = smooth([0, 4], [1, 2], 2);
    expect(size).toEqual([2, 4]);
    expect(Array.from(values)).toEqual([0, 1, 3, 4, 0, 1, 3, 4]);
  });

  test("a plane stays one, away from the border", () => {
    const grid: Size = [5, 7];
    const plane = Array.from({ length: 35 }, (_, i) => 3 * Math.floor(i / 7) + (i % 7) / 2);
    const { values } = smooth(plane, grid, 4);
    for (let y = 2; y < 18; y++) {
      for (let x = 2; x < 26; x++) {
        const expected = 3 * ((y + 0.5) / 4 - 0.5) + ((x + 0.5) / 4 - 0.5) / 2;
        expect(values[y * 28 + x]).toBeCloseTo(expected, 5);
      }
    }
  });

  test("an odd factor keeps the values at the centres, and nothing exceeds them", () => {
    const map = seeded(9).normals(35);
    const { values } = smooth(map, [5, 7], 3);
    map.forEach((value, i) => {
      expect(values[(3 * Math.floor(i / 7) + 1) * 21 + 3 * (i % 7) + 1]).toBeCloseTo(value, 6);
    });
    expect(Math.max(...values)).toBe(Math.fround(Math.max(...map)));
    expect(Math.min(...values)).toBe(Math.fround(Math.min(...map)));
  });

  test("a grid of one patch is constant", () => {
    expect(Array.from(smooth([2], [1, 1], 2).values)).toEqual([2, 2, 2, 2]);
  });
});

describe("the outline of patches", () => {
  test.each<[string, number[], Size, string]>([
    ["nothing", [0, 0], [1, 2], ""],
    ["one patch", [0, 0, 0, 1], [2, 2], "M1 1H2V2H1Z"],
    ["a whole grid", [1, 1, 1, 1, 1, 1], [2, 3], "M0 0H3V2H0Z"],
    ["an L", [1, 0, 1, 1], [2, 2], "M0 0H1V1H2V2H0Z"],
    ["two that touch at a corner", [1, 0, 0, 1], [2, 2], "M0 0H1V1H0ZM1 1H2V2H1Z"],
    ["the other two", [0, 1, 1, 0], [2, 2], "M1 0H2V1H1ZM0 1H1V2H0Z"],
    ["a ring", [1, 1, 1, 1, 0, 1, 1, 1, 1], [3, 3], "M0 0H3V3H0ZM1 2H2V1H1Z"],
  ])("of %s", (_, chosen, grid, expected) => {
    expect(outline(chosen, grid)).toBe(expected);
  });

  test("encloses just the chosen patches, whatever they are, with no corner that is none", () => {
    const random = seeded(10);
    for (let trial = 0; trial < 60; trial++) {
      const share = random.uniform();
      const chosen = Array.from({ length: 7 * 11 }, () => (random.uniform() < share ? 1 : 0));
      const loops = cornersOf(outline(chosen, [7, 11]));
      const winding = chosen.map((_, i) => windingAt(loops, Math.floor(i / 11) + 0.5, (i % 11) + 0.5));
      expect(winding).toEqual(chosen);
      for (const loop of loops) expect(loop.every((corner, i) => turns(loop, corner, i))).toBe(true);
    }
  });
});

type Corner = [x: number, y: number];

/** The corners of each loop of a path of M, H, V and Z. */
function cornersOf(path: string): Corner[][] {
  return path
    .split("Z")
    .filter(Boolean)
    .map((loop) => {
      const corners: Corner[] = [];
      for (const [, command, x, y] of loop.matchAll(/([MHV])(\d+)(?: (\d+))?/g)) {
        const last = corners.at(-1);
        if (command === "M") corners.push([Number(x), Number(y)]);
        else corners.push(command === "H" ? [Number(x), last![1]] : [last![0], Number(x)]);
      }
      return corners;
    });
}

/** How often the loops go around a point, clockwise, counted along a ray to the right. */
function windingAt(loops: Corner[][], row: number, column: number): number {
  return sum(
    loops.flatMap((loop) =>
      loop.map(([x, y], i) => {
        const [nextX, nextY] = loop[(i + 1) % loop.length]!;
        const crosses = x === nextX && x > column && Math.min(y, nextY) < row && Math.max(y, nextY) > row;
        return crosses ? Math.sign(nextY - y) : 0;
      }),
    ),
  );
}

function turns(loop: Corner[], [x, y]: Corner, i: number): boolean {
  const [before, after] = [loop.at(i - 1)!, loop[(i + 1) % loop.length]!];
  return (before[0] === x) !== (after[0] === x) && (before[1] === y) !== (after[1] === y);
}
