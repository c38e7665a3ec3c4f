/** Where one model's crop of a picture lies in another's: two models seldom see quite the same of it. */
import type { Image } from "../payload";

/** Top, left, bottom and right of one crop, in shares of another's height and width. */
export type Window = readonly [number, number, number, number];

export const WHOLE: Window = [0, 0, 1, 1];

/** Where `crop` lies in `within`, if both are of one original; else they are laid one on the other, corner to corner. */
export function windowOf(crop: Image, within: Image): Window {
  if (!crop.box || !within.box || crop.original === null || crop.original !== within.original) return WHOLE;
  const [left, top, right, bottom] = within.box as [number, number, number, number];
  const [cropLeft, cropTop, cropRight, cropBottom] = crop.box as [number, number, number, number];
  const [height, width] = [bottom - top, right - left];
  return [
    (cropTop - top) / height,
    (cropLeft - left) / width,
    (cropBottom - top) / height,
    (cropRight - left) / width,
  ];
}
