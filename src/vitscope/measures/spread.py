"""How attention is spread: its entropy, and the mass that prefix tokens take.

Both are means over the patch queries, from the same pass over the rows as the distance. Entropy is
Shannon's, −Σ_k A[q, k] · ln A[q, k] over all keys, prefix tokens included, in nats: 0 where a
single key takes everything, ln N where all N do alike. A prefix token's mass is the mean of
A[q, token]; tokens that take much of it are sinks (Darcet et al. 2023, arXiv 2309.16588).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.kernels.statistics import RowStatistics
from vitscope.errors import CaptureError
from vitscope.measures import dense
from vitscope.measures.needs import Needs
from vitscope.measures.result import Measured, measured
from vitscope.measures.seen import Seen


@dataclass(frozen=True)
class Entropy:
    """Mean entropy of the patch queries' rows, in nats, of every layer and head."""

    convention = "entropy of attention rows in nats, over all keys, mean over patch queries"
    needs = Needs(statistics=frozenset({False}), entropy=True)

    def measure(self, seen: Seen) -> Float[Measured, "images layers heads"]:
        return measured(seen.stacked(_entropy_of), self.convention)


@dataclass(frozen=True)
class PrefixMass:
    """Mean weight that the patch queries give to each prefix token, of every layer and head."""

    convention = "attention mass on each prefix token, mean over patch queries"
    needs = Needs(statistics=frozenset({False}))

    def measure(self, seen: Seen) -> Float[Measured, "images layers heads prefix"]:
        return measured(seen.stacked(lambda rows: rows.prefix_mass), self.convention)


def _entropy_of(rows: RowStatistics) -> Tensor:
    if rows.entropy is None:
        raise CaptureError(
            "row statistics were computed without their entropy, as no measure named beforehand said that it needs "
            "it; give the measure `needs` with entropy=True"
        )
    return rows.entropy


def entropy(attention: Any, prefix: int = 1) -> Float[Measured, "*batch"]:
    """Entropy of dense attention (…, tokens, tokens) in nats, mean over the queries after `prefix`."""
    array = dense.square(attention)
    rows = array[..., prefix:, :].astype(np.float64)  # (…, patches, tokens)
    logarithms = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    result = np.asarray(-(rows * logarithms).sum(-1).mean(-1)).astype(dense.result_type(array))
    return measured(result, Entropy.convention)


def prefix_mass(attention: Any, prefix: int = 1) -> Float[Measured, "*batch prefix"]:
    """Mass on each of the first `prefix` tokens of dense attention (…, tokens, tokens), mean over the other queries."""
    array = dense.square(attention)
    result = array[..., prefix:, :prefix].mean(-2, dtype=np.float64).astype(dense.result_type(array))
    return measured(result, PrefixMass.convention)
