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
from vitscope.attention.kernels.triton_launch import blocks_for, launch, numbers
from vitscope.attention.kernels.triton_tiles import (
    LOG2_E,
    load_keys,
    load_queries,
    logits_tile,
    place_of_program,
)


def column_sums(
    call: AttentionCall, vector: Float[Tensor, "images queries"], normalisers: Float[Tensor, "images heads queries"]
) -> Float[Tensor, "images heads keys"]:
    """Σ_q vector[q]·A[q, k]: what each key receives of every head, the queries weighted by `vector`."""
    sums = torch.empty(call.images, call.heads, call.key_count, dtype=call.dtype, device=call.device)
    blocks = blocks_for(call.queries, call.keys)
    programs = call.images * call.heads * triton.cdiv(call.key_count, blocks.keys)
    launch(column_sums_kernel, call, programs, blocks, numbers(vector, call), numbers(normalisers, call), sums)
    return sums


@triton.jit
@no_type_check
def column_sums_kernel(
    call,  # Operands
    vector,  # (images, queries)
    normalisers,  # (images, heads, queries)
    sums,  # (images, heads, keys)
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BIAS: tl.constexpr,
    ROUNDED: tl.constexpr,
    FOLDED: tl.constexpr,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
):
    """Σ_q vector[q]·A[q, k]."""
    image, head, block = place_of_program(tl.cdiv(call.key_count, BLOCK_KEYS), call.heads)
    columns = block * BLOCK_KEYS + tl.arange(0, BLOCK_KEYS)
    keys = load_keys(call, image, head, block * BLOCK_KEYS, BLOCK_KEYS, DIM, BLOCK_DIM, True)
    summed = tl.zeros([BLOCK_QUERIES, BLOCK_KEYS], tl.float32)
    for start in range(0, call.query_count, BLOCK_QUERIES):
        rows = start + tl.arange(0, BLOCK_QUERIES)
        queries = load_queries(call, image, head, start, BLOCK_QUERIES, DIM, BLOCK_DIM)
        factor = tl.load(vector + image * call.query_count + rows, mask=rows < call.query_count, other=0.0)
        # what stands past the last key is not stored
        weights = weights_tile(
            call, normalisers, queries, keys, image, head, rows, columns, BIAS, ROUNDED, FOLDED, False
        )
        summed += factor[:, None] * weights
    out = sums + (image * call.heads + head) * call.key_count + columns
    tl.store(out, tl.sum(summed, 0), mask=columns < call.key_count)


@triton.jit
@no_type_check
def weights_tile(
    call,
    normalisers,
    queries,  # loaded, as are keys
    keys,
    image,
    head,
    rows,
    columns,
    BIAS: tl.constexpr,
    ROUNDED: tl.constexpr,
    FOLDED: tl.constexpr,
    EDGE: tl.constexpr,
):
    """One head's weights, (rows, columns), from known normalisers; 0 past the last row, in an `EDGE` the last key."""
    logits = logits_tile(call, queries, keys, image, head, rows, columns, BIAS, ROUNDED, FOLDED, EDGE)
    start = normalisers + (image * call.heads + head) * call.query_count
    normaliser = tl.load(start + rows, mask=rows < call.query_count, other=float("inf"))
    return tl.exp2(logits * call.unit - (normaliser * LOG2_E)[:, None])
