/** How well the page's own rows agree with Python's, as Python found and as this browser finds. */
import { imageOf } from "../state/views";
import type { Gallery } from "./gallery";

export interface Check {
  python: number; // largest error that Python found in the layers of this picture
  here: number | null; // largest that this browser found, on one row a layer; null before any layer is decoded
  layers: number; // checked here
}

export function checkOf(gallery: Gallery, view: number): Check {
  const errors = imageOf(gallery.payload, view).attention.flatMap((attention) =>
    attention ? [attention.error] : [],
  );
  const found = gallery.decoded(view).map((layer) => layer.selfCheck());
  return {
    python: Math.max(0, ...errors),
    here: found.length > 0 ? Math.max(...found) : null,
    layers: found.length,
  };
}
