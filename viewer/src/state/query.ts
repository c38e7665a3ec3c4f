/**
 * Which token looks, written as people write it: "cls", "reg1", "mean", "pool", or "row,column" of a patch.
 *
 * Patches are the picture's own, those of the look's layout; a layer with a coarser grid asks from the cell
 * that holds the patch's middle.
 */
import type { Lattice, Look } from "../payload";
import { WHOLE, type Window } from "./crops";
import { cellIn } from "./lattices";

export type Query = string;

export type Resolved =
  | { kind: "prefix"; name: string }
  | { kind: "patch"; row: number; column: number }
  | { kind: "mean" }
  | { kind: "pool" };

const PATCH = /^(0|[1-9]\d{0,4}),(0|[1-9]\d{0,4})$/; // one way to write each patch
const NAMES = new Map([
  ["cls", "class token"],
  ["dist", "distillation token"],
]);

export function patchQuery(row: number, column: number): Query {
  return `${row},${column}`;
}

/** The query as this look's tokens have it; null where it has none of that name. */
export function resolveQuery(query: Query, look: Look): Resolved | null {
  const { grid } = look.layout;
  if (prefixNames(look).includes(query)) return { kind: "prefix", name: query };
  if (query === "mean") return { kind: "mean" };
  if (query === look.reading?.query) return hasReading(look) ? { kind: "pool" } : null;
  const [, row, column] = (PATCH.exec(query) ?? []).map(Number);
  if (row === undefined || column === undefined || row >= grid[0] || column >= grid[1]) return null;
  return { kind: "patch", row, column };
}

/** The number of a resolved query's token on a lattice; null where it has none there. */
export function tokenOn(resolved: Resolved, lattice: Lattice, look: Look): number | null {
  if (resolved.kind === "prefix") {
    const token = lattice.prefix.indexOf(resolved.name);
    return token >= 0 ? token : null;
  }
  if (resolved.kind !== "patch") return null;
  if (lattice.grid[0] * lattice.grid[1] === 0) return null;
  const { row, column } = cellIn(resolved, look.layout, lattice);
  return lattice.prefix.length + row * lattice.grid[1] + column;
}

/** The same query as the picture's patch at the middle of the lattice's cell: one for each cell. */
export function snapped(query: Query, lattice: Lattice, look: Look): Query {
  const resolved = resolveQuery(query, look);
  if (resolved?.kind !== "patch") return query;
  const { row, column } = cellIn(cellIn(resolved, look.layout, lattice), lattice, look.layout);
  return patchQuery(row, column);
}

/** Names of the prefix tokens that any layer has. */
function prefixNames(look: Look): string[] {
  const others = look.layers.flatMap(({ arrangement }) => arrangement?.queries.prefix ?? []);
  return [...new Set([...look.layout.prefix, ...others])];
}

function hasReading(look: Look): boolean {
  return look.images.every((image) => image.pool);
}

/** Buttons beside the picture: prefix tokens, then what stands for no token. */
export function namedQueries(look: Look): { query: Query; label: string; title: string }[] {
  const prefix = prefixNames(look).map((name) => ({
    query: name,
    label: shortName(name),
    title: longName(name),
  }));
  const own = {
    pool: { query: "pool", label: "Pool", title: "the pooling head's own query, in the last layer" },
    cls: { query: "cls", label: "CLS", title: "the class token's, in class attention after the last layer" },
  };
  const reading = look.reading && hasReading(look) ? [own[look.reading.query]] : [];
  return [...prefix, ...reading, { query: "mean", label: "Mean", title: "mean over all patch queries" }];
}

/** "cls" → "CLS", "reg2" → "R2". */
export function shortName(name: string): string {
  const register = /^reg(\d+)$/.exec(name);
  return register ? `R${register[1]}` : name.toUpperCase();
}

function longName(name: string): string {
  const register = /^reg(\d+)$/.exec(name);
  if (register) return `register ${register[1]}`;
  return NAMES.get(name) ?? `token ${name}`;
}

/** In words, for captions and for those who listen; patches as a layer's lattice counts them. */
export function queryWords(query: Query, look: Look, lattice: Lattice = look.layout): string {
  const resolved = resolveQuery(query, look);
  if (query === OUTSIDE) return "a place outside a crop";
  if (!resolved) return query;
  if (resolved.kind === "prefix") return longName(resolved.name);
  if (resolved.kind === "patch") {
    const { row, column } = cellIn(resolved, look.layout, lattice);
    return `patch row ${row}, column ${column}`;
  }
  if (resolved.kind === "mean") return "mean over the patch queries";
  return query === "pool" ? "pooling head's query" : longName(query);
}

/** The same with its article: "the class token", "patch row 9, column 4". */
export function theQuery(query: Query, look: Look, lattice: Lattice = look.layout): string {
  const words = queryWords(query, look, lattice);
  return /^(class|distillation|mean|pooling)/.test(words) ? `the ${words}` : words;
}

/** A patch that another picture has and this one has not: no look resolves it. */
export const OUTSIDE: Query = "outside";

/** The same place in another view, whose crop is `window` of this one's; named queries keep their name. */
export function carryQuery(query: Query, from: Look, to: Look, window: Window = WHOLE): Query {
  const resolved = resolveQuery(query, from);
  if (resolved?.kind !== "patch") return query;
  const place = (index: number, axis: 0 | 1): number => {
    const share = (index + 0.5) / from.layout.grid[axis];
    return Math.floor(((share - window[axis]) / (window[axis + 2]! - window[axis])) * to.layout.grid[axis]);
  };
  const [row, column] = [place(resolved.row, 0), place(resolved.column, 1)];
  const inside = row >= 0 && column >= 0 && row < to.layout.grid[0] && column < to.layout.grid[1];
  return inside ? patchQuery(row, column) : OUTSIDE;
}

/** One step on a layer's grid, staying inside; from a named query to the middle of the grid. */
export function moveQuery(
  query: Query,
  down: number,
  right: number,
  look: Look,
  lattice: Lattice = look.layout,
): Query {
  const [rows, columns] = lattice.grid;
  const resolved = resolveQuery(query, look);
  const from =
    resolved?.kind === "patch"
      ? cellIn(resolved, look.layout, lattice)
      : { row: Math.floor(rows / 2) - down, column: Math.floor(columns / 2) - right };
  const inside = (value: number, size: number): number => Math.min(size - 1, Math.max(0, value));
  const moved = { row: inside(from.row + down, rows), column: inside(from.column + right, columns) };
  const { row, column } = cellIn(moved, lattice, look.layout);
  return patchQuery(row, column);
}
