/** All that one pane shows, worked out once for the screen, the table and the downloads. */
import { type ColourMap, QUERY_COLOURS } from "../colours/colours";
import { type DivergingScale, makeDiverging, makeScale, type Scale } from "../maps/scale";
import { type MassMask, topMass } from "../maps/mass";
import { percent } from "../maps/format";
import { resample } from "../maps/resample";
import type { Image, Lattice, Look } from "../payload";
import { WHOLE, windowOf } from "../state/crops";
import { type Cell, cellIn, directed, sameLattice, sidesOf } from "../state/lattices";
import { carryQuery, type Query, queryWords, resolveQuery, theQuery } from "../state/query";
import type { Direction, State } from "../state/state";
import { imageOf, lookOf } from "../state/views";
import type { Gallery } from "./gallery";
import {
  type AttentionMap,
  attentionMap,
  isMap,
  type MapState,
  rolloutMap,
  type Selection,
  sharedMaximum,
  windowOfQuery,
} from "./maps";

/** One of several locked queries, drawn in a colour of its own. */
export interface Tinted {
  query: Query;
  colour: string;
  words: string;
  caption: string; // of its map alone
  map: AttentionMap;
  mask: MassMask;
}

export interface Pane {
  view: number;
  look: Look;
  image: Image;
  query: Query; // whose map it is
  token: Cell | null; // where that query stands on `asked`, if on a patch
  asked: Lattice; // of the tokens that can be asked for
  shown: Lattice; // of the map
  window: Uint8Array | null; // by cell of the map: those that the query's windows hold, if these are not all
  direction: Direction;
  map: MapState;
  difference: AttentionMap | null; // this pane's map less the other's; its values may be negative
  scale: Scale | DivergingScale;
  colours: ColourMap | "difference";
  mask: MassMask | null; // of one query's map; several have their own
  tinted: Tinted[]; // two or more locked queries, else empty
  caption: string;
}

/** What is shown where nothing was pointed at or locked. */
export function defaultQuery(look: Look): Query {
  return look.readout;
}

/** The query whose map is shown: pointed at, else locked last, else the model's readout. */
export function activeQuery(state: State, pointed: Query | null, look: Look): Query {
  return pointed ?? state.locked.at(-1) ?? defaultQuery(look);
}

export function firstPane(gallery: Gallery, state: State, pointed: Query | null): Pane {
  return makePane(gallery, state, state.shown, pointed);
}

/** The pane beside the first: same layer, head and query, at the same depth and place where the models differ. */
export function secondPane(gallery: Gallery, state: State, pointed: Query | null): Pane | null {
  if (state.compared === null) return null;
  const [from, to] = [lookOf(gallery.payload, state.shown), lookOf(gallery.payload, state.compared)];
  const [fromImage, toImage] = [
    imageOf(gallery.payload, state.shown),
    imageOf(gallery.payload, state.compared),
  ];
  const carry = (query: Query): Query =>
    carriedQuery(query, { look: from, image: fromImage }, { look: to, image: toImage });
  // A difference is of one map, the active query's.
  const shown = state.difference ? { ...state, locked: state.locked.slice(-1) } : state;
  const carried: State = {
    ...shown,
    layer: sameDepth(state.layer, from, to),
    head: sameHead(state.head, to),
    start: Number(sameDepth(state.start, from, to)),
    locked: shown.locked.map(carry),
  };
  const pane = makePane(gallery, carried, state.compared, pointed && carry(pointed));
  return state.difference ? withDifference(pane, makePane(gallery, shown, state.shown, pointed)) : pane;
}

/** A query of one pane as the other pane's: the same place of the picture. */
export function carriedQuery(
  query: Query,
  from: Pick<Pane, "look" | "image">,
  to: Pick<Pane, "look" | "image">,
): Query {
  return carryQuery(query, from.look, to.look, windowOf(to.image, from.image));
}

function makePane(gallery: Gallery, state: State, view: number, pointed: Query | null): Pane {
  const look = lookOf(gallery.payload, view);
  const query = state.method === "rollout" ? defaultQuery(look) : activeQuery(state, pointed, look);
  const selection: Selection = {
    view,
    layer: state.layer,
    head: state.head,
    query,
    direction: state.direction,
  };
  const map =
    state.method === "rollout" ? rolloutMap(gallery, view, state.start) : attentionMap(gallery, selection);
  const resolved = resolveQuery(query, look);
  const { asked, shown } = latticesOf(state, look, map, resolved?.kind === "pool");
  const shared =
    state.scale === "shared" && state.method !== "rollout" ? sharedMaximum(gallery, selection) : Number.NaN;
  const scale = scaleOf(state, map, shared);
  const tinted =
    pointed === null && state.method !== "rollout" ? tintedQueries(gallery, state, selection) : [];
  return {
    view,
    look,
    image: imageOf(gallery.payload, view),
    query,
    token: resolved?.kind === "patch" ? cellIn(resolved, look.layout, asked) : null,
    asked,
    shown,
    window: state.method === "rollout" || tinted.length > 0 ? null : windowOfQuery(gallery, selection),
    direction: state.direction,
    map,
    difference: null,
    scale,
    colours: isSigned(map) ? "difference" : state.colours,
    mask: state.method === "mask" && isMap(map) && tinted.length === 0 ? maskOf(map, state.mass) : null,
    tinted,
    caption: captionOf(state, look, query, map, tinted.length),
  };
}

/** The mask of a map; of one with negative weights, of what is positive in it. */
export function maskOf(map: AttentionMap, mass: number): MassMask {
  return topMass(isSigned(map) ? map.values.map((value) => Math.max(0, value)) : map.values, mass);
}

/** The lattices that the pane's query and its map stand on. */
function latticesOf(
  state: State,
  look: Look,
  map: MapState,
  pooled: boolean,
): { asked: Lattice; shown: Lattice } {
  if (state.method === "rollout") return { asked: look.layout, shown: look.layout };
  const { asked, shown } = directed(sidesOf(look, state.layer), state.direction);
  return { asked, shown: isMap(map) ? map.lattice : pooled && look.reading ? look.reading.keys : shown };
}

/** Whether it has negative weights. */
export function isSigned(map: MapState): boolean {
  return isMap(map) && map.minimum < 0;
}

/** A scale for any map: the one asked for, or the linear one where sharing has no meaning. */
export function scaleOf(state: State, map: MapState, shared: number): Scale | DivergingScale {
  if (isMap(map) && isSigned(map)) return makeDiverging(Math.max(map.maximum, -map.minimum), "weight");
  const maximum = isMap(map) ? map.maximum : 0;
  const uniform = isMap(map) ? map.uniform : 1;
  const name = state.scale === "shared" && Number.isNaN(shared) ? "linear" : state.scale;
  return makeScale(name, { maximum, shared, uniform, ceiling: state.ceiling });
}

function withDifference(pane: Pane, other: Pane): Pane {
  if (pane.map === "pending" || other.map === "pending") return { ...pane, map: "pending", mask: null };
  if (!isMap(pane.map)) return pane;
  if (!isMap(other.map)) {
    return { ...pane, caption: `Not the difference, as A has no map: ${other.map.absent}. ${pane.caption}` };
  }
  const window = windowOf(pane.image, other.image);
  const theirs = resample(other.map.values, other.shown.grid, pane.shown.grid, window);
  const values = pane.map.values.map((value, patch) => value - theirs[patch]!);
  const known = values.filter((value) => !Number.isNaN(value));
  const largest = known.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const total = known.reduce((sum, value) => sum + value, 0);
  const sameCells = String(pane.shown.grid) === String(other.shown.grid) && String(window) === String(WHOLE);
  const resampled = sameCells ? "" : ", A laid on this grid by area";
  const overlap = known.length < values.length ? ", where both crops reach" : "";
  return {
    ...pane,
    difference: {
      ...pane.map,
      values,
      prefix: new Float32Array(0),
      maximum: largest,
      minimum: -largest,
      total,
    },
    scale: makeDiverging(largest),
    colours: "difference",
    mask: null,
    caption: `B − A${resampled}${overlap}. ${pane.caption}`,
  };
}

function tintedQueries(gallery: Gallery, state: State, selection: Selection): Tinted[] {
  if (state.locked.length < 2) return [];
  const look = lookOf(gallery.payload, selection.view);
  const { asked } = directed(sidesOf(look, selection.layer), selection.direction);
  const found = state.locked.flatMap((query, index): Tinted[] => {
    const map = attentionMap(gallery, { ...selection, query });
    if (!isMap(map)) return [];
    const colour = QUERY_COLOURS[index % QUERY_COLOURS.length]!;
    const words = queryWords(query, look, asked);
    const caption = captionOf(state, look, query, map, 0);
    return [{ query, colour, words, caption, map, mask: maskOf(map, state.mass) }];
  });
  return found.length > 1 ? found : [];
}

function captionOf(state: State, look: Look, query: Query, map: MapState, tinted: number): string {
  const absent = !isMap(map) && map !== "pending" ? `: ${map.absent}` : "";
  if (state.method === "rollout")
    return `${sentence(look.conventions.rollout)}, from layer ${state.start} on${absent}.`;
  const { asked } = directed(sidesOf(look, state.layer), state.direction);
  const words = theQuery(query, look, asked);
  const from = tinted > 0 ? `What each of ${tinted} queries attends to` : `What ${words} attends to`;
  const whose =
    state.direction === "from" ? from : `Who attends to ${tinted > 0 ? `each of ${tinted} tokens` : words}`;
  const signed = isSigned(map) ? " Some weights are negative: the heads are mixed after the softmax." : "";
  const layer = state.layer === "mean" ? meanWords(map, look) : layerWords(state.layer, query, look);
  const head = state.head === "mean" ? "mean over heads" : `head ${state.head}`;
  return `${whose}, ${layer}, ${head}${absent}.${signed}`;
}

/** "layer 3", "layer 3 (64 windows of 7 × 7, shifted)"; class attention stands after the last layer. */
function layerWords(layer: number, query: Query, look: Look): string {
  if (resolveQuery(query, look)?.kind === "pool")
    return query === "pool" ? `layer ${layer}` : `class attention after layer ${layer}`;
  const words = look.layers[layer]?.arrangement?.words;
  return `layer ${layer}${words ? ` (${words})` : ""}`;
}

/** Layers may lack: the page carries some, and not all have as many heads. */
function meanWords(map: MapState, look: Look): string {
  const all = look.layers.length;
  const words =
    isMap(map) && map.layers < all ? `mean over ${map.layers} of ${all} layers` : "mean over layers";
  const alike = look.layers.every((_, layer) =>
    sameLattice(sidesOf(look, layer).keys, sidesOf(look, 0).keys),
  );
  return alike ? words : `${words}, their cells laid on ${look.layout.grid.join(" × ")} by area`;
}

/** The cells that are drawn: those of the mask, else of the window, else all. */
export function drawnCells({ mask, window }: Pane): Uint8Array | undefined {
  return mask?.chosen ?? window ?? undefined;
}

/** "60 % of the mass in 23 of 196 patches". */
export function massWords(mask: MassMask, patches: number): string {
  return `${percent(mask.held)} of the mass in ${mask.count} of ${patches} patches`;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function sameDepth(layer: number | "mean", from: Look, to: Look): number | "mean" {
  if (layer === "mean" || from.layers.length === 1) return layer;
  return Math.round((layer * (to.layers.length - 1)) / (from.layers.length - 1));
}

function sameHead(head: number | "mean", to: Look): number | "mean" {
  return head === "mean" ? head : Math.min(head, Math.max(...to.layers.map((layer) => layer.heads)) - 1);
}
