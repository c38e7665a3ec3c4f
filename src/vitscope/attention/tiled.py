"""The kernels over tiles of query rows: a layer's N × N weights are never held.

Every function is `reference`'s function of the same name. A tile is all heads of one image by as
many query rows as fit in a few megabytes, so that it stays in the cache between its steps.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.reference import Fusion
from vitscope.attention.statistics import RowStatistics

_TILE_BYTES = 4 * 2**20


def row_statistics(call: AttentionCall, places: Float[Tensor, "patches 2"], prefix: int) -> RowStatistics:
    """Means over the patch queries of what `RowStatistics` describes."""
    places = places.to(call.device, call.dtype)
    images = [_image_statistics(call.image(i), places, prefix) for i in range(call.images)]
    distance, rescaled, entropy, mass = (torch.stack(parts) for parts in zip(*images, strict=True))
    return RowStatistics(distance, rescaled, entropy, mass)


def _image_statistics(call: AttentionCall, places: Tensor, prefix: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Distance, rescaled distance, entropy (heads,) and prefix mass (heads, prefix) of one image."""
    zeros = torch.zeros(call.heads, dtype=call.dtype, device=call.device)
    distance, rescaled, entropy = zeros, zeros.clone(), zeros.clone()
    prefix_mass = torch.zeros(call.heads, prefix, dtype=call.dtype, device=call.device)
    for rows in _tiles(call, start=prefix):
        weights = call.weights(rows)[0]  # (heads, rows, keys)
        to_patches = weights[..., prefix:]
        travelled = torch.einsum("hrk,rk->hr", to_patches, _distances(places, rows, prefix))
        mass = to_patches.sum(-1)  # (heads, rows)
        distance += travelled.sum(-1)
        rescaled += torch.where(mass > 0, travelled / mass, 0).sum(-1)
        prefix_mass += weights[..., :prefix].sum(1)
        entropy += torch.special.entr(weights).sum((1, 2))
    patches = places.shape[0]
    return distance / patches, rescaled / patches, entropy / patches, prefix_mass / patches


def mean_row(call: AttentionCall, first: int) -> Float[Tensor, "images heads keys"]:
    """The mean of the rows of all queries from `first` on."""
    out = torch.zeros(call.images, call.heads, call.key_count, dtype=call.dtype, device=call.device)
    for i in range(call.images):
        for rows in _tiles(call, start=first):
            out[i] += call.image(i).weights(rows)[0].sum(1)
    return out / (call.query_count - first)


def fused(call: AttentionCall, fusion: Fusion) -> Float[Tensor, "images queries keys"]:
    """The heads of every row fused into one; N × N, for those who ask for the full matrix."""
    out = torch.empty(call.images, call.query_count, call.key_count, dtype=call.dtype, device=call.device)
    for i in range(call.images):
        for rows, tile in _fused_tiles(call.image(i), fusion):
            out[i, rows] = tile
    return out


def threshold(call: AttentionCall, fusion: Fusion, discard: float) -> Float[Tensor, " images"]:
    """The k-th smallest entry of each image's fused matrix, k = ⌊discard·N²⌋ + 1.

    Found exactly without holding the matrix: entries are ≥ 0, so their bit patterns are ordered as
    they are, and the pattern is found 16 bits at a time from histograms over recomputed tiles.
    """
    return torch.stack([_image_threshold(call.image(i), fusion, discard) for i in range(call.images)])


def _image_threshold(call: AttentionCall, fusion: Fusion, discard: float) -> Tensor:
    entries = call.query_count * call.key_count
    rank = min(int(discard * entries), entries - 1)
    integers = torch.int64 if call.dtype == torch.float64 else torch.int32
    found = 0  # the leading bits of the pattern sought
    for shift in range(torch.iinfo(integers).bits - 16, -1, -16):
        counts = torch.zeros(2**16, dtype=torch.int64, device=call.device)
        for _, tile in _fused_tiles(call, fusion):
            patterns = tile.contiguous().view(integers).flatten() >> shift
            digits = patterns - (found << 16) if shift + 16 < torch.iinfo(integers).bits else patterns
            counts += torch.bincount(digits[(digits >= 0) & (digits < 2**16)], minlength=2**16)
        below = counts.cumsum(0)
        digit = int(torch.searchsorted(below, torch.tensor(rank, device=call.device), right=True))
        rank -= int(below[digit - 1]) if digit else 0
        found = (found << 16) + digit
    return torch.tensor(found, dtype=integers, device=call.device).view(call.dtype)


def rollout_layer(
    call: AttentionCall, fusion: Fusion, least: Float[Tensor, " images"] | None
) -> Float[Tensor, "images tokens tokens"]:
    """One factor of the rollout as a full matrix: fused, below `least` zeroed, plus identity, rows summing to 1."""
    matrix = fused(call, fusion)
    for i in range(call.images):
        if least is not None:
            matrix[i].masked_fill_(matrix[i] < least[i], 0)
        matrix[i].diagonal().add_(1)
        matrix[i].div_(matrix[i].sum(-1, keepdim=True))
    return matrix


def vector_times_rollout_layer(
    call: AttentionCall,
    vector: Float[Tensor, "images tokens"],
    fusion: Fusion,
    least: Float[Tensor, " images"] | None,
) -> Float[Tensor, "images tokens"]:
    """A row vector times `rollout_layer`, without forming that."""
    out = torch.zeros_like(vector)
    for i in range(call.images):
        for rows, tile in _fused_tiles(call.image(i), fusion):
            if least is not None:
                tile.masked_fill_(tile < least[i], 0)
            share = vector[i, rows] / (tile.sum(-1) + 1)  # (rows,): the identity adds 1 to each row's sum
            out[i] += share @ tile
            out[i, rows] += share
    return out


def _fused_tiles(call: AttentionCall, fusion: Fusion) -> Iterator[tuple[slice, Tensor]]:
    """(rows, (rows, keys)) tiles of one image's fused matrix."""
    for rows in _tiles(call, start=0):
        weights = call.weights(rows)[0]  # (heads, rows, keys)
        yield rows, weights.mean(0) if fusion == "mean" else getattr(weights, f"a{fusion}")(0)


def _tiles(call: AttentionCall, start: int) -> Iterator[slice]:
    """Query rows from `start` on, in runs whose weights over all heads fit in a tile."""
    row_bytes = call.heads * call.key_count * call.dtype.itemsize
    height = max(1, _TILE_BYTES // row_bytes)
    for first in range(start, call.query_count, height):
        yield slice(first, min(first + height, call.query_count))


def _distances(places: Tensor, rows: slice, prefix: int) -> Tensor:
    """(rows, patches): from the patches of the chosen query rows to all patches."""
    offsets = places[rows.start - prefix : rows.stop - prefix, None] - places  # (rows, patches, 2)
    return torch.linalg.vector_norm(offsets, dim=-1)
