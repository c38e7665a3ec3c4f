"""Triton kernel of sums over columns, and the tile of weights it shares with the fused matrix.

Each program sums in a fixed order and alone writes its result, without atomic additions: a result
is the same in every run.
"""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.triton_tiles import (
    blocks_for,
    launch,
    load_keys,
    load_queries,
    logits_tile,
    numbers,
    place_of_program,
)


def column_sums(
    call: AttentionCall, vector: Float[Tensor, "images queries"], normalisers: Float[Tensor, "images heads queries"]
) -> Float[Tensor, "images heads keys"]:
    """Σ_q vector[q]·A[q, k]: what each key receives of every head, the queries weighted by `vector`."""
    return first_column_sums(call, vector, normalisers, 0, call.key_count)


def first_column_sums(
    call: AttentionCall, vector: Tensor, normalisers: Tensor, first_query: int, keys: int
) -> Float[Tensor, "images heads keys"]:
    """The same over the queries from `first_query` on, for the first `keys` keys alone."""
    sums = torch.zeros(call.images, call.heads, keys, dtype=call.dtype, device=call.device)
    if keys > 0:
        blocks = blocks_for(call.queries, call.keys)
        programs = call.images * call.heads * triton.cdiv(keys, blocks.keys)
        vector, normalisers = numbers(vector, call), numbers(normalisers, call)
        launch(column_sums_kernel, call, programs, blocks, vector, normalisers, first_query, keys, sums)
    return sums


@triton.jit
@no_type_check
def column_sums_kernel(
    call,  # Operands
    vector,  # (images, queries)
    normalisers,  # (images, heads, queries)
    first_query,
    summed_keys,  # from the first key on
    sums,  # (images, heads, summed_keys)
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BIAS: tl.constexpr,
    ROUNDED: tl.constexpr,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
):
    """Σ_q vector[q]·A[q, k] over the queries from `first_query` on."""
    image, head, block = place_of_program(tl.cdiv(summed_keys, BLOCK_KEYS), call.heads)
    columns = block * BLOCK_KEYS + tl.arange(0, BLOCK_KEYS)
    summed = tl.zeros([BLOCK_QUERIES, BLOCK_KEYS], tl.float32)
    for start in range(first_query, call.query_count, BLOCK_QUERIES):
        rows = start + tl.arange(0, BLOCK_QUERIES)
        factor = tl.load(vector + image * call.query_count + rows, mask=rows < call.query_count, other=0.0)
        weights = weights_tile(call, normalisers, image, head, rows, columns, DIM, BLOCK_DIM, BIAS, ROUNDED)
        summed += factor[:, None] * weights
    out = sums + (image * call.heads + head) * summed_keys + columns
    tl.store(out, tl.sum(summed, 0), mask=columns < summed_keys)


@triton.jit
@no_type_check
def weights_tile(
    call,
    normalisers,
    image,
    head,
    rows,
    columns,
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BIAS: tl.constexpr,
    ROUNDED: tl.constexpr,
):
    """One head's weights, (rows, columns), from known normalisers; 0 outside the matrix."""
    queries = load_queries(call, image, head, rows, DIM, BLOCK_DIM)
    keys = load_keys(call, image, head, columns, DIM, BLOCK_DIM)
    logits = logits_tile(call, queries, keys, image, head, rows, columns, BIAS, ROUNDED)
    start = normalisers + (image * call.heads + head) * call.query_count
    normaliser = tl.load(start + rows, mask=rows < call.query_count, other=float("inf"))
    return tl.exp(logits - normaliser[:, None])
