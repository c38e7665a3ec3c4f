/** Several locked queries over the picture: a stripe of each one's colour in the patches that hold its mass. */
import { memo } from "preact/compat";
import type { Tinted } from "../engine/pane";
import { stripes } from "../engine/tints";

export const Tints = memo(function Tints({ tinted, columns }: { tinted: Tinted[]; columns: number }) {
  return (
    <>
      {stripes(tinted, columns).map(({ x, y, width, colour, opacity }) => (
        <rect key={`${x} ${y}`} x={x} y={y} width={width} height={1} fill={colour} fill-opacity={opacity} />
      ))}
    </>
  );
});
