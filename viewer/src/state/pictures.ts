/** Which pictures are shown: what choosing one does to the rest of the state. */
import type { Payload } from "../payload";
import type { State } from "./state";
import { counterpart, lookOf, viewsOf } from "./views";

/** A picture was chosen: for the first pane with its counterpart in the second's look, or for the second alone. */
export function choosePicture(payload: Payload, state: State, view: number, second: boolean): Partial<State> {
  const kept = keepInside(payload, state, view);
  if (state.compared === null) return { shown: view, ...kept };
  if (second) return { compared: view };
  const other = viewsOf(payload)[state.compared]?.look ?? 0;
  const own = viewsOf(payload)[view]?.look ?? 0;
  const partner = other === own ? state.compared : counterpart(payload, view, other);
  return { shown: view, compared: partner ?? state.compared, ...kept };
}

/** Layer, head and queries as far as the other picture's look has them. */
function keepInside(payload: Payload, state: State, view: number): Partial<State> {
  const [from, to] = [lookOf(payload, state.shown), lookOf(payload, view)];
  if (from === to) return {};
  const heads = Math.max(...to.layers.map((layer) => layer.heads));
  return {
    layer: state.layer === "mean" ? "mean" : Math.min(state.layer, to.layers.length - 1),
    head: state.head === "mean" ? "mean" : Math.min(state.head, heads - 1),
    start: Math.min(state.start, to.layers.length - 1),
    locked: [],
  };
}

/** The picture to put beside another: the same in the next look, else the next one. */
export function pictureBeside(payload: Payload, view: number): number {
  const views = viewsOf(payload);
  const look = views[view]?.look ?? 0;
  return counterpart(payload, view, (look + 1) % payload.looks.length) ?? (view + 1) % views.length;
}
