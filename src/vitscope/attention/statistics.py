"""What one pass over a layer's rows tells of it."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class RowStatistics:
    """Means over the patch queries of one layer, for each image and head."""

    distance: Float[Tensor, "images heads"]  # Σ_k A·‖pos_q − pos_k‖ over patch keys, rows not rescaled
    rescaled_distance: Float[Tensor, "images heads"]  # the same, each row divided by its mass on patches
    entropy: Float[Tensor, "images heads"]  # −Σ_k A·ln A over all keys, in nats
    prefix_mass: Float[Tensor, "images heads prefix"]  # A on each prefix token
