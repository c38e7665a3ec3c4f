"""Triton kernel of means over a layer's rows, from what `triton_rows` tells of each."""

from typing import Any, no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.statistics import NO_MASS, Places, RowStatistics


def means_of(
    call: AttentionCall, places: Places, rows: Float[Tensor, "planes images heads queries"], planes: int
) -> RowStatistics:
    """Means over the patch queries of what `rows_kernel` tells of each row: `planes` statistics, then prefix tokens."""
    query_prefix, _ = places.prefixes(call)
    own = planes - 1  # the first is the normaliser
    means = rows.new_empty(call.images, call.heads, len(rows) - 1)
    kernel: Any = means_kernel
    with torch.cuda.device_of(rows):
        kernel[(call.images * call.heads, len(rows) - 1)](
            rows,
            means,
            query_prefix,
            call.query_count,
            rows[0].numel(),
            own,
            LEAST=NO_MASS,
            BLOCK=1024,
            enable_fp_fusion=True,
        )
    distance, rescaled, *more = means[..., :own].unbind(-1)
    squared, entropy, largest = more or (None, None, None)
    return RowStatistics(distance, squared, rescaled, entropy, largest, means[..., own:], rows[0].clone())


@triton.jit
@no_type_check
def means_kernel(
    rows,  # (planes, images, heads, queries), as `rows_kernel` leaves them
    means,  # (images, heads, planes − 1): distance, rescaled distance, the others in order, weights on prefix tokens
    query_prefix,
    query_count,
    plane,
    own,  # statistics before the prefix masses
    LEAST: tl.constexpr,  # mass on patches that is not nothing
    BLOCK: tl.constexpr,
):
    """The mean of one statistic of one head over the queries that are patches."""
    head, which = tl.program_id(0).to(tl.int64), tl.program_id(1)
    start = rows + head * query_count
    source = start + tl.where(which < 2, 1, which + 1).to(tl.int64) * plane
    summed = tl.zeros([BLOCK], tl.float32)
    for first in range(query_prefix, query_count, BLOCK):
        queries = first + tl.arange(0, BLOCK)
        inside = queries < query_count
        found = tl.load(source + queries, mask=inside, other=0.0)
        if which == 1:
            mass = tl.load(start + 2 * plane + queries, mask=inside, other=1.0)
            found = tl.where(mass > LEAST, found / mass, 0.0)
        if which >= own:  # a logit
            normaliser = tl.load(start + queries, mask=inside, other=0.0)
            found = tl.where(inside, tl.exp(found - normaliser), 0.0)
        summed += found
    out = means + head * tl.num_programs(1) + which
    tl.store(out, tl.sum(summed, 0) / (query_count - query_prefix))
