/** Several queries on one picture: where each one's colour goes, so that none hides another. */
import type { Tinted } from "./pane";

/** A part of a patch, in patches. */
export interface Stripe {
  x: number;
  y: number;
  width: number;
  colour: string;
  opacity: number;
}

const FAINTEST = 0.2;
const STRONGEST = 0.9;

/** Each patch of a query's mask has a stripe of the query's colour, the stronger the nearer to its maximum. */
export function stripes(tinted: readonly Tinted[], columns: number): Stripe[] {
  const width = 1 / tinted.length;
  return tinted.flatMap(({ mask, map, colour }, index) =>
    Array.from(map.values).flatMap((weight, patch): Stripe[] => {
      if (!mask.chosen[patch]) return [];
      const opacity = FAINTEST + ((STRONGEST - FAINTEST) * weight) / (map.maximum || 1);
      const x = (patch % columns) + index * width;
      return [{ x, y: Math.floor(patch / columns), width, colour, opacity }];
    }),
  );
}
