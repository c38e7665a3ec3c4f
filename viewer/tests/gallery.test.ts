import { describe, expect, test, vi } from "vitest";
import { checkOf } from "../src/engine/check";
import { Gallery } from "../src/engine/gallery";
import type { BlockSource } from "../src/numbers/blocks";
import type { Product } from "../src/payload";
import { FIRST, makePage, openGallery, type Page, SECOND, settled } from "./payloads";

const LAYERS = FIRST.heads.length;

function watch(page: Page, source: BlockSource = page.blocks) {
  const changed = vi.fn();
  return { gallery: new Gallery(page.payload, source, changed), changed };
}

async function opened(page: Page, source?: BlockSource) {
  const watched = watch(page, source);
  await watched.gallery.open();
  page.blocks.fetched.length = 0;
  return watched;
}

/** Blocks of the layers' queries, in the order of the layers. */
function blocksOf(page: Page, look = 0): number[] {
  return page.payload.looks[look]!.images[0].attention.map((layer) => (layer as Product).queries.block);
}

describe("a layer", () => {
  test("is pending when it is first asked for, ready after, and says so once", async () => {
    const { gallery, changed } = await opened(makePage(FIRST));
    expect(gallery.layer(0, 3)).toEqual({ kind: "pending" });
    expect(gallery.layer(0, 3)).toEqual({ kind: "pending" });
    expect(changed).not.toHaveBeenCalled();
    await settled();
    expect(changed).toHaveBeenCalledTimes(1);
    expect(gallery.layer(0, 3)).toMatchObject({ kind: "ready", layer: { heads: 3, queries: 37, keys: 37 } });
  });

  test("is decoded once", async () => {
    const page = makePage(FIRST);
    const { gallery, changed } = await opened(page);
    for (let time = 0; time < 3; time++) {
      gallery.layer(0, 1);
      await settled();
    }
    expect(gallery.layer(0, 1)).toBe(gallery.layer(0, 1));
    expect(page.blocks.fetched).toEqual([blocksOf(page)[1]]);
    expect(changed).toHaveBeenCalledTimes(1);
  });

  test("that was refused, dropped or is none has its reason at once, and is not decoded", async () => {
    const page = makePage({ ...FIRST, refused: { 1: "it did not verify" }, absent: { 2: "too large" } });
    page.payload.looks[0].images[0].attention[3] = null;
    const { gallery, changed } = await opened(page);
    const reasons = [1, 2, 3, LAYERS].map((layer) => gallery.layer(0, layer));
    expect(reasons).toEqual(
      ["it did not verify", "too large", "not in this page", "no such layer"].map((absent) => ({
        kind: "absent",
        absent,
      })),
    );
    await settled();
    expect([page.blocks.fetched, changed.mock.calls]).toEqual([[], []]);
  });

  test("whose block fails has that for its reason, and leaves others alone", async () => {
    const page = makePage(FIRST);
    const broken = blocksOf(page)[2];
    const { gallery, changed } = await opened(page, {
      bytes: async (index) => {
        if (index === broken) throw new Error("block 3 is damaged");
        return page.blocks.bytes(index);
      },
    });
    gallery.layer(0, 2);
    gallery.layer(0, 4);
    await settled();
    expect(gallery.layer(0, 2)).toEqual({ kind: "absent", absent: "block 3 is damaged" });
    expect(gallery.layer(0, 4).kind).toBe("ready");
    expect(changed).toHaveBeenCalledTimes(2);
  });

  test("that does not fit the layout has that for its reason", async () => {
    const page = makePage(FIRST);
    page.payload.looks[0].layout.grid = [5, 5];
    const { gallery } = await opened(page);
    gallery.layer(0, 0);
    await settled();
    expect(gallery.layer(0, 0)).toMatchObject({ absent: expect.stringContaining("expected (3, 27)") });
  });
});

describe("blocks", () => {
  test("that layers share are asked for once while the answer is on its way", async () => {
    const page = makePage(FIRST);
    const attention = page.payload.looks[0].images[0].attention as Product[];
    const bias = page.blocks.add(Array(37).fill(0.5), [1, 1, 37], "float32", 101);
    for (const layer of attention) layer.bias = { form: "dense", term: bias };
    const { gallery } = await opened(page);
    attention.forEach((_, layer) => gallery.layer(0, layer));
    await settled();
    expect(gallery.decoded(0)).toHaveLength(LAYERS);
    expect(page.blocks.fetched.filter((block) => block === 101)).toHaveLength(1);
  });

  test("number 0 is asked for when the gallery opens, and never again", async () => {
    const page = makePage(FIRST);
    const { gallery } = watch(page);
    await gallery.open();
    const layer = page.payload.looks[0].images[0].attention[0] as Product;
    layer.mean_row = page.blocks.add(Array(3 * 37).fill(0.25), [3, 37], "float32", 0);
    const reread = watch(page).gallery;
    await reread.open();
    reread.layer(0, 0);
    await settled();
    expect(reread.layer(0, 0).kind).toBe("ready");
    expect(page.blocks.fetched.filter((block) => block === 0)).toHaveLength(2); // one a gallery
  });

  test("that cannot be read are asked for again by the next layer", async () => {
    const page = makePage(FIRST);
    let failures = 1;
    const { gallery } = await opened(page, {
      bytes: async (index) => {
        if (index === 101 && failures-- > 0) throw new Error("not yet");
        return page.blocks.bytes(index);
      },
    });
    const attention = page.payload.looks[0].images[0].attention as Product[];
    const bias = page.blocks.add(Array(37).fill(0.5), [1, 1, 37], "float32", 101);
    for (const layer of attention) layer.bias = { form: "dense", term: bias };
    gallery.layer(0, 0);
    await settled();
    gallery.layer(0, 1);
    await settled();
    expect([gallery.layer(0, 0).kind, gallery.layer(0, 1).kind]).toEqual(["absent", "ready"]);
  });
});

describe("small numbers", () => {
  test("are read once from block 0", async () => {
    const page = makePage(FIRST);
    const { gallery } = await opened(page);
    const { distance, entropy } = page.payload.looks[0].images[0];
    expect(Array.from(gallery.numbers(distance!))).toEqual(page.numbers(distance));
    expect(Array.from(gallery.numbers(entropy!))).toEqual(page.numbers(entropy));
    expect(gallery.numbers(distance!)).toBe(gallery.numbers(distance!));
  });

  test("cannot be asked for before it is there", () => {
    const page = makePage(FIRST);
    const { gallery } = watch(page);
    expect(() => gallery.numbers(page.payload.looks[0].images[0].distance!)).toThrow("before it was open");
  });

  test("that cannot be fetched fail the opening", async () => {
    const source = { bytes: () => Promise.reject(new Error("cut short")) };
    await expect(watch(makePage(FIRST), source).gallery.open()).rejects.toThrow("cut short");
  });
});

describe("preparing a view", () => {
  test("decodes its layers, the last first, and none twice", async () => {
    const page = makePage({ ...FIRST, absent: { 3: "too large" } }, SECOND);
    const { gallery } = await opened(page);
    const known = page.payload.looks[0].images[0].attention[1] as Product;
    gallery.layer(0, 1);
    await gallery.prepare(0);
    await settled();
    const [zero, , two, , four] = page.payload.looks[0].images[0].attention as Product[];
    const order = [known, four, two, zero].map((layer) => layer!.queries.block);
    expect(page.blocks.fetched).toEqual(order);
    expect(gallery.decoded(0)).toHaveLength(4);
    expect(gallery.decoded(1)).toHaveLength(0);
  });

  test("leaves time for the pointer between layers", async () => {
    const page = makePage(FIRST);
    const { gallery } = await opened(page);
    void gallery.prepare(0);
    expect(page.blocks.fetched).toEqual([]);
    await settled();
    expect(page.blocks.fetched.length).toBeLessThan(LAYERS);
    expect(page.blocks.fetched[0]).toBe(blocksOf(page).at(-1));
  });

  test("ends when the view is let go", async () => {
    const page = makePage({ ...FIRST, images: 6 });
    const { gallery } = await opened(page);
    const preparing = gallery.prepare(0);
    for (const view of [1, 2, 3, 4]) gallery.layer(view, 0);
    await preparing;
    expect(gallery.decoded(0)).toHaveLength(0);
    expect(page.blocks.fetched).toHaveLength(4);
  });
});

test("of the views, the four used last are kept", async () => {
  const page = makePage({ ...FIRST, images: 5 });
  const { gallery } = await opened(page);
  for (const view of [0, 1, 2, 3]) gallery.layer(view, 0);
  await settled();
  gallery.layer(0, 0); // used again: 1 is the oldest now
  gallery.layer(4, 0);
  await settled();
  expect([0, 1, 2, 3, 4].map((view) => gallery.decoded(view).length)).toEqual([1, 0, 1, 1, 1]);
  expect(gallery.layer(1, 0)).toEqual({ kind: "pending" });
  await settled();
  expect(gallery.layer(1, 0).kind).toBe("ready");
});

describe("the check against Python's rows", () => {
  test("has Python's largest error, and the largest found here in the layers decoded by now", async () => {
    const page = makePage({ ...FIRST, absent: { 2: "too large" } }, SECOND);
    const attention = page.payload.looks[0].images[0].attention as Product[];
    const errors = attention.flatMap((layer) => (layer ? [layer.error] : []));
    const { gallery } = await opened(page);
    expect(checkOf(gallery, 0)).toEqual({ python: Math.max(...errors), here: null, layers: 0 });
    const probe = attention[3]!.probe;
    const row = page.numbers(probe.row);
    const largest = Math.max(...row);
    const moved = row.map((weight) => (weight === largest ? weight : weight + largest / 8));
    probe.row = page.blocks.add(moved, [37], "float32", attention[3]!.queries.block);
    gallery.layer(0, 0);
    await settled();
    expect(checkOf(gallery, 0)).toMatchObject({ here: expect.closeTo(0, 6), layers: 1 });
    await gallery.prepare(0);
    await settled();
    const found = checkOf(gallery, 0);
    expect(found.layers).toBe(4);
    expect(found.here).toBeCloseTo(largest / 8 / Math.max(...moved), 6);
  });

  test("finds nothing where the numbers are Python's", async () => {
    const gallery = await openGallery(makePage(FIRST));
    expect(checkOf(gallery, 0).here).toBeLessThan(1e-6);
    expect(checkOf(gallery, 0).layers).toBe(LAYERS);
  });
});
