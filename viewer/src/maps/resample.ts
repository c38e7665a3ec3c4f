/** A map on another grid over the same picture. */
import type { Size } from "../payload";

/** What lies where along one axis: `share` of old cell `from` falls into new cell `to`. */
interface Overlap {
  from: number;
  to: number;
  share: number;
}

/** Each patch's weight, spread evenly over its area, gathered in the new grid's patches: the sum stays. */
export function resample(map: ArrayLike<number>, from: Size, to: Size): Float32Array {
  const [rows, columns] = [overlaps(from[0], to[0]), overlaps(from[1], to[1])];
  const sums = new Float64Array(to[0] * to[1]);
  for (const row of rows) {
    for (const column of columns) {
      const weight = map[row.from * from[1] + column.from]!;
      sums[row.to * to[1] + column.to]! += weight * row.share * column.share;
    }
  }
  return Float32Array.from(sums);
}

/** `before` equal cells against `after` equal cells of one length, in units of 1 / (before · after). */
function overlaps(before: number, after: number): Overlap[] {
  const found: Overlap[] = [];
  for (let from = 0, to = 0; from < before && to < after;) {
    const [fromEnd, toEnd] = [(from + 1) * after, (to + 1) * before];
    const start = Math.max(from * after, to * before);
    found.push({ from, to, share: (Math.min(fromEnd, toEnd) - start) / after });
    if (fromEnd <= toEnd) from++;
    if (toEnd <= fromEnd) to++;
  }
  return found;
}
