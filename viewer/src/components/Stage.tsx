/** The picture under the map, and the pointer and keys over it. */
import { useRef } from "preact/hooks";
import type { Pane } from "../engine/pane";
import { patchWords } from "../engine/words";
import { outline } from "../maps/outline";
import type { Look } from "../payload";
import { moveQuery, patchQuery, type Query, queryWords, resolveQuery } from "../state/query";
import { MapCanvas } from "./MapCanvas";
import { Picture } from "./Picture";
import { Tints } from "./Tints";

/** What a hand on the picture means; the page decides what follows. */
export interface StageEvents {
  onPoint: (query: Query | null) => void;
  onLock: (query: Query, beside: boolean, keys: boolean) => void;
  onMove: (query: Query) => void;
  onRelease: () => void;
}

interface StageProps extends StageEvents {
  pane: Pane;
  name: string;
  smoothed: boolean;
  opacity: number;
  probe: Query | null; // patch that is read, not looked from
  helpId: string;
}

const STEPS: Record<string, [number, number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

export function Stage(props: StageProps) {
  const { pane } = props;
  const stage = useRef<HTMLDivElement>(null);
  const [rows, columns] = pane.look.layout.grid;
  const [height, width] = pane.image.input_size;
  const probe = props.probe === null ? null : resolveQuery(props.probe, pane.look);
  const patchAt = (event: PointerEvent): { row: number; column: number } => {
    const box = stage.current?.getBoundingClientRect() ?? new DOMRect();
    const inside = (share: number, size: number): number =>
      Math.min(size - 1, Math.max(0, Math.floor(share * size)));
    return {
      row: inside((event.clientY - box.top) / box.height, rows),
      column: inside((event.clientX - box.left) / box.width, columns),
    };
  };
  const point = (event: PointerEvent): void => {
    const { row, column } = patchAt(event);
    props.onPoint(patchQuery(row, column));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = STEPS[event.key];
    if (step) props.onMove(moveQuery(pane.query, step[0], step[1], pane.look));
    else if (event.key === "Enter" || event.key === " ") props.onLock(pane.query, event.shiftKey, true);
    else if (event.key === "Escape") props.onRelease();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      ref={stage}
      class="stage"
      role="application"
      aria-roledescription="attention map"
      aria-label={`${props.name}: ${queryWords(pane.query, pane.look)}`}
      aria-describedby={props.helpId}
      tabIndex={0}
      style={{ aspectRatio: `${width} / ${height}` }}
      onPointerMove={point}
      onPointerLeave={() => props.onPoint(null)}
      onClick={(event) => {
        const { row, column } = patchAt(event as unknown as PointerEvent);
        props.onLock(patchQuery(row, column), event.shiftKey, false);
      }}
      onKeyDown={onKeyDown}
    >
      <Picture image={pane.image} />
      <div class="over" style={{ opacity: props.opacity }}>
        <MapCanvas pane={pane} smoothed={props.smoothed} />
      </div>
      <svg
        class="over marks"
        viewBox={`0 0 ${columns} ${rows}`}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        {pane.mask && <Outline chosen={pane.mask.chosen} grid={[rows, columns]} />}
        {pane.tinted.length > 0 && <Tints tinted={pane.tinted} columns={columns} />}
        {pane.tinted.map(({ query, colour }) => (
          <Marker key={query} query={query} colour={colour} look={pane.look} />
        ))}
        {pane.tinted.length === 0 && <Marker query={pane.query} colour="#ffffff" look={pane.look} />}
        {probe?.kind === "patch" && <Cell row={probe.row} column={probe.column} class="probe" />}
      </svg>
      {probe?.kind === "patch" && (
        <div class="reading">{patchWords(pane, probe.row * columns + probe.column)}</div>
      )}
    </div>
  );
}

/** The edge of the patches that hold the mass, light on dark, so that it stands off any picture. */
function Outline({ chosen, grid }: { chosen: ArrayLike<number>; grid: [number, number] }) {
  const path = outline(chosen, grid);
  return (
    <>
      <path d={path} class="casing" />
      <path d={path} class="edge" stroke="#ffffff" />
    </>
  );
}

function Marker({ query, colour, look }: { query: Query; colour: string; look: Look }) {
  const resolved = resolveQuery(query, look);
  if (resolved?.kind !== "patch") return null;
  return <Cell row={resolved.row} column={resolved.column} class="marker" colour={colour} />;
}

function Cell(props: { row: number; column: number; class: string; colour?: string }) {
  const at = { x: props.column, y: props.row, width: 1, height: 1 };
  return (
    <>
      <rect {...at} class={`casing ${props.class}`} />
      <rect {...at} class={`edge ${props.class}`} stroke={props.colour ?? "#ffffff"} />
    </>
  );
}
