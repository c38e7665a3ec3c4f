// @vitest-environment jsdom
import { describe, expect, test } from "vitest";
import { colourIndex } from "../src/colours/colours";
import type { AttentionMap } from "../src/engine/maps";
import { firstPane, type Pane, secondPane } from "../src/engine/pane";
import { stripes } from "../src/engine/tints";
import { outline } from "../src/maps/outline";
import { smooth } from "../src/maps/smooth";
import type { State } from "../src/state/state";
import { cellsOf, colour, draw, gallery, linesOf, numbers, OPENED, paneOf } from "./drawings";
import { FIRST, makePage, openGallery } from "./payloads";

const [WIDTH, HEIGHT] = [640, (640 * 13 * 5) / (17 * 7)]; // of the picture: 5 × 7 patches of 13 × 17 pixels

describe("the cells", () => {
  test("are one a patch, in its place and of its colour", () => {
    const [pane, cells] = [paneOf(), cellsOf(draw())];
    const expected = Array.from((pane.map as AttentionMap).values, (value, patch) => {
      const fill = colour("viridis", colourIndex(pane.scale.position(value)));
      return [patch % 7, Math.floor(patch / 7), 1, 1, fill];
    });
    const found = cells.map((cell) => [
      ...numbers(cell, "x", "y", "width", "height"),
      cell.getAttribute("fill"),
    ]);
    expect(found).toEqual(expected);
    expect(cells[0]!.parentElement!.getAttribute("opacity")).toBe("0.375");
  });

  test("fill the picture", () => {
    const places = draw().querySelector("g[clip-path] > g")!.getAttribute("transform")!;
    const [across, down] = /^scale\((\S+) (\S+)\)$/.exec(places)!.slice(1).map(Number);
    expect([7 * across!, 5 * down!]).toEqual([expect.closeTo(WIDTH, 6), expect.closeTo(HEIGHT, 6)]);
  });

  test("are sixteen a patch where they are smooth", () => {
    const cells = cellsOf(draw({ smooth: true }));
    expect(cells).toHaveLength(16 * 35);
    const pane = paneOf();
    const { values } = smooth((pane.map as AttentionMap).values, [5, 7], 4);
    const fill = colour("viridis", colourIndex(pane.scale.position(values[3 * 28 + 5]!)));
    expect(numbers(cells[3 * 28 + 5]!, "x", "y", "width", "height")).toEqual([1.25, 0.75, 0.25, 0.25]);
    expect(cells[3 * 28 + 5]!.getAttribute("fill")).toBe(fill);
  });

  test("are those of the mask, outlined", () => {
    const { mask } = paneOf({ method: "mask", mass: 0.6 });
    const drawing = draw({ method: "mask", mass: 0.6, smooth: true });
    expect(cellsOf(drawing)).toHaveLength(mask!.count);
    const paths = [...drawing.querySelectorAll("path")].map((path) => path.getAttribute("d"));
    expect(paths).toEqual(Array(2).fill(outline(mask!.chosen, [5, 7])));
  });

  test("of several queries are those of each one's mask, in its colour", () => {
    const change = { locked: ["cls", "3,5", "0,1"], mass: 0.4 };
    const { tinted } = paneOf(change);
    const drawing = draw(change);
    for (const { colour: own, mask } of tinted) {
      expect(drawing.querySelectorAll(`rect[fill="${own}"]`)).toHaveLength(mask.count);
    }
    const found = [...drawing.querySelectorAll("rect[fill-opacity]")].map((cell) => [
      ...numbers(cell, "x", "y", "width", "height", "fill-opacity"),
      cell.getAttribute("fill"),
    ]);
    expect(found).toEqual(
      stripes(tinted, 7).map(({ x, y, width, opacity, colour: own }) => {
        return [x, y, width, 1, Number(opacity.toFixed(3)), own];
      }),
    );
    const marked = [...drawing.querySelectorAll("rect[stroke]")].map((mark) => [
      ...numbers(mark, "x", "y"),
      mark.getAttribute("stroke"),
    ]);
    const black = "#000000"; // under each mark
    expect(marked).toEqual([
      [5, 3, black],
      [5, 3, tinted[1]!.colour],
      [1, 0, black],
      [1, 0, tinted[2]!.colour],
    ]);
    expect([cellsOf(drawing).length, drawing.querySelectorAll("path").length]).toEqual([0, 0]);
  });

  test("of a difference have its colours", () => {
    const change = { difference: true };
    const second = secondPane(gallery, { ...OPENED, ...change }, null)!;
    const cells = cellsOf(draw(change, [second]));
    expect(cells).toHaveLength(33);
    const patch = second.difference!.values.findIndex(
      (value) => Math.abs(value) === second.difference!.maximum,
    );
    const end = second.difference!.values[patch]! > 0 ? 255 : 0;
    expect(cells[patch]!.getAttribute("fill")).toBe(colour("difference", end));
  });

  test("are not there without a map, whose caption says why", () => {
    const change: Partial<State> = { locked: ["mean"], direction: "to" };
    expect(cellsOf(draw(change))).toHaveLength(0);
    expect(draw(change).querySelectorAll("text[text-anchor]")).toHaveLength(0);
    expect(linesOf(draw(change)).join(" ")).toContain("nothing attends to a mean of queries");
    expect(linesOf(draw(change)).join(" ")).not.toContain("Colours");
  });
});

describe("the picture", () => {
  const withOriginal = (pane: Pane): Pane => ({
    ...pane,
    image: {
      ...pane.image,
      original: "data:image/jpeg;base64,BBBB",
      original_size: [307, 401],
      box: [29, 31, 229, 131],
    },
  });

  test("fills the figure", () => {
    const image = draw().querySelector("image")!;
    expect(image.getAttribute("href")).toBe("data:image/png;base64,AAAA");
    expect(numbers(image, "width", "height")).toEqual([WIDTH, HEIGHT]);
  });

  test("is the original, placed so that the box which the model saw fills the figure", () => {
    const drawing = draw({}, [withOriginal(paneOf())]);
    const image = drawing.querySelector("image")!;
    expect(image.getAttribute("href")).toBe("data:image/jpeg;base64,BBBB");
    expect(image.getAttribute("preserveAspectRatio")).toBe("none");
    const [x, y, width, height] = numbers(image, "x", "y", "width", "height") as [
      number,
      number,
      number,
      number,
    ];
    const place = (left: number, top: number) => [x + (left / 401) * width, y + (top / 307) * height];
    expect(place(29, 31)).toEqual([expect.closeTo(0, 6), expect.closeTo(0, 6)]);
    expect(place(229, 131)).toEqual([expect.closeTo(WIDTH, 6), expect.closeTo(HEIGHT, 6)]);
  });

  test.each(["original", "box", "original_size"] as const)(
    "is the model's input where there is no %s",
    (name) => {
      const pane = withOriginal(paneOf());
      const drawing = draw({}, [{ ...pane, image: { ...pane.image, [name]: null } }]);
      expect(drawing.querySelector("image")!.getAttribute("href")).toBe("data:image/png;base64,AAAA");
    },
  );

  test("is cut where the model's view ends", () => {
    const drawing = draw();
    const group = drawing.querySelector("image")!.parentElement!;
    const id = /^url\(#(.+)\)$/.exec(group.getAttribute("clip-path")!)![1]!;
    expect(numbers(drawing.getElementById(id)!.firstElementChild!, "width", "height")).toEqual([
      WIDTH,
      HEIGHT,
    ]);
  });

  test("is grey under a map, and as it is where the map is not seen", () => {
    expect(draw().querySelector("image")!.getAttribute("style")).toContain("grayscale");
    expect(draw({ opacity: 0 }).querySelector("image")!.hasAttribute("style")).toBe(false);
  });

  test.each([
    ["4,3", [3, 4]],
    ["0,6", [6, 0]],
  ])("has a mark on the query's patch %s", (query, at) => {
    const marks = [...draw({ locked: [query] }).querySelectorAll("rect[stroke]")];
    expect(marks.map((mark) => numbers(mark, "x", "y"))).toEqual([at, at]);
    expect(draw({ locked: ["cls"] }).querySelectorAll("rect[stroke]")).toHaveLength(0);
  });

  test("has no mark for a prefix token, whatever its name", async () => {
    const odd = makePage({ ...FIRST, prefix: ["a,b", "1,1,1"] });
    const pane = firstPane(await openGallery(odd), { ...OPENED, compared: null, locked: ["a,b"] }, null);
    expect(pane.query).toBe("a,b");
    expect(draw({}, [pane]).querySelectorAll("rect[stroke]")).toHaveLength(0);
  });
});

test("two panes stand side by side, each with its own clip and words", () => {
  const second = secondPane(gallery, OPENED, null)!;
  const drawing = draw({}, [paneOf(), second]);
  const groups = [...drawing.documentElement.children].filter((child) => child.tagName === "g");
  const places = groups.map((group) => group.getAttribute("transform"));
  expect(places).toEqual(["translate(20 20)", "translate(684 20)"]);
  expect(drawing.documentElement.getAttribute("width")).toBe("1344");
  expect(groups.map((group) => group.querySelectorAll("g[opacity] > rect").length)).toEqual([35, 33]);
  const ids = [...drawing.querySelectorAll("[id]")].map((element) => element.id);
  expect(new Set(ids).size).toBe(2);
  expect(groups[1]!.textContent).toContain("model 1");
  expect(drawing.documentElement.namespaceURI).toBe("http://www.w3.org/2000/svg");
});
