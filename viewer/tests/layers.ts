/** Layers as the payload holds them, from random numbers, and the blocks that they lie in. */
import { plainLogNormaliser, plainRow, type PlainLayer } from "../src/attention/reference";
import type { BlockSource } from "../src/numbers/blocks";
import { countOf, readNumbers } from "../src/numbers/read";
import type { DenseBias, Numbers, Product, RelativeBias, Size, Weights } from "../src/payload";
import { seeded, type Random } from "./random";

export type Dtype = Numbers["dtype"];
export interface Layout {
  grid: Size;
  prefix: string[];
}

export const LAYOUT: Layout = { grid: [5, 7], prefix: ["cls", "reg1"] };
export const HEADS = 3;
export const DIM = 11; // no multiple of 4
export const TOKENS = 2 + 5 * 7;

/** DataView's own float16, which TypeScript's library of 2022 does not know. */
export type HalfView = DataView & { setFloat16(at: number, value: number, little: boolean): void };

/** Arrays written one after another into a few blocks. */
export class Blocks implements BlockSource {
  private readonly parts: number[][] = [];
  readonly fetched: number[] = [];

  add(values: number[], shape: number[], dtype: Dtype = "float32", block = 1): Numbers {
    if (values.length !== countOf(shape)) throw new Error(`${values.length} values in shape ${shape}`);
    const width = dtype === "float32" ? 4 : 2;
    const view = new DataView(new ArrayBuffer(Math.ceil((values.length * width) / 4) * 4)) as HalfView;
    values.forEach((value, i) => {
      if (dtype === "int16") view.setInt16(2 * i, value, true);
      else if (dtype === "float16") view.setFloat16(2 * i, value, true);
      else view.setFloat32(4 * i, value, true);
    });
    const part = (this.parts[block] ??= []);
    const reference = { block, offset: part.length, dtype, shape };
    part.push(...new Uint8Array(view.buffer));
    return reference;
  }

  buffer(block: number): ArrayBuffer {
    return Uint8Array.from(this.parts[block]!).buffer;
  }

  async bytes(block: number): Promise<ArrayBuffer> {
    this.fetched.push(block);
    return this.buffer(block);
  }
}

type MakeBias = (random: Random, blocks: Blocks) => DenseBias | RelativeBias | null;

/** What a test needs of a layer: its entry, where its numbers lie, and the plain computation's view of it. */
export interface Made<Form> {
  attention: Form;
  blocks: Blocks;
  plain: PlainLayer & { attention: Form };
}

export function makeProduct(seed: number, dtype: Dtype, makeBias: MakeBias = () => null): Made<Product> {
  const [random, blocks] = [seeded(seed), new Blocks()];
  const whole = dtype === "int16"; // in steps of about a thousandth, different for each column
  const drawn = () =>
    random.normals(HEADS * TOKENS * DIM).map((value) => (whole ? Math.round(1000 * value) : value));
  const operand = () => blocks.add(drawn(), [HEADS, TOKENS, DIM], dtype);
  const steps = () => Array.from({ length: HEADS * DIM }, () => (0.5 + random.uniform()) * 1e-6);
  const attention: Product = {
    form: "product",
    queries: operand(),
    keys: operand(),
    steps: whole ? blocks.add(steps(), [HEADS, DIM]) : null,
    key_bias: blocks.add(random.normals(HEADS * TOKENS), [HEADS, TOKENS]),
    bias: makeBias(random, blocks),
    log_normaliser: blocks.add(Array(HEADS * TOKENS).fill(NaN), [HEADS, TOKENS]),
    ...summary(random, blocks),
  };
  const plain = plainLayer(attention, blocks);
  const normalisers = cells(HEADS, TOKENS).map(([head, query]) =>
    plainLogNormaliser(plain, attention, head!, query!),
  );
  attention.log_normaliser = blocks.add(normalisers, [HEADS, TOKENS]);
  attention.probe.row = blocks.add(plainRow(plain, attention.probe.head, attention.probe.query), [TOKENS]);
  return { attention, blocks, plain: plainLayer(attention, blocks) };
}

export function makeWeights(seed: number, dtype: Dtype): Made<Weights> {
  const [random, blocks] = [seeded(seed), new Blocks()];
  const shape = [HEADS, TOKENS, TOKENS];
  const values = Array.from({ length: countOf(shape) }, () => random.uniform() / TOKENS);
  const attention: Weights = {
    form: "weights",
    weights: blocks.add(values, shape, dtype),
    ...summary(random, blocks),
  };
  return { attention, blocks, plain: plainLayer(attention, blocks) };
}

function summary(random: Random, blocks: Blocks) {
  return {
    mean_row: blocks.add(random.normals(HEADS * TOKENS), [HEADS, TOKENS], "float32", 0),
    error: 0.00017,
    probe: { head: 2, query: 29, row: blocks.add(random.normals(TOKENS), [TOKENS]) },
  };
}

function plainLayer<Form extends Product | Weights>(attention: Form, blocks: Blocks) {
  const arrays = new Map<Numbers, Float32Array>();
  const read = (reference: Numbers) => {
    const known = arrays.get(reference) ?? readNumbers(reference, blocks.buffer(reference.block));
    arrays.set(reference, known);
    return known;
  };
  return { attention, layout: LAYOUT, read };
}

/** Every index of an array of these lengths, in row-major order. */
export function cells(...lengths: number[]): number[][] {
  return lengths.reduce<number[][]>(
    (indices, length) => indices.flatMap((index) => Array.from({ length }, (_, i) => [...index, i])),
    [[]],
  );
}

/** Largest |found − expected| over the largest expected; NaN anywhere gives NaN. */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) throw new Error(`${found.length} values against ${expected.length}`);
  const differences = Array.from(expected, (value, i) => Math.abs(value - found[i]!));
  return Math.max(...differences) / Math.max(...Array.from(expected));
}
