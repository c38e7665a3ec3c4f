"""Where the queries and keys of one attention stand: in one window or many, on the same lattice or on two."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from vitscope.layout import Layout

NOWHERE = -1  # instead of a token's number: padding, which stands nowhere and has no name


@dataclass(frozen=True, eq=False)
class Alike:
    """Windows whose tokens stand alike but for a shift, so that distances are the same in all of them."""

    windows: Int[np.ndarray, " windows"]
    query_order: Int[np.ndarray, " queries"]  # tokens that stand nowhere first, else as they are
    key_order: Int[np.ndarray, " keys"]
    queries: Float[np.ndarray, "placed_queries 2"]  # (y, x) in pixels, of the first of the windows
    keys: Float[np.ndarray, "placed_keys 2"]


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Tokens of one attention on lattices of the input, by number: prefix tokens, then cells in row-major order.

    `queries` and `keys` are the lattices; each token of each window has a number there, or `NOWHERE`.
    """

    queries: Layout
    keys: Layout
    query_tokens: Int[np.ndarray, "windows queries"]
    key_tokens: Int[np.ndarray, "windows keys"]

    @staticmethod
    def whole(layout: Layout) -> "Arrangement":
        """Every token of a layout attends to every token, in order."""
        tokens = np.arange(layout.tokens)[None]
        return Arrangement(layout, layout, tokens, tokens)

    @property
    def windows(self) -> int:
        return len(self.query_tokens)

    @cached_property
    def plain(self) -> bool:
        """Whether it is `whole`: one window, and all tokens in order on both sides."""
        expected = np.arange(self.queries.tokens)[None]
        sides = (self.query_tokens, self.key_tokens)
        return self.queries == self.keys and all(np.array_equal(side, expected) for side in sides)

    @property
    def finer(self) -> Layout:
        """The one of both lattices that has more cells."""
        return self.keys if self.keys.patches > self.queries.patches else self.queries

    def places(self) -> tuple[Float[np.ndarray, "windows queries 2"], Float[np.ndarray, "windows keys 2"]]:
        """(y, x) in pixels of each query and key; NaN for those that stand nowhere, prefix tokens among them."""
        return _places(self.queries, self.query_tokens), _places(self.keys, self.key_tokens)

    @cached_property
    def alike(self) -> tuple[Alike, ...]:
        """The windows, those that stand alike together."""
        queries, keys = self.places()
        found: dict[bytes, list[int]] = {}
        for window in range(self.windows):
            both = np.concatenate([queries[window], keys[window]])  # (queries + keys, 2)
            placed = both[~np.isnan(both[:, 0])]
            shape = np.round(both - (placed[0] if len(placed) else 0), 6)
            found.setdefault(shape.tobytes(), []).append(window)
        return tuple(self._alike(np.array(group), queries[group[0]], keys[group[0]]) for group in found.values())

    def _alike(self, windows: np.ndarray, queries: np.ndarray, keys: np.ndarray) -> Alike:
        orders = [np.argsort(~np.isnan(places[:, 0]), kind="stable") for places in (queries, keys)]
        placed = [places[~np.isnan(places[:, 0])] for places in (queries, keys)]
        return Alike(windows, *orders, *placed)

    @property
    def kind(self) -> Literal["global", "window", "reduced", "local", "class", "pool"]:
        """Who attends to whom."""
        if not self.queries.patches:
            return "class" if "cls" in self.queries.prefix else "pool"
        if self.windows > 1:
            return "local" if self.queries == self.keys and self.overlapping else "window"
        return "global" if self.queries.grid == self.keys.grid else "reduced"

    @property
    def overlapping(self) -> bool:
        """Whether some query stands in more than one window."""
        placed = self.query_tokens[self.query_tokens != NOWHERE]
        return len(np.unique(placed)) < placed.size

    def window_shape(self) -> tuple[int, int]:
        """(rows, columns) of the largest window of keys, in cells of their lattice."""
        cells = [self._cells(window) for window in self.key_tokens]
        rows, columns = (max(len(np.unique(axis)) for axis in axes) for axes in zip(*cells, strict=True))
        return rows, columns

    def window_steps(self) -> set[int]:
        """Cells from one token of a window to the next, on either axis: {1} where windows are plain blocks."""
        cells = [axis for window in self.key_tokens for axis in self._cells(window)]
        return {int(step) for axis in cells for step in np.unique(np.diff(np.unique(axis)))}

    def _cells(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of a window's keys."""
        cells = tokens[tokens >= len(self.keys.prefix)] - len(self.keys.prefix)
        rows, columns = np.divmod(cells, self.keys.grid[1])
        return rows, columns

    def describe(self) -> str:
        """Windows, and how queries and keys differ, in words; "" for plain global attention."""
        words: list[str] = []
        if self.windows > 1:
            (rows, columns), steps = self.window_shape(), self.window_steps()
            words.append(f"{self.windows} windows of {rows} × {columns}")
            if self.overlapping or self._keys_overlap():
                words.append("overlapping")
            elif len(steps) > 1:
                words.append("shifted")
            elif steps - {1}:
                words.append(f"one in {steps.pop()}")
        for side, layout in (("queries", self.queries), ("keys", self.keys)):
            if layout.patches and layout.grid != self.finer.grid:
                words.append(f"{side} on {layout.grid[0]} × {layout.grid[1]}")
        return ", ".join(words)

    def _keys_overlap(self) -> bool:
        placed = self.key_tokens[self.key_tokens != NOWHERE]
        return len(np.unique(placed)) < placed.size


def _places(layout: Layout, tokens: np.ndarray) -> Float[np.ndarray, "windows tokens 2"]:
    prefix = np.full((len(layout.prefix), 2), np.nan)
    known = np.concatenate([prefix, layout.centres(), np.full((1, 2), np.nan)])  # NOWHERE is the last
    return known[tokens]
