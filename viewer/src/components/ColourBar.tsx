/** What the colours mean: always in sight, always in numbers. */
import { useLayoutEffect, useRef } from "preact/hooks";
import { table } from "../colours/colours";
import type { Pane } from "../engine/pane";
import { paintValues } from "./MapCanvas";

const STEPS = 256;
const RAMP = Float32Array.from({ length: STEPS }, (_, step) => step / (STEPS - 1));

export function ColourBar({ pane }: { pane: Pane }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (canvas.current) paintValues(canvas.current, RAMP, [1, STEPS], (share) => share, table(pane.colours));
  }, [pane.colours]);
  return (
    <div class="colour-bar">
      <canvas ref={canvas} aria-hidden="true" />
      <div class="ticks" aria-hidden="true">
        {pane.scale.ticks.map(({ position, label }) => (
          <span
            key={position}
            style={{ left: `${100 * position}%`, transform: `translateX(-${100 * position}%)` }}
          >
            {label}
          </span>
        ))}
      </div>
      <p class="scale-words">Colours: {pane.scale.words}</p>
    </div>
  );
}
