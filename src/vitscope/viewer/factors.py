"""The logits of a layer in as few columns as they need, each of 16-bit integers.

Q Kᵀ = U S Vᵀ has its weight in the first singular directions, the more so the longer a model was
trained. So the columns of U √S and V √S stand for queries and keys, and the last ones are dropped.
A column keeps to about one range, so that integers with a step of the column's own are several
times as exact as float16, which spends five of its bits on exponents.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

_LARGEST = 2**15 - 1  # of the integers
_LEAST_STEP = 1e-18  # of columns of zeros; the product of two is a float32


@dataclass(frozen=True, eq=False)
class Integers:
    """Factors of logits in integers: logits = Σ over columns of steps · queries · keys."""

    queries: Int[Tensor, "heads queries columns"]  # int16
    keys: Int[Tensor, "heads keys columns"]
    steps: Float[Tensor, "heads columns"]  # float32


@dataclass(frozen=True, eq=False)
class Factors:
    """Queries and keys turned so that most of their product lies in the first columns."""

    queries: Float[Tensor, "heads queries columns"]  # U √S
    keys: Float[Tensor, "heads keys columns"]  # V √S

    @classmethod
    def of(cls, queries: Float[Tensor, "heads queries dim"], keys: Float[Tensor, "heads keys dim"]) -> "Factors":
        """The factors of queries · keysᵀ, without forming that; all in float64."""
        query_basis, query_part = torch.linalg.qr(queries)  # (heads, queries, r), (heads, r, dim)
        key_basis, key_part = torch.linalg.qr(keys)
        left, values, right = torch.linalg.svd(query_part @ key_part.mT, full_matrices=False)
        roots = values.sqrt()[:, None]  # (heads, 1, r)
        return cls(query_basis @ (left * roots), key_basis @ (right.mT * roots))

    def smallest_rank(self, good: Callable[[int], bool]) -> int | None:
        """The fewest columns that are good enough, or None if all are not; takes it that more never do worse."""
        ranks = range(1, self.queries.shape[-1] + 1)
        if not good(ranks[-1]):
            return None
        return ranks[bisect_left(ranks, True, hi=len(ranks) - 1, key=good)]

    def integers(self, rank: int) -> Integers:
        """The first `rank` columns in integers."""
        queries, query_steps = _rounded(self.queries[..., :rank])
        keys, key_steps = _rounded(self.keys[..., :rank])
        return Integers(queries, keys, (query_steps * key_steps)[:, 0].float())


def _rounded(columns: Tensor) -> tuple[Tensor, Tensor]:
    """Integers (heads, tokens, columns) and the step of each column (heads, 1, columns)."""
    steps = (columns.abs().amax(1, keepdim=True) / _LARGEST).clamp_min(_LEAST_STEP)
    return (columns / steps).round().to(torch.int16), steps
