"""Attention calls drawn at random, for the tests of kernels and measures."""

from dataclasses import replace

import numpy as np
import torch

from vitscope.arrangement import Arrangement
from vitscope.attention.bias import DenseBias, RelativeBias
from vitscope.attention.call import AttentionCall
from vitscope.layout import Layout
from vitscope.measures.seen import Reading, Seen


def random_call(
    images=2, heads=3, tokens=29, dim=5, *, keys=None, dtype=torch.float64, bias=False, sharpness=3.0, seed=0
) -> AttentionCall:
    """Random queries and keys; `sharpness` scales the logits."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    return AttentionCall(
        "random",
        scale=sharpness * dim**-0.5,
        queries=draw(images, heads, tokens, dim),
        keys=draw(images, heads, keys or tokens, dim),
        bias=DenseBias(draw(1, heads, tokens, keys or tokens)) if bias else None,
    )


def relative_bias(grid, prefix, heads, seed=0) -> RelativeBias:
    """A random bias by offset."""
    generator = torch.Generator().manual_seed(seed)
    patches = grid[0] * grid[1]
    shapes = (2 * grid[0] - 1, 2 * grid[1] - 1), (prefix, prefix + patches), (patches, prefix)
    return RelativeBias(grid, *(torch.randn(1, heads, *shape, generator=generator) for shape in shapes))


def call_of(weights: torch.Tensor) -> AttentionCall:
    """A call of given weights (images, heads, queries, keys)."""
    return AttentionCall("given", probabilities=weights)


def seen_of(calls, grid, patch=16, prefix=("cls",), readout="cls", pooling=None) -> Seen:
    layout = Layout(grid, (patch, patch), tuple(prefix))
    readings = ()
    if pooling is not None:
        keys = layout if pooling.key_count == layout.tokens else replace(layout, prefix=())
        asking = Layout((0, 0), layout.patch_size, tuple(f"query{i + 1}" for i in range(pooling.query_count)))
        tokens = (np.arange(side.tokens)[None] for side in (asking, keys))
        readings = (Reading(pooling, Arrangement(asking, keys, *tokens), "pool"),)
    return Seen(layout, tuple(calls), readout, readings)
