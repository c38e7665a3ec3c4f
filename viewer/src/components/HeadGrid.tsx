/** Every head of every layer as a thumbnail: click to choose, double-click to isolate, headers for means. */
import { useMemo, useRef } from "preact/hooks";
import type { Gallery } from "../engine/gallery";
import { type HeadPlace, headOrder, sortedBy } from "../engine/statistics";
import { percent, pixels } from "../maps/format";
import type { Layer, Look } from "../payload";
import type { Query } from "../state/query";
import { chooseHead, type SortName, type State } from "../state/state";
import { lookOf } from "../state/views";
import { Select, Toggle } from "./fields";
import { useThumbnails } from "./thumbnails";

interface HeadGridProps {
  gallery: Gallery;
  state: State;
  query: Query;
  revision: number; // grows with every decoded layer
  update: (change: Partial<State>) => void;
}

const GRID_HEIGHT = 420;

type Axis = number | "mean";

const SORTS: { value: SortName; label: string }[] = [
  { value: "none", label: "layer and head" },
  { value: "distance", label: "mean distance" },
  { value: "entropy", label: "entropy" },
  { value: "prefix", label: "mass on prefix tokens" },
];

export function HeadGrid(props: HeadGridProps) {
  const { gallery, state, update } = props;
  const grid = useRef<HTMLDivElement>(null);
  const look = lookOf(gallery.payload, state.shown);
  const order = useMemo(
    () => headOrder(gallery, state),
    [gallery, state.shown, state.sort, state.reversed, state.rescale],
  );
  useThumbnails(grid, props, order);
  const sorts = look.layout.prefix.length > 0 ? SORTS : SORTS.filter(({ value }) => value !== "prefix");
  const buttons = useMemo(
    () => <Buttons gallery={gallery} state={state} order={order} update={update} />,
    [gallery, order, state.layer, state.head, state.isolated, state.shown, state.method, update],
  );
  return (
    <section class="heads" aria-label="Layers and heads" data-tour="heads">
      <div class="heads-head">
        <h2>Layers × heads {state.compared !== null && <span class="letter">A</span>}</h2>
        <Select<SortName>
          label="Order"
          value={state.sort}
          options={sorts}
          onChange={(sort) => update({ sort })}
        />
        {state.sort !== "none" && (
          <Toggle label="reversed" checked={state.reversed} onChange={(reversed) => update({ reversed })} />
        )}
        {typeof state.layer === "number" && typeof state.head === "number" && (
          <button type="button" onClick={() => update({ isolated: !state.isolated })}>
            {state.isolated ? "Show all heads" : "Isolate head"}
          </button>
        )}
      </div>
      <div ref={grid} onKeyDown={(event) => roam(event, grid.current)}>
        {buttons}
      </div>
      <p class="faint note">{thumbnailWords(state)}</p>
      {look.omitted && <p class="note omitted">{look.omitted}</p>}
    </section>
  );
}

function Buttons(props: {
  gallery: Gallery;
  state: State;
  order: HeadPlace[];
  update: HeadGridProps["update"];
}) {
  const { gallery, state, order, update } = props;
  const look = lookOf(gallery.payload, state.shown);
  const widest = Math.max(...look.layers.map((layer) => layer.heads));
  const sorted = sortedBy(gallery, state);
  const flat = sorted !== null || state.isolated; // thumbnails alone, without headers
  const stop = tabStop(state, order, flat);
  const thumbnails = order.map((place) => (
    <Thumbnail
      key={`${place.layer}·${place.head}`}
      place={place}
      reachable={stop === `${place.layer} ${place.head}`}
      state={state}
      value={sorted ? valueWords(state.sort, sorted.values[place.layer]?.[place.head]) : null}
      absent={look.layers[place.layer]?.refusal ?? look.layers[place.layer]?.absent ?? null}
      update={update}
    />
  ));
  const columns = gridStyle(look, widest);
  if (flat) {
    return (
      <div
        class={`head-grid ${state.isolated ? "isolated" : "sorted"}`}
        role="group"
        aria-label="Heads"
        style={columns}
      >
        {state.isolated ? thumbnails.filter((_, at) => isChosen(state, order[at])) : thumbnails}
      </div>
    );
  }
  const header = (layer: Axis, head: Axis, label: string, title: string) => (
    <button
      key={`${layer} ${head}`}
      type="button"
      class="axis"
      tabIndex={stop === `${layer} ${head}` ? 0 : -1}
      title={title}
      aria-pressed={state.method !== "rollout" && state.layer === layer && state.head === head}
      onClick={() => update({ ...chooseHead(state, layer, head), isolated: false })}
    >
      {label}
    </button>
  );
  const heads = Array.from({ length: widest }, (_, head) =>
    header("mean", head, `${head}`, `head ${head}, mean over layers`),
  );
  return (
    <div class="head-grid" role="group" aria-label="Heads by layer" style={columns}>
      {header("mean", "mean", "mean", "mean over all layers and heads")}
      {heads}
      {look.layers.flatMap((layer, index) => [
        header(
          index,
          "mean",
          `L${index}`,
          `layer ${index} (${layer.name})${kindWords(layer)}, mean over heads`,
        ),
        ...thumbnails.filter((_, at) => order[at]?.layer === index),
        ...Array.from({ length: widest - layer.heads }, (_, gap) => <span key={`gap ${index} ${gap}`} />),
      ])}
    </div>
  );
}

function Thumbnail(props: {
  place: HeadPlace;
  reachable: boolean; // by Tab
  state: State;
  value: string | null;
  absent: string | null;
  update: HeadGridProps["update"];
}) {
  const { place, state, value, absent, update } = props;
  const name = `layer ${place.layer}, head ${place.head}${value ? `, ${value}` : ""}`;
  const chosen = isChosen(state, place);
  return (
    <button
      type="button"
      class={`thumbnail ${absent ? "absent" : ""}`}
      data-head={`${place.layer}·${place.head}`}
      aria-pressed={chosen}
      aria-label={absent ? `${name}: ${absent}` : name}
      title={absent ? `${name}: ${absent}` : `${name} · double-click to isolate`}
      tabIndex={props.reachable ? 0 : -1}
      onClick={() => update(chooseHead(state, place.layer, place.head))}
      onDblClick={() => update({ ...chooseHead(state, place.layer, place.head), isolated: !state.isolated })}
    >
      <canvas aria-hidden="true" />
      {(value !== null || state.isolated) && (
        <span class="tag">
          L{place.layer} H{place.head}
          {value !== null && <small>{value}</small>}
        </span>
      )}
    </button>
  );
}

/** "layer head" of the one button that Tab reaches: the header chosen, else the first thumbnail chosen, else the first. */
function tabStop(state: State, order: HeadPlace[], flat: boolean): string {
  if (!flat && (state.layer === "mean" || state.head === "mean")) return `${state.layer} ${state.head}`;
  const place = order.find((one) => isChosen(state, one)) ?? order[0];
  return place ? `${place.layer} ${place.head}` : "";
}

/** As large as lets the whole grid be seen at once, in the shape of the picture. */
function gridStyle(look: Look, widest: number): Record<string, string | number> {
  const aspect = look.layout.grid[1]! / look.layout.grid[0]!;
  const height = Math.min(64, GRID_HEIGHT / look.layers.length - 2);
  return { "--columns": widest, "--aspect": aspect, "--size": `${Math.max(16, height * aspect)}px` };
}

function isChosen(state: State, place: HeadPlace | undefined): boolean {
  if (!place || state.method === "rollout") return false;
  const agrees = (chosen: Axis, index: number): boolean => chosen === "mean" || chosen === index;
  return agrees(state.layer, place.layer) && agrees(state.head, place.head);
}

/** Arrow keys go from button to button, as the eye sees them; only one of them stands in the order of Tab. */
function roam(event: KeyboardEvent, grid: HTMLElement | null): void {
  const step: [number, number] | undefined = (
    { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] } as Record<
      string,
      [number, number]
    >
  )[event.key];
  const from = document.activeElement?.getBoundingClientRect();
  if (!step || !grid || !from || !grid.contains(event.target as Node)) return;
  event.preventDefault();
  event.stopPropagation();
  const reach = (box: DOMRect): number => {
    const [dx, dy] = [box.x - from.x, box.y - from.y];
    const [ahead, aside] = step[0]
      ? [dx * step[0], Math.abs(dy)]
      : [dy * step[1], Math.abs(box.x + box.width / 2 - from.x - from.width / 2)];
    return ahead > 1 ? ahead + 4 * aside : Number.POSITIVE_INFINITY;
  };
  const buttons = [...grid.querySelectorAll("button")].map((button) => ({
    button,
    at: reach(button.getBoundingClientRect()),
  }));
  const nearest = buttons.reduce((best, one) => (one.at < best.at ? one : best));
  if (nearest.at < Number.POSITIVE_INFINITY) nearest.button.focus();
}

/** ": 64 windows of 7 × 7, shifted"; "" for plain global attention. */
function kindWords({ arrangement }: Layer): string {
  return arrangement?.words ? `: ${arrangement.words}` : "";
}

function valueWords(sort: SortName, value: number | undefined): string | null {
  if (value === undefined || Number.isNaN(value)) return null;
  if (sort === "distance") return pixels(value);
  return sort === "entropy" ? `${value.toFixed(2)} nats` : percent(value);
}

function thumbnailWords(state: State): string {
  const scale = {
    linear: "each from 0 to its own maximum",
    shared: "each layer’s from 0 to the largest weight in any of its heads",
    uniform: `all from 0 to ${state.ceiling} times uniform`,
    logarithmic: "each over three decades below its own maximum",
  }[state.scale];
  return `Thumbnails: ${scale}. Choose a header for the mean, double-click a head to isolate it.`;
}
