/** A pane as a figure of its own: the picture, the map, the colours' meaning and where it all comes from. */
import { table, colourIndex } from "../colours/colours";
import type { Pane } from "../engine/pane";
import { massWords } from "../engine/pane";
import { prefixWords, shownMap } from "../engine/words";
import { percent } from "../maps/format";
import { outline } from "../maps/outline";
import { smooth } from "../maps/smooth";
import { type Query, resolveQuery } from "../state/query";
import type { State } from "../state/state";
import { sizesOf } from "../state/views";

const WIDTH = 640; // of the picture, in the figure's own units
const MARGIN = 20;
const GAP = 24;
const LINE = 17;
const LETTERS = 88; // of a line of text
const WORDS = new RegExp(`[^ ]{1,${LETTERS}}`, "gu"); // a name too long for a line is broken
const BAR_STEPS = 64;

/** SVG text of one or two panes side by side. */
export function toSvg(panes: readonly Pane[], state: State): string {
  const drawn = panes.map((pane, index) => draw(pane, state, index));
  const width = 2 * MARGIN + panes.length * WIDTH + (panes.length - 1) * GAP;
  const height = 2 * MARGIN + Math.max(...drawn.map((one) => one.height));
  const placed = drawn.map(
    ({ text }, index) => `<g transform="translate(${MARGIN + index * (WIDTH + GAP)} ${MARGIN})">${text}</g>`,
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="system-ui, sans-serif" font-size="13" fill="#1b1f24"><rect width="${width}" height="${height}" ` +
    `fill="#ffffff"/>${placed.join("")}</svg>`
  );
}

function draw(pane: Pane, state: State, index: number): { text: string; height: number } {
  const [inputHeight, inputWidth] = pane.image.input_size as [number, number];
  const height = (WIDTH * inputHeight) / inputWidth;
  const [rows, columns] = pane.look.layout.grid as [number, number];
  const clip = `clip-${index}`;
  const scaled = `scale(${WIDTH / columns} ${height / rows})`;
  const lines = words(pane);
  const parts = [
    `<clipPath id="${clip}"><rect width="${WIDTH}" height="${height}"/></clipPath>`,
    `<g clip-path="url(#${clip})"><rect width="${WIDTH}" height="${height}" fill="#888888"/>`,
    picture(pane, height, state.opacity > 0),
    `<g transform="${scaled}">${cells(pane, state)}${marks(pane)}</g></g>`,
    colourBar(pane, height + 14),
    ...lines.map(
      (line, at) => `<text y="${height + 62 + at * LINE}" xml:space="preserve">${escapeXml(line)}</text>`,
    ),
  ];
  return { text: parts.join(""), height: height + 62 + lines.length * LINE };
}

function picture({ image }: Pane, height: number, grey: boolean): string {
  const filter = grey ? ' style="filter: grayscale(0.8)"' : "";
  if (!image.original || !image.box || !image.original_size) {
    return `<image href="${escapeXml(image.seen)}" width="${WIDTH}" height="${height}" preserveAspectRatio="none"${filter}/>`;
  }
  const [left, top, right, bottom] = image.box as [number, number, number, number];
  const [across, down] = [WIDTH / (right - left), height / (bottom - top)];
  const at = `x="${-left * across}" y="${-top * down}" width="${image.original_size[1] * across}" height="${image.original_size[0] * down}"`;
  return `<image href="${escapeXml(image.original)}" ${at} preserveAspectRatio="none"${filter}/>`;
}

/** The map, a rectangle a cell. */
function cells(pane: Pane, state: State): string {
  const map = shownMap(pane);
  const grid = pane.look.layout.grid as [number, number];
  if (pane.tinted.length > 0) return pane.tinted.map((tint) => tints(tint, grid[1])).join("");
  if (!map) return "";
  const factor = state.smooth && !pane.mask ? 4 : 1;
  const { values, size } = factor > 1 ? smooth(map.values, grid, factor) : { values: map.values, size: grid };
  const side = 1 / factor;
  const drawn = Array.from(values, (value, at) => {
    if (pane.mask && !pane.mask.chosen[at]) return "";
    const [x, y] = [(at % size[1]) * side, Math.floor(at / size[1]) * side];
    return `<rect x="${x}" y="${y}" width="${side}" height="${side}" fill="${hex(pane, pane.scale.position(value))}"/>`;
  });
  return `<g opacity="${state.opacity}" shape-rendering="crispEdges">${drawn.join("")}</g>`;
}

function tints({ mask, map, colour }: Pane["tinted"][number], columns: number): string {
  return Array.from(mask.chosen, (chosen, at) => {
    if (!chosen) return "";
    const opacity = 0.15 + (0.5 * (map.values[at] ?? 0)) / (map.maximum || 1);
    return `<rect x="${at % columns}" y="${Math.floor(at / columns)}" width="1" height="1" fill="${colour}" fill-opacity="${opacity.toFixed(3)}"/>`;
  }).join("");
}

/** Outlines and the query's own patch. */
function marks(pane: Pane): string {
  const grid = pane.look.layout.grid as [number, number];
  const line = (shape: string, colour: string): string =>
    `<g fill="none"><${shape} stroke="#000000" stroke-width="4" vector-effect="non-scaling-stroke"/>` +
    `<${shape} stroke="${colour}" stroke-width="2" vector-effect="non-scaling-stroke"/></g>`;
  const square = (query: Query, colour: string): string => {
    const at = resolveQuery(query, pane.look);
    if (at?.kind !== "patch") return "";
    return line(`rect x="${at.column}" y="${at.row}" width="1" height="1"`, colour);
  };
  const outlines = pane.mask ? line(`path d="${outline(pane.mask.chosen, grid)}"`, "#ffffff") : "";
  if (pane.tinted.length === 0) return outlines + square(pane.query, "#ffffff");
  return pane.tinted
    .map(
      ({ mask, colour, query }) =>
        line(`path d="${outline(mask.chosen, grid)}"`, colour) + square(query, colour),
    )
    .join("");
}

function colourBar(pane: Pane, y: number): string {
  if (!shownMap(pane) || pane.tinted.length > 0) return "";
  const step = WIDTH / BAR_STEPS;
  const ramp = Array.from(
    { length: BAR_STEPS },
    (_, at) =>
      `<rect x="${at * step}" y="${y}" width="${step + 0.5}" height="10" fill="${hex(pane, (at + 0.5) / BAR_STEPS)}"/>`,
  );
  const ticks = pane.scale.ticks.map(({ position, label }) => {
    const anchor = position < 0.05 ? "start" : position > 0.95 ? "end" : "middle";
    return `<text x="${position * WIDTH}" y="${y + 26}" text-anchor="${anchor}" font-size="12">${escapeXml(label)}</text>`;
  });
  return ramp.join("") + ticks.join("");
}

function words(pane: Pane): string[] {
  const { patches } = sizesOf(pane.look);
  const prefix = prefixWords(pane);
  return [
    pane.caption,
    pane.mask ? `Outlined: ${massWords(pane.mask, patches)}.` : "",
    ...pane.tinted.map(
      (tint) =>
        `${colourName(tint.colour)} ${tint.words}: ${massWords(tint.mask, patches)}, most ${percent(tint.map.maximum)}.`,
    ),
    pane.tinted.length > 0 ? "" : `Colours: ${pane.scale.words}. ${prefix ? `${prefix}.` : ""}`,
    `${pane.image.name}. ${pane.look.label}, ${pane.look.layout.description}; verified to ${pane.look.verification_error.toExponential(0)}. vitscope.`,
  ]
    .filter((line) => line !== "")
    .flatMap(wrap);
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.match(WORDS) ?? []) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length === 0 || longer.length > LETTERS) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

function colourName(colour: string): string {
  return `■ (${colour})`;
}

function hex(pane: Pane, position: number): string {
  const colours = table(pane.colours);
  const at = 3 * colourIndex(position);
  return `#${[...colours.subarray(at, at + 3)].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

/** Text as it may stand in XML; characters that XML has no way to write are left out. */
export function escapeXml(text: string): string {
  const allowed = text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "");
  return allowed
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
