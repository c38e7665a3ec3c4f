"""What every Triton kernel is made of: one tile of one head's logits, from operands in any layout; and its launch.

Kernels and what they call are decorated `no_type_check`: their arguments are the compiler's, not
tensors, and it must find them undecorated where the tests check shapes.
"""

from typing import Any, NamedTuple, no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from vitscope.attention.bias import DenseBias, RelativeBias
from vitscope.attention.call import AttentionCall

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


def _blocks(features: int, itemsize: int) -> Blocks:
    """About the largest whose tiles stay in registers, as compiled for Hopper.

    Tensor cores would round float32, so its products are made in registers too; operands loaded a stage
    ahead would crowd them out.
    """
    if itemsize == 2:
        return Blocks(64, 64, warps=4, stages=2) if features <= 128 else Blocks(64, 32, warps=8, stages=2)
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
    operands = Operands._make(
        (queries, *queries.stride(), keys, *keys.stride(), *value_fields, *_flat_bias(call), *counts, call.scale)
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


def _flat_bias(call: AttentionCall) -> tuple[Tensor | None, int, int, int, int, int, int, int]:
    """The bias's fields of `Operands`.

    A relative bias is laid end to end, (1, heads, table + from_prefix + to_prefix), for `_relative_offsets`.
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


@triton.jit
@no_type_check
def place_of_program(blocks, heads):
    """(image, head, block): the programs of one head follow each other and find its operands in L2."""
    program = tl.program_id(0)
    head = (program // blocks).to(tl.int64)  # of all images
    return head // heads, head % heads, program % blocks


@triton.jit
@no_type_check
def load_queries(call, image, head, rows, DIM: tl.constexpr, BLOCK: tl.constexpr):
    """One head's queries, (rows, BLOCK): 0 past the last of them and past the last feature."""
    start = call.queries + image * call.query_image_stride + head * call.query_head_stride
    return _load(start, call.query_token_stride, call.query_feature_stride, rows, call.query_count, DIM, BLOCK)


@triton.jit
@no_type_check
def load_keys(call, image, head, columns, DIM: tl.constexpr, BLOCK: tl.constexpr):
    """One head's keys, as `load_queries`."""
    start = call.keys + image * call.key_image_stride + head * call.key_head_stride
    return _load(start, call.key_token_stride, call.key_feature_stride, columns, call.key_count, DIM, BLOCK)


@triton.jit
@no_type_check
def load_values(call, image, head, columns, FEATURES: tl.constexpr, BLOCK: tl.constexpr):
    """One head's values, as `load_queries`."""
    start = call.value_tokens + image * call.value_image_stride + head * call.value_head_stride
    return _load(start, call.value_token_stride, call.value_feature_stride, columns, call.key_count, FEATURES, BLOCK)


@triton.jit
@no_type_check
def _load(start, token_stride, feature_stride, tokens, count, FEATURES: tl.constexpr, BLOCK: tl.constexpr):
    features = tl.arange(0, BLOCK)
    offsets = tokens.to(tl.int64)[:, None] * token_stride + features[None, :] * feature_stride
    return tl.load(start + offsets, mask=(tokens < count)[:, None] & (features < FEATURES)[None, :], other=0.0)


@triton.jit
@no_type_check
def load_places(pointer, tokens, prefix, count):
    """(y, x) of tokens, from (patches, 2) numbers: 0 for those that stand nowhere."""
    offsets = (tokens - prefix) * 2
    known = (tokens >= prefix) & (tokens < count)
    return tl.load(pointer + offsets, mask=known, other=0.0), tl.load(pointer + offsets + 1, mask=known, other=0.0)


@triton.jit
@no_type_check
def logits_tile(call, queries, keys, image, head, rows, columns, BIAS: tl.constexpr, ROUNDED: tl.constexpr):
    """Logits of loaded queries and keys, (rows, columns), in float32; −inf past the last key.

    Each step passes through `ROUNDED`, the precision in which the model held its logits.
    """
    products = tl.dot(queries, tl.trans(keys), input_precision="ieee")  # (rows, columns)
    logits = (products.to(ROUNDED).to(tl.float32) * call.scale).to(ROUNDED).to(tl.float32)
    if BIAS != "none":
        logits = (logits + _bias_tile(call, image, head, rows, columns, BIAS)).to(ROUNDED).to(tl.float32)
    return tl.where((columns < call.key_count)[None, :], logits, float("-inf"))


@triton.jit
@no_type_check
def _bias_tile(call, image, head, rows, columns, BIAS: tl.constexpr):
    """What is added to the logits of `rows` and `columns`, in float32; 0 outside the matrix."""
    start = call.bias + image * call.bias_image_stride + head * call.bias_head_stride
    if BIAS == "relative":
        offsets = _relative_offsets(call, rows, columns)
    else:
        along_queries = rows.to(tl.int64)[:, None] * call.bias_query_stride
        offsets = along_queries + columns.to(tl.int64)[None, :] * call.bias_key_stride
    inside = (rows < call.query_count)[:, None] & (columns < call.key_count)[None, :]
    return tl.load(start + offsets, mask=inside, other=0.0).to(tl.float32)


@triton.jit
@no_type_check
def _relative_offsets(call, rows, columns):
    """Where `_flat_bias` laid the terms of `rows` and `columns`: by key − query between patches, else as held."""
    grid_rows, grid_columns, prefix = call.bias_rows, call.bias_columns, call.bias_prefix
    width = 2 * grid_columns - 1  # of the table
    queries, keys = (rows - prefix)[:, None], (columns - prefix)[None, :]  # among the patches
    offset_y = keys // grid_columns - queries // grid_columns + grid_rows - 1  # (rows, columns)
    offset_x = keys % grid_columns - queries % grid_columns + grid_columns - 1
    from_prefix = (2 * grid_rows - 1) * width
    to_prefix = from_prefix + prefix * call.key_count
    of_prefix_query = from_prefix + rows[:, None] * call.key_count + columns[None, :]
    of_prefix_key = to_prefix + queries * prefix + columns[None, :]
    return tl.where(queries < 0, of_prefix_query, tl.where(keys < 0, of_prefix_key, offset_y * width + offset_x))
