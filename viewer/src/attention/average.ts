/** The mean over a layer's heads. */
import type { LayerAttention } from "./layer";

/**
 * What one token attends to ("from"), or how much each attends to it ("to"), averaged over the heads.
 *
 * `out` (keys, or queries,) is written to and given back; `scratch`, as long, is overwritten.
 */
export function meanOverHeads(
  layer: LayerAttention,
  query: number,
  direction: "from" | "to",
  out: Float32Array,
  scratch: Float32Array,
): Float32Array {
  out.fill(0);
  for (let head = 0; head < layer.heads; head++) {
    const values =
      direction === "from" ? layer.row(head, query, scratch) : layer.column(head, query, scratch);
    for (let i = 0; i < out.length; i++) out[i]! += values[i]! / layer.heads;
  }
  return out;
}
