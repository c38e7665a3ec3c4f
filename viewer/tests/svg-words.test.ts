// @vitest-environment jsdom
import { describe, expect, test } from "vitest";
import { firstPane, massWords } from "../src/engine/pane";
import { prefixWords } from "../src/engine/words";
import { escapeXml, toSvg } from "../src/export/svg";
import { percent } from "../src/maps/format";
import type { State } from "../src/state/state";
import { colour, draw, linesOf, numbers, OPENED, paneOf, parse } from "./drawings";
import { FIRST, makePage, openGallery } from "./payloads";

const WIDTH = 640; // of the picture

describe("the words", () => {
  test("are the caption, the scale, the prefix tokens and where it comes from", () => {
    const pane = paneOf();
    const found = linesOf(draw()).join(" ");
    expect(found).toBe(
      `${pane.caption} Colours: ${pane.scale.words}. ${prefixWords(pane)}. ` +
        "photo 0.jpg. model 0, some patches; verified to 3e-7. vitscope.",
    );
  });

  test("say what the mask holds, and each of several queries", () => {
    const masked = paneOf({ method: "mask" });
    expect(linesOf(draw({ method: "mask" })).join(" ")).toContain(
      `Outlined: ${massWords(masked.mask!, 35)}.`,
    );
    const change: Partial<State> = { method: "mask", locked: ["cls", "3,5"] };
    const { tinted } = paneOf(change);
    const found = linesOf(draw(change));
    expect(found.filter((line) => line.startsWith("■"))).toEqual(
      tinted.map(
        ({ words, mask, map }) => `■ ${words}: ${massWords(mask, 35)}, at most ${percent(map.maximum)}.`,
      ),
    );
    const squares = [...draw(change).querySelectorAll("tspan")].map((square) => square.getAttribute("fill"));
    expect(squares).toEqual(tinted.map((tint) => tint.colour));
    expect(found.join(" ")).not.toMatch(/Outlined|Colours/);
    expect(draw(change).querySelectorAll('rect[height="10"], text[text-anchor]')).toHaveLength(0);
  });

  test("tell what a reader must know of the picture", () => {
    const pane = paneOf();
    const lines = linesOf(
      draw({}, [{ ...pane, image: { ...pane.image, note: "Its transparent part is white" } }]),
    );
    expect(lines.join(" ")).toContain("photo 0.jpg. Its transparent part is white. model 0, ");
  });

  test("label the colours", () => {
    const pane = paneOf({ scale: "uniform" });
    const ticks = [...draw({}, [pane]).querySelectorAll("text[text-anchor]")];
    expect(ticks.map((tick) => [tick.textContent, ...numbers(tick, "x")])).toEqual(
      pane.scale.ticks.map(({ label, position }) => [label, position * WIDTH]),
    );
    const ramp = [...draw({}, [pane]).querySelectorAll('rect[height="10"]')].map((step) =>
      step.getAttribute("fill"),
    );
    expect(ramp[0]).toBe(colour("viridis", 2)); // in the middle of the first 64th
    expect(ramp).toHaveLength(64);
    const anchors = ticks.map((tick) => tick.getAttribute("text-anchor"));
    expect(anchors).toEqual(["start", ...Array(anchors.length - 2).fill("middle"), "end"]);
  });

  test("stand under the picture and its colours, line by line", () => {
    const drawing = draw();
    const picture = numbers(drawing.querySelector("image")!, "height")[0]!;
    const ramp = [...drawing.querySelectorAll('rect[height="10"]')].map((step) =>
      numbers(step, "x", "width"),
    );
    ramp.forEach(([x, width], at) => {
      expect(x).toBeCloseTo((at * WIDTH) / 64, 6);
      expect(x! + width!).toBeGreaterThan(((at + 1) * WIDTH) / 64); // no gap shows
    });
    const under = (selector: string) =>
      Array.from(drawing.querySelectorAll(selector), (element) => numbers(element, "y")[0]!);
    const levels = [picture, ...new Set(under('rect[height="10"]')), ...new Set(under("text"))];
    expect(levels).toEqual([...levels].sort((one, other) => one - other));
    const steps = levels.slice(1).map((level, at) => level - levels[at]!);
    expect(Math.min(...steps)).toBeGreaterThan(13); // a letter's height
  });

  test("fit the figure, however long a name is", () => {
    const name = `${"long ".repeat(40)}${"endless".repeat(60)}😀.jpg`;
    const pane = paneOf();
    const lines = linesOf(draw({}, [{ ...pane, image: { ...pane.image, name } }]));
    expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(88);
    expect(Math.min(...lines.map((line) => line.length))).toBeGreaterThan(0);
    expect(lines.join("").replaceAll(" ", "")).toContain(name.replaceAll(" ", ""));
  });

  test("lie within the figure, whichever pane has more of them", () => {
    const [long, short] = [paneOf({ locked: ["cls", "0,0", "1,1", "2,2"] }), paneOf()];
    for (const panes of [[long], [short, long], [long, short]]) {
      const drawing = draw({}, panes);
      const [height] = numbers(drawing.documentElement, "height");
      const lines = Array.from(drawing.querySelectorAll("text"), (line) => numbers(line, "y")[0]!);
      expect(Math.max(...lines) + 20).toBeLessThan(height!);
      expect(drawing.documentElement.getAttribute("viewBox")).toMatch(new RegExp(`^0 0 \\d+ ${height}$`));
    }
  });
});

describe("hostile names", () => {
  const hostile = [
    "</text><script>window.owned = 1</script>",
    '"><image href="x" onerror="owned = 1"/>',
    "]]> <!-- &amp; &nbsp; <![CDATA[ <?xml ?> <!DOCTYPE x>",
    "line\u2028separator \u0000 \u000b \ufffe \ud800 end",
  ];

  const shown: Partial<State>[] = [{}, { method: "rollout" }, { locked: ["cls", "1,1"] }];

  test.each(hostile)("stay text: %j", async (name) => {
    const page = makePage({ ...FIRST, prefix: [name, "reg1"], label: name });
    const [look] = page.payload.looks;
    look.layout.description = look.conventions.rollout = name;
    Object.assign(look.images[0], { name, note: name, seen: name, original: name, original_size: [11, 13] });
    const gallery = await openGallery(page);
    for (const box of [null, [0, 0, 5, 5]]) {
      Object.assign(look.images[0], { box });
      for (const change of shown) {
        const state: State = { ...OPENED, compared: null, ...change };
        const locked = state.locked.map((query) => (query === "cls" ? name : query));
        expectInert(parse(toSvg([firstPane(gallery, { ...state, locked }, null)], state)), name);
      }
    }
  });

  /** Nothing but what a figure is made of, one image, and the name in its words. */
  function expectInert(drawing: Document, name: string): void {
    const elements = [...drawing.querySelectorAll("*")];
    const others = elements.filter(
      ({ tagName }) => !/^(svg|g|rect|path|text|tspan|image|clipPath)$/.test(tagName),
    );
    expect(others).toEqual([]);
    expect(elements.filter(({ tagName }) => tagName === "image")).toHaveLength(1);
    const attributes = elements.flatMap((element) => element.getAttributeNames());
    expect(attributes.filter((attribute) => attribute.startsWith("on"))).toEqual([]);
    const words = linesOf(drawing).join("").replaceAll(" ", "");
    expect(words).toContain(name.replace(/[\0\v\ufffe\ud800 ]/g, ""));
  }

  test("lose only what XML cannot write", () => {
    expect(escapeXml(`a<b>&"c\u0000\u001f\ud800d\udc00\uffff\t\n😀'é`)).toBe(
      "a&lt;b&gt;&amp;&quot;cd\t\n😀'é",
    );
  });
});
