"""Triton kernels over rows of weights: each program takes a block of queries once over all keys.

Weights are relative to the largest logit of some tiles, so that sums need no rescaling. What is computed
is said in `statistics`; sums come out per row.
"""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.statistics import Places, RowStatistics
from vitscope.attention.kernels.triton_launch import launch, padded, planes_of, rows_blocks_for
from vitscope.attention.kernels.triton_means import means_of
from vitscope.attention.kernels.triton_tiles import (
    LN_2,
    load_places,
    load_queries,
    load_values,
    logits_of,
    place_of_program,
    store_planes,
)

# Of weights relative to the edges' maximum, how much a row may come to: less than overflows where they meet values.
_LARGEST_SUMS = {torch.float16: 2.0**15}
_OTHER_LARGEST_SUM = 2.0**100


def row_statistics(call: AttentionCall, places: Places, *, whole: bool = True) -> RowStatistics:
    """What `RowStatistics` describes, from one pass over the keys."""
    rows, _ = _pass_over_keys(call, places, whole=whole)
    return means_of(call, places, rows, planes_of_row(True, whole))


def attend(
    call: AttentionCall, values: Float[Tensor, "images heads keys features"], places: Places, *, whole: bool = True
) -> tuple[Float[Tensor, "images heads queries features"], RowStatistics]:
    """The attention's own output, weights times values, and its statistics from the same pass."""
    rows, output = _pass_over_keys(call, places, values, whole=whole)
    return output, means_of(call, places, rows, planes_of_row(True, whole))


def normalisers(call: AttentionCall) -> Float[Tensor, "images heads queries"]:
    """ln Σ_k exp(logit) of every row."""
    rows, _ = _pass_over_keys(call, None)
    return rows[0]


def _pass_over_keys(
    call: AttentionCall, places: Places | None, values: Tensor | None = None, *, whole: bool = False
) -> tuple[Tensor, Tensor]:
    """What `rows_kernel` tells of each row, (planes, images, heads, queries), and weights times values.

    The output is in the values' own precision where that is half, else in float32.
    """
    _, key_prefix = (0, 0) if places is None else places.prefixes(call)
    features = 0 if values is None else values.shape[-1]
    kind = call.dtype if values is None else values.dtype
    planes = planes_of_row(places is not None, whole)
    rows = call.queries.new_empty(  # type: ignore[union-attr]
        planes + key_prefix, call.images, call.heads, call.query_count, dtype=call.dtype
    )
    by_token = (call.images, call.query_count, call.heads, features)  # as most models go on with it
    output = rows.new_empty(by_token, dtype=kind).transpose(1, 2)
    blocks = rows_blocks_for(call.queries, call.keys, values)
    launch(
        rows_kernel,
        call,
        call.images * call.heads * triton.cdiv(call.query_count, blocks.queries),
        blocks,
        *((None, None) if places is None else planes_of(places, call.query_count, call.key_count, call.device)),
        key_prefix,
        rows,
        rows[planes:],
        rows[0].numel(),
        output,
        values=values,
        FEATURES=features,
        BLOCK_FEATURES=padded(features),
        LARGEST_SUM=_LARGEST_SUMS.get(kind, _OTHER_LARGEST_SUM),
        STATISTICS=places is not None,
        WHOLE=whole,
        ATTEND=values is not None,
    )
    return rows, output


def planes_of_row(statistics: bool, whole: bool) -> int:
    """How many statistics of a row `rows_kernel` tells, weights on prefix tokens apart."""
    return (6 if whole else 3) if statistics else 1


@triton.jit
@no_type_check
def rows_kernel(
    call,  # Operands
    query_places,  # see `planes_of`
    key_places,
    key_prefix,
    statistics,  # (normaliser, distance, mass on patches, squared distance, entropy, largest; images, heads, queries)
    on_prefix,  # (key_prefix, images, heads, queries): logits
    plane,  # images · heads · queries: from one statistic to the next
    output,  # (images, queries, heads, FEATURES)
    FEATURES: tl.constexpr,
    BLOCK_FEATURES: tl.constexpr,
    LARGEST_SUM: tl.constexpr,
    STATISTICS: tl.constexpr,  # or normalisers alone
    WHOLE: tl.constexpr,  # all statistics, or the first three
    ATTEND: tl.constexpr,  # output too
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BIAS: tl.constexpr,
    ROUNDED: tl.constexpr,
    FOLDED: tl.constexpr,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
):
    """The rows of one block of queries of one head; the statistics are sums over the keys, not yet means of rows.

    Tiles that hold prefix tokens or end past the last key are the edges, of which there is one at least; the others
    need no masks. The edges' maximum is what weights are taken relative to. Where one of the others turns out to be
    so much larger that sums overflow, the maximum of all is found, and the sums are made once more.
    """
    image, head, block = place_of_program(tl.cdiv(call.query_count, BLOCK_QUERIES), call.heads)
    first_row = block * BLOCK_QUERIES
    rows = first_row + tl.arange(0, BLOCK_QUERIES)
    queries = load_queries(call, image, head, first_row, BLOCK_QUERIES, DIM, BLOCK_DIM)
    asking = (rows, rows)  # of no use without statistics
    if STATISTICS:
        asking = load_places(query_places, first_row, call.query_count, BLOCK_QUERIES)
    tiles, whole = tl.cdiv(call.key_count, BLOCK_KEYS), call.key_count // BLOCK_KEYS
    leading = tl.minimum(tl.maximum(tl.cdiv(key_prefix, BLOCK_KEYS), 1), tiles)
    edges = leading + tl.where(leading <= whole, tiles - whole, 0)

    row = tl.zeros([BLOCK_QUERIES], tl.float32)
    maximum = row + float("-inf")
    for edge in range(0, edges):
        first = tl.where(edge < leading, edge, whole) * BLOCK_KEYS
        logits = logits_of(
            call, queries, image, head, rows, first, DIM, BLOCK_DIM, BIAS, ROUNDED, FOLDED, BLOCK_KEYS, True
        )
        maximum = tl.maximum(maximum, tl.max(logits, 1))
        if STATISTICS:
            columns = first + tl.arange(0, BLOCK_KEYS)
            at = (image * call.heads + head) * call.query_count + rows
            out = on_prefix + columns.to(tl.int64)[None, :] * plane + at[:, None]
            inside = (rows < call.query_count)[:, None] & (columns < key_prefix)[None, :]
            tl.store(out, logits * (call.unit * LN_2), mask=inside)

    nothing = tl.zeros([BLOCK_QUERIES, BLOCK_KEYS], tl.float32)
    none = (nothing, row, nothing, row, row, row, tl.zeros([BLOCK_QUERIES, BLOCK_FEATURES], tl.float32))
    origin, sums, turns = row, none, 1
    while turns > 0:
        origin = tl.where(maximum == float("-inf"), 0.0, maximum) * call.unit
        sums = none
        for edge in range(0, edges):
            first = tl.where(edge < leading, edge, whole) * BLOCK_KEYS
            distances, squares = _distances(key_places, first, call.key_count, asking, BLOCK_KEYS, STATISTICS)
            logits = logits_of(
                call, queries, image, head, rows, first, DIM, BLOCK_DIM, BIAS, ROUNDED, FOLDED, BLOCK_KEYS, True
            )
            sums = _added(
                *(sums, call, image, head, first, logits, origin, distances, squares, key_prefix),
                *(FEATURES, BLOCK_FEATURES, STATISTICS, WHOLE, ATTEND, FOLDED, BLOCK_KEYS, True),
            )
        for tile in range(leading, whole):
            first = tile * BLOCK_KEYS
            # before the product, which tensor cores make meanwhile
            distances, squares = _distances(key_places, first, call.key_count, asking, BLOCK_KEYS, STATISTICS)
            logits = logits_of(
                call, queries, image, head, rows, first, DIM, BLOCK_DIM, BIAS, ROUNDED, FOLDED, BLOCK_KEYS, False
            )
            sums = _added(
                *(sums, call, image, head, first, logits, origin, distances, squares, key_prefix),
                *(FEATURES, BLOCK_FEATURES, STATISTICS, WHOLE, ATTEND, FOLDED, BLOCK_KEYS, False),
            )
        # where all logits at the edges are −inf, weights are relative to nothing, and may also come to too little
        total = tl.sum(sums[0], 1) + sums[1]
        outside = (tl.max(total, 0) >= LARGEST_SUM) | (tl.min(total, 0) < 0.5)
        turns = tl.where((turns == 1) & outside, 2, 0)
        if turns == 2:
            for tile in range(leading, whole):
                first = tile * BLOCK_KEYS
                logits = logits_of(
                    call, queries, image, head, rows, first, DIM, BLOCK_DIM, BIAS, ROUNDED, FOLDED, BLOCK_KEYS, False
                )
                maximum = tl.maximum(maximum, tl.max(logits, 1))

    to_patches, to_prefix, travelled, squared, surprise, largest, attended = sums
    mass = tl.sum(to_patches, 1)
    total = mass + to_prefix
    inside = rows < call.query_count
    out = statistics + (image * call.heads + head) * call.query_count + rows
    tl.store(out, origin * LN_2 + tl.log(total), mask=inside)
    if STATISTICS:
        store_planes(out + plane, plane, (tl.sum(travelled, 1) / total, mass / total), inside)
        if WHOLE:
            entropy = tl.log(total) - surprise / total * LN_2
            entropy = tl.maximum(entropy, 0.0, propagate_nan=tl.PropagateNan.ALL)  # by rounding it may be below
            store_planes(out + 3 * plane, plane, (squared / total, entropy, largest / total), inside)
    if ATTEND:
        features = tl.arange(0, BLOCK_FEATURES)
        out = output + ((image * call.query_count + rows) * call.heads + head)[:, None] * FEATURES + features[None, :]
        answer = (attended / total[:, None]).to(output.dtype.element_ty)
        tl.store(out, answer, mask=inside[:, None] & (features < FEATURES)[None, :])


@triton.jit
@no_type_check
def _distances(key_places, first, count, asking, BLOCK_KEYS: tl.constexpr, STATISTICS: tl.constexpr):
    """Distances from the rows' places to those of the keys from `first` on, (rows, BLOCK_KEYS), and their squares."""
    distances, squares = asking
    if STATISTICS:
        key_y, key_x = load_places(key_places, first, count, BLOCK_KEYS)
        y, x = asking[0][:, None] - key_y[None, :], asking[1][:, None] - key_x[None, :]
        squares = y * y + x * x
        distances = squares * tl.rsqrt(squares + 1e-30)  # 0 where squares are
    return distances, squares


@triton.jit
@no_type_check
def _added(
    sums,  # weights on patches (by place in a tile), on prefix tokens; weights times distances (by place in a tile),
    # times their squares, times exponents; the largest weight; weights times values
    call,
    image,
    head,
    first,  # key
    logits,  # (rows, BLOCK_KEYS)
    origin,  # of each row, in exponents of 2
    distances,  # (rows, BLOCK_KEYS)
    squares,  # of distances
    key_prefix,
    FEATURES: tl.constexpr,
    BLOCK_FEATURES: tl.constexpr,
    STATISTICS: tl.constexpr,
    WHOLE: tl.constexpr,
    ATTEND: tl.constexpr,
    FOLDED: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
    EDGE: tl.constexpr,
):
    """The sums with those of one more tile. What is summed by place in a tile costs no exchange between threads."""
    to_patches, to_prefix, travelled, squared, surprise, largest, attended = sums
    columns = first + tl.arange(0, BLOCK_KEYS)
    exponents = logits * call.unit - origin[:, None]
    weights = tl.exp2(exponents)
    on_patches = tl.where((columns >= key_prefix)[None, :], weights, 0.0) if EDGE else weights
    to_patches += on_patches
    if EDGE:
        to_prefix += tl.sum(tl.where((columns < key_prefix)[None, :], weights, 0.0), 1)
    if STATISTICS:
        travelled += on_patches * distances
        if WHOLE:
            squared += tl.sum(on_patches * squares, 1)
            largest = tl.maximum(largest, tl.max(weights, 1))
            if EDGE or not FOLDED:  # −inf has no weight
                exponents = tl.where(weights > 0, exponents, 0.0)
            surprise += tl.sum(weights * exponents, 1)
    if ATTEND:
        values = load_values(call, image, head, first, BLOCK_KEYS, FEATURES, BLOCK_FEATURES, EDGE)
        attended = tl.dot(weights.to(values.dtype), values, acc=attended, input_precision="ieee")
    return to_patches, to_prefix, travelled, squared, surprise, largest, attended
