/** What every head does, by depth: mean distance, entropy, mass on prefix tokens. Pointing at a dot goes to its head. */
import { useMemo } from "preact/hooks";
import type { Gallery } from "../engine/gallery";
import { type Statistic, statistic, type StatisticName } from "../engine/statistics";
import { concise } from "../maps/format";
import { niceTicks } from "../maps/ticks";
import { chooseHead, type State } from "../state/state";
import { Toggle } from "./fields";

interface PlotsProps {
  gallery: Gallery;
  state: State;
  update: (change: Partial<State>) => void;
}

const WIDTH = 240;
const HEIGHT = 150;
const LEFT = 34;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 26;
const REACH = 14; // within which a pointer finds a dot, in the plot's own units

interface Dot {
  layer: number;
  head: number;
  value: number;
  x: number;
  y: number;
}

export function Plots({ gallery, state, update }: PlotsProps) {
  const { shown, rescale } = state;
  const [distance, entropy, prefix] = useMemo(
    () =>
      (["distance", "entropy", "prefix"] as const satisfies StatisticName[]).map((name) =>
        statistic(gallery, shown, name, rescale),
      ),
    [gallery, shown, rescale],
  );
  return (
    <section class="plots" aria-label="Every head by depth" data-tour="plots">
      <div class="plot-row">
        {distance && <Plot title="Distance" unit="px" data={distance} state={state} update={update} />}
        {entropy && <Plot title="Entropy" unit="nats" data={entropy} state={state} update={update} />}
        {prefix && <Plot title="Prefix mass" unit="%" data={prefix} state={state} update={update} />}
      </div>
      {distance ? (
        <div class="plot-foot">
          <Toggle
            label="distance with rows rescaled to 1 over the patches"
            checked={rescale}
            onChange={(changed) => update({ rescale: changed })}
          />
          <span class="faint">
            {state.compared !== null && "picture A; "}dashed: uniform attention; line: mean over heads
          </span>
        </div>
      ) : (
        <p class="note">A layer of this look was refused, so its statistics were not computed.</p>
      )}
    </section>
  );
}

function Plot(props: {
  title: string;
  unit: string;
  data: Statistic;
  state: State;
  update: (change: Partial<State>) => void;
}) {
  const { title, unit, data, state, update } = props;
  const axes = useMemo(() => layOut(data, unit), [data, unit]);
  const point = (event: PointerEvent & { currentTarget: SVGSVGElement }): void => {
    const box = event.currentTarget.getBoundingClientRect();
    const at = {
      x: ((event.clientX - box.left) / box.width) * WIDTH,
      y: ((event.clientY - box.top) / box.height) * HEIGHT,
    };
    const near = nearest(axes.dots, at);
    if (near && (near.layer !== state.layer || near.head !== state.head)) {
      update(chooseHead(state, near.layer, near.head));
    }
  };
  const chosen = axes.dots.filter(
    ({ layer, head }) => layer === state.layer && (head === state.head || state.head === "mean"),
  );
  const least = Math.min(...axes.dots.map((dot) => dot.value));
  const most = Math.max(...axes.dots.map((dot) => dot.value));
  return (
    <figure>
      <figcaption title={data.convention}>
        <span>
          {title} <span class="faint">{unit}</span>
        </span>
        {chosen.length === 1 && chosen[0] && (
          <span class="plot-value">
            L{state.layer} H{state.head}: {axes.words(chosen[0].value)}
          </span>
        )}
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${data.convention}: every head by layer, from ${axes.words(least)} to ${axes.words(most)}`}
        onPointerMove={point}
      >
        {axes.ticks.map(({ y, label }) => (
          <g key={label}>
            <line x1={LEFT} x2={WIDTH - RIGHT} y1={y} y2={y} class="rule" />
            <text x={LEFT - 5} y={y + 3.5} text-anchor="end">
              {label}
            </text>
          </g>
        ))}
        {axes.layers.map(({ x, layer }) => (
          <text key={layer} x={x} y={HEIGHT - BOTTOM + 12} text-anchor="middle">
            {layer}
          </text>
        ))}
        <text x={(LEFT + WIDTH - RIGHT) / 2} y={HEIGHT - 2} text-anchor="middle" class="axis-name">
          layer
        </text>
        <path d={axes.baseline} class="baseline" />
        <polyline points={axes.mean} class="mean" />
        <g class={state.isolated ? "dots dim" : "dots"}>
          {axes.dots.map((dot) => (
            <circle key={`${dot.layer} ${dot.head}`} cx={dot.x} cy={dot.y} r={2.2} />
          ))}
        </g>
        {chosen.map((dot) => (
          <circle key={`${dot.layer} ${dot.head}`} cx={dot.x} cy={dot.y} r={3.6} class="chosen" />
        ))}
      </svg>
    </figure>
  );
}

/** Where everything stands, in the plot's own units. */
function layOut(data: Statistic, unit: string) {
  const scale = unit === "%" ? 100 : 1;
  const known = data.values.flat().filter((value) => !Number.isNaN(value));
  const top = Math.max(...known, ...data.baselines, 1e-9) * scale;
  const count = data.values.length;
  const x = (layer: number): number =>
    LEFT + 8 + ((WIDTH - LEFT - RIGHT - 16) * layer) / Math.max(count - 1, 1);
  const ticks = niceTicks(top, 4);
  const end = Math.max(ticks.at(-1) ?? top, top);
  const y = (value: number): number => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value * scale) / end;
  const dots = data.values.flatMap((heads, layer) =>
    heads.flatMap((value, head): Dot[] =>
      Number.isNaN(value) ? [] : [{ layer, head, value, x: x(layer), y: y(value) }],
    ),
  );
  const means = data.values.map((heads) => {
    const there = heads.filter((value) => !Number.isNaN(value));
    return there.reduce((sum, value) => sum + value, 0) / there.length;
  });
  const step = Math.ceil(count / 10);
  return {
    dots,
    mean: means.flatMap((value, layer) => (Number.isNaN(value) ? [] : [`${x(layer)},${y(value)}`])).join(" "),
    ticks: ticks.map((value) => ({ y: y(value / scale), label: String(value) })),
    layers: data.values.flatMap((_, layer) => (layer % step === 0 ? [{ layer, x: x(layer) }] : [])),
    baseline: stepped(data.baselines.map(y), x),
    words: (value: number): string => `${concise(value * scale)} ${unit}`,
  };
}

/** A line from edge to edge that has each layer's height about the layer: straight where all are the same. */
function stepped(heights: number[], x: (layer: number) => number): string {
  const half = heights.length > 1 ? (x(1) - x(0)) / 2 : 0;
  const steps = heights.flatMap((height, layer) =>
    layer === 0
      ? [`M${LEFT} ${height}`]
      : height === heights[layer - 1]
        ? []
        : [`H${x(layer) - half}V${height}`],
  );
  return `${steps.join("")}H${WIDTH - RIGHT}`;
}

function nearest(dots: Dot[], at: { x: number; y: number }): Dot | null {
  let best: Dot | null = null;
  let least = REACH;
  for (const dot of dots) {
    const away = Math.hypot(dot.x - at.x, dot.y - at.y);
    if (away < least) [best, least] = [dot, away];
  }
  return best;
}
