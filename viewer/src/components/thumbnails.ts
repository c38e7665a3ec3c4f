/** Draws the heads' thumbnails a few milliseconds at a time, so that they never hold up the pointer. */
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";
import { table } from "../colours/colours";
import type { Gallery } from "../engine/gallery";
import { attentionMap, isMap, type MapState, type Selection } from "../engine/maps";
import { isSigned, maskOf, scaleOf } from "../engine/pane";
import type { HeadPlace } from "../engine/statistics";
import type { Query } from "../state/query";
import type { State } from "../state/state";
import { lookOf } from "../state/views";
import { paintValues } from "./MapCanvas";

const BUDGET = 5; // ms of a frame

interface Drawn {
  gallery: Gallery;
  state: State;
  query: Query;
  revision: number;
}

/** Keep the canvases in `grid` (buttons with data-head="layer·head") as the state asks. */
export function useThumbnails(grid: RefObject<HTMLElement | null>, drawn: Drawn, order: HeadPlace[]): void {
  const { gallery, state, query, revision } = drawn;
  const { shown, direction, method, mass, scale, ceiling, colours, isolated, sort } = state;
  useEffect(() => {
    const layers = [...new Set(order.map((place) => place.layer))];
    const chosen = layers.indexOf(state.layer as number); // its row first
    if (chosen > 0) layers.unshift(...layers.splice(chosen, 1));
    const waiting = layers.map((layer) => () => drawLayer(grid.current, drawn, layer));
    let frame = requestAnimationFrame(function draw() {
      const start = performance.now();
      while (waiting.length > 0 && performance.now() - start < BUDGET) waiting.shift()?.();
      if (waiting.length > 0) frame = requestAnimationFrame(draw);
    });
    return () => cancelAnimationFrame(frame);
  }, [
    gallery,
    revision,
    query,
    order,
    shown,
    direction,
    method,
    mass,
    scale,
    ceiling,
    colours,
    isolated,
    sort,
  ]);
}

/** All heads of one layer, together, as they may share a scale. */
function drawLayer(grid: HTMLElement | null, { gallery, state, query }: Drawn, layer: number): void {
  const look = lookOf(gallery.payload, state.shown);
  const heads = Array.from({ length: look.layers[layer]?.heads ?? 0 }, (_, head) => head);
  const selection: Selection = { view: state.shown, layer, head: 0, query, direction: state.direction };
  const maps = heads.map((head): MapState => attentionMap(gallery, { ...selection, head }));
  const shared = maps.reduce((most, map) => Math.max(most, isMap(map) ? map.maximum : 0), 0);
  for (const head of heads) {
    const canvas = grid?.querySelector<HTMLCanvasElement>(`[data-head="${layer}·${head}"] canvas`);
    const map = maps[head]!;
    if (!canvas) continue;
    canvas.hidden = !isMap(map);
    if (!isMap(map)) continue;
    const ends = scaleOf(state, map, shared);
    const mask = state.method === "mask" ? maskOf(map, state.mass).chosen : null;
    const alpha = mask ? (patch: number): number => (mask[patch] ? 1 : 0) : undefined;
    paintValues(
      canvas,
      map.values,
      map.lattice.grid,
      (value) => ends.position(value),
      table(isSigned(map) ? "difference" : state.colours),
      alpha,
    );
  }
}
