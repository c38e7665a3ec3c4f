/** Where a layer's tokens stand: each layer may have its own grid, and its keys another one than its queries. */
import type { Image, Lattice, Look } from "../payload";
import type { Direction } from "./state";

export interface Cell {
  row: number;
  column: number;
}

export interface Sides {
  queries: Lattice;
  keys: Lattice;
}

/** The lattices of one layer; of "mean", those that all layers share, else the picture's own. */
export function sidesOf(look: Look, layer: number | "mean"): Sides {
  if (layer !== "mean") return look.layers[layer]?.arrangement ?? { queries: look.layout, keys: look.layout };
  const first = sidesOf(look, 0);
  const alike = look.layers.every(({ arrangement }) => {
    const sides = arrangement ?? { queries: look.layout, keys: look.layout };
    return sameLattice(sides.queries, first.queries) && sameLattice(sides.keys, first.keys);
  });
  return alike ? first : { queries: look.layout, keys: look.layout };
}

/** The lattice whose tokens are asked for, and the one that their map is on. */
export function directed(sides: Sides, direction: Direction): { asked: Lattice; shown: Lattice } {
  return direction === "from"
    ? { asked: sides.queries, shown: sides.keys }
    : { asked: sides.keys, shown: sides.queries };
}

export function sameLattice(one: Lattice, other: Lattice): boolean {
  return (
    one === other || (String(one.grid) === String(other.grid) && String(one.prefix) === String(other.prefix))
  );
}

/** How many tokens a lattice has: prefix tokens first, then the cells. */
export function latticeSizes({ grid, prefix }: Lattice): { patches: number; prefix: number; tokens: number } {
  const patches = grid[0] * grid[1];
  return { patches, prefix: prefix.length, tokens: prefix.length + patches };
}

/** The cell of a lattice that holds the middle of another lattice's cell, or the nearest to it. */
export function cellIn({ row, column }: Cell, from: Lattice, to: Lattice): Cell {
  const along = (index: number, axis: 0 | 1): number => {
    const middle = (index + 0.5) * from.patch_size[axis];
    return Math.max(0, Math.min(to.grid[axis] - 1, Math.floor(middle / to.patch_size[axis])));
  };
  return { row: along(row, 0), column: along(column, 1) };
}

/** The shares of the picture's height and width that a lattice covers: 1, but for a remainder or padding. */
export function coverOf({ grid, patch_size }: Lattice, { input_size }: Image): [number, number] {
  return [(grid[0] * patch_size[0]) / input_size[0], (grid[1] * patch_size[1]) / input_size[1]];
}
