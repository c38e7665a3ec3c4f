"""The logits of a layer in fewer columns than its queries and keys have, as float16 alone holds them.

Q Kᵀ = U S Vᵀ has its weight in the first singular directions, the more so the longer a model was
trained. So the columns of U √S and V √S stand for queries and keys: the last ones are dropped, and
the first ones, which would carry most of the rounding, are stored as a sum of two float16 numbers:
(q + δq)·(k + δk) ≈ q·k + q·δk + δq·k, three columns for one.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

_SIXTEENTHS = (0, 1, 2, 3, 4, 6, 8)  # of all columns: how many are tried at double precision


@dataclass(frozen=True)
class Split:
    """How many columns are kept, and how many of them, the first, are stored twice as precisely."""

    rank: int
    doubled: int

    @property
    def columns(self) -> int:
        return self.rank + 2 * self.doubled


@dataclass(frozen=True, eq=False)
class Factors:
    """Queries and keys turned so that most of their product lies in the first columns."""

    queries: Float[Tensor, "heads tokens columns"]  # U √S
    keys: Float[Tensor, "heads tokens columns"]  # V √S

    @classmethod
    def of(cls, queries: Float[Tensor, "heads tokens dim"], keys: Float[Tensor, "heads tokens dim"]) -> "Factors":
        """The factors of queries · keysᵀ, without forming that; all in float64."""
        query_basis, query_part = torch.linalg.qr(queries)  # (heads, tokens, r), (heads, r, dim)
        key_basis, key_part = torch.linalg.qr(keys)
        left, values, right = torch.linalg.svd(query_part @ key_part.mT)
        roots = values.sqrt()[:, None]  # (heads, 1, r)
        return cls(query_basis @ (left * roots), key_basis @ (right.mT * roots))

    def smallest_split(self, good: Callable[[Split], bool], fewer_than: int) -> Split | None:
        """The split of fewest columns that is good enough, or None if none of `fewer_than` columns is.

        Takes it that more columns, or more of them doubled, never do worse.
        """
        full = self.queries.shape[-1]
        ranks = sorted({-(-full * part // 16) for part in range(1, 17)})  # rounded up
        best: Split | None = None
        for doubled in sorted({-(-full * part // 16) for part in _SIXTEENTHS}):
            most = (fewer_than if best is None else best.columns) - 2 * doubled
            tried = [Split(rank, doubled) for rank in ranks if doubled <= rank < most]
            if tried and good(tried[-1]):
                best = tried[bisect_left(tried, True, hi=len(tried) - 1, key=good)]
        return best

    def columns(self, split: Split) -> tuple[Tensor, Tensor]:
        """Queries and keys (heads, tokens, columns) in float16, whose product is about that of the factors."""
        queries, keys = (part[..., : split.rank] for part in self._high)
        query_rest, key_rest = (part[..., : split.doubled] for part in self._low)
        return (
            torch.cat([queries, queries[..., : split.doubled], query_rest], -1),
            torch.cat([keys, key_rest, keys[..., : split.doubled]], -1),
        )

    @cached_property
    def _high(self) -> tuple[Tensor, Tensor]:
        return self.queries.half(), self.keys.half()

    @cached_property
    def _low(self) -> tuple[Tensor, Tensor]:
        """What rounding to float16 left over, in float16."""
        (queries, keys), (high_queries, high_keys) = (self.queries, self.keys), self._high
        return (queries - high_queries.double()).half(), (keys - high_keys.double()).half()
