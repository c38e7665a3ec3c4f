/** A map as pixels, a patch each (or finer, where it is smoothed): what lies over the picture, and thumbnails. */
import { useLayoutEffect, useRef } from "preact/hooks";
import { paint, table } from "../colours/colours";
import type { Pane } from "../engine/pane";
import { shownMap } from "../engine/words";
import { smooth } from "../maps/smooth";

const SMOOTH_FACTOR = 8;

export function MapCanvas({ pane, smoothed }: { pane: Pane; smoothed: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (canvas.current) drawPane(canvas.current, pane, smoothed);
  });
  return <canvas ref={canvas} class={`map ${smoothed ? "smooth" : ""}`} aria-hidden="true" />;
}

/** Paint a pane's map; the canvas takes the map's own size in patches. */
export function drawPane(canvas: HTMLCanvasElement, pane: Pane, smoothed: boolean): void {
  const map = shownMap(pane);
  const grid = pane.look.layout.grid;
  if (!map || pane.tinted.length > 0) return clear(canvas);
  const mask = pane.mask;
  const finer =
    smoothed && !mask ? smooth(map.values, grid, SMOOTH_FACTOR) : { values: map.values, size: grid };
  const alpha = mask ? (patch: number): number => (mask.chosen[patch] ? 1 : 0) : undefined;
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
