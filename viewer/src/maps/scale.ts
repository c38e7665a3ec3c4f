/** From a weight to a place on a colour scale, 0 to 1, and the words that say how. */
import { concise, exactPercent } from "./format";

/** Scales of attention weights. */
export type ScaleName = "linear" | "uniform" | "logarithmic" | "shared";

/** A mark on the colour bar. */
export interface Tick {
  position: number;
  label: string;
}

/** What a scale does, and what it says of itself. */
export interface Scale {
  name: ScaleName | "difference";
  /** 0 to 1, clamped; 0 for NaN. */
  position(value: number): number;
  ticks: Tick[];
  /** One sentence part for captions: "0 to this map's maximum, 4.31 %". */
  words: string;
  /** Whether the map has values above the top. */
  clipped: boolean;
}

/** A scale of differences: 0.5 is no difference. */
export interface DivergingScale extends Scale {
  name: "difference";
}

/** What scales are made of, all but `ceiling` as weights. */
export interface ScaleOptions {
  /** Largest value of the map. */
  maximum: number;
  /** Largest value of all heads of the layer. */
  shared: number;
  /** Weight of uniform attention: 1 / keys. */
  uniform: number;
  /** The multiple of uniform attention at which "uniform" saturates. */
  ceiling: number;
}

const DECADES = 3; // below the maximum, on the logarithmic scale
const NEAR = 0.12; // ticks nearer than this to an end would touch its label

/** The scale of that name. A top that is 0 or no number gives position 0 everywhere, and one tick. */
export function makeScale(name: ScaleName, options: ScaleOptions): Scale {
  const top = topOf(name, options);
  if (!(Number.isFinite(top) && top > 0)) return emptyScale(name, top);
  const clipped = options.maximum > top;
  return {
    name,
    position: name === "logarithmic" ? logarithmic(top) : (value) => clamp(value / top),
    ticks: ticksOf(name, top, options, clipped),
    words: wordsOf(name, top, options, clipped),
    clipped,
  };
}

/** From −largest by 0 to +largest: 0 by 0.5 to 1. */
export function makeDiverging(largest: number, what: "difference" | "weight" = "difference"): DivergingScale {
  const name = "difference";
  if (!(Number.isFinite(largest) && largest > 0)) {
    const words = largest === 0 ? `no ${what}` : `the ${what} is not a number`;
    return { name, position: () => 0.5, ticks: [{ position: 0.5, label: "0" }], words, clipped: false };
  }
  const ends = [`−${exactPercent(largest)}`, `+${exactPercent(largest)}`] as const;
  return {
    name,
    position: (value) => (Number.isNaN(value) ? 0.5 : clamp(0.5 + value / (2 * largest))),
    ticks: [
      { position: 0, label: ends[0] },
      { position: 0.5, label: "0" },
      { position: 1, label: ends[1] },
    ],
    words: `${ends[0]} to ${ends[1]}, centred on ${what === "weight" ? "0" : "no difference"}`,
    clipped: false,
  };
}

function topOf(name: ScaleName, { maximum, shared, uniform, ceiling }: ScaleOptions): number {
  if (name === "uniform") return ceiling * uniform;
  return name === "shared" ? shared : maximum;
}

function emptyScale(name: ScaleName, top: number): Scale {
  const words = top === 0 ? "no weight: 0 everywhere" : "no scale: the map's maximum is not a number above 0";
  return { name, position: () => 0, ticks: [{ position: 0, label: "0" }], words, clipped: false };
}

function logarithmic(top: number): (value: number) => number {
  return (value) => clamp(1 + Math.log10(value / top) / DECADES);
}

function clamp(position: number): number {
  return position > 0 ? Math.min(1, position) : 0;
}

function ticksOf(name: ScaleName, top: number, { ceiling }: ScaleOptions, clipped: boolean): Tick[] {
  const more = clipped ? "≥" : "";
  if (name === "logarithmic") return decadeTicks(top);
  if (name === "uniform") return linearTicks(ceiling, "×", more);
  return linearTicks(100 * top, " %", more);
}

/** 0, round numbers, and the top as it is. */
function linearTicks(top: number, unit: string, more: string): Tick[] {
  const step = roundStep(top / 4);
  const ticks = [{ position: 0, label: "0" }];
  for (let i = 1; i * step < (1 - NEAR) * top; i++) {
    ticks.push({ position: (i * step) / top, label: `${concise(i * step)}${unit}` });
  }
  return [...ticks, { position: 1, label: `${more}${concise(top)}${unit}` }];
}

/** The smallest of 1, 2 or 5 times a power of ten that is at least `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= least * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** Powers of ten, the top as it is, and the bottom where there is room. */
function decadeTicks(top: number): Tick[] {
  const position = logarithmic(top);
  const ticks: Tick[] = [];
  const highest = Math.floor(Math.log10(100 * top)); // in percent
  for (let power = highest - DECADES; power <= highest; power++) {
    const at = position(10 ** power / 100);
    if (at > 0 && at < 1 - NEAR) ticks.push({ position: at, label: exactPercent(10 ** power / 100) });
  }
  const room = ticks.every((tick) => tick.position > NEAR);
  const bottom = { position: 0, label: `≤${exactPercent(top / 10 ** DECADES)}` };
  return [...(room ? [bottom] : []), ...ticks, { position: 1, label: exactPercent(top) }];
}

function wordsOf(name: ScaleName, top: number, options: ScaleOptions, clipped: boolean): string {
  const { maximum, uniform, ceiling } = options;
  const higher = clipped
    ? `; higher values, up to ${concise(maximum / uniform)} times, have the top colour`
    : "";
  switch (name) {
    case "linear":
      return `0 to this map's maximum, ${exactPercent(top)}`;
    case "shared":
      return `0 to the maximum of all heads of this layer, ${exactPercent(top)}`;
    case "uniform":
      return `0 to ${concise(ceiling)} times uniform attention, ${exactPercent(top)}${higher}`;
    case "logarithmic":
      return (
        `logarithmic, from ${exactPercent(top / 10 ** DECADES)} and less ` +
        `to this map's maximum, ${exactPercent(top)}`
      );
  }
}
