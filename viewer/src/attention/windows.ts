/** Attention in windows: rows and columns over the whole lattice, put together of those over a window's own tokens. */
import type { Allowed, Numbers, Windows } from "../payload";
import type { Rows } from "./layer";

/** One side of the windows: which tokens each holds. */
class Side {
  readonly tokens: Int32Array; // (windows, own), −1 for padding
  readonly own: number; // tokens of a window
  private readonly places: number[][]; // of each token of the lattice: where it stands in `tokens`

  constructor(reference: Numbers, count: number, read: (reference: Numbers) => Float32Array) {
    this.own = reference.shape[1] ?? 0;
    this.tokens = Int32Array.from(read(reference));
    this.places = Array.from({ length: count }, () => []);
    this.tokens.forEach((token, at) => {
      if (token >= count)
        throw new Error(`found token ${token} of ${count} in a window; make the page again`);
      if (token >= 0) this.places[token]!.push(at);
    });
  }

  /** The windows that hold a token of the lattice, and its place in each. */
  placesOf(token: number): { window: number; position: number }[] {
    return (this.places[token] ?? []).map((at) => ({
      window: Math.floor(at / this.own),
      position: at % this.own,
    }));
  }

  /** In how many windows a token stands. */
  times(token: number): number {
    return this.places[token]?.length ?? 0;
  }

  of(window: number): Int32Array {
    return this.tokens.subarray(window * this.own, (window + 1) * this.own);
  }
}

/** The arrays that windows are read from. */
export function windowNumbers({ query_tokens, key_tokens, allowed }: Windows): Numbers[] {
  return [query_tokens, key_tokens, ...(allowed ? [allowed.kinds, allowed.masks] : [])];
}

/** Who may attend to whom in a window: masks of shifted windows part what only rolling brought together. */
class Masks {
  private readonly kinds: Float32Array; // (windows,)
  private readonly bytes: Float32Array; // (kinds, queries, bytes of keys)
  private readonly queries: number;
  private readonly width: number;

  constructor({ kinds, masks }: Allowed, read: (reference: Numbers) => Float32Array) {
    this.kinds = read(kinds).slice();
    this.bytes = read(masks).slice();
    this.queries = masks.shape[1] ?? 0;
    this.width = masks.shape[2] ?? 0;
  }

  allows(window: number, query: number, key: number): boolean {
    const at = (this.kinds[window]! * this.queries + query) * this.width + (key >> 3);
    return ((this.bytes[at]! >> (7 - (key & 7))) & 1) === 1;
  }
}

/** Which tokens of a layer's lattices stand in which window. */
export class WindowTokens {
  readonly queries: Side;
  readonly keys: Side;
  readonly count: number;
  private readonly masks: Masks | null;

  constructor(
    windows: Windows,
    private readonly sizes: { queries: number; keys: number }, // of the lattices
    read: (reference: Numbers) => Float32Array,
  ) {
    this.queries = new Side(windows.query_tokens, sizes.queries, read);
    this.keys = new Side(windows.key_tokens, sizes.keys, read);
    this.count = windows.query_tokens.shape[0] ?? 0;
    this.masks = windows.allowed && new Masks(windows.allowed, read);
  }

  /** 1 for each key that a query may attend to in its windows ("from"), or each query that may attend to a key ("to"). */
  reach(token: number, direction: "from" | "to"): Uint8Array {
    const [own, others] = direction === "from" ? [this.queries, this.keys] : [this.keys, this.queries];
    const found = new Uint8Array(direction === "from" ? this.sizes.keys : this.sizes.queries);
    for (const { window, position } of own.placesOf(token)) {
      others.of(window).forEach((other, at) => {
        const [query, key] = direction === "from" ? [position, at] : [at, position];
        if (other >= 0 && (this.masks?.allows(window, query, key) ?? true)) found[other] = 1;
      });
    }
    return found;
  }
}

/** Any row or column of a layer in windows; a query that stands in several has the mean of its rows there. */
export class WindowedRows implements Rows {
  private readonly ownRow: Float32Array; // (keys of a window,), reused
  private readonly ownColumn: Float32Array; // (queries of a window,), reused

  constructor(
    private readonly rows: Rows, // by window and head
    private readonly windows: WindowTokens,
    private readonly heads: number,
  ) {
    this.ownRow = new Float32Array(windows.keys.own);
    this.ownColumn = new Float32Array(windows.queries.own);
  }

  row(head: number, query: number, out: Float32Array): void {
    const { queries, keys } = this.windows;
    out.fill(0);
    for (const { window, position } of queries.placesOf(query)) {
      this.rows.row(window * this.heads + head, position, this.ownRow);
      keys.of(window).forEach((key, at) => {
        if (key >= 0) out[key]! += this.ownRow[at]! / queries.times(query);
      });
    }
  }

  column(head: number, key: number, out: Float32Array): void {
    const { queries, keys } = this.windows;
    out.fill(0);
    for (const { window, position } of keys.placesOf(key)) {
      this.rows.column(window * this.heads + head, position, this.ownColumn);
      queries.of(window).forEach((query, at) => {
        if (query >= 0) out[query]! += this.ownColumn[at]! / queries.times(query);
      });
    }
  }
}
