import { describe, expect, test } from "vitest";
import { COLOUR_MAPS, colourIndex, paint, QUERY_COLOURS, table } from "../src/colours/colours";

const rgb = (colours: ArrayLike<number>, i: number) => [0, 1, 2].map((channel) => colours[3 * i + channel]!);

/** Relative luminance of sRGB, 0 to 255 a channel (WCAG 2.2). */
function luminance(colour: number[]): number {
  const [red, green, blue] = linear(colour);
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function linear(colour: number[]): number[] {
  return colour.map((byte) =>
    byte / 255 <= 0.04045 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4,
  );
}

describe("colour maps", () => {
  test.each([...COLOUR_MAPS])("%s has 256 colours that grow lighter", (name) => {
    const colours = table(name);
    expect(colours).toHaveLength(768);
    const lights = Array.from({ length: 256 }, (_, i) => luminance(rgb(colours, i)));
    expect(lights.every((light, i) => i === 0 || light > lights[i - 1]! - 0.002)).toBe(true); // bytes are rounded
    expect(lights[255]! - lights[0]!).toBeGreaterThan(0.6);
  });

  test("are told apart by their first and last colours, as matplotlib has them", () => {
    const ends = COLOUR_MAPS.map((name) => [0, 255].map((i) => hex(rgb(table(name), i))));
    expect(ends).toEqual([
      ["#440154", "#fde724"],
      ["#000003", "#fcfea4"],
      ["#00224d", "#fde737"],
      ["#000000", "#ffffff"],
    ]);
  });

  test("of differences: blue below, red above, lightest in the middle, as dark on either side", () => {
    const colours = table("difference");
    const lights = Array.from({ length: 256 }, (_, i) => luminance(rgb(colours, i)));
    expect([127, 128]).toContain(lights.indexOf(Math.max(...lights)));
    lights.forEach((light, i) => expect(Math.abs(light - lights[255 - i]!)).toBeLessThan(0.01));
    const [blue, red] = [rgb(colours, 0), rgb(colours, 255)];
    expect(blue[2]).toBeGreaterThan(2 * blue[0]!);
    expect(red[0]).toBeGreaterThan(2 * red[2]!);
  });

  test("are decoded once", () => {
    expect(table("cividis")).toBe(table("cividis"));
  });
});

test("a position's colour is matplotlib's", () => {
  const positions = [0, 0.5 / 256, 1 / 256, 0.5, 255.99 / 256, 1, 1.5, -0.1, NaN];
  expect(positions.map(colourIndex)).toEqual([0, 0, 1, 128, 255, 255, 255, 0, 0]);
});

describe("painting", () => {
  const colours = table("viridis");

  test("writes a colour a value, and leaves NaN transparent", () => {
    const out = new Uint8ClampedArray(12).fill(9);
    paint([0, NaN, 4], (value) => value / 4, colours, out);
    expect(Array.from(out)).toEqual([...rgb(colours, 0), 255, 0, 0, 0, 0, ...rgb(colours, 255), 255]);
  });

  test("takes an opacity for each cell", () => {
    const out = new Uint8ClampedArray(12);
    paint(
      [1, 1, NaN],
      () => 0,
      colours,
      out,
      (cell) => [0, 0.4, 1][cell]!,
    );
    expect([out[3], out[7], out[11]]).toEqual([0, 102, 0]);
  });
});

describe("the colours of queries", () => {
  const colours = QUERY_COLOURS.map((text) =>
    [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16)),
  );

  test("are five that stand off white and black", () => {
    expect(colours).toHaveLength(5);
    for (const colour of colours) {
      expect(1.05 / (luminance(colour) + 0.05)).toBeGreaterThan(2.2);
      expect((luminance(colour) + 0.05) / 0.05).toBeGreaterThan(4);
    }
  });

  test.each(Object.keys(sights()))("are far apart to %s sight", (sight) => {
    const seen = colours.map((colour) => lab(sights()[sight]!, colour));
    const distances = seen.flatMap((one, i) => seen.slice(i + 1).map((other) => distance(one, other)));
    expect(Math.min(...distances)).toBeGreaterThan(13); // CIE 1976; 2.3 are just noticed
  });
});

/** What dichromats see, as a matrix on linear sRGB: Machado, Oliveira and Fernandes 2009, table 1, severity 1. */
function sights(): Record<string, number[][]> {
  return {
    normal: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
    protanopic: [
      [0.152286, 1.052583, -0.204868],
      [0.114503, 0.786281, 0.099216],
      [-0.003882, -0.048116, 1.051998],
    ],
    deuteranopic: [
      [0.367322, 0.860646, -0.227968],
      [0.280085, 0.672501, 0.047413],
      [-0.01182, 0.04294, 0.968881],
    ],
    tritanopic: [
      [1.255528, -0.076749, -0.178779],
      [-0.078411, 0.930809, 0.147602],
      [0.004733, 0.691367, 0.3039],
    ],
  };
}

/** CIE L*a*b* under D65 of a colour as it is seen. */
function lab(sight: number[][], colour: number[]): number[] {
  const seen = times(sight, linear(colour)).map((value) => Math.min(1, Math.max(0, value)));
  const toXyz = [
    [0.4124, 0.3576, 0.1805],
    [0.2126, 0.7152, 0.0722],
    [0.0193, 0.1192, 0.9505],
  ];
  const white = times(toXyz, [1, 1, 1]);
  const [x, y, z] = times(toXyz, seen).map((value, i) => response(value / white[i]!));
  return [116 * y! - 16, 500 * (x! - y!), 200 * (y! - z!)];
}

function response(value: number): number {
  return value > (6 / 29) ** 3 ? Math.cbrt(value) : value / (3 * (6 / 29) ** 2) + 4 / 29;
}

function times(matrix: number[][], vector: number[]): number[] {
  return matrix.map((row) => row.reduce((sum, value, i) => sum + value * vector[i]!, 0));
}

function distance(one: number[], other: number[]): number {
  return Math.hypot(...one.map((value, i) => value - other[i]!));
}

function hex(colour: number[]): string {
  return `#${colour.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
