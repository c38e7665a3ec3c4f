/** Colours of maps and of queries. */
import { decodeBase64 } from "../numbers/base64";
import { TABLES } from "./tables";

/** Colour maps of weights. */
export type ColourMap = "viridis" | "inferno" | "cividis" | "grey";

/** In the order in which they are offered. */
export const COLOUR_MAPS: readonly ColourMap[] = ["viridis", "inferno", "cividis", "grey"];

/**
 * One for each locked query, after Okabe and Ito (2008), "Color Universal Design".
 *
 * Of their eight these five are farthest from one another (CIEDE2000 of the nearest pair, 12) to normal
 * and to each kind of dichromatic sight, and none is nearly black or nearly white: at least 2.2 to 1
 * against white and 4 to 1 against black. The order keeps the first ones farthest apart.
 */
export const QUERY_COLOURS: readonly string[] = ["#e69f00", "#0072b2", "#009e73", "#d55e00", "#56b4e9"];

const decoded = new Map<string, Uint8Array>();

/** The colours of a map, (256, 3) bytes, red, green and blue. */
export function table(name: ColourMap | "difference"): Uint8Array {
  let colours = decoded.get(name);
  if (!colours) decoded.set(name, (colours = decodeBase64(TABLES[name])));
  return colours;
}

/** Which of the 256 colours a position from 0 to 1 has, as in matplotlib; the nearer end's beyond, 0 for NaN. */
export function colourIndex(position: number): number {
  return position > 0 ? Math.min(255, Math.floor(position * 256)) : 0;
}

/**
 * Writes the colours of `values` (cells,) to `out` (cells, 4), red, green, blue and alpha.
 *
 * `alpha` gives each cell's opacity from 0 to 1, otherwise 1. NaN is left transparent.
 */
export function paint(
  values: ArrayLike<number>,
  position: (value: number) => number,
  colours: Uint8Array,
  out: Uint8ClampedArray,
  alpha: (cell: number) => number = () => 1,
): void {
  for (let cell = 0; cell < values.length; cell++) {
    const value = values[cell]!;
    const known = !Number.isNaN(value);
    const colour = known ? 3 * colourIndex(position(value)) : 0;
    for (let channel = 0; channel < 3; channel++) {
      out[4 * cell + channel] = known ? colours[colour + channel]! : 0;
    }
    out[4 * cell + 3] = known ? 255 * alpha(cell) : 0; // rounded by the array
  }
}
