"""What each layer of a look is, in a few words."""

from dataclasses import dataclass

from vitscope.arrangement import Arrangement
from vitscope.attention.call import AttentionCall
from vitscope.measures.seen import Seen


@dataclass(frozen=True)
class LayerInfo:
    """One layer: a self-attention over places, in the order of the forward pass; or one of cross-attention."""

    index: int
    name: str  # as in model.named_modules()
    kind: str  # "global": every token to every token; "window", "reduced" (one grid is coarser), "local"; "cross"
    heads: int
    grid: tuple[int, int]  # of its queries
    windows: str  # how windows lie, and where the grids of queries and keys differ, in words; "" where neither is so
    error: float  # largest verification error, as a fraction of the values' magnitude; NaN: none was sought
    refusal: str | None  # why nothing is shown of it, if so


def layer_info(seen: Seen, index: int) -> LayerInfo:
    """Of one layer; "unplaced" where it is not known where its tokens stand."""
    call, known = seen.layers[index], seen.known_arrangement(index)
    if known is None:
        return LayerInfo(index, call.name, "unplaced", call.heads, (0, 0), "", call.error, call.refusal)
    return info(index, call, known, known.kind)


def info(index: int, call: AttentionCall, known: Arrangement, kind: str) -> LayerInfo:
    """Of an attention of that kind, whose tokens stand so."""
    return LayerInfo(index, call.name, kind, call.heads, known.queries.grid, known.describe(), call.error, call.refusal)
