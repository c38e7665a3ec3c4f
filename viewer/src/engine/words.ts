/** Maps in words: what is announced, and what is written under the picture. */
import { concise, percent, signedPercent as signed, timesUniform } from "../maps/format";
import { shortName } from "../state/query";
import type { AttentionMap } from "./maps";
import { isMap } from "./maps";
import type { Pane, Tinted } from "./pane";

export { signed };

export interface RankedPatch {
  patch: number;
  row: number;
  column: number;
  weight: number;
}

/** "patch row 9, column 4: 3.1 %, 6 times uniform". */
export function patchWords(pane: Pane, patch: number): string {
  const columns = pane.shown.grid[1];
  const place = `patch row ${Math.floor(patch / columns)}, column ${patch % columns}`;
  const map = shownMap(pane);
  if (!map) return place;
  const weight = map.values[patch] ?? Number.NaN;
  if (pane.tinted.length > 0) {
    const each = pane.tinted.map(
      (tint) => `${percent(tint.map.values[patch] ?? Number.NaN)} of ${tint.words}`,
    );
    return `${place}: ${each.join("; ")}`;
  }
  if (Number.isNaN(weight)) return `${place}: only one of the crops reaches it`;
  if (pane.difference) return `${place}: ${signed(weight)} beside the first`;
  return `${place}: ${percent(weight)}, ${timesUniform(weight, map.uniform)} times uniform`;
}

/** The whole map in a sentence: whose it is, its strongest patch, what prefix tokens take. */
export function mapWords(pane: Pane): string {
  const map = shownMap(pane);
  if (!map) return pane.caption;
  if (pane.tinted.length > 0)
    return `${pane.caption} ${pane.tinted.map((tint) => tintWords(tint, pane)).join(" ")}`;
  const best = strongest(map, pane.shown.grid[1], 1)[0];
  const prefix = prefixWords(pane);
  return `${pane.caption} Strongest: ${best ? patchWords(pane, best.patch) : "none"}.${prefix ? ` ${prefix}.` : ""}`;
}

/** One of several queries: "Patch row 9, column 4: strongest at row 3, column 2, 3.1 %." */
function tintWords({ words, map }: Tinted, pane: Pane): string {
  const [best] = strongest(map, pane.shown.grid[1], 1);
  const where = best
    ? `strongest at row ${best.row}, column ${best.column}, ${percent(best.weight)}`
    : "no weight";
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}: ${where}.`;
}

/**
 * "CLS 12 %, R1 3.0 %, patches 85 %"; "" where the map has no prefix tokens.
 *
 * What all patches give to one token is a sum over rows, no share of any: "Received from CLS 12 %, patches 1.7".
 */
export function prefixWords(pane: Pane): string {
  const map = shownMap(pane);
  const shares = map ? prefixShares(map) : [];
  if (!map || shares.length === 0) return "";
  const tokens = shares.map(({ name, weight }) => `${shortName(name)} ${percent(weight)}`).join(", ");
  return pane.direction === "to"
    ? `Received from ${tokens}, patches ${concise(map.total)}`
    : `${tokens}, patches ${percent(map.total)}`;
}

/** The map's prefix tokens by name; none where it has none, as in a rollout or a difference. */
export function prefixShares(map: AttentionMap): { name: string; weight: number }[] {
  const { prefix } = map.lattice;
  const first = prefix.length - map.prefix.length;
  return Array.from(map.prefix, (weight, at) => ({ name: prefix[first + at] ?? "", weight }));
}

/** The patches of largest weight (of largest difference, either way), strongest first. */
export function strongest(map: AttentionMap, columns: number, count: number): RankedPatch[] {
  const size = (patch: number): number => Math.abs(map.values[patch] ?? 0);
  const all = Array.from(map.values, (_, patch) => patch);
  const patches = all.filter((patch) => !Number.isNaN(map.values[patch]));
  patches.sort((one, other) => size(other) - size(one) || one - other);
  return patches.slice(0, count).map((patch) => ({
    patch,
    row: Math.floor(patch / columns),
    column: patch % columns,
    weight: map.values[patch] ?? 0,
  }));
}

/** The map that the pane draws: its own, or the difference. */
export function shownMap(pane: Pane): AttentionMap | null {
  return pane.difference ?? (isMap(pane.map) ? pane.map : null);
}
