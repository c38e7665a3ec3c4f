import { expect, test } from "vitest";
import type { AttentionMap } from "../src/engine/maps";
import type { Tinted } from "../src/engine/pane";
import { stripes } from "../src/engine/tints";

/** A query's map of 2 × 3 patches, and which of them hold its mass. */
function tinted(colour: string, values: number[], chosen: number[]): Tinted {
  const map = { values: Float32Array.from(values), maximum: Math.max(...values) } as AttentionMap;
  return { colour, map, mask: { chosen: Uint8Array.from(chosen), count: 0, held: 0 } } as unknown as Tinted;
}

test("several queries share each patch, a stripe each, the stronger the nearer to its maximum", () => {
  const red = tinted("red", [0, 0.5, 0, 0, 0, 0.25], [0, 1, 0, 0, 0, 1]);
  const blue = tinted("blue", [0, 0.125, 0, 0.125, 0, 0], [0, 1, 0, 0, 0, 0]);
  const [strongest, half] = [expect.closeTo(0.9, 6), expect.closeTo(0.55, 6)];
  expect(stripes([red, blue], 3)).toEqual([
    { x: 1, y: 0, width: 0.5, colour: "red", opacity: strongest },
    { x: 2, y: 1, width: 0.5, colour: "red", opacity: half },
    { x: 1.5, y: 0, width: 0.5, colour: "blue", opacity: strongest },
  ]);
});

test("a map of zeros is faint", () => {
  const [stripe] = stripes([tinted("red", [0, 0, 0], [1, 0, 0])], 3);
  expect(stripe!.opacity).toBe(0.2);
});
