"""Calls on which the Triton kernels are compared, where they run, and how their answers are."""

import os
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
import torch

from calls import random_call, relative_bias
from vitscope.attention.bias import DenseBias, RelativeBias
from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.statistics import Places

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
# The interpreter multiplies the bit patterns of bfloat16, and cuts numbers off to it instead of rounding them.
DTYPES = [torch.float32, torch.float16] + ([] if INTERPRETED else [torch.bfloat16])
# Of an answer's largest number. `reference` takes half-precision operands to float32, where their products are
# exact, as they are in tensor cores: there too only the order of sums differs, and the rounding of logits of some tens.
TOLERANCE = 2e-5


def on_device(test: Callable) -> Callable:
    if INTERPRETED:
        return test
    absent = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: see test_under_the_interpreter")
    return pytest.mark.gpu(absent(test))


def assert_equal(found: torch.Tensor, expected: torch.Tensor, tolerance: float = TOLERANCE) -> None:
    finite = expected[expected.isfinite()].abs()
    largest = float(finite.max()) if finite.numel() else 0.0
    torch.testing.assert_close(found.cpu(), expected.cpu(), rtol=0, atol=tolerance * largest, equal_nan=True)


def assert_all_equal(found: Any, expected: Any, tolerance: float = TOLERANCE) -> None:
    """Of dataclasses of tensors."""
    for field in fields(expected):
        if getattr(expected, field.name) is not None:
            assert_equal(getattr(found, field.name), getattr(expected, field.name), tolerance)


def to_device(call: AttentionCall) -> AttentionCall:
    bias = call.bias
    if isinstance(bias, DenseBias):
        bias = DenseBias(bias.term.to(DEVICE))
    elif isinstance(bias, RelativeBias):
        parts = (bias.table, bias.from_prefix, bias.to_prefix)
        bias = RelativeBias(bias.grid, *(part.to(DEVICE) for part in parts))
    return replace(call, queries=call.queries.to(DEVICE), keys=call.keys.to(DEVICE), bias=bias)


def hidden_columns(images: int, keys: int) -> DenseBias:
    """Every fifth key hidden, and a run of keys longer than any block, from the first on."""
    term = torch.zeros(images, 1, 1, keys)
    term[..., ::5] = -torch.inf
    term[0, ..., :69] = -torch.inf
    return DenseBias(term)


def far_apart(images: int, keys: int) -> DenseBias:
    """Keys of the blocks in the middle 100 above all others, which in the last image are hidden at both ends."""
    term = torch.full((images, 1, 1, keys), -100.0)
    term[..., 130:190] = 0.0
    term[-1, ..., :128] = -torch.inf
    term[-1, ..., keys - keys % 64 :] = -torch.inf
    term[-1] -= 100
    return DenseBias(term)


def as_in_qkv(call: AttentionCall) -> AttentionCall:
    """Operands as most models hold them: slices of one (images, tokens, 3, heads, dim)."""
    parts = (call.queries, call.keys, call.keys)
    queries, keys, _ = torch.stack(parts).permute(1, 3, 0, 2, 4).contiguous().permute(2, 0, 3, 1, 4)
    return replace(call, queries=queries, keys=keys)


def feature_first(call: AttentionCall) -> AttentionCall:
    """Operands whose tokens, not features, lie next to each other."""
    queries, keys = (operand.mT.contiguous().mT for operand in (call.queries, call.keys))
    return replace(call, queries=queries, keys=keys)


def narrow(call: AttentionCall, dtype: torch.dtype) -> AttentionCall:
    """A model that rounds its logits, of operands whose products are exact: rounding has then one right answer."""
    queries, keys = ((operand * 16).round() / 16 for operand in (call.queries, call.keys))
    return replace(call, queries=queries, keys=keys, logits_dtype=dtype)


def rounded_away(dtype: torch.dtype) -> AttentionCall:
    """A model that holds its logits in float16, in which those of one key in the middle are −inf, without a bias."""
    call = narrow(random_call(images=1, tokens=17, keys=203, dim=3, dtype=dtype), torch.float16)
    queries, keys = call.queries.clone(), call.keys.clone()
    queries[..., 0] = 300
    keys[..., 0], keys[:, :, 101, 0] = 0, -300
    return replace(call, queries=queries, keys=keys)


# Axes are primes, longer than a block of 64 along queries and keys, and end within one.
CASES: dict[str, tuple[Callable[[torch.dtype], AttentionCall], int, int]] = {  # call, query prefix, key prefix
    "plain": (lambda dtype: random_call(tokens=67, dim=5, dtype=dtype), 1, 1),
    "sharp": (lambda dtype: random_call(images=1, tokens=73, dim=7, sharpness=12.0, dtype=dtype), 0, 0),
    "wide": (lambda dtype: feature_first(random_call(images=1, heads=1, tokens=67, dim=79, dtype=dtype)), 5, 5),
    "more keys": (lambda dtype: random_call(images=1, tokens=71, keys=139, dim=11, dtype=dtype), 0, 5),
    "more queries": (lambda dtype: random_call(images=1, tokens=137, keys=67, dim=3, dtype=dtype), 5, 1),
    "one query": (lambda dtype: random_call(tokens=1, keys=71, dim=17, dtype=dtype), 0, 1),
    "one feature": (lambda dtype: random_call(images=1, tokens=67, dim=1, dtype=dtype), 0, 0),
    "qkv": (lambda dtype: as_in_qkv(random_call(tokens=67, dim=16, dtype=dtype)), 1, 1),
    "dense bias": (lambda dtype: random_call(tokens=67, keys=71, dim=5, bias=True, dtype=dtype), 1, 1),
    "hidden": (lambda dtype: replace(random_call(tokens=67, keys=83, dtype=dtype), bias=hidden_columns(2, 83)), 1, 1),
    "many keys": (lambda dtype: random_call(images=1, heads=2, tokens=67, keys=331, dim=16, dtype=dtype), 1, 5),
    "rounded away": (rounded_away, 1, 1),
    "far apart": (
        lambda dtype: replace(
            random_call(images=2, heads=2, tokens=17, keys=331, dim=3, dtype=dtype), bias=far_apart(2, 331)
        ),
        1,
        1,
    ),
    "relative": (
        lambda dtype: replace(random_call(images=1, tokens=77, dtype=dtype), bias=relative_bias((7, 11), 0, heads=3)),
        0,
        0,
    ),
    "relative, prefixes": (
        lambda dtype: replace(random_call(heads=2, tokens=82, dtype=dtype), bias=relative_bias((11, 7), 5, heads=1)),
        5,
        5,
    ),
    "narrow": (lambda dtype: narrow(random_call(images=1, tokens=67, bias=True, dtype=dtype), torch.float16), 1, 1),
}
if not INTERPRETED:
    CASES["narrower"] = (lambda dtype: narrow(random_call(tokens=67, dtype=dtype), torch.bfloat16), 1, 1)


def drawn(name: str, dtype: torch.dtype) -> tuple[AttentionCall, Places]:
    make, query_prefix, key_prefix = CASES[name]
    call = to_device(make(dtype))
    counts = (call.query_count - query_prefix, call.key_count - key_prefix)
    extent = torch.tensor([100.0, 30.0], dtype=torch.float64)
    queries, keys = (torch.rand(count, 2, dtype=torch.float64) * extent for count in counts)
    return call, Places(queries.to(DEVICE), keys.to(DEVICE))
