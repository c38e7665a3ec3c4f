"""On which lattice a figure draws: a layer's own, and the window of the query in it."""

import numpy as np
from jaxtyping import Bool

from vitscope.errors import QueryError
from vitscope.layout import Layout
from vitscope.look import Look
from vitscope.measures.query import Query, resolve
from vitscope.measures.rollout import require_chain
from vitscope.measures.uniform import allowed


def map_lattice(look: Look, layer: int | str, query: Query) -> Layout:
    """Where the keys of a heatmap stand."""
    seen = look.attention_seen
    index = seen.layer_index(layer)
    if resolve(query, seen, index).kind == "pool":
        return seen.readings[-1].arrangement.keys
    return seen.arrangement(index).keys


def query_lattice(look: Look, layer: int | str) -> Layout:
    """Where the queries of a layer stand."""
    return look.attention_seen.arrangement(look.attention_seen.layer_index(layer)).queries


def window_of(look: Look, layer: int | str, query: Query) -> Bool[np.ndarray, "rows columns"] | None:
    """The cells of the keys that a patch may attend to; None where these are all, or the query is no patch."""
    seen = look.attention_seen
    index = seen.layer_index(layer)
    arrangement = seen.arrangement(index)
    resolved = resolve(query, seen, index)
    if arrangement.windows == 1 or resolved.kind != "token":
        return None
    masks = allowed(seen.layers[index], arrangement)
    inside = np.zeros(arrangement.keys.tokens + 1, dtype=bool)  # NOWHERE is the last
    for window, position in np.argwhere(arrangement.query_tokens == resolved.token):
        tokens = arrangement.key_tokens[window]
        inside[tokens if masks is None else tokens[masks[window, position]]] = True
    cells = inside[len(arrangement.keys.prefix) : -1].reshape(arrangement.keys.grid)
    return None if cells.all() else cells


def rollout_query(look: Look, layer: int | str, query: Query) -> Query:
    """A patch of a layer as a rollout has it: the patch of the last layer that holds its centre."""
    if not isinstance(query, tuple):
        return query
    own, last = query_lattice(look, layer), query_lattice(look, -1)
    resolve(query, look.attention_seen, look.attention_seen.layer_index(layer))  # raises for one outside the grid
    row, column = (
        min(int((index + 0.5) * size // to), count - 1)
        for index, size, to, count in zip(query, own.patch_size, last.patch_size, last.grid, strict=True)
    )
    return row, column


def without_rollout(look: Look) -> str | None:
    """Why the model's layers have no rollout, in words; None where they do."""
    try:
        require_chain(look.attention_seen)
    except QueryError as error:
        return str(error)
    return None
