"""Terms added to the logits, as dense as they must be and as small as they can."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

Rows = slice | Tensor


@runtime_checkable
class Bias(Protocol):
    """A term of the logits of one attention."""

    @property
    def nbytes(self) -> int: ...

    @property
    def per_image(self) -> bool:
        """Whether images differ in it."""
        ...

    def rows(self, rows: Rows) -> Tensor:
        """The term for some query rows; broadcasts to (images, heads, rows, keys)."""
        ...

    def run(self, entries: range) -> "Bias":
        """The term of successive images, seen in place where they are held side by side."""
        ...

    def picked(self, entries: Tensor) -> "Bias":
        """The term of these images, in this order."""
        ...

    def equals(self, other: "Bias") -> bool:
        """Whether both are held alike and give the same term."""
        ...


@dataclass(frozen=True, eq=False)
class DenseBias:
    """A mask or bias held in full, but for axes of length 1, along which it repeats.

    On the first axis it may have one entry for each window of an image, and then repeats for every image.
    """

    term: Shaped[Tensor, "#images #heads #queries keys"]

    @property
    def nbytes(self) -> int:
        return self.term.nbytes

    @property
    def per_image(self) -> bool:
        return self.term.shape[0] > 1

    def rows(self, rows: Rows) -> Tensor:
        return self.term if self.term.shape[2] == 1 else self.term[:, :, rows]

    def run(self, entries: range) -> "DenseBias":
        count = self.term.shape[0]
        start = entries.start % count
        if count == 1:
            return self
        if start + len(entries) > count:  # as windows share a term, it may serve several images
            return self.picked(torch.tensor(entries, device="cpu"))
        return DenseBias(self.term[start : start + len(entries)])

    def picked(self, entries: Tensor) -> "DenseBias":
        entries = entries.to(self.term.device)
        return self if self.term.shape[0] == 1 else DenseBias(self.term[entries % self.term.shape[0]])

    def equals(self, other: Bias) -> bool:
        return isinstance(other, DenseBias) and torch.equal(self.term, other.term)


@dataclass(frozen=True, eq=False)
class RelativeBias:
    """A bias between patches that depends on their offset alone, held as its table: N² numbers in 4N.

    Rows and columns of prefix tokens, which come first, are held as they are.
    """

    grid: tuple[int, int]  # (rows, columns) of patches
    table: Float[Tensor, "1 heads offsets_y offsets_x"]  # by key − query, from −(rows − 1) and −(columns − 1)
    from_prefix: Float[Tensor, "1 heads prefix keys"]
    to_prefix: Float[Tensor, "1 heads patches prefix"]

    @property
    def nbytes(self) -> int:
        return self.table.nbytes + self.from_prefix.nbytes + self.to_prefix.nbytes

    @property
    def per_image(self) -> bool:
        return False

    def rows(self, rows: Rows) -> Tensor:
        prefix, tokens = self.from_prefix.shape[2:]
        index = torch.arange(tokens, device=self.table.device)[rows]
        count = int((index < prefix).sum())
        if (index[:count] >= prefix).any():  # prefix rows among others
            return torch.cat([self.rows(index[i : i + 1]) for i in range(len(index))], 2)
        patches = index[count:] - prefix
        out = self.table.new_empty(1, self.table.shape[1], len(index), tokens)
        out[:, :, :count] = self.from_prefix[:, :, index[:count]]
        out[:, :, count:, :prefix] = self.to_prefix[:, :, patches]
        out[:, :, count:, prefix:] = self._between(patches)
        return out

    def run(self, entries: range) -> "RelativeBias":
        return self

    def picked(self, entries: Tensor) -> "RelativeBias":
        return self

    def equals(self, other: Bias) -> bool:
        return isinstance(other, RelativeBias) and all(
            torch.equal(one, another)
            for one, another in (
                (self.table, other.table),
                (self.from_prefix, other.from_prefix),
                (self.to_prefix, other.to_prefix),
            )
        )

    def _between(self, queries: Tensor) -> Tensor:
        """(1, heads, queries, patches): each query's window of the table."""
        rows, columns = self.grid
        # (1, heads, rows, columns, rows, columns), a view
        windows = self.table.unfold(2, rows, 1).unfold(3, columns, 1)
        return windows[:, :, rows - 1 - queries // columns, columns - 1 - queries % columns].flatten(-2)


def without_repeats(term: Tensor, windows: int) -> Tensor:
    """Axes along which an expanded term repeats itself cut to length 1, or the first to the windows of an image."""
    for axis in (0, 1, 2):
        if term.stride(axis) == 0:
            term = term.narrow(axis, 0, 1)
    if windows > 1:
        for length in (1, windows):  # as joining windows and images copied what was expanded
            if len(term) > length and all(torch.equal(part, term[:length]) for part in term.split(length)):
                return term[:length]
    return term


def compress(term: Tensor, grid: tuple[int, int], prefix: int) -> Bias:
    """The smallest form that gives back exactly `term` (axes of length 1 repeat)."""
    patches = grid[0] * grid[1]
    if term.shape[0] != 1 or term.shape[2:] != (prefix + patches, prefix + patches):
        return DenseBias(term.clone())
    relative = RelativeBias(
        grid,
        _table(term[:, :, prefix:, prefix:], grid),
        term[:, :, :prefix].clone(),
        term[:, :, prefix:, :prefix].clone(),
    )
    step = 256  # rows compared at once
    runs = (slice(first, first + step) for first in range(prefix, prefix + patches, step))
    same = relative.nbytes < term.nbytes and all(torch.equal(relative.rows(run), term[:, :, run]) for run in runs)
    return relative if same else DenseBias(term.clone())


def _table(between: Tensor, grid: tuple[int, int]) -> Tensor:
    """(1, heads, patches, patches) → (1, heads, 2·rows − 1, 2·columns − 1), read off the corners' rows."""
    rows, columns = grid
    table = between.new_empty(*between.shape[:2], 2 * rows - 1, 2 * columns - 1)
    for row in (0, rows - 1):
        for column in (0, columns - 1):
            corner = between[:, :, row * columns + column].unflatten(-1, grid)  # (1, heads, rows, columns)
            top, left = rows - 1 - row, columns - 1 - column
            table[:, :, top : top + rows, left : left + columns] = corner
    return table
