/** What is shown and how: queries by name, method, direction, scale and colours. */
import { COLOUR_MAPS, type ColourMap } from "../colours/colours";
import type { ScaleName } from "../maps/scale";
import type { Image, Look } from "../payload";
import { namedQueries, type Query } from "../state/query";
import type { Direction, Method, State } from "../state/state";
import { percent } from "../maps/format";
import { Segmented, Select, Slider, Toggle } from "./fields";

interface ControlsProps {
  look: Look;
  image: Image;
  state: State;
  query: Query;
  update: (change: Partial<State>) => void;
  lock: (query: Query, beside: boolean) => void;
}

type Shown = Method | "mean";

const SCALES: { value: ScaleName; label: string }[] = [
  { value: "linear", label: "0 to the map’s maximum" },
  { value: "shared", label: "shared by the layer’s heads" },
  { value: "uniform", label: "times uniform" },
  { value: "logarithmic", label: "logarithmic" },
];
const CEILINGS = [2, 5, 10, 20, 50, 100];

export function Controls(props: ControlsProps) {
  return (
    <section class="controls" aria-label="What is shown">
      <What {...props} />
      <How {...props} />
    </section>
  );
}

function What({ look, image, state, query, update, lock }: ControlsProps) {
  const shown: Shown = state.method === "row" && state.head === "mean" ? "mean" : state.method;
  const choose = (method: Shown): void => {
    if (method === "mean") update({ method: "row", head: "mean" });
    else update({ method, ...(method === "row" && state.head === "mean" ? { head: 0 } : {}) });
  };
  const methods: { value: Shown; label: string; title: string; disabled?: boolean }[] = [
    { value: "row", label: "Attention row", title: "one head’s weights" },
    { value: "mean", label: "Mean over heads", title: "the mean of the layer’s heads" },
    {
      value: "mask",
      label: "Mask",
      title: "the smallest set of patches that holds the mass (Caron et al. 2021)",
    },
    {
      value: "rollout",
      label: "Rollout",
      title: image.rollout_absent ?? "what the readout draws on through all layers (Abnar & Zuidema 2020)",
      disabled: !image.rollout,
    },
  ];
  const rollout = state.method === "rollout"; // has one query, the readout, and one direction
  const noToken = query === "mean" || query === "pool"; // which nothing attends to
  return (
    <div class="control-row">
      <div class="named" role="group" aria-label="Query" data-tour="queries">
        <span class="group-name">Query</span>
        {namedQueries(look).map((named) => (
          <button
            key={named.query}
            type="button"
            title={rollout ? "the rollout starts from the model’s readout" : named.title}
            disabled={rollout}
            aria-pressed={!rollout && query === named.query}
            onClick={(event) => lock(named.query, event.shiftKey)}
          >
            {named.label}
          </button>
        ))}
      </div>
      <Segmented<Direction>
        legend="Direction"
        value={state.direction}
        options={[
          { value: "from", label: "attends to", title: "what this query attends to", disabled: rollout },
          {
            value: "to",
            label: "attended by",
            title: noToken
              ? "nothing attends to a mean: choose a patch or a prefix token"
              : "who attends to it",
            disabled: rollout || (noToken && state.direction === "from"),
          },
        ]}
        onChange={(direction) => update({ direction })}
      />
      <div data-tour="method">
        <Segmented<Shown> legend="Method" value={shown} options={methods} onChange={choose} />
      </div>
      {(state.method === "mask" || state.locked.length > 1) && (
        <Slider
          label="Mass"
          least={0.05}
          most={1}
          step={0.05}
          value={state.mass}
          words={percent(state.mass)}
          onChange={(mass) => update({ mass })}
        />
      )}
      {state.method === "rollout" && (
        <Slider
          label="From layer"
          least={0}
          most={look.layers.length - 1}
          step={1}
          value={state.start}
          words={String(state.start)}
          onChange={(start) => update({ start })}
        />
      )}
    </div>
  );
}

function How({ state, update }: ControlsProps) {
  return (
    <div class="control-row" data-tour="scale">
      <Select<ScaleName>
        label="Scale"
        value={state.scale}
        options={SCALES}
        onChange={(scale) => update({ scale })}
      />
      {state.scale === "uniform" && (
        <Select<string>
          label="up to"
          value={String(state.ceiling)}
          options={CEILINGS.map((ceiling) => ({ value: String(ceiling), label: `${ceiling}×` }))}
          onChange={(ceiling) => update({ ceiling: Number(ceiling) })}
        />
      )}
      <Select<ColourMap>
        label="Colours"
        value={state.colours}
        options={COLOUR_MAPS.map((name) => ({ value: name, label: name }))}
        onChange={(colours) => update({ colours })}
      />
      <Slider
        label="Opacity"
        least={0}
        most={1}
        step={0.05}
        value={state.opacity}
        words={`${Math.round(100 * state.opacity)} %`}
        onChange={(opacity) => update({ opacity })}
      />
      <Toggle
        label="Smooth"
        title="interpolate between patch centres; the numbers stay those of the patches"
        checked={state.smooth}
        onChange={(smooth) => update({ smooth })}
      />
    </div>
  );
}
