/** A map as pixels, a patch each (or finer, where it is smoothed): what lies over the picture, and thumbnails. */
import { useLayoutEffect, useRef } from "preact/hooks";
import { paint, table } from "../colours/colours";
import { drawnCells, type Pane } from "../engine/pane";
import { shownMap } from "../engine/words";
import { coarse, smooth } from "../maps/smooth";
import type { Image, Lattice } from "../payload";
import { coverOf } from "../state/lattices";

const SMOOTH_FACTOR = 8;

export function MapCanvas({ pane, smoothed }: { pane: Pane; smoothed: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (canvas.current) drawPane(canvas.current, pane, smoothed);
  });
  const style = extent(pane.shown, pane.image);
  return <canvas ref={canvas} class={`map ${smoothed ? "smooth" : ""}`} style={style} aria-hidden="true" />;
}

/** Width and height over the picture, where a lattice does not cover just that. */
export function extent(lattice: Lattice, image: Image): { width: string; height: string } | undefined {
  const [down, across] = coverOf(lattice, image);
  return down === 1 && across === 1 ? undefined : { width: `${100 * across}%`, height: `${100 * down}%` };
}

/** Paint a pane's map; the canvas takes the map's own size in patches. */
export function drawPane(canvas: HTMLCanvasElement, pane: Pane, smoothed: boolean): void {
  const map = shownMap(pane);
  const grid = pane.shown.grid;
  if (!map || pane.tinted.length > 0) return clear(canvas);
  const factor = smoothed && !pane.mask ? SMOOTH_FACTOR : 1;
  const finer = factor > 1 ? smooth(map.values, grid, factor) : { values: map.values, size: grid };
  const chosen = drawnCells(pane);
  const alpha = chosen && ((at: number): number => (chosen[coarse(at, finer.size, factor)] ? 1 : 0));
  paintValues(
    canvas,
    finer.values,
    finer.size,
    (value) => pane.scale.position(value),
    table(pane.colours),
    alpha,
  );
}

/** Paint values on a canvas of their own size. */
export function paintValues(
  canvas: HTMLCanvasElement,
  values: ArrayLike<number>,
  [rows, columns]: readonly [number, number],
  position: (value: number) => number,
  colours: Uint8Array,
  alpha?: (index: number) => number,
): void {
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns;
    canvas.height = rows;
  }
  const context = canvas.getContext("2d");
  if (!context) return;
  const pixels = context.createImageData(columns, rows);
  paint(values, position, colours, pixels.data, alpha);
  context.putImageData(pixels, 0, 0);
}

function clear(canvas: HTMLCanvasElement): void {
  canvas.getContext("2d")?.clearRect(0, 0, canvas.width, canvas.height);
}
