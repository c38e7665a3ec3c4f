/** Whole payloads with their blocks, from random numbers, and the plain weights that they stand for. */
import { plainLogNormaliser, plainRow } from "../src/attention/reference";
import { Gallery } from "../src/engine/gallery";
import { readNumbers } from "../src/numbers/read";
import type { Image, Look, Numbers, Payload, Product, Size } from "../src/payload";
import { Blocks } from "./layers";
import { seeded, type Random } from "./random";

const DIM = 3;

/** What a test says of a look; `heads` has an entry a layer. */
export interface Plan {
  grid: Size;
  prefix: string[];
  heads: number[];
  label?: string;
  images?: number;
  readout?: Look["readout"];
  absent?: Record<number, string>; // layers that the page does not carry, and why
  refused?: Record<number, string>;
  pool?: { heads: number; prefix: boolean }; // whether the pooling head sees the prefix tokens
  rollout?: boolean;
}

export const FIRST: Plan = { grid: [5, 7], prefix: ["cls", "reg1"], heads: [3, 3, 3, 3, 3] };
export const SECOND: Plan = { grid: [3, 11], prefix: ["cls"], heads: [2, 2, 2, 2, 2, 2, 2] };

export interface Page {
  payload: Payload;
  blocks: Blocks;
  /** A[query][key] of one head; views are the images of all looks, one after another. */
  weights(view: number, layer: number, head: number): number[][];
  numbers(reference: Numbers | null): number[];
}

export function makePage(...plans: Plan[]): Page {
  const maker = new Maker(plans.length);
  const looks = plans.map((plan, index) => maker.look(plan, index)) as [Look, ...Look[]];
  const views = looks.flatMap((look) => look.images);
  return {
    payload: {
      format: "vitscope-page",
      version: 1,
      made_by: "vitscope 0",
      title: "a page",
      compare: plans.length > 1,
      looks,
      blocks: [],
    },
    blocks: maker.blocks,
    weights: (view, layer, head) => maker.weights.get(views[view]!.attention[layer]!)![head]!,
    numbers: (reference) => Array.from(maker.read(reference!)),
  };
}

/** A page's gallery, open, with all layers of these views decoded. */
export async function openGallery(page: Page, ...views: number[]): Promise<Gallery> {
  const gallery = new Gallery(page.payload, page.blocks, () => undefined);
  await gallery.open();
  for (const view of views.length > 0 ? views : [0]) await gallery.prepare(view);
  await settled();
  return gallery;
}

/** Once all is done that waits for no clock. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

class Maker {
  readonly blocks = new Blocks();
  readonly weights = new Map<unknown, number[][][]>(); // (heads, queries, keys) of each layer's entry
  private readonly random: Random;
  private readonly arrays = new Map<Numbers, Float32Array>();
  private block = 0; // the last one that was begun

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  readonly read = (reference: Numbers): Float32Array => {
    const known = this.arrays.get(reference);
    const numbers = known ?? readNumbers(reference, this.blocks.buffer(reference.block));
    this.arrays.set(reference, numbers);
    return numbers;
  };

  look(plan: Plan, index: number): Look {
    const images = range(plan.images ?? 1).map((image) => this.image(plan, `photo ${image}.jpg`));
    return {
      label: plan.label ?? `model ${index}`,
      model: `model ${index}`,
      layout: { grid: plan.grid, patch_size: [13, 17], prefix: plan.prefix, description: "some patches" },
      readout: plan.readout ?? "cls",
      reading: plan.pool
        ? {
            query: "pool",
            keys: { grid: plan.grid, patch_size: [13, 17], prefix: plan.pool.prefix ? plan.prefix : [] },
          }
        : null,
      rows_compared: "all rows",
      uniform_distance: 71.5 + index,
      uniform_rescaled_distance: 73.5 + index,
      layers: plan.heads.map((heads, layer) => ({
        name: `blocks.${layer}.attn`,
        heads,
        verification_error: 1e-7,
        refusal: plan.refused?.[layer] ?? null,
        absent: plan.absent?.[layer] ?? null,
        arrangement: null,
      })) as unknown as Look["layers"],
      omitted: null,
      verification_error: 3.1e-7,
      facts: [],
      conventions: {
        attention: "attention as it is",
        rollout: "rollout of the readout",
        distance: "distance in pixels",
        rescaled_distance: "distance, rescaled",
        entropy: "entropy in nats",
        prefix_mass: "mass on prefix tokens",
      },
      images: images as [Image, ...Image[]],
    };
  }

  private image(plan: Plan, name: string): Image {
    const [layers, heads] = [plan.heads.length, Math.max(...plan.heads)];
    const patches = plan.grid[0] * plan.grid[1];
    const { pool, rollout = true } = plan;
    return {
      name,
      note: "",
      input_size: [13 * plan.grid[0], 17 * plan.grid[1]],
      original_size: null,
      box: null,
      seen: "data:image/png;base64,AAAA",
      original: null,
      distance: this.small(layers, heads),
      rescaled_distance: this.small(layers, heads),
      entropy: this.small(layers, heads),
      prefix_mass: this.small(layers, heads, plan.prefix.length),
      rollout: rollout ? this.small(layers, patches) : null,
      rollout_absent: rollout ? null : "layer 1 was refused",
      pool: pool ? this.small(pool.heads, patches + (pool.prefix ? plan.prefix.length : 0)) : null,
      attention: plan.heads.map((count, layer) =>
        plan.absent?.[layer] || plan.refused?.[layer] ? null : this.product(plan, count),
      ),
    };
  }

  /** From 0 to 1, in block 0. */
  private small(...shape: number[]): Numbers {
    const values = range(shape.reduce((a, b) => a * b)).map(() => this.random.uniform());
    return this.blocks.add(values, shape, "float32", 0);
  }

  /** One layer, in a block of its own. */
  private product({ grid, prefix }: Plan, heads: number): Product {
    const block = ++this.block;
    const tokens = range(prefix.length + grid[0] * grid[1]);
    const add = (values: number[], ...shape: number[]) => this.blocks.add(values, shape, "float32", block);
    const normals = (deviation: number, ...shape: number[]) =>
      add(
        this.random.normals(
          shape.reduce((a, b) => a * b),
          deviation,
        ),
        ...shape,
      );
    const later = add([0], 1);
    const product: Product = {
      form: "product",
      queries: normals(1.5, heads, tokens.length, DIM),
      keys: normals(1, heads, tokens.length, DIM),
      steps: null,
      key_bias: normals(1, heads, tokens.length),
      bias: null,
      log_normaliser: later,
      mean_row: later,
      error: this.random.uniform() / 1000,
      probe: { head: heads - 1, query: tokens.length - 1, row: later },
    };
    const plain = { attention: product, layout: { grid, prefix }, read: this.read };
    const all = range(heads).map((head) => tokens.map((query) => plainRow(plain, head, query)));
    const normalisers = range(heads).flatMap((head) =>
      tokens.map((query) => plainLogNormaliser(plain, product, head, query)),
    );
    const means = all.flatMap((rows) => meanOf(rows.slice(prefix.length)));
    product.log_normaliser = add(normalisers, heads, tokens.length);
    product.mean_row = add(means, heads, tokens.length);
    product.probe.row = add(all[heads - 1]!.at(-1)!, tokens.length);
    this.weights.set(product, all);
    return product;
  }
}

/** Element by element. */
export function meanOf(rows: number[][]): number[] {
  return rows[0]!.map((_, at) => rows.reduce((sum, row) => sum + row[at]!, 0) / rows.length);
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
