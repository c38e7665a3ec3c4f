"""A call's query rows, shared among threads and cut into tiles of one head's logits."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.products import packed, times_transposed

_TILE_BYTES = 2**21  # one head's logits: in the cache until the loops have read them, and enough for a quick product
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


class HeadLogits:
    """Logits of a call in float32, a tile at a time."""

    def __init__(self, call: AttentionCall) -> None:
        assert call.queries is not None
        assert call.keys is not None
        self._bias = call.bias
        self._queries: Float[Tensor, "images heads queries dim"] = call.queries
        self._scale = call.scale
        self._height = max(_LEAST_ROWS, _TILE_BYTES // (4 * call.key_count))
        self._keys = [[self._ready(head) for head in image] for image in call.keys]

    def _ready(self, keys: Float[Tensor, "keys dim"]) -> Tensor:
        """Packed, which takes memory for another copy, where products are too flat for packing them each time."""
        plain = keys.float().contiguous()
        return packed(plain, self._height) if self._height == _LEAST_ROWS else plain

    def tiles(self, run: Run) -> Iterator[tuple[slice, Iterator[Float[np.ndarray, "rows keys"]]]]:
        """(rows, the logits of one head after the other) over a run; the logits are the caller's to change."""
        for first in range(run.rows.start, run.rows.stop, self._height):
            rows = slice(first, min(first + self._height, run.rows.stop))
            yield rows, self._heads(run.image, rows)

    def _heads(self, image: int, rows: slice) -> Iterator[np.ndarray]:
        bias = None if self._bias is None else self._bias.image(image).rows(rows)[0].float()  # (heads or 1, rows, keys)
        for head, keys in enumerate(self._keys[image]):
            logits = times_transposed(self._queries[image, head, rows].float() * self._scale, keys)
            if bias is not None:
                logits += bias[min(head, len(bias) - 1)]
            yield logits.numpy()
