import { describe, expect, test } from "vitest";
import { concise, exactPercent, percent, pixels, signedPercent, timesUniform } from "../src/maps/format";
import { makeDiverging, makeScale, type Scale, type ScaleName } from "../src/maps/scale";
import { seeded } from "./random";

const NAMES: ScaleName[] = ["linear", "uniform", "logarithmic", "shared"];
const OPTIONS = { maximum: 0.0431, shared: 0.12, uniform: 1 / 197, ceiling: 5 };

describe("each scale", () => {
  test.each<[ScaleName, number, number]>([
    ["linear", 0.0431, 0.0431 / 2],
    ["uniform", 5 / 197, 2.5 / 197],
    ["logarithmic", 0.0431, 0.0431 / 10 ** 1.5],
    ["shared", 0.12, 0.06],
  ])("%s has its top at 1 and its middle at a half, and goes no further", (name, top, middle) => {
    const scale = makeScale(name, OPTIONS);
    expect(scale.name).toBe(name);
    expect(scale.position(top)).toBeCloseTo(1, 12);
    expect(scale.position(middle)).toBeCloseTo(0.5, 12);
    expect([2 * top, 0, -1, NaN].map(scale.position)).toEqual([1, 0, 0, 0]);
  });

  test.each<[ScaleName, string]>([
    ["linear", "0 to this map's maximum, 4.31 %"],
    ["shared", "0 to the maximum of all heads of this layer, 12 %"],
    ["logarithmic", "logarithmic, from 0.00431 % and less to this map's maximum, 4.31 %"],
    [
      "uniform",
      "0 to 5 times uniform attention, 2.54 %; higher values, up to 8.49 times, have the top colour",
    ],
  ])("%s says what it does", (name, words) => {
    expect(makeScale(name, OPTIONS).words).toBe(words);
  });

  test.each<[ScaleName, string[]]>([
    ["linear", ["0", "2 %", "4.31 %"]],
    ["shared", ["0", "5 %", "10 %", "12 %"]],
    ["logarithmic", ["≤0.00431 %", "0.01 %", "0.1 %", "1 %", "4.31 %"]],
    ["uniform", ["0", "2×", "4×", "≥5×"]],
  ])("%s has round ticks and its top", (name, labels) => {
    expect(makeScale(name, OPTIONS).ticks.map((tick) => tick.label)).toEqual(labels);
  });

  test("the logarithmic one leaves its bottom out where there is no room", () => {
    const ticks = makeScale("logarithmic", { ...OPTIONS, maximum: 0.06 }).ticks;
    expect(ticks.map((tick) => tick.label)).toEqual(["0.01 %", "0.1 %", "1 %", "6 %"]);
  });
});

test("only the scale in multiples of uniform attention clips, and only where values exceed it", () => {
  expect(NAMES.map((name) => makeScale(name, OPTIONS).clipped)).toEqual([false, true, false, false]);
  const low = makeScale("uniform", { ...OPTIONS, maximum: 0.02 });
  expect([low.clipped, low.ticks.at(-1)!.label]).toEqual([false, "5×"]);
  expect(low.words).not.toContain("higher");
});

test("ticks of any scale stand where their labels say, in order, 3 to 5, with room between", () => {
  const random = seeded(11);
  for (let trial = 0; trial < 200; trial++) {
    const maximum = 10 ** (-5 * random.uniform());
    const options = { maximum, shared: 1.7 * maximum, uniform: 1 / 3601, ceiling: 1 + 50 * random.uniform() };
    for (const name of NAMES) {
      const scale = makeScale(name, options);
      expect(scale.ticks.length, name).toBeGreaterThanOrEqual(3);
      expect(scale.ticks.length, name).toBeLessThanOrEqual(5);
      expect(scale.ticks.at(-1)!.position).toBe(1);
      expectReadable(scale, options.uniform);
    }
  }
});

function expectReadable(scale: Scale, uniform: number): void {
  const gaps = scale.ticks.slice(1).map((tick, i) => tick.position - scale.ticks[i]!.position);
  expect(Math.min(...gaps)).toBeGreaterThan(0.1);
  for (const { position, label } of scale.ticks) {
    const value = Number.parseFloat(label.replace(/[≤≥]/, "")) * (label.endsWith("×") ? uniform : 0.01);
    expect(scale.position(value)).toBeCloseTo(position, 2);
  }
}

test.each(NAMES.filter((name) => name !== "uniform"))(
  "a map of zeros, or of no numbers, has a %s scale",
  (name) => {
    for (const top of [0, NaN]) {
      const scale = makeScale(name, { ...OPTIONS, maximum: top, shared: top });
      expect([scale.position(0), scale.position(1)]).toEqual([0, 0]);
      expect(scale.ticks).toEqual([{ position: 0, label: "0" }]);
      expect(scale.words).toContain(top === 0 ? "0 everywhere" : "not a number");
    }
  },
);

test("uniform attention's scale is the same for a map of zeros", () => {
  const scale = makeScale("uniform", { ...OPTIONS, maximum: 0 });
  expect([scale.position(0), scale.position(5 / 197), scale.clipped]).toEqual([0, 1, false]);
});

describe("a scale of differences", () => {
  test("is centred on zero", () => {
    const scale = makeDiverging(0.031);
    const positions = [-1, -0.031, -0.0155, 0, 0.0155, 0.031, 1].map(scale.position);
    expect(positions).toEqual([0, 0, 0.25, 0.5, 0.75, 1, 1]);
    expect(scale.ticks.map((tick) => [tick.position, tick.label])).toEqual([
      [0, "−3.1 %"],
      [0.5, "0"],
      [1, "+3.1 %"],
    ]);
    expect(scale.words).toBe("−3.1 % to +3.1 %, centred on no difference");
  });

  test.each([0, NaN])("of largest %d is all in the middle", (largest) => {
    const scale = makeDiverging(largest);
    expect([-1, 0, 1, NaN].map(scale.position)).toEqual([0.5, 0.5, 0.5, 0.5]);
    expect(scale.ticks).toEqual([{ position: 0.5, label: "0" }]);
    expect(scale.words).toBe(largest === 0 ? "no difference" : "the difference is not a number");
  });

  test("leaves NaN in the middle", () => {
    expect(makeDiverging(1).position(NaN)).toBe(0.5);
  });
});

describe("numbers for people", () => {
  test.each([
    [0.031, "3.1 %"],
    [0.00042, "0.042 %"],
    [0.1234, "12 %"],
    [0.0996, "10 %"],
    [0.9963, "99.6 %"],
    [1, "100 %"],
    [0, "0 %"],
    [-0, "0 %"],
    [0.000009, "<0.001 %"],
    [-0.000009, ">−0.001 %"],
    [-0.031, "−3.1 %"],
    [NaN, "—"],
  ])("percent(%d) is %s", (weight, text) => {
    expect(percent(weight)).toBe(text);
  });

  test.each([
    [0.031, "+3.1 %"],
    [-0.031, "−3.1 %"],
    [0, "0 %"],
    [0.000009, "<0.001 %"],
  ])("signedPercent(%d) is %s", (weight, text) => {
    expect(signedPercent(weight)).toBe(text);
  });

  test.each([
    [6.13, "6.1"],
    [0.3249, "0.32"],
    [123, "120"],
    [0.0004, "<0.001"],
    [0, "0"],
  ])("%d times uniform is %s", (times, text) => {
    expect(timesUniform(times / 197, 1 / 197)).toBe(text);
  });

  test("times nothing is no number", () => {
    expect(timesUniform(0.5, 0)).toBe("—");
  });

  test.each([
    [116.2, "116 px"],
    [8.44, "8.4 px"],
    [9.97, "10 px"],
    [99.7, "100 px"],
    [1234.4, "1234 px"],
    [-12.3, "−12 px"],
    [0, "0 px"],
    [NaN, "—"],
  ])("pixels(%d) is %s", (value, text) => {
    expect(pixels(value)).toBe(text);
  });

  test.each([
    [0.04312, "4.31 %"],
    [0.1, "10 %"],
    [1, "100 %"],
    [0.00000123456, "0.000123 %"],
  ])("exactPercent(%d) is %s", (weight, text) => {
    expect(exactPercent(weight)).toBe(text);
  });

  test.each([
    [3 * 0.1, "0.3"],
    [20, "20"],
    [1234, "1230"],
    [-4.5, "−4.5"],
  ])("concise(%d) is %s", (value, text) => {
    expect(concise(value)).toBe(text);
  });
});
