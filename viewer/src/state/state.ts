/** What the page shows: a plain value, all that a link must carry. */
import type { ColourMap } from "../colours/colours";
import type { ScaleName } from "../maps/scale";
import type { Payload } from "../payload";
import type { Query } from "./query";
import { imageOf, lookOf, viewsOf } from "./views";

export type Method = "row" | "mask" | "rollout";
export type Direction = "from" | "to";
export type StatisticName = "distance" | "entropy" | "prefix";
export type SortName = "none" | StatisticName;

export interface State {
  shown: number; // view, see views.ts
  compared: number | null; // view beside it
  difference: boolean; // the second picture shows second − first
  layer: number | "mean"; // of the first view's look
  head: number | "mean";
  method: Method;
  direction: Direction;
  locked: Query[]; // at most five; the last is the one whose map is shown
  scale: ScaleName;
  ceiling: number; // × uniform at which that scale ends
  colours: ColourMap;
  smooth: boolean;
  opacity: number; // of the map over the picture, 0 to 1
  mass: number; // that the mask holds
  start: number; // first layer of the rollout
  sort: SortName;
  reversed: boolean;
  isolated: boolean; // the other heads are hidden
  rescale: boolean; // distance with rows rescaled to 1 over the patches
}

export const MOST_QUERIES = 5;

export function initialState(payload: Payload): State {
  const views = viewsOf(payload);
  const second = views.findIndex((view) => view.look === 1);
  return {
    shown: 0,
    compared: payload.compare && views.length > 1 ? (second > 0 ? second : 1) : null,
    difference: false,
    layer: lastCarried(payload, 0),
    head: "mean",
    method: "row",
    direction: "from",
    locked: [],
    scale: "linear",
    ceiling: 10,
    colours: "viridis",
    smooth: false,
    opacity: 0.7,
    mass: 0.6,
    start: 0,
    sort: "none",
    reversed: false,
    isolated: false,
    rescale: false,
  };
}

/** Lock a query: alone, or beside those locked before; once more releases it. */
export function lock(state: State, query: Query, beside: boolean): Partial<State> {
  if (state.locked.includes(query)) {
    const others = state.locked.filter((other) => other !== query);
    return { locked: beside ? others : state.locked.length > 1 ? [query] : [] };
  }
  if (!beside) return { locked: [query] };
  return { locked: [...state.locked, query].slice(-MOST_QUERIES) };
}

/** Choose a layer and head, or means of them; the rollout, which has neither, is left. */
export function chooseHead(state: State, layer: number | "mean", head: number | "mean"): Partial<State> {
  return { layer, head, method: state.method === "rollout" ? "row" : state.method };
}

/** The last layer that can be shown; the last of all where none can. */
export function lastCarried(payload: Payload, view: number): number {
  const { layers } = lookOf(payload, view);
  const { attention } = imageOf(payload, view);
  const last = layers.map((_, layer) => Boolean(attention[layer])).lastIndexOf(true);
  return last >= 0 ? last : layers.length - 1;
}
