"""How Triton kernels are launched: a call as they take it, and how the work is cut."""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional

from vitscope.attention.bias import DenseBias, RelativeBias
from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.statistics import Places
from vitscope.attention.moving import brought

_MOST_BLOCK = 128  # of tokens, in any kernel
_DTYPES = (torch.float16, torch.bfloat16, torch.float32)  # that tl.dot takes


class Operands(NamedTuple):
    """A call as a kernel takes it, strides in elements. All on one level: Triton 3.6 loses ones in nested tuples."""

    queries: Tensor
    query_image_stride: int
    query_head_stride: int
    query_token_stride: int
    query_feature_stride: int
    keys: Tensor
    key_image_stride: int
    key_head_stride: int
    key_token_stride: int
    key_feature_stride: int
    value_tokens: Tensor | None  # Triton's tuples have a `values` of their own
    value_image_stride: int
    value_head_stride: int
    value_token_stride: int
    value_feature_stride: int
    bias: Tensor | None  # see `_flat_bias`
    bias_image_stride: int
    bias_head_stride: int
    bias_query_stride: int
    bias_key_stride: int
    bias_rows: int  # of a relative bias's grid of patches
    bias_columns: int
    bias_prefix: int
    heads: int
    query_count: int
    key_count: int
    scale: float
    unit: float  # 2 to the power of logits · unit are the weights, up to a row's factor; see `triton_tiles.logits_tile`


class Blocks(NamedTuple):
    """How a kernel cuts its work, and what a program may use."""

    queries: int
    keys: int
    warps: int
    stages: int


def blocks_for(*operands: Tensor | None) -> Blocks:
    """Blocks for operands of these features and dtypes."""
    given = [operand for operand in operands if operand is not None]
    return _blocks(max(padded(operand.shape[-1]) for operand in given), max(operand.itemsize for operand in given))


def rows_blocks_for(*operands: Tensor | None) -> Blocks:
    """The same for a kernel that sums several numbers of every weight."""
    blocks = blocks_for(*operands)
    return blocks._replace(keys=32) if blocks.stages == 3 else blocks


def _blocks(features: int, itemsize: int) -> Blocks:
    """About the largest whose tiles stay in registers, as compiled for Hopper; in half precision the quickest on it.

    Tensor cores would round float32, so its products are made in registers too; operands loaded a stage
    ahead would crowd them out.
    """
    if itemsize == 2:
        return Blocks(64, 64, warps=4, stages=3) if features <= 128 else Blocks(64, 32, warps=8, stages=2)
    return Blocks(64, 64, warps=8, stages=1) if features <= 64 else Blocks(32, 32, warps=8, stages=1)


def padded(features: int) -> int:
    """The length that a tile takes `features` in: a power of two, at least tensor cores' 16."""
    return max(16, triton.next_power_of_2(features))


def launch(
    kernel: Any,
    call: AttentionCall,
    programs: int,
    blocks: Blocks,
    *arguments: Any,
    values: Tensor | None = None,
    **constants: Any,
) -> None:
    """Run a kernel over a call; its compile-time constants are its own and those that all share."""
    assert call.queries is not None
    assert call.keys is not None
    queries, keys = call.queries, call.keys
    if queries.dtype != keys.dtype or queries.dtype not in _DTYPES:
        queries, keys = queries.float(), keys.float()
    values = values if values is None or values.dtype in _DTYPES else values.float()
    value_fields = (None, 0, 0, 0, 0) if values is None else (values, *values.stride())
    counts = (call.heads, call.query_count, call.key_count)
    folded = call.bias is None and call.logits_dtype is None and call.scale > 0
    units = (call.scale, (call.scale if folded else 1) / math.log(2))
    operands = Operands._make(
        (queries, *queries.stride(), keys, *keys.stride(), *value_fields, *_flat_bias(call), *counts, *units)
    )
    dim = queries.shape[-1]
    with torch.cuda.device_of(queries):  # where Triton launches
        kernel[(programs,)](
            operands,
            *arguments,
            **constants,
            DIM=dim,
            BLOCK_DIM=padded(dim),
            BIAS="relative" if isinstance(call.bias, RelativeBias) else "none" if call.bias is None else "dense",
            FOLDED=folded,
            ROUNDED={None: tl.float32, torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}[call.logits_dtype],
            BLOCK_QUERIES=blocks.queries,
            BLOCK_KEYS=blocks.keys,
            num_warps=blocks.warps,
            num_stages=blocks.stages,
            enable_fp_fusion=True,
        )


def numbers(tensor: Tensor, call: AttentionCall) -> Tensor:
    """A tensor as kernels read it, in float32 end to end, where the call is."""
    return tensor.to(call.device, torch.float32).contiguous()


@lru_cache(maxsize=64)
def planes_of(places: Places, queries: int, keys: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where queries stand, and keys, as kernels read it: (y or x, tokens), whole blocks of these.

    Tokens that stand nowhere, and those past the last one, are put at the origin. Kept, as every layer has the same.
    """
    padded = (
        functional.pad(side.to(torch.float32).T, (count - len(side), -count % _MOST_BLOCK))
        for side, count in ((places.queries, queries), (places.keys, keys))
    )
    of_queries, of_keys = (brought(side.contiguous(), device) for side in padded)
    return of_queries, of_keys


def _flat_bias(call: AttentionCall) -> tuple[Tensor | None, int, int, int, int, int, int, int]:
    """The bias's fields of `Operands`.

    A relative bias is laid end to end, (1, heads, table + from_prefix + to_prefix), as `triton_tiles` reads it.
    """
    bias = call.bias
    if bias is None:
        return None, 0, 0, 0, 0, 0, 0, 0
    if isinstance(bias, RelativeBias):
        flat = torch.cat([part.flatten(2) for part in (bias.table, bias.from_prefix, bias.to_prefix)], -1)
        image, head, offset = flat.expand(call.images, call.heads, -1).stride()  # 0 where it repeats
        return flat, image, head, offset, offset, *bias.grid, bias.from_prefix.shape[2]
    term = bias.term if isinstance(bias, DenseBias) else bias.rows(slice(None))
    image, head, query, key = term.expand(call.images, call.heads, call.query_count, call.key_count).stride()
    return term, image, head, query, key, 0, 0, 0
