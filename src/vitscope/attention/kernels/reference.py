"""The kernels as their formulas read, on whole layers: the plain sibling of every other body."""

import math
from itertools import combinations
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.fused_matrix import FusedMatrix
from vitscope.attention.kernels.statistics import NO_MASS, Moments, Places, RowStatistics, mean_offsets

Fusion = Literal["mean", "max", "min"]


def probabilities(call: AttentionCall) -> Float[Tensor, "images heads queries keys"]:
    """All attention weights of a layer."""
    return call.weights(slice(None))


def row_statistics(call: AttentionCall, places: Places, *, whole: bool = True) -> RowStatistics:
    """What `RowStatistics` describes; always the whole."""
    query_prefix, key_prefix = places.prefixes(call)
    rows = probabilities(call)[:, :, query_prefix:]  # (images, heads, patch queries, keys)
    to_patches = rows[..., key_prefix:]
    distances = torch.cdist(places.queries, places.keys).to(call.device, call.dtype)  # (patch queries, patch keys)
    travelled = (to_patches * distances).sum(-1)  # (images, heads, patch queries)
    mass = to_patches.sum(-1)
    return RowStatistics(
        distance=travelled.mean(-1),
        squared_distance=(to_patches * distances**2).sum(-1).mean(-1),
        rescaled_distance=torch.where(mass > NO_MASS, travelled / mass, 0).mean(-1),
        entropy=torch.special.entr(rows).sum(-1).mean(-1),
        largest=rows.amax(-1).mean(-1),
        prefix_mass=rows[..., :key_prefix].mean(-2),
        normalisers=normalisers(call),
    )


def normalisers(call: AttentionCall) -> Float[Tensor, "images heads queries"]:
    """ln Σ_k exp(logit) of every row; 0 for a call that holds the weights themselves."""
    return call.logits(slice(None)).logsumexp(-1)


def moments(call: AttentionCall, places: Places) -> Moments:
    """What `Moments` describes."""
    _, key_prefix = places.prefixes(call)
    to_patches = probabilities(call)[..., key_prefix:]  # (images, heads, queries, patch keys)
    mass = to_patches.sum(-1)
    shares = (to_patches / mass[..., None])[..., None]  # (images, heads, queries, patch keys, 1)
    keys = places.keys.to(call.device, call.dtype)
    centroid = (shares * keys).sum(-2)  # (images, heads, queries, 2)
    y, x = (keys - centroid[..., None, :]).unbind(-1)  # (images, heads, queries, patch keys) each
    covariance = (shares * torch.stack([y * y, x * x, y * x], -1)).sum(-2)
    return Moments(mass, centroid, covariance)


def mean_moments(call: AttentionCall, places: Places) -> Float[Tensor, "images heads 3"]:
    """What `mean_offsets` describes."""
    return mean_offsets(moments(call, places), places)


def head_distances(call: AttentionCall, asking: Bool[Tensor, "windows queries"]) -> Float[Tensor, "images heads heads"]:
    """Sums over the queries that are `asking` of the Jensen–Shannon distance between the rows of two heads, in 0 to 1.

    √½Σ_k (p·log₂(p / m) + q·log₂(q / m)), m = (p + q) / 2, over all keys; rows are divided by their sums. NaN where a
    row has a weight below 0. The windows are those of an image, and the call's images run over these too.
    """
    rows = probabilities(call).double()
    rows = rows.masked_fill((rows < 0).any(-1, keepdim=True), math.nan)
    rows = rows / rows.sum(-1, keepdim=True)
    asked = asking.to(call.device).repeat(call.images // len(asking), 1)  # (images, queries)
    out = torch.zeros(call.images, call.heads, call.heads, dtype=call.dtype, device=call.device)
    for a, b in combinations(range(call.heads), 2):
        mean = (rows[:, a] + rows[:, b]) / 2
        entropies = [torch.special.entr(part).sum(-1) for part in (mean, rows[:, a], rows[:, b])]
        divergence = entropies[0] - (entropies[1] + entropies[2]) / 2  # (images, queries)
        distance = (divergence / math.log(2)).clamp(min=0).sqrt()
        out[:, a, b] = out[:, b, a] = torch.where(asked, distance, 0).sum(-1).to(call.dtype)
    return out


def attend(
    call: AttentionCall,
    values: Float[Tensor, "images heads keys features"],
    places: Places,
    fusion: Fusion | None = None,
    *,
    whole: bool = True,
) -> tuple[Float[Tensor, "images heads queries features"], RowStatistics, FusedMatrix | None]:
    """The attention's own output, weights times values, its statistics and, if asked for, the heads fused."""
    output = probabilities(call) @ values.to(call.dtype)
    if fusion is None:
        return output, row_statistics(call, places), None
    return output, *statistics_and_fused(call, places, fusion)


def statistics_and_fused(call: AttentionCall, places: Places, fusion: Fusion) -> tuple[RowStatistics, FusedMatrix]:
    """The statistics, and the heads fused, from the same products."""
    matrix = FusedMatrix.empty(call)
    for i, image in enumerate(fused(call, fusion)):
        matrix.write(i, slice(None), image)
    return row_statistics(call, places), matrix


def column_sums(
    call: AttentionCall, vector: Float[Tensor, "images queries"], normalisers: Float[Tensor, "images heads queries"]
) -> Float[Tensor, "images heads keys"]:
    """Σ_q vector[q]·A[q, k]: what each key receives of every head, the queries weighted by `vector`.

    `normalisers` are those of `row_statistics` or `normalisers`.
    """
    weights = (call.logits(slice(None)) - normalisers[..., None]).exp()
    return torch.einsum("iq,ihqk->ihk", vector, weights)


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
    least: Float[Tensor, " images"] | None = None,
    normalisers: Float[Tensor, "images heads tokens"] | None = None,
) -> Float[Tensor, "images tokens"]:
    """A row vector times `rollout_layer`; `normalisers`, where they are known, save a pass."""
    return (vector[:, None] @ rollout_layer(call, fusion, least))[:, 0]


def vector_times_stored_layer(
    call: AttentionCall, matrix: FusedMatrix, vector: Float[Tensor, "images tokens"]
) -> Float[Tensor, "images tokens"]:
    """A row vector times `rollout_layer`, from the call's heads fused and stored."""
    fused = matrix.levels * matrix.steps[..., None]
    factor = (fused + torch.eye(call.key_count, dtype=fused.dtype, device=fused.device)) / (matrix.sums[..., None] + 1)
    return (vector[:, None] @ factor)[:, 0]


def _rank(discard: float, entries: int) -> int:
    return min(int(discard * entries), entries - 1)
