/** What is shown as files: PNG, SVG, CSV. */
import type { AttentionMap } from "../engine/maps";
import type { Pane } from "../engine/pane";
import { prefixShares, shownMap } from "../engine/words";
import { toCsv } from "../numbers/csv";
import type { State } from "../state/state";
import { toSvg } from "./svg";

const PNG_SCALE = 2;

export function downloadSvg(panes: readonly Pane[], state: State): void {
  offer(new Blob([toSvg(panes, state)], { type: "image/svg+xml" }), fileName(panes, "svg"));
}

/** The same figure as the SVG, drawn at twice its size. */
export async function downloadPng(panes: readonly Pane[], state: State): Promise<void> {
  const address = URL.createObjectURL(new Blob([toSvg(panes, state)], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth * PNG_SCALE;
    canvas.height = image.naturalHeight * PNG_SCALE;
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!blob) throw new Error("this browser could not draw the picture; download the SVG instead");
    offer(blob, fileName(panes, "png"));
  } finally {
    URL.revokeObjectURL(address);
  }
}

export function downloadCsv(panes: readonly Pane[]): void {
  offer(new Blob([mapsCsv(panes)], { type: "text/csv" }), fileName(panes, "csv"));
}

/** One row a token: prefix tokens by name, patches by row and column, with the weight as it is. */
export function mapsCsv(panes: readonly Pane[]): string {
  const header = ["picture", "model", "map", "token", "row", "column", "weight", "times_uniform"];
  const rows = panes.flatMap((pane) =>
    mapsOf(pane).flatMap(({ map, caption }) => mapRows(pane, map, caption)),
  );
  return toCsv(header, rows);
}

/** What a pane shows: a map of each of several queries, or one. */
function mapsOf(pane: Pane): { map: AttentionMap; caption: string }[] {
  if (pane.tinted.length > 0) return pane.tinted;
  const map = shownMap(pane);
  return map ? [{ map, caption: pane.caption }] : [];
}

function mapRows({ image, look, shown }: Pane, map: AttentionMap, caption: string): (string | number)[][] {
  const columns = shown.grid[1];
  const row = (token: string, at: [number | "", number | ""], weight: number) => [
    ...[image.name, look.label, caption, token, ...at],
    ...[rounded(weight), rounded(weight / map.uniform)],
  ];
  return [
    ...prefixShares(map).map(({ name, weight }) => row(name, ["", ""], weight)),
    ...Array.from(map.values, (weight, patch) =>
      row("patch", [Math.floor(patch / columns), patch % columns], weight),
    ).filter((_, patch) => !Number.isNaN(map.values[patch])),
  ];
}

/** Seven digits: what float32 holds. */
function rounded(value: number): number {
  return Number(value.toPrecision(7));
}

function fileName(panes: readonly Pane[], suffix: string): string {
  const name = (panes[0]?.image.name ?? "").replace(/\.[a-z0-9]{1,5}$/i, "");
  const stem = name.replace(/[^\p{L}\p{N}._-]+/gu, "_").replace(/^\.+/, ""); // a leading dot would hide the file
  return `${[...stem].slice(0, 60).join("") || "map"}-vitscope.${suffix}`;
}

function offer(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
