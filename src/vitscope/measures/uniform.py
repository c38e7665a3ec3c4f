"""What a layer's numbers would be if every query attended alike to all keys that it may attend to.

Those are the keys of its window that no mask forbids.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from vitscope.arrangement import Arrangement
from vitscope.attention.bias import DenseBias
from vitscope.attention.call import AttentionCall
from vitscope.measures.distance import uniform_distance
from vitscope.measures.seen import Seen

_FORBIDDEN = 50.0  # below the row's largest bias: exp of it is nothing beside it
_ROWS = 512  # held at once


@dataclass(frozen=True)
class Uniform:
    """Of one layer: mean attention distance in pixels, in both conventions, and mean entropy in nats."""

    distance: float
    rescaled_distance: float
    entropy: float


def allowed(call: AttentionCall, arrangement: Arrangement) -> Bool[np.ndarray, "windows queries keys"] | None:
    """Whom each query of each window may attend to; None where no mask forbids anything."""
    bias = call.bias
    if arrangement.windows == 1 or not isinstance(bias, DenseBias):
        return None
    term = bias.term[: arrangement.windows].float()  # (1 | windows, 1 | heads, 1 | queries, keys)
    free = (term >= term.amax(-1, keepdim=True) - _FORBIDDEN).any(1)
    if bool(free.all()):
        return None
    return free.expand(arrangement.windows, call.query_count, call.key_count).cpu().numpy()


def uniform(call: AttentionCall, arrangement: Arrangement) -> Uniform:
    """What uniform attention of a layer would give, the mean over the queries that stand on places."""
    sums, count = np.zeros(3), 0
    for distances, free in _rows(call, arrangement):
        placed = ~np.isnan(distances)  # (rows, keys)
        reached = np.where(placed & free, distances, 0).sum(1)
        keys, places = free.sum(1), (placed & free).sum(1)
        sums += [(reached / keys).sum(), (reached / places.clip(1)).sum(), np.log(keys).sum()]
        count += len(distances)
    return Uniform(*(sums / max(count, 1)).tolist())


def uniform_layers(seen: Seen) -> list[Uniform]:
    """Of every layer, in order; within its windows, where a layer has such."""
    return [_of_layer(call, seen.arrangement(index)) for index, call in enumerate(seen.layers)]


def _of_layer(call: AttentionCall, arrangement: Arrangement) -> Uniform:
    if not arrangement.plain:
        return uniform(call, arrangement)
    layout = arrangement.queries
    return Uniform(uniform_distance(layout), uniform_distance(layout, rescale=True), float(np.log(layout.tokens)))


def _rows(call: AttentionCall, arrangement: Arrangement) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Distances of some placed queries to all keys of their window, NaN to those without a place; which are free."""
    masks = allowed(call, arrangement)
    queries, keys = arrangement.places()
    for window in range(arrangement.windows):
        asking = np.flatnonzero(~np.isnan(queries[window, :, 0]))
        for first in range(0, len(asking), _ROWS):
            rows = asking[first : first + _ROWS]
            apart = np.hypot(*np.moveaxis(queries[window, rows, None] - keys[window], -1, 0))
            yield apart, np.ones(apart.shape, dtype=bool) if masks is None else masks[window, rows]
