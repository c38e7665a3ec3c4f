"""The kernels on CUDA, in Triton: one pass over tiles that never leave the chip.

Every function is `reference`'s function of the same name. Products of queries and keys run in the
operands' own precision and are summed in float32, as is all that follows. `supports` tells which
calls these kernels take; the others go to `tiled`. Needs Triton 3.3, which came with PyTorch 2.7.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels import tiled, triton_columns, triton_fused, triton_moments, triton_rows
from vitscope.attention.kernels.fused_matrix import FusedMatrix
from vitscope.attention.kernels.reference import Fusion
from vitscope.attention.kernels.statistics import Places, RowStatistics

_LARGEST_DIM = 256  # of queries and values that a program can hold

NEEDS_NORMALISERS = True

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def supports(call: AttentionCall) -> bool:
    """Whether these kernels take a call: bare weights leave them nothing to fuse, float64 no speed."""
    return call.queries is not None and call.dtype == torch.float32 and call.queries.shape[-1] <= _LARGEST_DIM


def _else_tiled(
    kernel: Callable[Concatenate[AttentionCall, Arguments], Result],
) -> Callable[Concatenate[AttentionCall, Arguments], Result]:
    """`tiled`'s function of the same name for calls that are not supported."""

    @wraps(kernel)
    def chosen(call: AttentionCall, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        body = kernel if supports(call) else getattr(tiled, kernel.__name__)
        return body(call, *args, **kwargs)

    return chosen


row_statistics = _else_tiled(triton_rows.row_statistics)
normalisers = _else_tiled(triton_rows.normalisers)
moments = _else_tiled(triton_moments.moments)
mean_moments = _else_tiled(triton_moments.mean_moments)
head_distances = tiled.head_distances
column_sums = _else_tiled(triton_columns.column_sums)
statistics_and_fused = _else_tiled(triton_fused.statistics_and_fused)
fused = _else_tiled(triton_fused.fused)
threshold = _else_tiled(triton_fused.threshold)
rollout_layer = _else_tiled(triton_fused.rollout_layer)
vector_times_rollout_layer = _else_tiled(triton_fused.vector_times_rollout_layer)
vector_times_stored_layer = tiled.vector_times_stored_layer  # no plan stores on CUDA


def attend(
    call: AttentionCall,
    values: Float[Tensor, "images heads keys features"],
    places: Places,
    fusion: Fusion | None = None,
    *,
    whole: bool = True,
) -> tuple[Float[Tensor, "images heads queries features"], RowStatistics, FusedMatrix | None]:
    """The attention's own output, its statistics from the same products and, if asked for, the heads fused."""
    if not supports(call) or values.shape[-1] > _LARGEST_DIM:
        return tiled.attend(call, values, places, fusion)
    output, statistics = triton_rows.attend(call, values, places, whole=whole)
    matrix = None if fusion is None else triton_fused.fused_matrix(call, fusion, statistics.normalisers)
    return output, statistics, matrix
