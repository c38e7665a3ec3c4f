"""Triton kernels over a layer's heads fused into one matrix, which is never held unless it is asked for.

All of them compute a tile of it alike, so that an entry is the same number in each: `threshold`
finds one that the others compare with.
"""

from collections.abc import Callable, Iterator
from typing import no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels import triton_rows
from vitscope.attention.kernels.fused_matrix import FusedMatrix
from vitscope.attention.kernels.reference import Fusion
from vitscope.attention.kernels.selection import kth_smallest
from vitscope.attention.kernels.statistics import Places, RowStatistics
from vitscope.attention.kernels.triton_columns import column_sums, weights_tile
from vitscope.attention.kernels.triton_launch import blocks_for, launch, numbers
from vitscope.attention.kernels.triton_tiles import (
    load_keys,
    load_queries,
    place_of_program,
)

_RUN_BYTES = 2**26  # of fused rows held at once


def fused(call: AttentionCall, fusion: Fusion) -> Float[Tensor, "images queries keys"]:
    """The heads of every row fused into one; N × N, for those who ask for the full matrix."""
    return _fused_rows(call, fusion, triton_rows.normalisers(call), slice(0, call.query_count))


def _fused_rows(call: AttentionCall, fusion: Fusion, normalisers: Tensor, rows: slice) -> Tensor:
    """(images, rows, keys) of the fused matrix."""
    out = torch.empty(call.images, rows.stop - rows.start, call.key_count, dtype=call.dtype, device=call.device)
    blocks = blocks_for(call.queries, call.keys)
    tiles = triton.cdiv(out.shape[1], blocks.queries) * triton.cdiv(call.key_count, blocks.keys)
    normalisers = numbers(normalisers, call)
    arguments = (normalisers, rows.start, out.shape[1], out)
    launch(fused_kernel, call, call.images * tiles, blocks, *arguments, FUSION=fusion)
    return out


def _runs(call: AttentionCall, fusion: Fusion, normalisers: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Of one image: runs of rows and their fused weights, (rows, keys)."""
    height = max(1, _RUN_BYTES // (4 * call.key_count))
    for first in range(0, call.query_count, height):
        rows = slice(first, min(first + height, call.query_count))
        yield rows, _fused_rows(call, fusion, normalisers, rows)[0]


def statistics_and_fused(call: AttentionCall, places: Places, fusion: Fusion) -> tuple[RowStatistics, FusedMatrix]:
    """The statistics, and the heads fused."""
    statistics = triton_rows.row_statistics(call, places)
    return statistics, fused_matrix(call, fusion, statistics.normalisers)


def fused_matrix(call: AttentionCall, fusion: Fusion, normalisers: Tensor) -> FusedMatrix:
    """The heads fused and kept; a row's normaliser is known only after all its keys, so the products are made anew."""
    matrix = FusedMatrix.empty(call)
    for i in range(call.images):
        for rows, run in _runs(call.image(i), fusion, normalisers[i : i + 1]):
            matrix.write(i, rows, run)
    return matrix


def threshold(call: AttentionCall, fusion: Fusion, discard: float) -> Float[Tensor, " images"]:
    """The k-th smallest entry of each image's fused matrix, k = ⌊discard·N²⌋ + 1.

    Of the very entries that the functions below compare with it: where many are equal, as in uniform
    attention, one computed otherwise could fall below them all, or above.
    """
    found = triton_rows.normalisers(call)
    entries = call.query_count * call.key_count
    rank = min(int(discard * entries), entries - 1)

    def runs_of(image: int) -> Callable[[], Iterator[Tensor]]:
        one = call.image(image)
        return lambda: (run for _, run in _runs(one, fusion, found[image : image + 1]))

    return torch.stack([kth_smallest(runs_of(i), rank, found) for i in range(call.images)])


def rollout_layer(
    call: AttentionCall, fusion: Fusion, least: Float[Tensor, " images"] | None
) -> Float[Tensor, "images tokens tokens"]:
    """One factor of the rollout as a full matrix: fused, below `least` zeroed, plus identity, rows summing to 1."""
    matrix = fused(call, fusion)
    if least is not None:
        matrix.masked_fill_(matrix < least[:, None, None], 0)
    matrix.diagonal(dim1=1, dim2=2).add_(1)
    return matrix.div_(matrix.sum(-1, keepdim=True))


def vector_times_rollout_layer(
    call: AttentionCall,
    vector: Float[Tensor, "images tokens"],
    fusion: Fusion,
    least: Float[Tensor, " images"] | None = None,
    normalisers: Float[Tensor, "images heads tokens"] | None = None,
) -> Float[Tensor, "images tokens"]:
    """A row vector times `rollout_layer`, without forming that; `normalisers`, where they are known, save a pass.

    Not where entries are compared with `least`: they must be the very ones that `threshold` saw, see there.
    """
    if normalisers is None or least is not None:
        normalisers = triton_rows.normalisers(call)
    if fusion == "mean" and least is None:  # rows of the mean sum to 1, those of the mean plus identity to 2
        return (column_sums(call, vector, normalisers).mean(1) + vector) / 2
    blocks = blocks_for(call.queries, call.keys)
    known = (numbers(normalisers, call), numbers(torch.zeros(call.images) if least is None else least, call))
    sums = torch.empty(2, call.images, call.query_count, dtype=call.dtype, device=call.device)  # of rows, of columns
    programs = call.images * triton.cdiv(call.query_count, blocks.queries)
    launch(fused_row_sums_kernel, call, programs, blocks, *known, sums[0], FUSION=fusion)
    share = numbers(vector, call) / (sums[0] + 1)  # (images, tokens): the identity adds 1 to each row's sum
    programs = call.images * triton.cdiv(call.key_count, blocks.keys)
    launch(fused_column_sums_kernel, call, programs, blocks, *known, share, sums[1], FUSION=fusion)
    return sums[1] + share


@triton.jit
@no_type_check
def fused_kernel(
    call,  # Operands
    normalisers,  # (images, heads, queries)
    first_row,
    row_count,
    fused,  # (images, row_count, keys): rows of the fused matrix from first_row on
    FUSION: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BIAS: tl.constexpr,
    ROUNDED: tl.constexpr,
    FOLDED: tl.constexpr,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
):
    row_blocks = tl.cdiv(row_count, BLOCK_QUERIES)
    image, row_block, column_block = place_of_program(tl.cdiv(call.key_count, BLOCK_KEYS), row_blocks)
    places = row_block * BLOCK_QUERIES + tl.arange(0, BLOCK_QUERIES)  # int64, among the rows that are written
    columns = column_block * BLOCK_KEYS + tl.arange(0, BLOCK_KEYS)
    first, key = first_row + row_block * BLOCK_QUERIES, column_block * BLOCK_KEYS
    tile = _fused_tile(
        call, normalisers, image, first, key, BLOCK_QUERIES, BLOCK_KEYS, FUSION, DIM, BLOCK_DIM, BIAS, ROUNDED, FOLDED
    )
    out = fused + (image * row_count + places)[:, None] * call.key_count + columns[None, :]
    tl.store(out, tile, mask=(places < row_count)[:, None] & (columns < call.key_count)[None, :])


@triton.jit
@no_type_check
def fused_row_sums_kernel(
    call,  # Operands
    normalisers,  # (images, heads, queries)
    least,  # (images,)
    sums,  # (images, queries)
    FUSION: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BIAS: tl.constexpr,
    ROUNDED: tl.constexpr,
    FOLDED: tl.constexpr,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
):
    """Σ_k of the fused matrix, entries below `least` left out."""
    image, _, block = place_of_program(tl.cdiv(call.query_count, BLOCK_QUERIES), 1)
    rows = block * BLOCK_QUERIES + tl.arange(0, BLOCK_QUERIES)
    bound = tl.load(least + image)
    summed = tl.zeros([BLOCK_QUERIES, BLOCK_KEYS], tl.float32)
    for start in range(0, call.key_count, BLOCK_KEYS):
        tile = _fused_tile(
            call,
            normalisers,
            image,
            block * BLOCK_QUERIES,
            start,
            BLOCK_QUERIES,
            BLOCK_KEYS,
            FUSION,
            DIM,
            BLOCK_DIM,
            BIAS,
            ROUNDED,
            FOLDED,
        )
        summed += tl.where(tile < bound, 0.0, tile)
    tl.store(sums + image * call.query_count + rows, tl.sum(summed, 1), mask=rows < call.query_count)


@triton.jit
@no_type_check
def fused_column_sums_kernel(
    call,  # Operands
    normalisers,  # (images, heads, queries)
    least,  # (images,)
    vector,  # (images, queries)
    sums,  # (images, keys)
    FUSION: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BIAS: tl.constexpr,
    ROUNDED: tl.constexpr,
    FOLDED: tl.constexpr,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
):
    """Σ_q vector[q] times the fused matrix, entries below `least` left out."""
    image, _, block = place_of_program(tl.cdiv(call.key_count, BLOCK_KEYS), 1)
    columns = block * BLOCK_KEYS + tl.arange(0, BLOCK_KEYS)
    bound = tl.load(least + image)
    summed = tl.zeros([BLOCK_QUERIES, BLOCK_KEYS], tl.float32)
    for start in range(0, call.query_count, BLOCK_QUERIES):
        rows = start + tl.arange(0, BLOCK_QUERIES)
        factor = tl.load(vector + image * call.query_count + rows, mask=rows < call.query_count, other=0.0)
        tile = _fused_tile(
            call,
            normalisers,
            image,
            start,
            block * BLOCK_KEYS,
            BLOCK_QUERIES,
            BLOCK_KEYS,
            FUSION,
            DIM,
            BLOCK_DIM,
            BIAS,
            ROUNDED,
            FOLDED,
        )
        summed += factor[:, None] * tl.where(tile < bound, 0.0, tile)
    tl.store(sums + image * call.key_count + columns, tl.sum(summed, 0), mask=columns < call.key_count)


@triton.jit
@no_type_check
def _fused_tile(
    call,
    normalisers,
    image,
    first_query,
    first_key,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
    FUSION: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BIAS: tl.constexpr,
    ROUNDED: tl.constexpr,
    FOLDED: tl.constexpr,
):
    """The heads of one image fused, (BLOCK_QUERIES, BLOCK_KEYS); 0 outside the matrix."""
    rows, columns = first_query + tl.arange(0, BLOCK_QUERIES), first_key + tl.arange(0, BLOCK_KEYS)
    tile = tl.full([BLOCK_QUERIES, BLOCK_KEYS], float("inf") if FUSION == "min" else 0.0, tl.float32)
    for i in range(0, call.heads):
        head = tl.cast(i, tl.int64)
        queries = load_queries(call, image, head, first_query, BLOCK_QUERIES, DIM, BLOCK_DIM)
        keys = load_keys(call, image, head, first_key, BLOCK_KEYS, DIM, BLOCK_DIM, True)
        weights = weights_tile(
            call, normalisers, queries, keys, image, head, rows, columns, BIAS, ROUNDED, FOLDED, True
        )
        if FUSION == "mean":
            tile += weights
        elif FUSION == "max":
            tile = tl.maximum(tile, weights, propagate_nan=tl.PropagateNan.ALL)
        else:
            tile = tl.minimum(tile, weights, propagate_nan=tl.PropagateNan.ALL)
    return tile / call.heads if FUSION == "mean" else tile
