/** All pictures of the page; one is shown, and perhaps another beside it. */
import { useState } from "preact/hooks";
import type { Payload } from "../payload";
import { choosePicture, pictureBeside } from "../state/pictures";
import type { State } from "../state/state";
import { imageOf, lookOf, viewsOf } from "../state/views";
import { Toggle } from "./fields";
import { Picture } from "./Picture";

interface FilmstripProps {
  payload: Payload;
  state: State;
  update: (change: Partial<State>) => void;
}

export function Filmstrip({ payload, state, update }: FilmstripProps) {
  const [second, setSecond] = useState(false); // a click chooses B, as with shift
  const views = viewsOf(payload);
  if (views.length < 2) return null;
  const choose = (view: number, shift: boolean): void =>
    update(choosePicture(payload, state, view, shift || second));
  return (
    <section class="filmstrip" aria-label="Pictures">
      <div class="filmstrip-head">
        <Toggle
          label="Side by side"
          checked={state.compared !== null}
          onChange={(on) =>
            update(
              on ? { compared: pictureBeside(payload, state.shown) } : { compared: null, difference: false },
            )
          }
        />
        {state.compared !== null && (
          <Toggle
            label="B shows the difference, B − A"
            checked={state.difference}
            onChange={(difference) => update({ difference })}
          />
        )}
        {state.compared !== null && <Toggle label="Clicks choose B" checked={second} onChange={setSecond} />}
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
