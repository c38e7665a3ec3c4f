/** All pictures of the page; one is shown, and perhaps another beside it. */
import type { Payload } from "../payload";
import type { State } from "../state/state";
import { counterpart, imageOf, lookOf, viewsOf } from "../state/views";
import { Toggle } from "./fields";
import { Picture } from "./Picture";

interface FilmstripProps {
  payload: Payload;
  state: State;
  update: (change: Partial<State>) => void;
}

export function Filmstrip({ payload, state, update }: FilmstripProps) {
  const views = viewsOf(payload);
  if (views.length < 2) return null;
  const choose = (view: number, beside: boolean): void => update(chosen(payload, state, view, beside));
  return (
    <section class="filmstrip" aria-label="Pictures" data-tour="filmstrip">
      <div class="filmstrip-head">
        <Toggle
          label="Side by side"
          checked={state.compared !== null}
          onChange={(on) =>
            update(on ? { compared: beside(payload, state.shown) } : { compared: null, difference: false })
          }
        />
        {state.compared !== null && (
          <Toggle
            label="B shows the difference, B − A"
            checked={state.difference}
            onChange={(difference) => update({ difference })}
          />
        )}
        {state.compared !== null && <span class="faint">shift-click chooses picture B</span>}
      </div>
      <ul>
        {views.map((_, view) => {
          const image = imageOf(payload, view);
          const letter = view === state.shown ? "A" : view === state.compared ? "B" : "";
          const name = `${image.name}, ${lookOf(payload, view).label}`;
          return (
            <li key={view}>
              <button
                type="button"
                aria-pressed={letter !== ""}
                aria-label={letter && state.compared !== null ? `${name} (picture ${letter})` : name}
                title={name}
                onClick={(event) => choose(view, event.shiftKey)}
              >
                <span
                  class="frame"
                  style={{ aspectRatio: `${image.input_size[1]} / ${image.input_size[0]}` }}
                >
                  <Picture image={image} />
                </span>
                <span class="name">{image.name}</span>
                {state.compared !== null && letter && <span class="letter">{letter}</span>}
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** A picture was chosen: for the first pane with its counterpart in the second's look, or for the second alone. */
function chosen(payload: Payload, state: State, view: number, second: boolean): Partial<State> {
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
function beside(payload: Payload, view: number): number {
  const views = viewsOf(payload);
  const look = views[view]?.look ?? 0;
  return counterpart(payload, view, (look + 1) % payload.looks.length) ?? (view + 1) % views.length;
}
