/** Drawings of panes, taken apart: for the tests of SVG files, which run in jsdom. */
import { firstPane, type Pane } from "../src/engine/pane";
import { table } from "../src/colours/colours";
import { toSvg } from "../src/export/svg";
import { initialState, type State } from "../src/state/state";
import { FIRST, makePage, openGallery, SECOND } from "./payloads";

const page = makePage(FIRST, SECOND);
export const gallery = await openGallery(page, 0, 1);
export const OPENED: State = {
  ...initialState(page.payload),
  layer: 2,
  head: 1,
  compared: 1,
  opacity: 0.375,
};
export function paneOf(change: Partial<State> = {}): Pane {
  return firstPane(gallery, { ...OPENED, ...change }, null);
}

/** The drawing as a document; fails where it is no XML. */
export function parse(text: string): Document {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
  const error = parsed.querySelector("parsererror");
  if (error) throw new Error(error.textContent ?? "no XML");
  return parsed;
}

export function draw(change: Partial<State> = {}, panes: Pane[] = [paneOf(change)]): Document {
  return parse(toSvg(panes, { ...OPENED, ...change }));
}

export function numbers(element: Element, ...names: string[]): number[] {
  return names.map((name) => Number(element.getAttribute(name)));
}

/** One of the 256 colours of a map, as markup writes it. */
export function colour(name: "viridis" | "difference", index: number): string {
  const parts = Array.from(table(name).subarray(3 * index, 3 * index + 3));
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

export const cellsOf = (drawing: Document) => [...drawing.querySelectorAll("g[opacity] > rect")];
export const linesOf = (drawing: Document) =>
  [...drawing.querySelectorAll("text:not([text-anchor])")].map((line) => line.textContent ?? "");
