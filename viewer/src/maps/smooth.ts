/** A map drawn smoothly: its values, not their colours, are interpolated. */
import type { Size } from "../payload";

/** Where a fine cell lies between two patch centres along one axis: (1 − part) of `low`, `part` of `high`. */
interface Between {
  low: number;
  high: number;
  part: number;
}

/** `factor` cells for each patch along each axis, bilinear between patch centres, constant beyond the outermost. */
export function smooth(
  map: ArrayLike<number>,
  grid: Size,
  factor: number,
): { values: Float32Array; size: Size } {
  const [rows, columns] = [between(grid[0], factor), between(grid[1], factor)];
  const values = new Float32Array(rows.length * columns.length);
  let at = 0;
  for (const { low, high, part } of rows) {
    for (const column of columns) {
      const upper = along(map, low * grid[1], column);
      const lower = along(map, high * grid[1], column);
      values[at++] = upper + part * (lower - upper);
    }
  }
  return { values, size: [rows.length, columns.length] };
}

/** The cell in which a finer cell lies. */
export function coarse(at: number, [, columns]: readonly [number, number], factor: number): number {
  const [row, column] = [Math.floor(at / columns / factor), Math.floor((at % columns) / factor)];
  return (row * columns) / factor + column;
}

function along(map: ArrayLike<number>, start: number, { low, high, part }: Between): number {
  const left = map[start + low]!;
  return left + part * (map[start + high]! - left);
}

function between(patches: number, factor: number): Between[] {
  return Array.from({ length: patches * factor }, (_, cell) => {
    const centre = Math.min(patches - 1, Math.max(0, (cell + 0.5) / factor - 0.5));
    const low = Math.floor(centre);
    return { low, high: Math.min(patches - 1, low + 1), part: centre - low };
  });
}
