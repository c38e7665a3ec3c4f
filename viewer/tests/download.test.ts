// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AttentionMap } from "../src/engine/maps";
import { firstPane, type Pane, secondPane } from "../src/engine/pane";
import { downloadCsv, downloadSvg, mapsCsv } from "../src/export/download";
import { initialState, type State } from "../src/state/state";
import { FIRST, makePage, openGallery, SECOND } from "./payloads";

const page = makePage(FIRST, SECOND);
const gallery = await openGallery(page, 0, 1);
const OPENED: State = { ...initialState(page.payload), layer: 2, head: 1, compared: 1 };

function first(change: Partial<State> = {}): Pane {
  return firstPane(gallery, { ...OPENED, ...change }, null);
}

function second(change: Partial<State> = {}): Pane {
  return secondPane(gallery, { ...OPENED, ...change }, null)!;
}

/** The rows of a CSV, by RFC 4180, as objects by the header's names. */
function parseCsv(text: string): Record<string, string>[] {
  const rows: string[][] = [[]];
  const cells = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  let end = 0;
  for (let found = cells.exec(text); found; found = cells.exec(text)) {
    rows.at(-1)!.push(found[1] === undefined ? found[2]! : found[1].replaceAll('""', '"'));
    if (found[3] !== ",") rows.push([]);
    end = cells.lastIndex;
  }
  if (end !== text.length) throw new Error(`no CSV from character ${end}`);
  const [header, ...body] = rows.slice(0, -1);
  return body.map((row) => Object.fromEntries(header!.map((name, at) => [name, row[at]!])));
}

describe("the maps as CSV", () => {
  test("have a row a token: prefix tokens by name, patches by row and column", () => {
    const rows = parseCsv(mapsCsv([first()]));
    expect(rows).toHaveLength(37);
    const places = rows.map(({ token, row, column }) => [token, row, column]);
    expect(places.slice(0, 3)).toEqual([
      ["cls", "", ""],
      ["reg1", "", ""],
      ["patch", "0", "0"],
    ]);
    expect(places.slice(2)).toEqual(
      Array.from({ length: 35 }, (_, patch) => ["patch", `${Math.floor(patch / 7)}`, `${patch % 7}`]),
    );
  });

  test("have the weights to seven digits, and them as multiples of uniform attention", () => {
    const pane = first();
    const { prefix, values } = pane.map as AttentionMap;
    const weights = [...prefix, ...values];
    parseCsv(mapsCsv([pane])).forEach(({ weight, times_uniform }, at) => {
      expect(Math.abs(Number(weight) / weights[at]! - 1)).toBeLessThan(1e-6);
      expect(Math.abs(Number(times_uniform) / (37 * weights[at]!) - 1)).toBeLessThan(1e-6);
      expect(weight!.replace(/^0\.0*|e-\d+$|\./g, "").length).toBeLessThanOrEqual(7);
    });
  });

  test("name picture, model and map", () => {
    const pane = first();
    for (const { picture, model, map } of parseCsv(mapsCsv([pane]))) {
      expect([picture, model, map]).toEqual(["photo 0.jpg", "model 0", pane.caption]);
    }
  });

  test("of two panes come one after the other", () => {
    const rows = parseCsv(mapsCsv([first(), second()]));
    expect(rows.map(({ model }) => model)).toEqual([
      ...Array(37).fill("model 0"),
      ...Array(34).fill("model 1"),
    ]);
  });

  test("of a difference have its values, signs and all, and no prefix tokens", () => {
    const pane = second({ difference: true });
    const rows = parseCsv(mapsCsv([pane]));
    expect(rows.map(({ weight }) => Number(weight))).toEqual(
      Array.from(pane.difference!.values, (value) => Number(value.toPrecision(7))),
    );
    expect(rows.some(({ weight }) => Number(weight) < 0)).toBe(true);
    expect(new Set(rows.map(({ token }) => token))).toEqual(new Set(["patch"]));
  });

  test("of several queries are all there, each named", () => {
    const pane = first({ locked: ["cls", "3,5"] });
    const rows = parseCsv(mapsCsv([pane]));
    expect(rows).toHaveLength(2 * 37);
    expect([rows[0]!["map"], rows[37]!["map"]]).toEqual([
      "What the class token attends to, layer 2, head 1.",
      "What patch row 3, column 5 attends to, layer 2, head 1.",
    ]);
    const own = pane.tinted[1]!.map.values;
    expect(rows.slice(39).map(({ weight }) => Number(weight))).toEqual(
      Array.from(own, (value) => Number(value.toPrecision(7))),
    );
  });

  test("of a pane without a map have no rows", () => {
    expect(parseCsv(mapsCsv([first({ locked: ["mean"], direction: "to" })]))).toEqual([]);
  });

  test("keep hostile names in their cells, and make no formula of them", () => {
    const pane = first();
    const name = '=cmd|"/C calc"!A1,\r\n</script>';
    const rows = parseCsv(mapsCsv([{ ...pane, image: { ...pane.image, name } }]));
    expect(new Set(rows.map(({ picture }) => picture))).toEqual(new Set([`'${name}`]));
    expect(rows).toHaveLength(37);
  });
});

describe("a download", () => {
  const clicked: { name: string; href: string }[] = [];
  const blobs: Blob[] = [];

  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
      clicked.push({ name: this.download, href: this.href });
    });
    URL.createObjectURL = vi.fn((blob: Blob) => `blob:vitscope/${blobs.push(blob)}`);
    URL.revokeObjectURL = vi.fn();
  });

  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
    [clicked.length, blobs.length] = [0, 0];
  });

  test("is a file named after the first picture, let go after a while", () => {
    downloadCsv([first(), second()]);
    downloadSvg([first()], OPENED);
    expect(clicked).toEqual([
      { name: "photo_0-vitscope.csv", href: "blob:vitscope/1" },
      { name: "photo_0-vitscope.svg", href: "blob:vitscope/2" },
    ]);
    expect(blobs.map(({ type }) => type)).toEqual(["text/csv", "image/svg+xml"]);
    expect(blobs[0]!.size).toBe(new Blob([mapsCsv([first(), second()])]).size);
    expect(URL.revokeObjectURL).not.toHaveBeenCalled();
    vi.runAllTimers();
    expect(vi.mocked(URL.revokeObjectURL).mock.calls).toEqual([["blob:vitscope/1"], ["blob:vitscope/2"]]);
  });

  test.each([
    ["a/b\\c:d*e?.png", "a_b_c_d_e_-vitscope.csv"],
    ["../../etc/passwd", "_.._etc_passwd-vitscope.csv"],
    ["日本 été.tar.gz", "日本_été.tar-vitscope.csv"],
    ["3.5 cm of Dr. No.PNG", "3.5_cm_of_Dr._No-vitscope.csv"],
    ["𝒳".repeat(61), `${"𝒳".repeat(60)}-vitscope.csv`],
    [".png", "map-vitscope.csv"],
    ["x".repeat(300), `${"x".repeat(60)}-vitscope.csv`],
  ])("of a picture named %j is named %j", (name, file) => {
    const pane = first();
    downloadCsv([{ ...pane, image: { ...pane.image, name } }]);
    expect(clicked[0]!.name).toBe(file);
  });
});
