/** Maps over the patches: one query's attention, from it or to it, of one head or a mean of several; the rollout. */
import { meanOverHeads } from "../attention/average";
import type { LayerAttention } from "../attention/layer";
import { OUTSIDE, resolveQuery, type Query, type Resolved } from "../state/query";
import type { Direction } from "../state/state";
import { imageOf, lookOf, sizesOf } from "../state/views";
import type { Gallery } from "./gallery";

export interface AttentionMap {
  values: Float32Array; // (patches,)
  prefix: Float32Array; // (prefix tokens,), empty where the map has none
  maximum: number; // over the patches
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
  const { patches, tokens } = sizesOf(lookOf(gallery.payload, view));
  if (!image.rollout) return { absent: image.rollout_absent ?? "there is no rollout" };
  const rows = gallery.numbers(image.rollout); // (layers, patches)
  const from = Math.min(start, rows.length / patches - 1);
  return describe(rows.subarray(from * patches, (from + 1) * patches), new Float32Array(0), 1 / tokens, 1);
}

/** Largest weight over the patches in any head of the selection's layer: what the shared scale ends at. */
export function sharedMaximum(gallery: Gallery, selection: Selection): number {
  if (selection.layer === "mean") return Number.NaN;
  const pool = selection.query === "pool" ? imageOf(gallery.payload, selection.view).pool : null;
  const heads =
    (pool ? pool.shape[0] : lookOf(gallery.payload, selection.view).layers[selection.layer]?.heads) ?? 0;
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
  const { patches } = sizesOf(look);
  const last = look.layers.length - 1;
  if (!image.pool) return { absent: "this model has no pooling head" };
  if (layer !== last) return { absent: `the pooling head reads the last layer, ${last}` };
  const [heads = 0, keys = 0] = image.pool.shape;
  const rows = gallery.numbers(image.pool); // (heads, keys)
  if (head !== "mean" && head >= heads) return { absent: `the pooling head has ${heads} heads` };
  const row = new Float32Array(keys);
  const chosen = head === "mean" ? Array.from({ length: heads }, (_, index) => index) : [head];
  for (const one of chosen)
    for (let key = 0; key < keys; key++) row[key]! += rows[one * keys + key]! / chosen.length;
  return describe(row.subarray(keys - patches), row.subarray(0, keys - patches), 1 / keys, 1);
}

function meanOverLayers(gallery: Gallery, selection: Selection, query: Resolved, layers: number[]): MapState {
  const { tokens, prefix } = sizesOf(lookOf(gallery.payload, selection.view));
  const sum = new Float32Array(tokens);
  const row = new Float32Array(tokens);
  const scratch = new Float32Array(tokens);
  let used = 0;
  let reason = "";
  for (const index of layers) {
    const state = gallery.layer(selection.view, index);
    if (state.kind === "pending") return "pending";
    if (state.kind === "absent") reason = `layer ${index}: ${state.absent}`;
    else if (selection.head !== "mean" && selection.head >= state.layer.heads) {
      reason = `layer ${index} has ${state.layer.heads} heads`;
    } else {
      fill(state.layer, selection, query, row, scratch);
      for (let key = 0; key < tokens; key++) sum[key]! += row[key]!;
      used++;
    }
  }
  if (used === 0) return { absent: reason };
  for (let key = 0; key < tokens; key++) sum[key]! /= used;
  return describe(sum.subarray(prefix), sum.subarray(0, prefix), 1 / tokens, used);
}

function fill(
  layer: LayerAttention,
  { head, direction }: Selection,
  query: Resolved,
  row: Float32Array,
  scratch: Float32Array,
): void {
  if (query.kind === "mean") meanRow(layer, head, row);
  else if (query.kind === "pool") throw new Error("a pooling head's row is not computed from a layer");
  else if (head === "mean") meanOverHeads(layer, query.token, direction, row, scratch);
  else if (direction === "from") layer.row(head, query.token, row);
  else layer.column(head, query.token, row);
}

function meanRow(layer: LayerAttention, head: number | "mean", out: Float32Array): void {
  if (head !== "mean") return out.set(layer.meanRow(head));
  out.fill(0);
  for (let one = 0; one < layer.heads; one++) {
    const row = layer.meanRow(one);
    for (let key = 0; key < out.length; key++) out[key]! += row[key]! / layer.heads;
  }
}

function describe(values: Float32Array, prefix: Float32Array, uniform: number, layers: number): MapState {
  let maximum = 0;
  let total = 0;
  for (const value of values) {
    maximum = Math.max(maximum, value);
    total += value;
  }
  if (!Number.isFinite(prefix.reduce((sum, value) => sum + value, total)))
    return { absent: "some of its weights are not numbers" };
  return { values, prefix, maximum, total, uniform, layers };
}
