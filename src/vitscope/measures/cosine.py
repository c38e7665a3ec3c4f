"""Sums of products of layers as cosines. Imports no torch, so that summaries of tables need none."""

import numpy as np
from jaxtyping import Float


def cosine(sums: Float[np.ndarray, "layers layers"]) -> Float[np.ndarray, "layers layers"]:
    """Each entry over the root of the product of its two diagonal entries; NaN where one of them is not above 0."""
    own = np.diagonal(sums)
    length = np.sqrt(np.where(own > 0, own, np.nan))
    return sums / (length[:, None] * length)
