/** The page's pictures in one row: every image of every look. */
import type { Image, Look, Payload } from "../payload";
import { latticeSizes } from "./lattices";

export interface View {
  look: number;
  image: number;
}

export function viewsOf(payload: Payload): View[] {
  return payload.looks.flatMap((look, index) => look.images.map((_, image) => ({ look: index, image })));
}

export function lookOf(payload: Payload, view: number): Look {
  return payload.looks[viewsOf(payload)[view]?.look ?? 0] ?? payload.looks[0];
}

export function imageOf(payload: Payload, view: number): Image {
  return lookOf(payload, view).images[viewsOf(payload)[view]?.image ?? 0] ?? payload.looks[0].images[0];
}

/** How many tokens a look's own layout has: prefix tokens first, then the patches. */
export function sizesOf({ layout }: Look): { patches: number; prefix: number; tokens: number } {
  return latticeSizes(layout);
}

/** The view of the same picture's number in another look, if there is one. */
export function counterpart(payload: Payload, view: number, look: number): number | null {
  const image = viewsOf(payload)[view]?.image;
  const found = viewsOf(payload).findIndex((other) => other.look === look && other.image === image);
  return found >= 0 ? found : null;
}
