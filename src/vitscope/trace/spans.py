"""Where tokens stand, read from codes: with nothing mixing, each answers to the cells of its own place alone.

The picture is divided into rows and columns of cells, numbered in binary. One run disturbs the rows
whose number has bit b, another those whose number has not; a token that answers to the first alone
stands where the bit is 1, to the second alone where it is 0, to both if it covers such rows and
others: an aligned block. Columns alike.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

Axis = Literal[0, 1]  # rows, columns


@dataclass(frozen=True)
class Disturbance:
    """What one image of an experiment shows: noise on the cells that are named, nothing elsewhere."""

    axis: Axis
    bit: int
    value: int  # of that bit, in the numbers of the rows or columns that are disturbed

    def mask(self, cells: int) -> Bool[np.ndarray, " cells"]:
        """Which rows, or columns, of cells are disturbed."""
        return (np.arange(cells) >> self.bit & 1) == self.value


def disturbances(cells: tuple[int, int]) -> list[tuple[Disturbance, Disturbance]]:
    """Pairs, for two images at once, that together tell the cells of a grid of (rows, columns) apart."""
    axes: tuple[Axis, ...] = (0, 1)
    pairs: list[tuple[Axis, int]] = [(axis, bit) for axis in axes for bit in range((cells[axis] - 1).bit_length())]
    return [(Disturbance(axis, bit, 1), Disturbance(axis, bit, 0)) for axis, bit in pairs]


class Spans:
    """The rows and columns of cells that each of many tokens answers to, gathered run by run."""

    def __init__(self, cells: tuple[int, int], live: Bool[np.ndarray, "entries tokens"]) -> None:
        """`live`: which tokens answer to the picture at all."""
        self._cells = cells
        self.live = live
        self._set = np.zeros((2, *live.shape), int)  # by axis: bits whose cells a token answers to where they are 1
        self._clear = np.zeros((2, *live.shape), int)  # … and where they are 0

    def note(self, disturbance: Disturbance, changed: Bool[np.ndarray, "entries tokens"]) -> None:
        """Which tokens answered to a disturbance."""
        record = self._set if disturbance.value else self._clear
        record[disturbance.axis] |= changed.astype(int) << disturbance.bit

    @property
    def placed(self) -> Bool[np.ndarray, "entries tokens"]:
        """Tokens that answer to an aligned block of cells."""
        return self.live & self._well_formed & ~self.everywhere

    @property
    def scattered(self) -> Bool[np.ndarray, "entries tokens"]:
        """Tokens that answer to the picture, but to no block of cells."""
        return self.live & ~self._well_formed & ~self.everywhere

    @property
    def everywhere(self) -> Bool[np.ndarray, "entries tokens"]:
        """Tokens that answer to all that any answers to: means of the places, which stand nowhere themselves."""
        alone = np.ones(self.live.shape, bool)
        all_alike = np.ones(self.live.shape, bool)
        for record in (self._set, self._clear):
            for axis in range(2):
                union = np.bitwise_or.reduce(record[axis], None)
                all_alike &= record[axis] == union
                alone &= (record[axis] == union).all()
        return self.live & all_alike & ~alone

    @property
    def _well_formed(self) -> np.ndarray:
        """Whether each bit of a token's rows and columns is known, and those that it has both ways are the lowest."""
        formed = np.ones(self.live.shape, bool)
        for axis, count in enumerate(self._cells):
            every = (1 << (count - 1).bit_length()) - 1
            both = self._set[axis] & self._clear[axis]
            formed &= ((self._set[axis] | self._clear[axis]) == every) & (both & (both + 1) == 0)
        return formed

    def _ends(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """First and last row, and column, of cells of each token."""
        ends: list[tuple[np.ndarray, np.ndarray]] = []
        for axis, count in enumerate(self._cells):
            both = self._set[axis] & self._clear[axis]
            low = self._set[axis] & ~both
            ends.append((low, np.minimum(low | both, count - 1)))
        return ends

    @property
    def whole(self) -> Bool[np.ndarray, "entries tokens"]:
        """Tokens that answer to the first row and the last, and to the first column and the last."""
        wide = [(low == 0) & (high == count - 1) for (low, high), count in zip(self._ends(), self._cells, strict=True)]
        return self.live & self._well_formed & wide[0] & wide[1] & (max(self._cells) > 1)

    def firsts(self) -> Int[np.ndarray, "2 entries tokens"]:
        """First row and first column of each token; of those that are not `placed`, nothing is meant."""
        return np.stack([low for low, _ in self._ends()])


@dataclass(frozen=True, eq=False)
class Grid:
    """A lattice found among the places of tokens."""

    shape: tuple[int, int]
    step: tuple[float, float]  # in pixels
    cells: Int[np.ndarray, "entries tokens"]  # number in row-major order; −1 where a token is not placed
    pooled: Bool[np.ndarray, "entries tokens"]  # means of the places


def grid_of(spans: Spans, cell_pixels: tuple[int, int], image_size: tuple[int, int]) -> Grid | None:
    """The lattice that placed tokens fill, each of its cells at least once; None where they don't."""
    placed, firsts = spans.placed, spans.firsts()
    if not placed.any():
        return None
    levels = [np.unique(firsts[axis][placed]) for axis in range(2)]
    shape = (len(levels[0]), len(levels[1]))
    row, column = (np.searchsorted(levels[axis], firsts[axis]) for axis in range(2))
    cells = np.where(placed, row * shape[1] + column, -1)
    if len(np.unique(cells[placed])) != shape[0] * shape[1]:
        return None
    vertical, horizontal = (_step(levels[axis], cell_pixels[axis], image_size[axis]) for axis in range(2))
    if vertical is None or horizontal is None:
        return None
    return Grid(shape, (vertical, horizontal), cells, spans.everywhere)


def _step(levels: Int[np.ndarray, " levels"], pixels: int, side: int) -> float | None:
    """Pixels from one row, or column, of a lattice to the next; None where they are not evenly spaced."""
    count = len(levels)
    if count == 1:
        return side
    steps = np.diff(levels) * pixels
    mean: float = (levels[-1] - levels[0]) * pixels / (count - 1)
    if np.abs(steps - mean).max() > max(pixels, mean / 2):
        return None
    even = side / count
    if np.ptp(steps) > 0 and abs(mean - even) * (count - 1) < pixels:  # as near as cells can tell
        mean = even
    return int(mean) if mean == int(mean) else mean
