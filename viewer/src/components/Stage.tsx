/** The picture under the map, and the pointer and keys over it. */
import { useRef } from "preact/hooks";
import type { Pane } from "../engine/pane";
import { patchWords } from "../engine/words";
import { outline } from "../maps/outline";
import type { Lattice, Size } from "../payload";
import { cellIn, coverOf } from "../state/lattices";
import { moveQuery, patchQuery, type Query, queryWords, resolveQuery } from "../state/query";
import { extent, MapCanvas } from "./MapCanvas";
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

const FINE = 36; // patches on a side above which thick marks would hide them

export function Stage(props: StageProps) {
  const { pane } = props;
  const stage = useRef<HTMLDivElement>(null);
  const { asked, shown, look } = pane;
  const [height, width] = pane.image.input_size;
  const read = props.probe === null ? null : resolveQuery(props.probe, look);
  const probe = read?.kind === "patch" ? cellIn(read, look.layout, shown) : null;
  // On the picture's own patches; a layer takes of its own the one that lies there.
  const patchAt = (event: PointerEvent): { row: number; column: number } => {
    const box = stage.current?.getBoundingClientRect() ?? new DOMRect();
    const [down, across] = coverOf(look.layout, pane.image);
    const inside = (share: number, size: number): number =>
      Math.min(size - 1, Math.max(0, Math.floor(share * size)));
    return {
      row: inside((event.clientY - box.top) / box.height / down, look.layout.grid[0]),
      column: inside((event.clientX - box.left) / box.width / across, look.layout.grid[1]),
    };
  };
  const point = (event: PointerEvent): void => {
    const { row, column } = patchAt(event);
    props.onPoint(patchQuery(row, column));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = STEPS[event.key];
    if (step) props.onMove(moveQuery(pane.query, step[0], step[1], look, asked));
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
      aria-label={`${props.name}: ${queryWords(pane.query, look, asked)}`}
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
        class={`over marks ${Math.max(...asked.grid) > FINE ? "fine" : ""}`}
        viewBox={`0 0 ${asked.grid[1]} ${asked.grid[0]}`}
        style={extent(asked, pane.image)}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        <g transform={between(shown, asked)}>
          {pane.window && <Outline chosen={pane.window} grid={shown.grid} kind="window" />}
          {pane.mask && <Outline chosen={pane.mask.chosen} grid={shown.grid} kind="" />}
          {pane.tinted.length > 0 && <Tints tinted={pane.tinted} columns={shown.grid[1]} />}
        </g>
        {pane.tinted.map(({ query, colour }) => (
          <Marker key={query} query={query} colour={colour} pane={pane} />
        ))}
        {pane.tinted.length === 0 && <Marker query={pane.query} colour="#ffffff" pane={pane} />}
        {probe && (
          <g transform={between(shown, asked)}>
            <Cell {...probe} class="probe" />
          </g>
        )}
      </svg>
      {probe && <div class="reading">{patchWords(pane, probe.row * shown.grid[1] + probe.column)}</div>}
    </div>
  );
}

/** The edge of some patches, light on dark, so that it stands off any picture. */
function Outline({ chosen, grid, kind }: { chosen: ArrayLike<number>; grid: Size; kind: string }) {
  const path = outline(chosen, grid);
  return (
    <>
      <path d={path} class={`casing ${kind}`} />
      <path d={path} class={`edge ${kind}`} stroke="#ffffff" />
    </>
  );
}

function Marker({ query, colour, pane }: { query: Query; colour: string; pane: Pane }) {
  const resolved = resolveQuery(query, pane.look);
  if (resolved?.kind !== "patch") return null;
  return <Cell {...cellIn(resolved, pane.look.layout, pane.asked)} class="marker" colour={colour} />;
}

/** From the cells of one lattice to those of another; none where both are the same. */
function between(from: Lattice, to: Lattice): string | undefined {
  const [down, across] = [from.patch_size[0] / to.patch_size[0], from.patch_size[1] / to.patch_size[1]];
  return down === 1 && across === 1 ? undefined : `scale(${across} ${down})`;
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
