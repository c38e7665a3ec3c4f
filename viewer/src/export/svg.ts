/** A pane as a figure of its own: the picture, the map, the colours' meaning and where it all comes from. */
import { table, colourIndex } from "../colours/colours";
import type { Pane } from "../engine/pane";
import { drawnCells, massWords } from "../engine/pane";
import { stripes } from "../engine/tints";
import { prefixWords, shownMap } from "../engine/words";
import { percent } from "../maps/format";
import { outline } from "../maps/outline";
import { coarse, smooth } from "../maps/smooth";
import type { Lattice } from "../payload";
import { cellIn, coverOf, latticeSizes } from "../state/lattices";
import { type Query, resolveQuery } from "../state/query";
import type { State } from "../state/state";

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
  const clip = `clip-${index}`;
  const scaled = (lattice: Lattice): string => {
    const [down, across] = coverOf(lattice, pane.image);
    return `scale(${(WIDTH * across) / lattice.grid[1]} ${(height * down) / lattice.grid[0]})`;
  };
  const lines = words(pane);
  const parts = [
    `<clipPath id="${clip}"><rect width="${WIDTH}" height="${height}"/></clipPath>`,
    `<g clip-path="url(#${clip})"><rect width="${WIDTH}" height="${height}" fill="#888888"/>`,
    picture(pane, height, state.opacity > 0),
    `<g transform="${scaled(pane.shown)}">${cells(pane, state)}${outlines(pane)}</g>`,
    `<g transform="${scaled(pane.asked)}">${marks(pane)}</g></g>`,
    colourBar(pane, height + 14),
    ...lines.map((line, at) => drawLine(line, height + 62 + at * LINE)),
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
  const { grid } = pane.shown;
  if (pane.tinted.length > 0) return tints(pane);
  if (!map) return "";
  const factor = state.smooth && !pane.mask ? 4 : 1;
  const { values, size } = factor > 1 ? smooth(map.values, grid, factor) : { values: map.values, size: grid };
  const side = 1 / factor;
  const chosen = drawnCells(pane);
  const drawn = Array.from(values, (value, at) => {
    if (Number.isNaN(value) || (chosen && !chosen[coarse(at, size, factor)])) return "";
    const [x, y] = [(at % size[1]) * side, Math.floor(at / size[1]) * side];
    return `<rect x="${x}" y="${y}" width="${side}" height="${side}" fill="${hex(pane, pane.scale.position(value))}"/>`;
  });
  return `<g opacity="${state.opacity}" shape-rendering="crispEdges">${drawn.join("")}</g>`;
}

function tints(pane: Pane): string {
  const cells = stripes(pane.tinted, pane.shown.grid[1]).map(
    ({ x, y, width, colour, opacity }) =>
      `<rect x="${x}" y="${y}" width="${width}" height="1" fill="${colour}" fill-opacity="${opacity.toFixed(3)}"/>`,
  );
  return cells.join("");
}

function line(shape: string, colour: string, width = 2): string {
  return (
    `<g fill="none"><${shape} stroke="#000000" stroke-width="${2 * width}" vector-effect="non-scaling-stroke"/>` +
    `<${shape} stroke="${colour}" stroke-width="${width}" vector-effect="non-scaling-stroke"/></g>`
  );
}

/** The edges of the query's window and of the mask. */
function outlines({ window, mask, shown }: Pane): string {
  const around = window ? line(`path d="${outline(window, shown.grid)}"`, "#ffffff", 1.2) : "";
  return around + (mask ? line(`path d="${outline(mask.chosen, shown.grid)}"`, "#ffffff") : "");
}

/** The queries' own patches. */
function marks(pane: Pane): string {
  const square = (query: Query, colour: string): string => {
    const resolved = resolveQuery(query, pane.look);
    if (resolved?.kind !== "patch") return "";
    const at = cellIn(resolved, pane.look.layout, pane.asked);
    return line(`rect x="${at.column}" y="${at.row}" width="1" height="1"`, colour);
  };
  if (pane.tinted.length > 0) return pane.tinted.map(({ query, colour }) => square(query, colour)).join("");
  return square(pane.query, "#ffffff");
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

/** A line under the picture; a query's begins with a square of its colour. */
interface Line {
  text: string;
  colour?: string;
}

function words(pane: Pane): Line[] {
  const { image, look, mask, tinted } = pane;
  const { patches } = latticeSizes(pane.shown);
  const prefix = prefixWords(pane);
  const one = tinted.length === 0 && shownMap(pane) !== null;
  return [
    { text: pane.caption },
    { text: mask ? `Outlined: ${massWords(mask, patches)}.` : "" },
    ...tinted.map(({ words, colour, mask, map }) => ({
      text: `${words}: ${massWords(mask, patches)}, at most ${percent(map.maximum)}.`,
      colour,
    })),
    { text: one ? `Colours: ${pane.scale.words}. ${prefix ? `${prefix}.` : ""}` : "" },
    {
      text:
        `${image.name}. ${image.note ? `${image.note}. ` : ""}${look.label}, ${look.layout.description}; ` +
        `verified to ${look.verification_error.toExponential(0)}. vitscope.`,
    },
  ].flatMap(wrap);
}

function wrap({ text, ...first }: Line): Line[] {
  const lines: Line[] = [];
  for (const word of text.match(WORDS) ?? []) {
    const last = lines.at(-1);
    const longer = `${last?.text} ${word}`;
    if (!last || longer.length > LETTERS) lines.push({ text: word, ...(last ? {} : first) });
    else last.text = longer;
  }
  return lines;
}

function drawLine({ text, colour }: Line, y: number): string {
  const square = colour ? `<tspan fill="${colour}">■</tspan> ` : "";
  return `<text y="${y}" xml:space="preserve">${square}${escapeXml(text)}</text>`;
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
