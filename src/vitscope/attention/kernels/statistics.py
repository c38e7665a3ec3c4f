"""What one pass over a layer's rows tells of it, and what it needs to know of the places."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall

NO_MASS = 1e-30  # less than this counts as none, as float32 holds too little of its parts
MEANS = 5  # in `RowStatistics`, before the prefix masses


@dataclass(frozen=True, eq=False)
class Places:
    """Where a layer's patch queries and patch keys stand: (y, x), in a unit of the caller's choice.

    Tokens that stand nowhere (class token, registers) come first and have no place.
    """

    queries: Float[Tensor, "patch_queries 2"]
    keys: Float[Tensor, "patch_keys 2"]

    def prefixes(self, call: AttentionCall) -> tuple[int, int]:
        """How many prefix tokens lead the queries, and the keys."""
        return call.query_count - len(self.queries), call.key_count - len(self.keys)


@dataclass(frozen=True, eq=False)
class RowStatistics:
    """Means over the patch queries of one layer, for each image and head; and every row's normaliser.

    Distances are Σ_k A[q, k]·‖pos_q − pos_k‖ over the patch keys, in the unit of the places given. Where not
    the whole is asked for, a body may leave out what distances do not need: it is None then.
    """

    distance: Float[Tensor, "images heads"]  # rows not rescaled
    squared_distance: Float[Tensor, "images heads"] | None  # Σ_k A·‖pos_q − pos_k‖², the second moment; not rescaled
    rescaled_distance: Float[Tensor, "images heads"]  # each row divided by its mass on patches; 0 below `NO_MASS`
    entropy: Float[Tensor, "images heads"] | None  # −Σ_k A·ln A over all keys, in nats
    largest: Float[Tensor, "images heads"] | None  # max_k A over all keys
    prefix_mass: Float[Tensor, "images heads prefix"]  # A on each prefix token
    # ln Σ_k exp(logit) of all queries, prefix tokens too; an entry for each window of each image
    normalisers: Float[Tensor, "entries heads queries"]

    @staticmethod
    def of(means: Float[Tensor, "images heads statistics"], normalisers: Tensor) -> "RowStatistics":
        """From the means in the order above, those of each prefix token last."""
        distance, squared, rescaled, entropy, largest = means[..., :MEANS].unbind(-1)
        return RowStatistics(distance, squared, rescaled, entropy, largest, means[..., MEANS:].clone(), normalisers)


@dataclass(frozen=True, eq=False)
class Moments:
    """Where each query's attention lies and how far it spreads, over the patch keys, in the unit of the places given.

    Centroid and covariance are those of the row rescaled to 1 over the patches; NaN where it has no mass there.
    """

    mass: Float[Tensor, "images heads queries"]  # Σ_k A over the patch keys
    centroid: Float[Tensor, "images heads queries 2"]  # mean (y, x)
    covariance: Float[Tensor, "images heads queries 3"]  # yy, xx, yx about the centroid


def mean_offsets(moments: Moments, places: Places) -> Float[Tensor, "images heads 3"]:
    """Means over the patch queries: how far the centroid is from the query's own place, by y and x, and the spread.

    The spread is the root of the covariance's trace. Rows of less mass on the patches than `NO_MASS` count as 0.
    """
    prefix = moments.mass.shape[-1] - len(places.queries)
    offset = moments.centroid[:, :, prefix:] - places.queries.to(moments.centroid)  # (images, heads, patch queries, 2)
    spread = moments.covariance[:, :, prefix:, :2].sum(-1).clamp(min=0).sqrt()
    both = torch.cat([offset, spread[..., None]], -1)
    return torch.where(moments.mass[:, :, prefix:, None] > NO_MASS, both, 0).mean(2)
