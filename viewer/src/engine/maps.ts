/** Maps over the patches: one query's attention, from it or to it, of one head or a mean of several; the rollout. */
import { meanOverHeads } from "../attention/average";
import type { LayerAttention } from "../attention/layer";
import { onLattice } from "../maps/resample";
import type { Lattice, Look } from "../payload";
import { directed, latticeSizes, sameLattice, sidesOf } from "../state/lattices";
import { OUTSIDE, resolveQuery, tokenOn, type Query, type Resolved } from "../state/query";
import type { Direction } from "../state/state";
import { imageOf, lookOf } from "../state/views";
import type { Gallery } from "./gallery";

export interface AttentionMap {
  values: Float32Array; // (cells of the lattice,)
  lattice: Lattice;
  prefix: Float32Array; // (prefix tokens,), empty where the map has none
  maximum: number; // over the patches
  minimum: number; // 0 or below: heads that are mixed after the softmax may have negative weights
  total: number; // sum over the patches
  uniform: number; // weight of uniform attention
  layers: number; // of which it is the mean
}

/** A map; or that it is on its way; or, in words, why there is none. */
export type MapState = AttentionMap | "pending" | { absent: string };

export interface Selection {
  view: number;
  layer: number | "mean";
  head: number | "mean";
  query: Query;
  direction: Direction;
}

export function isMap(map: MapState): map is AttentionMap {
  return typeof map === "object" && "values" in map;
}

/** The attention map of a selection. */
export function attentionMap(gallery: Gallery, selection: Selection): MapState {
  const look = lookOf(gallery.payload, selection.view);
  const resolved = resolveQuery(selection.query, look);
  if (selection.query === OUTSIDE) return { absent: "only one of the crops reaches it" };
  if (!resolved) return { absent: `this model has no query “${selection.query}”` };
  if (selection.direction === "to" && resolved.kind !== "patch" && resolved.kind !== "prefix") {
    return { absent: "nothing attends to a mean of queries: choose a patch or a prefix token" };
  }
  if (resolved.kind === "pool") return poolingMap(gallery, selection);
  const layers = selection.layer === "mean" ? look.layers.map((_, layer) => layer) : [selection.layer];
  return meanOverLayers(gallery, selection, resolved, layers);
}

/** The readout's row of the rollout from layer `start` on, over the patches. */
export function rolloutMap(gallery: Gallery, view: number, start: number): MapState {
  const image = imageOf(gallery.payload, view);
  const { layout } = lookOf(gallery.payload, view);
  const { patches, tokens } = latticeSizes(layout);
  if (!image.rollout) return { absent: image.rollout_absent ?? "there is no rollout" };
  const rows = gallery.numbers(image.rollout); // (layers, patches)
  const from = Math.min(start, rows.length / patches - 1);
  return describe(rows.subarray(from * patches, (from + 1) * patches), layout, [], 1 / tokens, 1);
}

/** Largest weight over the patches in any head of the selection's layer: what the shared scale ends at. */
export function sharedMaximum(gallery: Gallery, selection: Selection): number {
  if (selection.layer === "mean") return Number.NaN;
  const look = lookOf(gallery.payload, selection.view);
  const read = resolveQuery(selection.query, look)?.kind === "pool";
  const pool = read ? imageOf(gallery.payload, selection.view).pool : null;
  const heads = (pool ? pool.shape[0] : look.layers[selection.layer]?.heads) ?? 0;
  let largest = 0;
  for (let head = 0; head < heads; head++) {
    const map = attentionMap(gallery, { ...selection, head });
    if (isMap(map)) largest = Math.max(largest, map.maximum);
  }
  return largest;
}

function poolingMap(gallery: Gallery, { view, layer, head }: Selection): MapState {
  const image = imageOf(gallery.payload, view);
  const look = lookOf(gallery.payload, view);
  const last = look.layers.length - 1;
  if (!image.pool || !look.reading) return { absent: "this model has no pooling head" };
  const reader = look.reading.query === "pool" ? "the pooling head" : "class attention";
  if (layer !== last) return { absent: `${reader} reads the last layer, ${last}` };
  const { keys: lattice } = look.reading;
  const { prefix } = latticeSizes(lattice);
  const [heads = 0, keys = 0] = image.pool.shape;
  const rows = gallery.numbers(image.pool); // (heads, keys)
  if (head !== "mean" && head >= heads) return { absent: `${reader} has ${heads} heads` };
  const row = new Float32Array(keys);
  const chosen = head === "mean" ? Array.from({ length: heads }, (_, index) => index) : [head];
  for (const one of chosen)
    for (let key = 0; key < keys; key++) row[key]! += rows[one * keys + key]! / chosen.length;
  return describe(row.subarray(prefix), lattice, row.subarray(0, prefix), 1 / keys, 1);
}

function meanOverLayers(gallery: Gallery, selection: Selection, query: Resolved, layers: number[]): MapState {
  const look = lookOf(gallery.payload, selection.view);
  const { shown: target } = directed(sidesOf(look, selection.layer), selection.direction);
  const { tokens, prefix } = latticeSizes(target);
  const sum = new Float32Array(tokens);
  const uniforms = new Set<number>();
  let used = 0;
  let reason = "";
  for (const index of layers) {
    const state = gallery.layer(selection.view, index);
    if (state.kind === "pending") return "pending";
    const found = state.kind === "absent" ? state.absent : rowOf(state.layer, selection, query, look, index);
    if (typeof found === "string") reason = `layer ${index}${found.startsWith(" ") ? "" : ": "}${found}`;
    else {
      const { shown } = directed(sidesOf(look, index), selection.direction);
      const row = sameLattice(shown, target) ? found : moved(found, shown, target);
      for (let key = 0; key < tokens; key++) sum[key]! += row[key]!;
      uniforms.add(state.kind === "ready" ? state.layer.uniform : Number.NaN);
      used++;
    }
  }
  if (used === 0) return { absent: reason };
  for (let key = 0; key < tokens; key++) sum[key]! /= used;
  const uniform = uniforms.size === 1 ? [...uniforms][0]! : 1 / tokens;
  return describe(sum.subarray(prefix), target, sum.subarray(0, prefix), uniform, used);
}

/** One layer's row or column over its lattice; or, in words, why there is none. */
function rowOf(
  layer: LayerAttention,
  { head, direction }: Selection,
  query: Resolved,
  look: Look,
  index: number,
): Float32Array | string {
  if (head !== "mean" && head >= layer.heads) return ` has ${layer.heads} heads`;
  const out = new Float32Array(direction === "from" ? layer.keys : layer.queries);
  if (query.kind === "mean") return meanRow(layer, head, out);
  const token = tokenOn(query, directed(sidesOf(look, index), direction).asked, look);
  if (token === null) return ` has no such token`;
  if (head === "mean") return meanOverHeads(layer, token, direction, out, new Float32Array(out.length));
  return direction === "from" ? layer.row(head, token, out) : layer.column(head, token, out);
}

function meanRow(layer: LayerAttention, head: number | "mean", out: Float32Array): Float32Array {
  if (head !== "mean") return layer.meanRow(head);
  for (let one = 0; one < layer.heads; one++) {
    const row = layer.meanRow(one);
    for (let key = 0; key < out.length; key++) out[key]! += row[key]! / layer.heads;
  }
  return out;
}

/** A row on another lattice: cells by their area, prefix tokens by name. */
function moved(row: Float32Array, from: Lattice, to: Lattice): Float32Array {
  const prefix = to.prefix.map((name) => row[from.prefix.indexOf(name)] ?? 0);
  const cells = onLattice(row.subarray(from.prefix.length), from, to);
  return Float32Array.from([...prefix, ...cells]);
}

function describe(
  values: Float32Array,
  lattice: Lattice,
  prefix: ArrayLike<number>,
  uniform: number,
  layers: number,
): MapState {
  let [minimum, maximum, total] = [0, 0, 0];
  for (const value of values) {
    minimum = Math.min(minimum, value);
    maximum = Math.max(maximum, value);
    total += value;
  }
  if (!Number.isFinite(Array.from(prefix).reduce((sum, value) => sum + value, total)))
    return { absent: "some of its weights are not numbers" };
  return { values, lattice, prefix: Float32Array.from(prefix), maximum, minimum, total, uniform, layers };
}

/**
 * The cells that the windows of a query's patch hold, on the map's lattice; null where these are all, or it has none.
 */
export function windowOfQuery(gallery: Gallery, selection: Selection): Uint8Array | null {
  const look = lookOf(gallery.payload, selection.view);
  const resolved = resolveQuery(selection.query, look);
  if (selection.layer === "mean" || resolved?.kind !== "patch") return null;
  const state = gallery.layer(selection.view, selection.layer);
  const { asked, shown } = directed(sidesOf(look, selection.layer), selection.direction);
  const token = tokenOn(resolved, asked, look);
  if (state.kind !== "ready" || token === null) return null;
  const cells = state.layer.reach(token, selection.direction)?.subarray(shown.prefix.length);
  return cells && !cells.every((cell) => cell === 1) ? cells : null;
}
