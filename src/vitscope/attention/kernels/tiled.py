"""The kernels over tiles of query rows, in PyTorch, for any device: a layer's N × N weights are never held.

Every function is `reference`'s function of the same name. A tile is all heads of one image by as
many query rows as fit in a few megabytes, so that it stays in the cache between its steps.
"""

import math
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.fused_matrix import FusedMatrix
from vitscope.attention.kernels.reference import Fusion
from vitscope.attention.kernels.selection import kth_smallest
from vitscope.attention.kernels.statistics import MEANS, NO_MASS, Moments, Places, RowStatistics

_TILE_BYTES = 4 * 2**20
_PAIR_TILE_BYTES = {"cpu": 2**20}  # where heads are compared: a tile has several temporaries of its own size
_OTHER_PAIR_TILE_BYTES = 2**25  # on a device on which every operation takes time to start
_LARGEST_ANGLE = 100.0  # more than artanh of any number below 1: only that of 1 itself is cut
NEEDS_NORMALISERS = False  # a tile's softmax is quicker than the exponential of its logits less those


def row_statistics(call: AttentionCall, places: Places, *, whole: bool = True) -> RowStatistics:
    """What `RowStatistics` describes; always the whole."""
    return _pass_over_rows(call, places, lambda image, rows, weights: None)


def attend(
    call: AttentionCall,
    values: Float[Tensor, "images heads keys features"],
    places: Places,
    fusion: Fusion | None = None,
    *,
    whole: bool = True,
) -> tuple[Float[Tensor, "images heads queries features"], RowStatistics, FusedMatrix | None]:
    """The attention's own output, its statistics and, if asked for, the heads fused, from the same products."""
    values = values.to(call.dtype)
    output = values.new_empty(call.images, call.heads, call.query_count, values.shape[-1])
    matrix = None if fusion is None else FusedMatrix.empty(call)

    def multiply(image: int, rows: slice, weights: Tensor) -> None:
        output[image, :, rows] = weights @ values[image]
        if matrix is not None and fusion is not None:
            matrix.write(image, rows, _fuse(weights, fusion))

    return output, _pass_over_rows(call, places, multiply), matrix


def statistics_and_fused(call: AttentionCall, places: Places, fusion: Fusion) -> tuple[RowStatistics, FusedMatrix]:
    """The statistics, and the heads fused, from the same products."""
    matrix = FusedMatrix.empty(call)

    def keep(image: int, rows: slice, weights: Tensor) -> None:
        matrix.write(image, rows, _fuse(weights, fusion))

    return _pass_over_rows(call, places, keep), matrix


def _pass_over_rows(call: AttentionCall, places: Places, also: Callable[[int, slice, Tensor], None]) -> RowStatistics:
    """The statistics; each tile's image, rows and weights (heads, rows, keys) are handed on to `also`."""
    query_prefix, key_prefix = places.prefixes(call)
    queries, keys = (side.to(call.device, call.dtype) for side in (places.queries, places.keys))
    means = torch.zeros(call.images, call.heads, MEANS + key_prefix, dtype=call.dtype, device=call.device)
    normalisers = torch.empty(call.images, call.heads, call.query_count, dtype=call.dtype, device=call.device)
    for i, rows in _tiles(call):
        image = call.image(i)
        logits = image.logits(rows)[0]  # (heads, rows, keys)
        # weights that are given may be mixed between heads: they need not sum to 1, nor be above 0
        weights = torch.softmax(logits, -1) if image.probabilities is None else image.weights(rows)[0]
        largest = weights.amax(-1)
        normaliser = logits.amax(-1) - largest.log()  # (heads, rows)
        normalisers[i, :, rows] = normaliser
        also(i, rows, weights)
        first = max(rows.start, query_prefix)  # the tile's first patch query
        if first < rows.stop:
            apart = torch.cdist(queries[first - query_prefix : rows.stop - query_prefix], keys)  # (rows, patch keys)
            parts = (part[:, first - rows.start :] for part in (weights, logits, normaliser, largest))
            means[i] += _sums(*parts, distances=apart, prefix=key_prefix)
    means /= len(places.queries)
    return RowStatistics.of(means, normalisers)


def _sums(
    weights: Tensor, logits: Tensor, normalisers: Tensor, largest: Tensor, distances: Tensor, prefix: int
) -> Tensor:
    """(heads, statistics): sums over the rows of what `RowStatistics` lists, in its order, then each prefix mass."""
    to_patches = weights[..., prefix:]  # (heads, rows, patch keys)
    travelled = (to_patches * distances).sum(-1)  # (heads, rows)
    mass = to_patches.sum(-1)
    # −Σ A·ln A = normaliser − Σ A·logit; a logit of −∞ has no weight
    surprise = normalisers - (weights * logits.masked_fill(logits == -math.inf, 0)).sum(-1)
    squared = (to_patches * distances**2).sum(-1)
    sums = (travelled, squared, torch.where(mass > NO_MASS, travelled / mass, 0), surprise, largest)
    return torch.cat([torch.stack([part.sum(-1) for part in sums], -1), weights[..., :prefix].sum(1)], -1)


def normalisers(call: AttentionCall) -> Float[Tensor, "images heads queries"]:
    """ln Σ_k exp(logit) of every row; 0 for a call that holds the weights themselves."""
    out = torch.empty(call.images, call.heads, call.query_count, dtype=call.dtype, device=call.device)
    for i, rows in _tiles(call):
        out[i, :, rows] = call.image(i).logits(rows)[0].logsumexp(-1)
    return out


def moments(call: AttentionCall, places: Places) -> Moments:
    """What `Moments` describes: one product of the weights with the coordinates and their products."""
    _, prefix = places.prefixes(call)
    keys = places.keys.to(call.device, call.dtype)
    middle = keys.mean(0)  # squares are taken about it: they cancel less
    y, x = (keys - middle).unbind(-1)
    columns = torch.stack([torch.ones_like(y), y, x, y * y, x * x, y * x], -1)  # (patch keys, 6)
    out = torch.empty(call.images, call.heads, call.query_count, 6, dtype=call.dtype, device=call.device)
    for i, rows in _tiles(call):
        out[i, :, rows] = call.image(i).weights(rows)[0, ..., prefix:] @ columns
    mass, sums = out[..., 0], out[..., 1:] / out[..., :1]
    y, x, yy, xx, yx = sums.unbind(-1)
    spread = torch.stack([(yy - y * y).clamp(min=0), (xx - x * x).clamp(min=0), yx - y * x], -1)
    return Moments(mass, sums[..., :2] + middle, spread)


def mean_moments(call: AttentionCall, places: Places) -> Float[Tensor, "images heads 3"]:
    """What `mean_offsets` describes, from each row's sums along the lines of the lattice: nothing cancels."""
    query_prefix, key_prefix = places.prefixes(call)
    queries, keys = (side.to(call.device, call.dtype) for side in (places.queries, places.keys))
    lines, on_line = _lines(keys)
    sums = torch.zeros(call.images, call.heads, 3, dtype=call.dtype, device=call.device)
    for i, rows in _tiles(call):
        first = max(rows.start, query_prefix)  # the tile's first patch query
        if first < rows.stop:
            weights = call.image(i).weights(slice(first, rows.stop))[0, ..., key_prefix:]  # (heads, rows, patch keys)
            own = queries[first - query_prefix : rows.stop - query_prefix].T  # (2, rows)
            apart = [line - side[:, None] for line, side in zip(lines, own, strict=True)]  # (rows, lines) each
            parts = (weights @ on_line).split([len(line) for line in lines], -1)
            (y, yy), (x, xx) = (_along(*both) for both in zip(parts, apart, strict=True))
            each = torch.stack([y, x, (yy + xx).clamp(min=0).sqrt()], -1)  # (heads, rows, 3)
            sums[i] += torch.where(parts[0].sum(-1, keepdim=True) > NO_MASS, each, 0).sum(1)
    return sums / len(places.queries)


def _lines(places: Float[Tensor, "places 2"]) -> tuple[list[Tensor], Float[Tensor, "places lines"]]:
    """Where the rows and the columns are that places stand on, and who stands on which: rows first, then columns."""
    found = [torch.unique(places[:, axis], return_inverse=True) for axis in range(2)]
    on_line = [member[:, None] == torch.arange(len(line), device=places.device) for line, member in found]
    return [line for line, _ in found], torch.cat(on_line, -1).to(places.dtype)


def _along(sums: Float[Tensor, "heads rows lines"], apart: Float[Tensor, "rows lines"]) -> tuple[Tensor, Tensor]:
    """Mean and variance, (heads, rows) each, of how far the lines are."""
    shares = sums / sums.sum(-1, keepdim=True)
    mean = (shares * apart).sum(-1)
    return mean, (shares * (apart - mean[..., None]) ** 2).sum(-1)


def head_distances(call: AttentionCall, asking: Bool[Tensor, "windows queries"]) -> Float[Tensor, "images heads heads"]:
    """Sums over the queries that are `asking` of the Jensen–Shannon distance between the rows of two heads, in 0 to 1.

    Never from entropies, whose differences cancel where rows are alike: see `_divergence`.
    """
    asked = asking.to(call.device).repeat(call.images // len(asking), 1)  # (images, queries)
    out = torch.zeros(call.images, call.heads, call.heads, dtype=call.dtype, device=call.device)
    row_bytes = call.heads * call.key_count * call.dtype.itemsize
    tile_bytes = _PAIR_TILE_BYTES.get(call.device.type, _OTHER_PAIR_TILE_BYTES)
    height = min(call.query_count, max(1, tile_bytes // row_bytes))
    several = max(1, tile_bytes // (row_bytes * call.query_count))
    for entries in torch.arange(call.images).split(several):
        some = call.picked(entries)
        for first in range(0, call.query_count, height):
            rows = slice(first, min(first + height, call.query_count))
            if asked[entries, rows].any():
                out[entries] += _distances_of_heads(some.weights(rows), asked[entries, rows])
    return out + out.mT


def _distances_of_heads(
    weights: Float[Tensor, "images heads rows keys"], asked: Bool[Tensor, "images rows"]
) -> Float[Tensor, "images heads heads"]:
    """Sums over the rows that are asked, above the diagonal."""
    weights = weights.masked_fill((weights < 0).any(-1, keepdim=True), math.nan)
    weights = weights / weights.sum(-1, keepdim=True)
    out = weights.new_zeros(*weights.shape[:2], weights.shape[1])
    for head in range(weights.shape[1] - 1):
        distances = _divergence(weights[:, head, None], weights[:, head + 1 :]).sqrt()  # (images, other heads, rows)
        out[:, head, head + 1 :] = torch.where(asked[:, None], distances, 0).sum(-1)
    return out


def _divergence(one: Float[Tensor, "*images_heads rows keys"], others: Tensor) -> Float[Tensor, "*batch rows"]:
    """Jensen–Shannon divergence of each row, in bits.

    With m = (p + q) / 2 and t = |p − q| / (p + q), it is Σ m·(½·ln(1 − t²) + t·artanh t) / ln 2, whose terms are
    exact where p and q are nearly equal; ½·ln(1 − t²) = ln(1 + t) − artanh t where they are far apart.
    """
    mean = (one + others) / 2
    tilt = (one - others).abs_().div_(mean.clamp_min(torch.finfo(mean.dtype).tiny)).div_(2)
    far = (tilt + 1 / 2).floor_()  # 1 where t ≥ ½, else 0; sums are several times as quick as torch.where
    logarithm = (tilt + 1).mul_(far).sub_(tilt).mul_(tilt).log1p_()  # of 1 − t², or of 1 + t
    angle = tilt.atanh().clamp_max_(_LARGEST_ANGLE)
    twice = logarithm.mul_(far + 1).addcmul_(tilt.sub_(far), angle, value=2)
    return twice.mul_(mean).sum(-1).div_(2 * math.log(2)).clamp_(0, 1)


def column_sums(
    call: AttentionCall,
    vector: Float[Tensor, "images queries"],
    normalisers: Float[Tensor, "images heads queries"] | None = None,
) -> Float[Tensor, "images heads keys"]:
    """Σ_q vector[q]·A[q, k]: what each key receives of every head, the queries weighted by `vector`."""
    out = torch.zeros(call.images, call.heads, call.key_count, dtype=call.dtype, device=call.device)
    for i, rows in _tiles(call):
        out[i] += (vector[i, None, None, rows] @ call.image(i).weights(rows)[0])[:, 0]
    return out


def fused(call: AttentionCall, fusion: Fusion) -> Float[Tensor, "images queries keys"]:
    """The heads of every row fused into one; N × N, for those who ask for the full matrix."""
    out = torch.empty(call.images, call.query_count, call.key_count, dtype=call.dtype, device=call.device)
    for i, rows, tile in _fused_tiles(call, fusion):
        out[i, rows] = tile
    return out


def threshold(call: AttentionCall, fusion: Fusion, discard: float) -> Float[Tensor, " images"]:
    """The k-th smallest entry of each image's fused matrix, k = ⌊discard·N²⌋ + 1; the matrix is never held."""
    entries = call.query_count * call.key_count
    rank = min(int(discard * entries), entries - 1)
    like = torch.empty(0, dtype=call.dtype, device=call.device)

    def tiles_of(image: int) -> Callable[[], Iterator[Tensor]]:
        one = call.image(image)
        return lambda: (tile for _, _, tile in _fused_tiles(one, fusion))

    return torch.stack([kth_smallest(tiles_of(i), rank, like) for i in range(call.images)])


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
    least: Float[Tensor, " images"] | None = None,
    normalisers: Float[Tensor, "images heads tokens"] | None = None,
) -> Float[Tensor, "images tokens"]:
    """A row vector times `rollout_layer`, without forming that; needs no `normalisers`, see `column_sums`."""
    out = torch.zeros_like(vector)
    for i, rows, tile in _fused_tiles(call, fusion):
        if least is not None:
            tile.masked_fill_(tile < least[i], 0)
        share = vector[i, rows] / (tile.sum(-1) + 1)  # (rows,): the identity adds 1 to each row's sum
        out[i] += share @ tile
        out[i, rows] += share
    return out


def vector_times_stored_layer(
    call: AttentionCall, matrix: FusedMatrix, vector: Float[Tensor, "images tokens"]
) -> Float[Tensor, "images tokens"]:
    """A row vector times `rollout_layer`, from the call's heads fused and stored."""
    out = vector / (matrix.sums + 1)  # the identity adds 1 to each row's sum
    weights = out * matrix.steps
    for i, rows in _tiles(call):
        out[i] += weights[i, rows] @ matrix.levels[i, rows].to(out.dtype)
    return out


def _fused_tiles(call: AttentionCall, fusion: Fusion) -> Iterator[tuple[int, slice, Tensor]]:
    """(image, rows, (rows, keys)) tiles of each image's fused matrix."""
    for i, rows in _tiles(call):
        yield i, rows, _fuse(call.image(i).weights(rows)[0], fusion)


def _fuse(weights: Float[Tensor, "heads rows keys"], fusion: Fusion) -> Float[Tensor, "rows keys"]:
    return weights.mean(0) if fusion == "mean" else getattr(weights, f"a{fusion}")(0)


def _tiles(call: AttentionCall) -> Iterator[tuple[int, slice]]:
    """Each image's query rows, in runs whose weights over all heads fit in a tile."""
    row_bytes = call.heads * call.key_count * call.dtype.itemsize
    height = max(1, _TILE_BYTES // row_bytes)
    for image in range(call.images):
        for first in range(0, call.query_count, height):
            yield image, slice(first, min(first + height, call.query_count))
