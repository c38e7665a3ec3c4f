"""What every Triton kernel is made of: one tile of one head's logits, from operands in any layout.

Kernels and what they call are decorated `no_type_check`: their arguments are the compiler's, not
tensors, and it must find them undecorated where the tests check shapes.
"""

import math
from typing import no_type_check

import triton
import triton.language as tl

LN_2 = tl.constexpr(math.log(2))
LOG2_E = tl.constexpr(1 / math.log(2))


@triton.jit
@no_type_check
def place_of_program(blocks, heads):
    """(image, head, block): the programs of one head follow each other and find its operands in L2."""
    program = tl.program_id(0)
    head = (program // blocks).to(tl.int64)  # of all images
    return head // heads, head % heads, program % blocks


@triton.jit
@no_type_check
def load_queries(call, image, head, first, BLOCK_QUERIES: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr):
    """One head's queries from `first` on, (BLOCK_QUERIES, BLOCK): 0 past the last of them and past the last feature."""
    start = call.queries + image * call.query_image_stride + head * call.query_head_stride
    strides = (call.query_token_stride, call.query_feature_stride)
    return _load(start, strides, first, call.query_count, BLOCK_QUERIES, DIM, BLOCK, True)


@triton.jit
@no_type_check
def load_keys(
    call, image, head, first, BLOCK_KEYS: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr, EDGE: tl.constexpr
):
    """One head's keys, as `load_queries`; `EDGE` where some may be past the last one."""
    start = call.keys + image * call.key_image_stride + head * call.key_head_stride
    strides = (call.key_token_stride, call.key_feature_stride)
    return _load(start, strides, first, call.key_count, BLOCK_KEYS, DIM, BLOCK, EDGE)


@triton.jit
@no_type_check
def load_values(
    call, image, head, first, BLOCK_KEYS: tl.constexpr, FEATURES: tl.constexpr, BLOCK: tl.constexpr, EDGE: tl.constexpr
):
    """One head's values, as `load_keys`."""
    start = call.value_tokens + image * call.value_image_stride + head * call.value_head_stride
    strides = (call.value_token_stride, call.value_feature_stride)
    return _load(start, strides, first, call.key_count, BLOCK_KEYS, FEATURES, BLOCK, EDGE)


@triton.jit
@no_type_check
def _load(
    start,
    strides,  # of tokens and features
    first,
    count,
    TOKENS: tl.constexpr,
    FEATURES: tl.constexpr,
    BLOCK: tl.constexpr,
    EDGE: tl.constexpr,
):
    tokens, features = tl.arange(0, TOKENS), tl.arange(0, BLOCK)
    within = tokens.to(tl.int64)[:, None] * strides[0] + features[None, :] * strides[1]  # the same in every tile
    at = start + tl.cast(first, tl.int64) * strides[0] + within
    if EDGE:
        return tl.load(at, mask=(first + tokens < count)[:, None] & (features < FEATURES)[None, :], other=0.0)
    if FEATURES < BLOCK:
        return tl.load(at, mask=(features < FEATURES)[None, :], other=0.0)
    return tl.load(at)


@triton.jit
@no_type_check
def load_places(planes, first, count, BLOCK_TOKENS: tl.constexpr):
    """(y, x) of tokens from `first` on, from `triton_launch.planes_of`, for `count` of them."""
    length = (count + 127) // 128 * 128
    tokens = tl.arange(0, BLOCK_TOKENS)
    return tl.load(planes + first + tokens), tl.load(planes + length + first + tokens)


@triton.jit
@no_type_check
def logits_of(
    call,
    queries,  # loaded
    image,
    head,
    rows,
    first,  # key
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BIAS: tl.constexpr,
    ROUNDED: tl.constexpr,
    FOLDED: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
    EDGE: tl.constexpr,
):
    """`logits_tile` of the keys from `first` on."""
    keys = load_keys(call, image, head, first, BLOCK_KEYS, DIM, BLOCK_DIM, EDGE)
    columns = first + tl.arange(0, BLOCK_KEYS)
    return logits_tile(call, queries, keys, image, head, rows, columns, BIAS, ROUNDED, FOLDED, EDGE)


@triton.jit
@no_type_check
def logits_tile(
    call,
    queries,
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
    """Logits of loaded queries and keys, (rows, columns), in float32; in an `EDGE`, −inf past the last key.

    `FOLDED`, they are products still to be scaled, which `call.unit` does together with the step to powers of 2.
    Else each step passes through `ROUNDED`, the precision in which the model held its logits.
    """
    logits = tl.dot(queries, tl.trans(keys), input_precision="ieee")  # (rows, columns)
    if not FOLDED:
        logits = (logits.to(ROUNDED).to(tl.float32) * call.scale).to(ROUNDED).to(tl.float32)
    if BIAS != "none":
        logits = (logits + _bias_tile(call, image, head, rows, columns, BIAS)).to(ROUNDED).to(tl.float32)
    if EDGE:
        logits = tl.where((columns < call.key_count)[None, :], logits, float("-inf"))
    return logits


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


@triton.jit
@no_type_check
def store_planes(out, plane, parts, inside):
    """Store each part `plane` numbers after the one before."""
    for i in tl.static_range(len(parts)):
        tl.store(out, parts[i], mask=inside)
        out += plane
