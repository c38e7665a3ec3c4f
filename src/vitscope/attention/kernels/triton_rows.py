"""Triton kernels over rows of weights: each program takes a block of queries once over all keys.

The softmax is taken online: sums are held relative to the largest logit so far, and rescaled
whenever that grows. What the kernels compute is said in `statistics`; sums come out per row.
"""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.statistics import NO_MASS, Moments, Places, RowStatistics, mean_offsets
from vitscope.attention.kernels.triton_columns import first_column_sums
from vitscope.attention.kernels.triton_tiles import (
    blocks_for,
    launch,
    load_keys,
    load_places,
    load_queries,
    load_values,
    logits_tile,
    numbers,
    padded,
    place_of_program,
)


def row_statistics(call: AttentionCall, places: Places) -> RowStatistics:
    """What `RowStatistics` describes, from one pass over the keys."""
    rows, _ = _pass_over_keys(call, places)
    return _means(call, places, rows)


def attend(
    call: AttentionCall, values: Float[Tensor, "images heads keys features"], places: Places
) -> tuple[Float[Tensor, "images heads queries features"], RowStatistics]:
    """The attention's own output, weights times values, and its statistics from the same pass."""
    rows, output = _pass_over_keys(call, places, values)
    return output, _means(call, places, rows)


def normalisers(call: AttentionCall) -> Float[Tensor, "images heads queries"]:
    """ln Σ_k exp(logit) of every row."""
    rows, _ = _pass_over_keys(call, None)
    return rows[0]


def _pass_over_keys(call: AttentionCall, places: Places | None, values: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """What `rows_kernel` tells of each row, (statistics, images, heads, queries), and weights times values."""
    query_prefix, key_prefix = (0, 0) if places is None else places.prefixes(call)
    features = 0 if values is None else values.shape[-1]
    shape = (call.images, call.heads, call.query_count)
    rows = torch.empty(1 if places is None else 6, *shape, dtype=call.dtype, device=call.device)
    output = torch.empty(*shape, features, dtype=call.dtype, device=call.device)
    blocks = blocks_for(call.queries, call.keys, values)
    launch(
        rows_kernel,
        call,
        call.images * call.heads * triton.cdiv(call.query_count, blocks.queries),
        blocks,
        None if places is None else numbers(places.queries, call),
        None if places is None else numbers(places.keys, call),
        query_prefix,
        key_prefix,
        rows,
        rows[0].numel(),
        output,
        values=values,
        FEATURES=features,
        BLOCK_FEATURES=padded(features),
        STATISTICS=places is not None,
        ATTEND=values is not None,
    )
    return rows, output


def _means(call: AttentionCall, places: Places, rows: Float[Tensor, "6 images heads queries"]) -> RowStatistics:
    """Means over the patch queries of what `rows_kernel` tells of each row."""
    query_prefix, key_prefix = places.prefixes(call)
    distance, squared, mass, entropy, largest = rows[1:, ..., query_prefix:]  # (images, heads, patch queries) each
    rescaled = torch.where(mass > NO_MASS, distance / mass, 0)
    means = torch.stack([distance, squared, rescaled, entropy, largest], -1).mean(-2)  # (images, heads, statistics)
    ones = torch.ones(call.images, call.query_count, dtype=call.dtype, device=call.device)
    on_prefix = first_column_sums(call, ones, rows[0], query_prefix, key_prefix) / len(places.queries)
    return RowStatistics.of(torch.cat([means, on_prefix], -1), rows[0].clone())


def moments(call: AttentionCall, places: Places) -> Moments:
    """What `Moments` describes, from one pass over the keys."""
    _, key_prefix = places.prefixes(call)
    found = torch.empty(6, call.images, call.heads, call.query_count, dtype=call.dtype, device=call.device)
    blocks = blocks_for(call.queries, call.keys)
    programs = call.images * call.heads * triton.cdiv(call.query_count, blocks.queries)
    launch(moments_kernel, call, programs, blocks, numbers(places.keys, call), key_prefix, found, found[0].numel())
    mass, spread = found[0], found[1:].movedim(0, -1)  # (images, heads, queries), the same by (y, x, yy, xx, yx)
    spread = spread.masked_fill(~(mass > 0)[..., None], torch.nan)
    return Moments(mass.clone(), spread[..., :2], spread[..., 2:])


def mean_moments(call: AttentionCall, places: Places) -> Float[Tensor, "images heads 3"]:
    """What `mean_offsets` describes."""
    return mean_offsets(moments(call, places), places)


@triton.jit
@no_type_check
def rows_kernel(
    call,  # Operands
    query_places,  # (patch queries, 2)
    key_places,  # (patch keys, 2)
    query_prefix,
    key_prefix,
    statistics,  # (normaliser, distance, squared distance, mass on patches, entropy, largest; images, heads, queries)
    plane,  # images · heads · queries: from one statistic to the next
    output,  # (images, heads, queries, FEATURES)
    FEATURES: tl.constexpr,
    BLOCK_FEATURES: tl.constexpr,
    STATISTICS: tl.constexpr,  # all of them, or normalisers alone
    ATTEND: tl.constexpr,  # output too
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BIAS: tl.constexpr,
    ROUNDED: tl.constexpr,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
):
    """The rows of one block of queries of one head; the statistics are sums over the keys, not yet means of rows."""
    image, head, block = place_of_program(tl.cdiv(call.query_count, BLOCK_QUERIES), call.heads)
    rows = block * BLOCK_QUERIES + tl.arange(0, BLOCK_QUERIES)
    queries = load_queries(call, image, head, rows, DIM, BLOCK_DIM)
    maximum = tl.full([BLOCK_QUERIES], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_QUERIES], tl.float32)  # Σ exp(logit − maximum), as are all sums
    weighted_logits = tl.zeros([BLOCK_QUERIES], tl.float32)  # Σ exp(…)·(logit − maximum)
    mass = tl.zeros([BLOCK_QUERIES], tl.float32)  # Σ exp(…) over the patch keys
    distance = tl.zeros([BLOCK_QUERIES], tl.float32)
    squared = tl.zeros([BLOCK_QUERIES], tl.float32)
    if STATISTICS:
        query_y, query_x = load_places(query_places, rows, query_prefix, call.query_count)
    if ATTEND:
        attended = tl.zeros([BLOCK_QUERIES, BLOCK_FEATURES], tl.float32)
    for start in range(0, call.key_count, BLOCK_KEYS):
        columns = start + tl.arange(0, BLOCK_KEYS)
        keys = load_keys(call, image, head, columns, DIM, BLOCK_DIM)
        logits = logits_tile(call, queries, keys, image, head, rows, columns, BIAS, ROUNDED)
        maximum, fall, logits = below_maximum(maximum, logits)
        decay = tl.exp(fall)
        weights = tl.exp(logits)  # (BLOCK_QUERIES, BLOCK_KEYS), relative to the maximum
        if STATISTICS:
            finite = tl.where(weights > 0, logits, 0.0)
            weighted_logits = decay * (weighted_logits + fall * total) + tl.sum(weights * finite, 1)
            to_patches = tl.where((columns >= key_prefix)[None, :], weights, 0.0)
            key_y, key_x = load_places(key_places, columns, key_prefix, call.key_count)
            y, x = query_y[:, None] - key_y[None, :], query_x[:, None] - key_x[None, :]
            squares = y * y + x * x  # of distances
            mass = decay * mass + tl.sum(to_patches, 1)
            distance = decay * distance + tl.sum(to_patches * tl.sqrt(squares), 1)
            squared = decay * squared + tl.sum(to_patches * squares, 1)
        total = decay * total + tl.sum(weights, 1)
        if ATTEND:
            values = load_values(call, image, head, columns, FEATURES, BLOCK_FEATURES)
            attended = _add_product(decay[:, None] * attended, weights, values)
    first_row = (image * call.heads + head) * call.query_count
    inside = rows < call.query_count
    out = statistics + first_row + rows
    tl.store(out, maximum + tl.log(total), mask=inside)
    if STATISTICS:
        entropy = tl.log(total) - weighted_logits / total
        largest = tl.where(total > 0, 1 / total, float("nan"))  # exp(maximum − normaliser)
        _store_planes(out + plane, plane, (distance / total, squared / total, mass / total, entropy, largest), inside)
    if ATTEND:
        features = tl.arange(0, BLOCK_FEATURES)
        out = output + (first_row + rows)[:, None] * FEATURES + features[None, :]
        tl.store(out, attended / total[:, None], mask=inside[:, None] & (features < FEATURES)[None, :])


@triton.jit
@no_type_check
def moments_kernel(
    call,  # Operands
    key_places,  # (patch keys, 2)
    key_prefix,
    moments,  # (mass, y, x, yy, xx, yx; images, heads, queries): mass, centroid and covariance
    plane,  # images · heads · queries: from one moment to the next
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BIAS: tl.constexpr,
    ROUNDED: tl.constexpr,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
):
    """Each tile's centroid and scatter about it are merged into those of the tiles before.

    Nothing is subtracted that cancels, so a narrow spread far from the origin stays exact.
    """
    image, head, block = place_of_program(tl.cdiv(call.query_count, BLOCK_QUERIES), call.heads)
    rows = block * BLOCK_QUERIES + tl.arange(0, BLOCK_QUERIES)
    queries = load_queries(call, image, head, rows, DIM, BLOCK_DIM)
    maximum = tl.full([BLOCK_QUERIES], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_QUERIES], tl.float32)  # Σ exp(logit − maximum), as are all sums
    mass = tl.zeros([BLOCK_QUERIES], tl.float32)  # Σ exp(…) over the patch keys
    centroid_y, centroid_x = tl.zeros([BLOCK_QUERIES], tl.float32), tl.zeros([BLOCK_QUERIES], tl.float32)
    yy, xx = tl.zeros([BLOCK_QUERIES], tl.float32), tl.zeros([BLOCK_QUERIES], tl.float32)  # Σ exp(…)·(y − centroid)²
    yx = tl.zeros([BLOCK_QUERIES], tl.float32)
    for start in range(0, call.key_count, BLOCK_KEYS):
        columns = start + tl.arange(0, BLOCK_KEYS)
        keys = load_keys(call, image, head, columns, DIM, BLOCK_DIM)
        logits = logits_tile(call, queries, keys, image, head, rows, columns, BIAS, ROUNDED)
        maximum, fall, logits = below_maximum(maximum, logits)
        decay = tl.exp(fall)
        weights = tl.exp(logits)  # (BLOCK_QUERIES, BLOCK_KEYS), relative to the maximum
        total = decay * total + tl.sum(weights, 1)
        weights = tl.where((columns >= key_prefix)[None, :], weights, 0.0)
        key_y, key_x = load_places(key_places, columns, key_prefix, call.key_count)
        # the tile's own mass, centroid and scatter
        tile_mass = tl.sum(weights, 1)
        divisor = tl.where(tile_mass > 0, tile_mass, 1.0)
        tile_y = tl.sum(weights * key_y[None, :], 1) / divisor
        tile_x = tl.sum(weights * key_x[None, :], 1) / divisor
        y, x = key_y[None, :] - tile_y[:, None], key_x[None, :] - tile_x[:, None]
        # merged
        mass = decay * mass
        joint = mass + tile_mass
        part = tile_mass / tl.where(joint > 0, joint, 1.0)
        shift_y, shift_x = tile_y - centroid_y, tile_x - centroid_x
        yy = decay * yy + tl.sum(weights * y * y, 1) + mass * part * shift_y * shift_y
        xx = decay * xx + tl.sum(weights * x * x, 1) + mass * part * shift_x * shift_x
        yx = decay * yx + tl.sum(weights * y * x, 1) + mass * part * shift_y * shift_x
        centroid_y += part * shift_y
        centroid_x += part * shift_x
        mass = joint
    inside = rows < call.query_count
    out = moments + (image * call.heads + head) * call.query_count + rows
    _store_planes(out, plane, (mass / total, centroid_y, centroid_x, yy / mass, xx / mass, yx / mass), inside)


@triton.jit
@no_type_check
def below_maximum(maximum, logits):
    """(maximum, fall, logits) once a tile is taken in: the new maximum, what earlier sums fall by, logits below it.

    Where every logit so far is −inf there is no maximum to stand below: those logits stay −inf and the fall is 0.
    """
    new = tl.maximum(maximum, tl.max(logits, 1))
    origin = tl.where(new == float("-inf"), 0.0, new)
    fall = tl.where(maximum == float("-inf"), 0.0, maximum - origin)
    return new, fall, logits - origin[:, None]


@triton.jit
@no_type_check
def _add_product(sums, weights, values):
    """Sums plus weights times values, (rows, features), as exact as float32.

    Half-precision values meet the weights in two parts, which together hold nearly what float32 does:
    tensor cores take both.
    """
    if values.dtype == tl.float32:
        return tl.dot(weights, values, acc=sums, input_precision="ieee")
    coarse = weights.to(values.dtype)
    rest = (weights - coarse.to(tl.float32)).to(values.dtype)
    return tl.dot(rest, values, acc=tl.dot(coarse, values, acc=sums))


@triton.jit
@no_type_check
def _store_planes(out, plane, parts, inside):
    """Store each part `plane` numbers after the one before."""
    for i in tl.static_range(len(parts)):
        tl.store(out, parts[i], mask=inside)
        out += plane
