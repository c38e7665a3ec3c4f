"""From where each token answers to what the attention is: its kind, its axes, its windows and lattices."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vitscope.arrangement import NOWHERE, Arrangement
from vitscope.attention.axes import Axes
from vitscope.errors import LayoutError
from vitscope.layout import Layout, LayoutHints
from vitscope.trace.sides import CallSides
from vitscope.trace.spans import Grid, Spans, grid_of

Kind = Literal[
    "global", "window", "reduced", "local", "class", "pool", "cross", "self", "channel", "linear", "unplaced"
]
BETWEEN_PLACES: tuple[Kind, ...] = ("global", "window", "reduced", "local", "unplaced")
READS_OUT: tuple[Kind, ...] = ("class", "pool")
_NO_GRID = (0, 0)


@dataclass(frozen=True, eq=False)
class Placed:
    """What one attention was found to be. Without an arrangement it is not over places of the picture."""

    kind: Kind
    axes: Axes
    arrangement: Arrangement | None
    refusal: str | None = None  # why it is not placed, where it should be


@dataclass(frozen=True)
class Picture:
    """What tokens are placed on: the input, divided into cells, and what the model says of its tokens."""

    size: tuple[int, int]  # (height, width) in pixels
    cell: tuple[int, int]  # (height, width) in pixels
    hints: LayoutHints

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells; the last may reach beyond the picture."""
        rows, columns = (-(-side // cell) for side, cell in zip(self.size, self.cell, strict=True))
        return rows, columns


def arrange(call: CallSides, picture: Picture) -> Placed:
    """What a call is; where its tokens cannot be placed, why."""
    try:
        return _weights_only(call, picture) if call.queries is None else _operands(call, picture)
    except LayoutError as error:
        return Placed("unplaced", Axes(call.images_before), None, str(error))


def has_lattice(call: CallSides, picture: Picture) -> bool:
    """Whether queries and keys each stand on a lattice."""
    try:
        both = [spans for spans in (call.queries, call.keys) if spans is not None]
        grids = [_grid(spans, picture, call) for spans in both]
        return len(both) == 2 and all(
            grid is not None
            and bool((spans.placed == spans.live).all())
            and spans.live.shape[1] == math.prod(grid.shape)
            for spans, grid in zip(both, grids, strict=True)
        )
    except LayoutError:
        return False


def _operands(call: CallSides, picture: Picture) -> Placed:
    queries, keys = _grid(call.queries, picture, call), _grid(call.keys, picture, call)
    if keys is not None:
        return _from_grids(call, queries, keys, picture)
    return Placed("self" if queries is None else "cross", Axes(call.images_before), None)


def _weights_only(call: CallSides, picture: Picture) -> Placed:
    """Where the values stand is where the keys do, and the queries, if as many."""
    keys = _grid(call.keys, picture, call)
    if keys is not None and call.blank.query_count == call.blank.keys.tokens and call.rows_stand:
        return _from_grids(call, keys, keys, picture)
    return Placed("self" if keys is None else "linear", Axes(call.images_before), None)


def _grid(spans: Spans | None, picture: Picture, call: CallSides) -> Grid | None:
    """The lattice of one side; None where nothing answers; LayoutError where tokens have no place of their own."""
    assert spans is not None
    if not spans.live.any():
        return None
    several = spans.whole if spans.live.shape[1] > 1 else np.zeros_like(spans.live)
    mixed = int((spans.scattered | (several & ~spans.everywhere)).sum())
    if mixed or not spans.placed.any():
        mixed = mixed or int(spans.live.sum())
        raise LayoutError(
            f"layer {call.blank.name!r}: {mixed} of its {int(spans.live.sum())} tokens (all heads and windows counted) "
            "answer to several places of the picture: they overlap, or mix outside attention; vitscope shows no map "
            "that it cannot place"
        )
    grid = grid_of(spans, picture.cell, picture.size)
    if grid is None:
        raise LayoutError(
            f"layer {call.blank.name!r}: its tokens stand on no lattice of even rows and columns; vitscope shows no "
            "map that it cannot place"
        )
    return grid


def _from_grids(call: CallSides, queries: Grid | None, keys: Grid, picture: Picture) -> Placed:
    count = call.blank.query_count
    query_cells = np.full((len(keys.cells), count), -1) if queries is None else queries.cells
    axes, entries = call.axes(query_cells, keys.cells)
    whole = axes.windows == 1
    key_layout, key_tokens = _numbered(keys, entries, picture.hints, named=whole)
    if queries is None:
        asking = askers(key_layout, count, picture.hints)
        arrangement = Arrangement(asking, key_layout, np.arange(count)[None].repeat(axes.windows, 0), key_tokens)
        return Placed("class" if asking.prefix == key_layout.prefix[:count] else "pool", axes, arrangement)
    query_layout, query_tokens = _numbered(queries, entries, picture.hints, named=whole)
    arrangement = Arrangement(query_layout, key_layout, query_tokens, key_tokens)
    return Placed(arrangement.kind, axes, arrangement)


def _numbered(grid: Grid, entries: np.ndarray, hints: LayoutHints, *, named: bool) -> tuple[Layout, np.ndarray]:
    """The layout of one side, and the number of each token in it, (windows, tokens).

    Tokens that stand nowhere are prefix tokens, if all tokens share a window (`named`) and they come
    first or are as many as the model says that it has; else they are padding.
    """
    cells = grid.cells[entries]  # (windows, tokens)
    pooled = grid.pooled[entries]
    nowhere = cells < 0
    count = int(nowhere[0].sum()) if named else 0
    stated = hints.prefix is not None and len(hints.prefix) == count
    if not (count and (nowhere[0, :count].all() or stated)):
        count = 0
    tokens = np.where(nowhere, NOWHERE, cells + count)
    if count:
        tokens[0, nowhere[0]] = np.arange(count)
    prefix = ("pool",) if count == 1 and pooled[0].any() else names(count, hints)
    return Layout(grid.shape, grid.step, prefix), tokens


def names(count: int, hints: LayoutHints) -> tuple[str, ...]:
    """Of prefix tokens."""
    if hints.prefix is not None and len(hints.prefix) == count:
        return hints.prefix
    if count == 1 and hints.prefix and "cls" in hints.prefix:
        return ("cls",)
    return tuple(f"prefix{i + 1}" for i in range(count))


def askers(keys: Layout, count: int, hints: LayoutHints) -> Layout:
    """Of queries that stand nowhere: class tokens, if one may be among the keys too, else queries of their own."""
    own = ("cls" in keys.prefix or hints.prefix is None) and count <= len(keys.prefix)
    names = keys.prefix[:count] if own else tuple(f"query{i + 1}" for i in range(count))
    return Layout(_NO_GRID, keys.patch_size, names)
