/** The boundary of a set of patches, as an SVG path. */
import type { Size } from "../payload";

// Directions of an edge, clockwise; the chosen patch lies to the right of its edges.
const [RIGHT, DOWN, LEFT, UP] = [0, 1, 2, 3] as const;
const STEPS = [
  [0, 1],
  [1, 0],
  [0, -1],
  [-1, 0],
] as const; // (rows, columns) by direction

/** Closed loops around the chosen patches, and around holes the other way, in units of patches. */
export function outline(chosen: ArrayLike<number>, grid: Size): string {
  const edges = edgesOf(chosen, grid);
  const followed = new Uint8Array(edges.length); // one bit a direction
  let path = "";
  for (let corner = 0; corner < edges.length; corner++) {
    if (edges[corner]! & ~followed[corner]! & (1 << RIGHT))
      path += loop(edges, followed, corner, grid[1] + 1);
  }
  return path;
}

/** The edges that leave each corner, one bit a direction; (rows + 1, columns + 1). */
function edgesOf(chosen: ArrayLike<number>, [rows, columns]: Size): Uint8Array {
  const width = columns + 1;
  const edges = new Uint8Array((rows + 1) * width);
  const has = (row: number, column: number) =>
    row >= 0 && row < rows && column >= 0 && column < columns && chosen[row * columns + column]! > 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (!has(row, column)) continue;
      const corner = row * width + column; // top left
      if (!has(row - 1, column)) edges[corner]! |= 1 << RIGHT;
      if (!has(row, column + 1)) edges[corner + 1]! |= 1 << DOWN;
      if (!has(row + 1, column)) edges[corner + width + 1]! |= 1 << LEFT;
      if (!has(row, column - 1)) edges[corner + width]! |= 1 << UP;
    }
  }
  return edges;
}

/**
 * Follows one loop from its first edge to the right in reading order.
 *
 * There the loop turns: an edge before it in the same line would have come first.
 */
function loop(edges: Uint8Array, followed: Uint8Array, start: number, width: number): string {
  let corner = start;
  let direction: number = RIGHT;
  let path = `M${start % width} ${Math.floor(start / width)}`;
  for (;;) {
    followed[corner]! |= 1 << direction;
    const [down, right] = STEPS[direction]!;
    corner += down * width + right;
    const next = turn(edges[corner]!, direction);
    if (corner === start && next === RIGHT) return `${path}Z`;
    if (next !== direction)
      path += direction % 2 === 0 ? `H${corner % width}` : `V${Math.floor(corner / width)}`;
    direction = next;
  }
}

/** Right first, so that patches which touch at a corner alone stay apart. */
function turn(leaving: number, direction: number): number {
  const right = (direction + 1) % 4;
  if (leaving & (1 << right)) return right;
  return leaving & (1 << direction) ? direction : (direction + 3) % 4;
}
