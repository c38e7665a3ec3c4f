/** Numbers of every layer and head that Python measured, for plots and sorting. */
import type { Layer, Look, Numbers } from "../payload";
import type { State, StatisticName } from "../state/state";
import { latticeSizes, sidesOf } from "../state/lattices";
import { imageOf, lookOf } from "../state/views";
import type { Gallery } from "./gallery";

export interface HeadPlace {
  layer: number;
  head: number;
}

export type { StatisticName };

/** One statistic by layer and head; NaN where there is none. null where the look could not be measured. */
export interface Statistic {
  values: number[][]; // [layer][head]
  baselines: number[]; // by layer, of uniform attention
  convention: string;
}

export function statistic(
  gallery: Gallery,
  view: number,
  name: StatisticName,
  rescale: boolean,
): Statistic | null {
  const look = lookOf(gallery.payload, view);
  const image = imageOf(gallery.payload, view);
  if (name === "distance") {
    const values = table(gallery, rescale ? image.rescaled_distance : image.distance, view);
    const name = rescale ? "uniform_rescaled_distance" : "uniform_distance";
    const baselines = look.layers.map(({ arrangement }) => (arrangement ?? look)[name]);
    const convention = rescale ? look.conventions.rescaled_distance : look.conventions.distance;
    return values && { values, baselines, convention };
  }
  if (name === "entropy") {
    const values = table(gallery, image.entropy, view);
    const { tokens } = latticeSizes(look.layout);
    const baselines = look.layers.map(({ arrangement }) => arrangement?.uniform_entropy ?? Math.log(tokens));
    return values && { values, baselines, convention: look.conventions.entropy };
  }
  if (look.layout.prefix.length === 0) return null;
  const values = table(gallery, image.prefix_mass, view);
  return (
    values && {
      values,
      baselines: look.layers.map(
        (layer, index) => sidesOf(look, index).keys.prefix.length / keysOf(look, layer),
      ),
      convention: `${look.conventions.prefix_mass}, summed over them`,
    }
  );
}

/** How many keys each query of a layer has. */
function keysOf(look: Look, { arrangement }: Layer): number {
  return arrangement?.windows?.key_tokens.shape[1] ?? latticeSizes(arrangement?.keys ?? look.layout).tokens;
}

/** Heads in the order the grid shows them; by layer and head where nothing sorts them. */
export function headOrder(gallery: Gallery, state: State): HeadPlace[] {
  const look = lookOf(gallery.payload, state.shown);
  const places = look.layers.flatMap(({ heads }, layer) =>
    Array.from({ length: heads }, (_, head): HeadPlace => ({ layer, head })),
  );
  const sorted = sortedBy(gallery, state);
  if (!sorted) return places;
  const key = ({ layer, head }: HeadPlace): number => sorted.values[layer]?.[head] ?? Number.NaN;
  const known = places.filter((place) => !Number.isNaN(key(place)));
  const sign = (state.sort === "prefix") === state.reversed ? 1 : -1; // the largest prefix mass first, the least else
  known.sort((one, other) => sign * (key(one) - key(other)));
  return [...known, ...places.filter((place) => Number.isNaN(key(place)))];
}

/** The statistic that sorts the grid, if one does. */
export function sortedBy(gallery: Gallery, state: State): Statistic | null {
  return state.sort === "none" ? null : statistic(gallery, state.shown, state.sort, state.rescale);
}

/** (layers, heads) or, summed over the last axis, (layers, heads, prefix). */
function table(gallery: Gallery, reference: Numbers | null, view: number): number[][] | null {
  if (!reference) return null;
  const flat = gallery.numbers(reference);
  const [layers = 0, heads = 0, inner = 1] = reference.shape;
  const sum = (at: number): number => flat.subarray(at * inner, (at + 1) * inner).reduce((a, b) => a + b, 0);
  return Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: lookOf(gallery.payload, view).layers[layer]?.heads ?? heads }, (_, head) =>
      sum(layer * heads + head),
    ),
  );
}
