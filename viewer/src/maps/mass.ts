/** The patches that hold most of a map (Caron et al. 2021, DINO, arXiv 2104.14294): vitscope.top_mass, here. */

/** Which patches, how many, and what they hold. */
export interface MassMask {
  /** 1 where chosen, (patches,). */
  chosen: Uint8Array;
  count: number;
  /** Their share of the map's sum; 0 for a map of zeros. */
  held: number;
}

const SLACK = 1e-12; // a sum in another order must not ask for one patch more

/**
 * The smallest set of patches that together hold at least `mass` (0 to 1) of the map's sum.
 *
 * Of equal patches the first is taken. A map of zeros has an empty set.
 */
export function topMass(map: ArrayLike<number>, mass: number): MassMask {
  if (!(mass >= 0 && mass <= 1)) throw new RangeError(`mass must be from 0 to 1; found ${mass}`);
  const total = sumOf(map);
  const chosen = new Uint8Array(map.length);
  let [held, count] = [0, 0];
  for (const patch of strongestFirst(map)) {
    const weight = map[patch]!;
    if (held >= mass * total * (1 - SLACK) || weight === 0) break;
    chosen[patch] = 1;
    held += weight;
    count++;
  }
  return { chosen, count, held: total > 0 ? Math.min(1, held / total) : 0 };
}

function sumOf(map: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < map.length; i++) {
    const weight = map[i]!;
    if (!(weight >= 0 && weight < Infinity)) {
      throw new RangeError(`a map must hold finite numbers ≥ 0; found ${weight} at patch ${i}`);
    }
    total += weight;
  }
  return total;
}

function strongestFirst(map: ArrayLike<number>): Uint32Array {
  const order = Uint32Array.from({ length: map.length }, (_, i) => i);
  return order.sort((a, b) => map[b]! - map[a]! || a - b);
}
