/** Decoded attention of the views in use: a layer is decoded when it is first needed, and kept while its view is. */
import { decodeLayer, type LayerAttention } from "../attention/layer";
import type { BlockSource } from "../numbers/blocks";
import { readNumbers } from "../numbers/read";
import type { Numbers, Payload } from "../payload";
import { imageOf, lookOf } from "../state/views";

/** What is known of one layer of one view; `absent` says in words why there is nothing to show. */
export type LayerState =
  { kind: "ready"; layer: LayerAttention } | { kind: "pending" } | { kind: "absent"; absent: string };

const PENDING: LayerState = { kind: "pending" };
const KEPT_VIEWS = 4;

export class Gallery {
  private readonly views = new Map<number, Map<number, LayerState>>();
  private readonly small = new Map<Numbers, Float32Array>();
  private readonly asked = new Map<number, Promise<ArrayBuffer>>();
  private smallBytes: ArrayBuffer | null = null;

  constructor(
    readonly payload: Payload,
    private readonly source: BlockSource,
    private readonly changed: () => void,
  ) {}

  /** Fetch block 0, which holds all that is small; the rest can be asked for once this is done. */
  async open(): Promise<void> {
    this.smallBytes = await this.source.bytes(0);
  }

  /** Numbers of block 0: statistics, rollouts, pooling rows. */
  numbers(reference: Numbers): Float32Array {
    const known = this.small.get(reference);
    if (known) return known;
    if (!this.smallBytes) throw new Error("the gallery was asked before it was open");
    const read = readNumbers(reference, this.smallBytes);
    this.small.set(reference, read);
    return read;
  }

  /** A layer as far as it is decoded; asking starts the decoding. */
  layer(view: number, layer: number): LayerState {
    const layers = this.layersOf(view);
    const known = layers.get(layer);
    if (known) return known;
    const first = this.describe(view, layer);
    layers.set(layer, first);
    if (first.kind === "pending") void this.decode(view, layer, layers);
    return first;
  }

  /** A view's layers that are decoded by now. */
  decoded(view: number): LayerAttention[] {
    return [...(this.views.get(view)?.values() ?? [])].flatMap((state) =>
      state.kind === "ready" ? [state.layer] : [],
    );
  }

  /** Decode a view's layers one after the other, the last first, leaving time for the pointer in between. */
  async prepare(view: number): Promise<void> {
    const { layers } = lookOf(this.payload, view);
    this.layersOf(view); // from now on in use
    for (let layer = layers.length - 1; layer >= 0; layer--) {
      if (this.views.get(view)?.has(layer)) continue;
      await pause();
      if (!this.views.has(view)) return; // let go in the meantime
      this.layer(view, layer);
    }
  }

  private layersOf(view: number): Map<number, LayerState> {
    const layers = this.views.get(view) ?? new Map<number, LayerState>();
    this.views.delete(view); // the newest stands last
    this.views.set(view, layers);
    for (const old of [...this.views.keys()].slice(0, -KEPT_VIEWS)) this.views.delete(old);
    return layers;
  }

  private describe(view: number, layer: number): LayerState {
    const known = lookOf(this.payload, view).layers[layer];
    const reason = known ? (known.refusal ?? known.absent) : "no such layer";
    if (reason !== null) return { kind: "absent", absent: reason };
    if (!imageOf(this.payload, view).attention[layer]) return { kind: "absent", absent: "not in this page" };
    return PENDING;
  }

  private async decode(view: number, layer: number, layers: Map<number, LayerState>): Promise<void> {
    const attention = imageOf(this.payload, view).attention[layer];
    if (!attention) return;
    try {
      const source = { bytes: (index: number) => this.fetch(index) };
      const { layout, layers: known } = lookOf(this.payload, view);
      const decoded = await decodeLayer(attention, layout, source, known[layer]?.arrangement);
      layers.set(layer, { kind: "ready", layer: decoded });
    } catch (error) {
      layers.set(layer, { kind: "absent", absent: error instanceof Error ? error.message : String(error) });
    }
    this.changed();
  }

  /** A block's bytes; layers that share one and are decoded at once ask for it once. */
  private fetch(index: number): Promise<ArrayBuffer> {
    if (index === 0 && this.smallBytes) return Promise.resolve(this.smallBytes);
    const asked = this.asked.get(index) ?? this.source.bytes(index).finally(() => this.asked.delete(index));
    this.asked.set(index, asked);
    return asked;
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
