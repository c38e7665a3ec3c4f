// @vitest-environment jsdom
import { afterEach, describe, expect, test, vi } from "vitest";
import { decodeBase64 } from "../src/numbers/base64";
import { embeddedBlocks } from "../src/numbers/blocks";
import { toCsv } from "../src/numbers/csv";
import { readNumbers } from "../src/numbers/read";
import { Blocks, type HalfView } from "./layers";
import { seeded } from "./random";

describe("arrays out of a block", () => {
  test("float32 are a view of the block", () => {
    const blocks = new Blocks();
    blocks.add([5], [1]);
    const reference = blocks.add([1.5, -2, Infinity, 1 / 3, 0, 7], [2, 3]);
    const buffer = blocks.buffer(1);
    const numbers = readNumbers(reference, buffer);
    expect(Array.from(numbers)).toEqual([1.5, -2, Infinity, Math.fround(1 / 3), 0, 7]);
    expect(numbers.buffer).toBe(buffer);
  });

  test("every float16 is what DataView reads", () => {
    const buffer = Uint16Array.from({ length: 65_536 }, (_, code) => code).buffer;
    const view = new DataView(buffer) as HalfView & { getFloat16(at: number, little: boolean): number };
    const found = readNumbers({ block: 0, offset: 0, dtype: "float16", shape: [65_536] }, buffer);
    const expected = Float32Array.from({ length: 65_536 }, (_, code) => view.getFloat16(2 * code, true));
    expect(found).toEqual(expected);
  });

  test.each([
    ["int16", 3],
    ["float16", 3],
    ["float32", 6],
  ] as const)("%s at an odd offset are read all the same", (dtype, offset) => {
    const blocks = new Blocks();
    const values = dtype === "int16" ? [32767, -32768, 3] : [0.5, -0.25, 3];
    blocks.add(values, [3], dtype);
    const shifted = new Uint8Array(offset + 12);
    shifted.set(new Uint8Array(blocks.buffer(1)), offset);
    const found = readNumbers({ block: 1, offset, dtype, shape: [3] }, shifted.buffer);
    expect(Array.from(found)).toEqual(values);
  });

  test("an empty array is read", () => {
    expect(
      readNumbers({ block: 0, offset: 0, dtype: "float32", shape: [0, 5] }, new ArrayBuffer(0)),
    ).toHaveLength(0);
  });

  test("bytes that are not there are named", () => {
    const reference = { block: 4, offset: 8, dtype: "float32", shape: [2, 3] } as const;
    expect(() => readNumbers({ ...reference, shape: [2, 3] }, new ArrayBuffer(31))).toThrow(
      "block 4: (2, 3) float32 from byte 8 need 32 bytes, found 31",
    );
  });

  test("an unknown type is named", () => {
    const reference = { block: 4, offset: 0, dtype: "int8" as "float16", shape: [1] };
    expect(() => readNumbers(reference, new ArrayBuffer(8))).toThrow('numbers of type "int8"');
  });
});

describe.each(["own", "atob"])("base64 by the %s decoder", (decoder) => {
  afterEach(() => Reflect.deleteProperty(Uint8Array, "fromBase64"));

  test("gives every byte back", () => {
    const native = vi.fn((text: string) =>
      Uint8Array.from(atob(text), (character) => character.charCodeAt(0)),
    );
    if (decoder === "own") Object.assign(Uint8Array, { fromBase64: native });
    const random = seeded(3);
    const bytes = Uint8Array.from({ length: 1009 }, () => random.below(256));
    expect(Array.from(decodeBase64(btoa(String.fromCharCode(...bytes))))).toEqual(Array.from(bytes));
    expect(native).toHaveBeenCalledTimes(decoder === "own" ? 1 : 0);
  });
});

describe("blocks embedded in a document", () => {
  function page(...blocks: string[]): Document {
    const scripts = blocks.map(
      (text, i) => `<script type="text/plain" id="vitscope-block-${i}">${text}</script>`,
    );
    return new DOMParser().parseFromString(scripts.join(""), "text/html");
  }

  test("are decoded by number, line breaks and all", async () => {
    const source = embeddedBlocks(page("AAAA", "AQID\nBA==\n"));
    expect(Array.from(new Uint8Array(await source.bytes(1)))).toEqual([1, 2, 3, 4]);
  });

  test("are decoded once while someone holds them, and their text stays", async () => {
    const root = page("AQID");
    const source = embeddedBlocks(root);
    expect(await source.bytes(0)).toBe(await source.bytes(0));
    expect(root.getElementById("vitscope-block-0")!.textContent).toBe("AQID");
  });

  test("that are missing or damaged are named", async () => {
    const source = embeddedBlocks(page("AAAA", "<<not base64>>"));
    await expect(source.bytes(7)).rejects.toThrow(
      'block 7 is not in this page: no element "vitscope-block-7"',
    );
    await expect(source.bytes(1)).rejects.toThrow("block 1 of this page is damaged");
  });
});

describe("CSV", () => {
  test("has lines that end in CRLF, and quotes where they are needed", () => {
    const rows = [
      ['say "hi"', 1.5],
      ["two\nlines", -2],
      ["plain", 1e-7],
    ];
    expect(toCsv(["a,b", "c"], rows)).toBe(
      '"a,b",c\r\n"say ""hi""",1.5\r\n"two\nlines",-2\r\nplain,1e-7\r\n',
    );
  });

  test.each(["=1+1", "+1", "-1", "@SUM(A1)", "\tx", '=HYPERLINK("x","y")'])("makes %j no formula", (text) => {
    const [, line] = toCsv(["h"], [[text]]).split("\r\n");
    expect(line!.replace(/^"/, "")[0]).toBe("'");
    expect(line!.replaceAll('"', "")).toContain(text.replaceAll('"', ""));
  });

  test("makes a header no formula, and leaves numbers below 0 numbers", () => {
    expect(toCsv(["=x"], [[-3]])).toBe("'=x\r\n-3\r\n");
  });
});
