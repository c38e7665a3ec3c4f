"""Attention heatmaps: one query's weights over the patches, head by head (Caron et al. 2021, DINO,
arXiv 2104.14294), and the mask of the patches that hold most of the mass."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from vitscope.arrangement import Arrangement
from vitscope.errors import ArgumentError, QueryError
from vitscope.layout import Layout
from vitscope.measures import dense
from vitscope.measures.arranged import Arranged
from vitscope.measures.needs import Needs
from vitscope.measures.query import Query, ResolvedQuery, resolve
from vitscope.measures.result import Measured, measured
from vitscope.measures.seen import Crossing, Seen


@dataclass(frozen=True)
class Heatmaps:
    """Weights of one query over the patches, as they are: not rescaled, prefix tokens left out.

    `query` None is the model's own readout: the class token's row; the pooling head's own row (last
    layer only, in which it stands in for the layer), the class token's in class attention at the end alike;
    for models that average, the mean over the patch queries' rows. The map is on the grid of the layer's
    keys: a query in a window gives 0 outside of it. A decoder's cross-attention is named by `layer`, and
    its queries "query1" …; None is their mean.
    """

    layer: int | str = -1
    query: Query = None

    @property
    def needs(self) -> Needs:
        return Needs(layers=frozenset({self.layer}))

    def measure(self, seen: Seen) -> Float[Measured, "images heads rows columns"]:
        """The maps; QueryError where the layer or query does not exist."""
        rows, layout, convention = attention_row(seen, self.layer, self.query)
        maps = rows[..., len(layout.prefix) :].unflatten(-1, layout.grid)
        return measured(maps, f"{convention}; weights over the patches, not rescaled")


def attention_row(
    seen: Seen, layer: int | str, query: Query
) -> tuple[Float[torch.Tensor, "images heads keys"], Layout, str]:
    """One query's row over all keys of the layer, where these stand, and its convention in words."""
    crossing = seen.crossing(layer)
    if crossing is not None:
        return _crossing_row(seen, crossing, query)
    index = seen.layer_index(layer)
    resolved = resolve(query, seen, index)
    if resolved.kind == "pool":
        return _reading_row(seen, index, resolved)
    arranged = seen.arranged(index)
    call, layout = arranged.call, arranged.arrangement.queries
    if resolved.kind == "mean":
        vector = torch.zeros(seen.images, layout.tokens, dtype=call.dtype, device=call.device)
        asking = slice(len(layout.prefix), None) if layout.patches else slice(None)
        vector[:, asking] = 1 / (layout.patches or layout.tokens)
        row = arranged.column_sums(vector, seen.normalisers(index))
    else:
        row = arranged.row(resolved.token)
    convention = f"attention of the {resolved.name} in layer {index} ({call.name})"
    return row, arranged.arrangement.keys, f"{convention}{_windows(arranged.arrangement, resolved)}"


def _windows(arrangement: Arrangement, query: ResolvedQuery) -> str:
    """What windows make of a row, in words."""
    if arrangement.windows == 1:
        return ""
    if query.kind == "mean":
        return f", each in its own of {arrangement.windows} windows"
    return ", the mean over the windows that it stands in" if arrangement.overlapping else ", in its own window"


def _reading_row(seen: Seen, index: int, query: ResolvedQuery) -> tuple[torch.Tensor, Layout, str]:
    reading = seen.readings[-1]
    if index != len(seen.layers) - 1:
        through = "a pooling head" if reading.kind == "pool" else "class attention at the end"
        raise QueryError(
            f"the model reads its answer through {through}, which has no query in layer {index}; give a query: "
            'a patch (row, column), or "mean" over the patch queries'
        )
    reading.call.require_verified()
    row = Arranged(reading.call, reading.arrangement, seen.body(reading.call)).mean_row()
    return row, reading.arrangement.keys, f"attention of the {query.name} ({reading.call.name})"


def _crossing_row(seen: Seen, crossing: Crossing, query: Query) -> tuple[torch.Tensor, Layout, str]:
    """A named query's row, or the mean over all, which is also the default: no query of a decoder is the readout."""
    call, queries = crossing.call, crossing.arrangement.queries.prefix
    call.require_verified()
    arranged = Arranged(call, crossing.arrangement, seen.body(call))
    if query in (None, "mean"):
        return arranged.mean_row(), crossing.arrangement.keys, f"cross-attention of all queries, averaged ({call.name})"
    if query not in queries:
        raise QueryError(
            f"there is no query {query!r} in {call.name}, whose queries stand nowhere in the picture; it has "
            f'{queries[0]} to {queries[-1]}, and "mean"'
        )
    row = arranged.row(queries.index(query))
    return row, crossing.arrangement.keys, f"cross-attention of {query} ({call.name})"


def heatmaps(
    attention: Any, grid: tuple[int, int], prefix: int = 1, query: int = 0
) -> Float[Measured, "*batch rows columns"]:
    """One query token's weights over the patches of dense attention (…, tokens, tokens).

    `query` indexes all tokens, so 0 is the class token of a model that has one.
    """
    array = dense.on_grid(attention, grid, prefix)
    if not -array.shape[-1] <= query < array.shape[-1]:
        raise QueryError(f"query token {query} does not exist: there are {array.shape[-1]}, from 0")
    maps = array[..., query, prefix:].reshape(*array.shape[:-2], *grid).astype(dense.result_type(array))
    return measured(maps, f"attention of token {query}; weights over the patches, not rescaled")


def top_mass(heatmap: Any, mass: float) -> Bool[np.ndarray, "*maps rows columns"]:
    """The smallest set of patches that together hold at least `mass` (0 to 1) of each map's sum.

    `heatmap` is (…, rows, columns); each map is rescaled by its own sum first. Of equal patches the
    first in row-major order is taken. A map of zeros has an empty set. Source: Caron et al. 2021,
    Fig. 1 and 4, with mass 0.6.
    """
    if not 0 <= mass <= 1:
        raise ArgumentError(f"mass must be from 0 to 1; found {mass}")
    array = dense.to_array(heatmap)
    if array.ndim < 2 or not np.isfinite(array).all() or (array < 0).any():
        raise ArgumentError(f"a heatmap must be (…, rows, columns) of finite numbers ≥ 0; found shape {array.shape}")
    flat = array.reshape(*array.shape[:-2], -1).astype(np.float64)  # (…, patches)
    order = np.argsort(-flat, axis=-1, kind="stable")
    ranked = np.take_along_axis(flat, order, -1)
    before = np.cumsum(ranked, axis=-1) - ranked  # what stronger patches hold together
    total = flat.sum(-1, keepdims=True)
    wanted = mass * total * (1 - 1e-12)  # a sum in another order must not ask for one patch more
    chosen = np.zeros(flat.shape, dtype=bool)
    np.put_along_axis(chosen, order, (before < wanted) & (ranked > 0), -1)
    return chosen.reshape(array.shape)
