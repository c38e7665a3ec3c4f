"""Triton kernel of the moments of attention: where each query's weights lie, and how far about."""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.statistics import Moments, Places, mean_offsets
from vitscope.attention.kernels.triton_launch import blocks_for, launch, planes_of
from vitscope.attention.kernels.triton_tiles import (
    load_places,
    load_queries,
    logits_of,
    place_of_program,
    store_planes,
)


def moments(call: AttentionCall, places: Places) -> Moments:
    """What `Moments` describes, from one pass over the keys."""
    _, key_prefix = places.prefixes(call)
    found = torch.empty(6, call.images, call.heads, call.query_count, dtype=call.dtype, device=call.device)
    blocks = blocks_for(call.queries, call.keys)
    programs = call.images * call.heads * triton.cdiv(call.query_count, blocks.queries)
    _, of_keys = planes_of(places, call.query_count, call.key_count, call.device)
    launch(moments_kernel, call, programs, blocks, of_keys, key_prefix, found, found[0].numel())
    mass, spread = found[0], found[1:].movedim(0, -1)  # (images, heads, queries), the same by (y, x, yy, xx, yx)
    spread = spread.masked_fill(~(mass > 0)[..., None], torch.nan)
    return Moments(mass.clone(), spread[..., :2], spread[..., 2:])


def mean_moments(call: AttentionCall, places: Places) -> Float[Tensor, "images heads 3"]:
    """What `mean_offsets` describes."""
    return mean_offsets(moments(call, places), places)


@triton.jit
@no_type_check
def moments_kernel(
    call,  # Operands
    key_places,  # see `planes_of`
    key_prefix,
    moments,  # (mass, y, x, yy, xx, yx; images, heads, queries): mass, centroid and covariance
    plane,  # images · heads · queries: from one moment to the next
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BIAS: tl.constexpr,
    ROUNDED: tl.constexpr,
    FOLDED: tl.constexpr,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
):
    """Each tile's centroid and scatter about it are merged into those of the tiles before.

    Nothing is subtracted that cancels, so a narrow spread far from the origin stays exact.
    """
    image, head, block = place_of_program(tl.cdiv(call.query_count, BLOCK_QUERIES), call.heads)
    rows = block * BLOCK_QUERIES + tl.arange(0, BLOCK_QUERIES)
    queries = load_queries(call, image, head, block * BLOCK_QUERIES, BLOCK_QUERIES, DIM, BLOCK_DIM)
    maximum = tl.full([BLOCK_QUERIES], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_QUERIES], tl.float32)  # Σ of weights relative to the maximum, as are all sums
    mass = tl.zeros([BLOCK_QUERIES], tl.float32)  # Σ over the patch keys
    centroid_y, centroid_x = tl.zeros([BLOCK_QUERIES], tl.float32), tl.zeros([BLOCK_QUERIES], tl.float32)
    yy, xx = tl.zeros([BLOCK_QUERIES], tl.float32), tl.zeros([BLOCK_QUERIES], tl.float32)  # Σ weight·(y − centroid)²
    yx = tl.zeros([BLOCK_QUERIES], tl.float32)
    for start in range(0, call.key_count, BLOCK_KEYS):
        columns = start + tl.arange(0, BLOCK_KEYS)
        logits = logits_of(
            call, queries, image, head, rows, start, DIM, BLOCK_DIM, BIAS, ROUNDED, FOLDED, BLOCK_KEYS, True
        )
        maximum, fall, weights = _below_maximum(call, maximum, logits)
        decay = tl.exp2(fall)
        total = decay * total + tl.sum(weights, 1)
        weights = tl.where((columns >= key_prefix)[None, :], weights, 0.0)
        key_y, key_x = load_places(key_places, start, call.key_count, BLOCK_KEYS)
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
    store_planes(out, plane, (mass / total, centroid_y, centroid_x, yy / mass, xx / mass, yx / mass), inside)


@triton.jit
@no_type_check
def _below_maximum(call, maximum, logits):
    """(maximum, fall, weights) once a tile is taken in: weights are relative to the new maximum.

    Earlier sums fall by 2^fall. Where every logit so far is −inf there is no maximum to stand below: weights
    are 0 and the fall is 0.
    """
    new = tl.maximum(maximum, tl.max(logits, 1))
    origin = tl.where(new == float("-inf"), 0.0, new)
    fall = tl.where(maximum == float("-inf"), 0.0, (maximum - origin) * call.unit)
    return new, fall, tl.exp2(logits * call.unit - (origin * call.unit)[:, None])
