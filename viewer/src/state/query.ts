/** Which token looks, written as people write it: "cls", "reg1", "mean", "pool", or "row,column" of a patch. */
import type { Look } from "../payload";
import { WHOLE, type Window } from "./crops";

export type Query = string;

export type Resolved =
  | { kind: "prefix"; token: number; name: string }
  | { kind: "patch"; token: number; row: number; column: number }
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
  const { prefix, grid } = look.layout;
  const token = prefix.indexOf(query);
  if (token >= 0) return { kind: "prefix", token, name: query };
  if (query === "mean") return { kind: "mean" };
  if (query === "pool") return look.images.every((image) => image.pool) ? { kind: "pool" } : null;
  const [, row, column] = (PATCH.exec(query) ?? []).map(Number);
  if (row === undefined || column === undefined || row >= grid[0] || column >= grid[1]) return null;
  return { kind: "patch", token: prefix.length + row * grid[1] + column, row, column };
}

/** Buttons beside the picture: prefix tokens, then what stands for no token. */
export function namedQueries(look: Look): { query: Query; label: string; title: string }[] {
  const prefix = look.layout.prefix.map((name) => ({
    query: name,
    label: shortName(name),
    title: longName(name),
  }));
  const pool = look.images.every((image) => image.pool)
    ? [{ query: "pool", label: "Pool", title: "the pooling head's own query, in the last layer" }]
    : [];
  return [...prefix, ...pool, { query: "mean", label: "Mean", title: "mean over all patch queries" }];
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

/** In words, for captions and for those who listen. */
export function queryWords(query: Query, look: Look): string {
  const resolved = resolveQuery(query, look);
  if (query === OUTSIDE) return "a place outside a crop";
  if (!resolved) return query;
  if (resolved.kind === "prefix") return longName(resolved.name);
  if (resolved.kind === "patch") return `patch row ${resolved.row}, column ${resolved.column}`;
  return resolved.kind === "mean" ? "mean over the patch queries" : "pooling head's query";
}

/** The same with its article: "the class token", "patch row 9, column 4". */
export function theQuery(query: Query, look: Look): string {
  const words = queryWords(query, look);
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

/** One step on the grid, staying inside; from a named query to the middle of the grid. */
export function moveQuery(query: Query, down: number, right: number, look: Look): Query {
  const [rows, columns] = look.layout.grid;
  const resolved = resolveQuery(query, look);
  if (resolved?.kind !== "patch") return patchQuery(Math.floor(rows / 2), Math.floor(columns / 2));
  const inside = (value: number, size: number): number => Math.min(size - 1, Math.max(0, value));
  return patchQuery(inside(resolved.row + down, rows), inside(resolved.column + right, columns));
}
