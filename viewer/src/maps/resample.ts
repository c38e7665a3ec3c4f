/** A map on another grid over the same picture, or over another part of it. */
import type { Lattice, Size } from "../payload";
import { WHOLE, type Window } from "../state/crops";

/** What lies where along one axis: `share` of old cell `from` falls into new cell `to`. */
interface Overlap {
  from: number;
  to: number;
  share: number;
}

const ROUNDING = 1e-9; // of a cell

/**
 * Each patch's weight, spread evenly over its area, gathered in the new grid's patches.
 *
 * The new grid covers `window` of the old one; over the whole of it the sum stays. NaN where a new
 * patch reaches beyond the old grid.
 */
export function resample(map: ArrayLike<number>, from: Size, to: Size, window: Window = WHOLE): Float32Array {
  const [top, left, bottom, right] = window;
  const rows = overlaps(from[0], to[0], top, bottom);
  const columns = overlaps(from[1], to[1], left, right);
  const sums = new Float64Array(to[0] * to[1]);
  for (const row of rows) {
    for (const column of columns) {
      const weight = Number.isNaN(row.share + column.share) ? NaN : map[row.from * from[1] + column.from]!;
      sums[row.to * to[1] + column.to]! += weight * row.share * column.share;
    }
  }
  return Float32Array.from(sums);
}

/** A map on the cells of another lattice over the same picture; where that reaches further, it is stretched. */
export function onLattice(map: ArrayLike<number>, from: Lattice, to: Lattice): Float32Array {
  const share = (axis: 0 | 1): number =>
    Math.min(1, (to.grid[axis] * to.patch_size[axis]) / (from.grid[axis] * from.patch_size[axis]));
  return resample(map, from.grid, to.grid, [0, 0, share(0), share(1)]);
}

/** `before` cells against `after` cells between the shares `start` and `end` of their length; NaN beyond it. */
function overlaps(before: number, after: number, start: number, end: number): Overlap[] {
  const edge = (to: number): number => {
    const place = before * (start + ((end - start) * to) / after); // in old cells
    return Math.abs(place - Math.round(place)) < ROUNDING ? Math.round(place) : place;
  };
  return Array.from({ length: after }, (_, to): Overlap[] => {
    const [low, high] = [edge(to), edge(to + 1)];
    if (low < 0 || high > before) return [{ from: 0, to, share: NaN }];
    const first = Math.floor(low);
    return Array.from({ length: Math.ceil(high) - first }, (_, more) => {
      const cell = first + more;
      return { from: cell, to, share: Math.min(high, cell + 1) - Math.max(low, cell) };
    });
  }).flat();
}
