"""Head similarity: how alike two heads of a layer attend, by the Jensen–Shannon distance between their rows.

For heads with rows p and q of one query over all keys, prefix tokens included, and m = (p + q) / 2, it is
√(½ Σ_k p_k · log₂(p_k / m_k) + ½ Σ_k q_k · log₂(q_k / m_k)), the mean over the patch queries. With base 2 it runs
from 0, the same rows, to 1, no key in common. The divergence is Lin's (1991, "Divergence Measures Based on the Shannon
Entropy"), its root a metric (Endres & Schindelin 2003); Clark et al. 2019 (arXiv 1906.04341, section 6) compare heads
by the divergence, without the root.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from vitscope.errors import ArgumentError
from vitscope.measures import dense
from vitscope.measures.arranged import Arranged
from vitscope.measures.needs import Needs
from vitscope.measures.result import Measured, measured
from vitscope.measures.seen import Seen


@dataclass(frozen=True)
class HeadDistancesPass:
    """The distances of a layer, (images, heads, heads)."""

    @property
    def words(self) -> str:
        return "distances between heads"

    def __call__(self, layer: Arranged) -> Tensor:
        return layer.head_distances()


@dataclass(frozen=True)
class HeadSimilarity:
    """Jensen–Shannon distance between every two heads of a layer: symmetric, 0 on the diagonal, at most 1.

    Where attention is in windows, the mean is over the patch queries of all of them; one that stands in
    several counts in each. Padding is a key like another, as in the model, and no query. Rows are divided by
    their sums; weights below 0, which models that mix their heads may have, give NaN.
    """

    convention = (
        "Jensen–Shannon distance (base 2, 0 to 1) between two heads' attention rows over all keys, mean over patch "
        "queries"
    )
    needs = Needs(passes=frozenset({HeadDistancesPass()}))

    def measure(self, seen: Seen) -> Float[Measured, "images layers heads heads"]:
        """The distances; NaN where a layer has fewer heads than another."""
        return measured(seen.passed(HeadDistancesPass()), self.convention)


def head_similarity(attention: Any, prefix: int = 1) -> Float[Measured, "*batch heads heads"]:
    """Jensen–Shannon distance between the heads of dense attention (…, heads, tokens, tokens).

    The mean over the queries after `prefix`, in float64 and by the entropies' difference: exact to about 1e-8.
    """
    array = dense.square(attention)
    if array.ndim < 3:
        raise ArgumentError(f"attention must be (…, heads, tokens, tokens); found shape {array.shape}")
    rows = array[..., prefix:, :].astype(np.float64)  # (…, heads, queries, tokens)
    rows = rows / rows.sum(-1, keepdims=True)
    entropies = _entropy(rows)  # (…, heads, queries)
    distances = np.zeros((*array.shape[:-2], array.shape[-3]))  # (…, heads, heads)
    for a in range(array.shape[-3]):
        for b in range(a):
            middle = _entropy((rows[..., a, :, :] + rows[..., b, :, :]) / 2)  # (…, queries)
            divergence = middle - (entropies[..., a, :] + entropies[..., b, :]) / 2
            distances[..., a, b] = distances[..., b, a] = np.sqrt(divergence.clip(0, 1)).mean(-1)
    return measured(distances.astype(dense.result_type(array)), HeadSimilarity.convention)


def _entropy(rows: Float[np.ndarray, "*batch tokens"]) -> Float[np.ndarray, "*batch"]:
    """In bits."""
    logarithms = np.log2(rows, out=np.zeros_like(rows), where=rows > 0)
    return -(rows * logarithms).sum(-1)
