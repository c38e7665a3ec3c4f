"""The kernels as their formulas read, on whole layers: the plain sibling of `tiled`."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.statistics import RowStatistics

Fusion = Literal["mean", "max", "min"]


def probabilities(call: AttentionCall) -> Float[Tensor, "images heads queries keys"]:
    """All attention weights of a layer."""
    return call.weights(slice(None))


def row_statistics(call: AttentionCall, places: Float[Tensor, "patches 2"], prefix: int) -> RowStatistics:
    """Means over the patch queries of what `RowStatistics` describes."""
    rows = probabilities(call)[:, :, prefix:]  # (images, heads, patches, keys)
    to_patches = rows[..., prefix:]
    distances = torch.cdist(places, places).to(call.dtype)  # (patches, patches)
    travelled = (to_patches * distances).sum(-1)  # (images, heads, patches)
    mass = to_patches.sum(-1)
    return RowStatistics(
        distance=travelled.mean(-1),
        rescaled_distance=torch.where(mass > 0, travelled / mass, 0).mean(-1),
        entropy=torch.special.entr(rows).sum(-1).mean(-1),
        prefix_mass=rows[..., :prefix].mean(-2),
    )


def mean_row(call: AttentionCall, first: int) -> Float[Tensor, "images heads keys"]:
    """The mean of the rows of all queries from `first` on."""
    return probabilities(call)[:, :, first:].mean(2)


def fused(call: AttentionCall, fusion: Fusion) -> Float[Tensor, "images queries keys"]:
    """The heads of every row fused into one."""
    weights = probabilities(call)
    return weights.mean(1) if fusion == "mean" else getattr(weights, f"a{fusion}")(1)


def threshold(call: AttentionCall, fusion: Fusion, discard: float) -> Float[Tensor, " images"]:
    """The k-th smallest entry of each image's fused matrix, k = ⌊discard·N²⌋ + 1."""
    entries = fused(call, fusion).flatten(1)  # (images, queries · keys)
    return entries.sort(dim=1).values[:, _rank(discard, entries.shape[1])]


def rollout_layer(
    call: AttentionCall, fusion: Fusion, least: Float[Tensor, " images"] | None
) -> Float[Tensor, "images tokens tokens"]:
    """One factor of the rollout: fused, entries below `least` zeroed, plus identity, rows summing to 1."""
    matrix = fused(call, fusion)
    if least is not None:
        matrix = matrix.masked_fill(matrix < least[:, None, None], 0)
    matrix = matrix + torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return matrix / matrix.sum(-1, keepdim=True)


def vector_times_rollout_layer(
    call: AttentionCall,
    vector: Float[Tensor, "images tokens"],
    fusion: Fusion,
    least: Float[Tensor, " images"] | None,
) -> Float[Tensor, "images tokens"]:
    """A row vector times `rollout_layer`."""
    return (vector[:, None] @ rollout_layer(call, fusion, least))[:, 0]


def _rank(discard: float, entries: int) -> int:
    return min(int(discard * entries), entries - 1)
