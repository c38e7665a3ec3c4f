"""A call's query rows, shared among threads and cut into tiles of logits."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.products import logits_into, onednn_is_quicker, packed, times_transposed
from vitscope.attention.kernels.threads import scratch

Tile = Float[Tensor, "heads rows keys"]

_LEAST_ROWS = 32  # of a tile, however long its rows: fewer, and packing the keys costs more than the product
_RUNS_PER_THREAD = 2  # so that threads end at about the same time


@dataclass(frozen=True)
class Run:
    """A run of query rows of one image, the work of one thread at a time."""

    image: int
    rows: range


def runs_of(call: AttentionCall) -> list[Run]:
    """All query rows of a call, in enough runs to keep every thread at work."""
    threads = torch.get_num_threads()
    wanted = 1 if threads == 1 else threads * _RUNS_PER_THREAD
    count = min(-(-wanted // call.images), call.query_count)
    edges = [call.query_count * i // count for i in range(count + 1)]
    parts = [range(start, stop) for start, stop in pairwise(edges)]
    return [Run(image, part) for image in range(call.images) for part in parts]


def part_of(tensor: Tensor, axis: int, part: slice) -> Tensor:
    """The part of an axis, or the tensor itself where that is all of it: making a view takes longer than asking."""
    whole = part.stop - part.start == tensor.shape[axis]
    return tensor if whole else tensor.narrow(axis, part.start, part.stop - part.start)


class Tiles(ABC):
    """Logits of a call in float32, a tile at a time; from `tiles_of`."""

    tile_bytes: int  # small enough to be in a cache until the loops have read them, large enough for quick products

    def __init__(self, call: AttentionCall) -> None:
        assert call.queries is not None
        assert call.keys is not None
        self._bias, self._scale = call.bias, call.scale
        self._queries: Float[Tensor, "images heads queries dim"] = call.queries
        self._height = max(_LEAST_ROWS, self.tile_bytes // (4 * call.key_count))

    def over(
        self, run: Run, weights: Float[np.ndarray, " queries"] | None = None
    ) -> Iterator[tuple[slice, Iterator[tuple[slice, Tile]]]]:
        """(rows, (heads, their logits) one tile after the other) of a run; a tile is the caller's until the next.

        Rows whose `weights` are all 0 are left out, as those of all queries but one where a rollout begins.
        """
        for first in range(run.rows.start, run.rows.stop, self._height):
            rows = slice(first, min(first + self._height, run.rows.stop))
            if weights is not None and not weights[rows].any():
                continue
            bias = None if self._bias is None else self._bias.run(range(run.image, run.image + 1)).rows(rows)[0].float()
            yield rows, self._products(run.image, rows, bias)

    @abstractmethod
    def _products(
        self, image: int, rows: slice, bias: Float[Tensor, "heads_or_1 rows keys"] | None
    ) -> Iterator[tuple[slice, Tile]]:
        """The heads' logits of these rows."""


class _Stacks(Tiles):
    """As many heads at once as a tile holds: MKL, which packs the keys each time, pays for small ones."""

    tile_bytes = 3 * 2**21

    def __init__(self, call: AttentionCall) -> None:
        super().__init__(call)
        assert call.keys is not None
        keys = call.keys.float()
        keys = keys if call.key_count <= self._height else keys.contiguous()  # gone through more than once
        self._images = list(zip(self._queries.unbind(), keys.unbind(), strict=True))

    def _products(self, image: int, rows: slice, bias: Tensor | None) -> Iterator[tuple[slice, Tile]]:
        queries, keys = self._images[image]
        queries = part_of(queries, 1, rows).float()
        length, each = len(keys), (queries.shape[1], keys.shape[1])
        count = min(length, max(1, self.tile_bytes // (4 * math.prod(each))))
        memory = scratch("logits", count, *each)
        for first in range(0, length, count):
            heads = slice(first, min(first + count, length))
            logits = part_of(memory, 0, slice(0, heads.stop - first))
            logits_into(logits, part_of(queries, 0, heads), part_of(keys, 0, heads), self._scale)
            if bias is not None:
                logits += bias if len(bias) == 1 else bias[heads]
            yield heads, logits


class _Singles(Tiles):
    """One head at a time."""

    tile_bytes = 2**21

    def __init__(self, call: AttentionCall) -> None:
        super().__init__(call)
        assert call.keys is not None
        self._keys = [[self._ready(head) for head in image] for image in call.keys]

    def _ready(self, keys: Float[Tensor, "keys dim"]) -> Tensor:
        """Packed, which takes memory for another copy, where products are too flat for packing them each time."""
        plain = keys.float().contiguous()
        return packed(plain, self._height) if self._height == _LEAST_ROWS else plain

    def _products(self, image: int, rows: slice, bias: Tensor | None) -> Iterator[tuple[slice, Tile]]:
        for head, keys in enumerate(self._keys[image]):
            logits = times_transposed(self._queries[image, head, rows].float() * self._scale, keys)
            if bias is not None:
                logits += bias[min(head, len(bias) - 1)]
            yield slice(head, head + 1), logits[None]


def tiles_of(call: AttentionCall) -> Tiles:
    """The call's tiles, made in the way that is quicker on this machine."""
    return _Singles(call) if onednn_is_quicker() else _Stacks(call)
