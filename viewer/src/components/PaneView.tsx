/** One picture with its map, its colours' meaning and its words. */
import { memo } from "preact/compat";
import { isMap } from "../engine/maps";
import { massWords, type Pane } from "../engine/pane";
import type { Query } from "../state/query";
import type { State } from "../state/state";
import { ColourBar } from "./ColourBar";
import { PrefixMass } from "./PrefixMass";
import { Stage, type StageEvents } from "./Stage";
import { percent } from "../maps/format";

interface PaneProps extends StageEvents {
  pane: Pane;
  state: State;
  probe: Query | null;
  letter: string; // "", or "A" and "B" of two
  helpId: string;
}

export const PaneView = memo(function PaneView({ pane, state, probe, letter, helpId, ...events }: PaneProps) {
  const patches = pane.shown.grid[0] * pane.shown.grid[1];
  const [height, width] = pane.image.input_size;
  const style = { width: `min(100%, calc(${width / height} * var(--tallest)))` };
  return (
    <section class="pane" aria-label={letter ? `Picture ${letter}` : "Picture"} style={style}>
      <h2 title={`${pane.image.name}, ${pane.look.label}`}>
        {letter && <span class="letter">{letter}</span>}
        <span class="name">{pane.image.name}</span> <span class="faint">{pane.look.label}</span>
      </h2>
      <Stage
        pane={pane}
        name={letter ? `Picture ${letter}` : "Picture"}
        smoothed={state.smooth}
        opacity={state.opacity}
        probe={probe}
        helpId={helpId}
        {...events}
      />
      <p class="caption">
        {pane.map === "pending" ? "Decoding …" : pane.caption}
        {pane.mask && ` Outlined: ${massWords(pane.mask, patches)}.`}
      </p>
      {pane.tinted.length > 0 ? (
        <Legend pane={pane} patches={patches} />
      ) : (
        isMap(pane.map) && <ColourBar pane={pane} />
      )}
      <PrefixMass pane={pane} received={state.direction === "to"} />
    </section>
  );
});

/** Several queries: a colour each, in words. */
function Legend({ pane, patches }: { pane: Pane; patches: number }) {
  return (
    <ul class="legend">
      {pane.tinted.map(({ query, colour, words, map, mask }) => (
        <li key={query}>
          <span class="swatch" style={{ background: colour }} />
          {words}: {massWords(mask, patches)}, at most {percent(map.maximum)}
        </li>
      ))}
    </ul>
  );
}
