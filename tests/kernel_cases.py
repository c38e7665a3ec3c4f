"""Calls on which the CPU's kernels are compared, the bodies that compute them, and how close answers must be."""

from dataclasses import fields, replace
from unittest import mock

import hypothesis.strategies as st
import pytest
import torch

from calls import random_call, relative_bias
from vitscope.attention.bias import DenseBias
from vitscope.attention.kernels import compiled, products, runs, tiled
from vitscope.attention.kernels.statistics import Places

SHAPES = st.fixed_dictionaries(
    {
        "images": st.sampled_from([1, 2, 3]),
        "heads": st.sampled_from([1, 2, 5]),
        "grid": st.sampled_from([(1, 1), (3, 7), (5, 2), (11, 13)]),
        "prefix": st.sampled_from([0, 1, 2, 5]),
        "keys": st.sampled_from(["same", "fewer", "more"]),
        "dim": st.sampled_from([1, 7]),
        "bias": st.sampled_from(["none", "dense", "one for all heads", "relative", "hidden keys"]),
        "sharpness": st.sampled_from([0.1, 3.0, 40.0]),
        "seed": st.integers(0, 999),
    }
)
BASE = {"images": 2, "heads": 5, "grid": (11, 13), "prefix": 2, "keys": "same", "dim": 7, "bias": "dense",
        "sharpness": 3.0, "seed": 3}  # fmt: skip


class CompiledWith:
    """The compiled body as it is on machines where MKL is quick, or is not."""

    def __init__(self, *, mkl_is_quick):
        self._quick = mkl_is_quick

    def __getattr__(self, name):
        def run(*given, **options):
            with mock.patch.object(products, "_MKL_IS_QUICK", self._quick):
                return getattr(compiled, name)(*given, **options)

        return run


stacks, singles = CompiledWith(mkl_is_quick=True), CompiledWith(mkl_is_quick=False)
# (body, dtype of queries and keys, tolerance as a fraction of the largest): sums are in float32 but for float64
BODIES = [
    pytest.param(tiled, torch.float64, 1e-12, id="tiled-float64"),
    pytest.param(tiled, torch.float32, 2e-5, id="tiled-float32"),
    *(
        pytest.param(body, dtype, 2e-5, id=f"compiled-{name}-{str(dtype).removeprefix('torch.')}")
        for name, body in {"stacks": stacks, "singles": singles}.items()
        for dtype in (torch.float32, torch.float16, torch.bfloat16)
    ),
]


def draw(shape, dtype, *, square=False):
    """A random call, and where its queries and keys stand."""
    (rows, columns), prefix = shape["grid"], shape["prefix"]
    tokens = prefix + rows * columns
    relative = shape["bias"] == "relative"
    same = square or relative or shape["keys"] == "same"
    key_places = rows * columns if same else {"fewer": 1, "more": rows * columns + 6}[shape["keys"]]
    keys = prefix + key_places
    names = ("images", "heads", "dim", "sharpness", "seed")
    call = random_call(tokens=tokens, keys=keys, dtype=dtype, **{name: shape[name] for name in names})
    generator = torch.Generator().manual_seed(shape["seed"])
    if relative:
        call = replace(call, bias=relative_bias(shape["grid"], prefix, shape["heads"], shape["seed"]))
    elif shape["bias"] == "hidden keys":
        hidden = torch.rand(1, 1, 1, keys, generator=generator) < 0.4
        hidden[..., -1] = False
        call = replace(call, bias=DenseBias(torch.zeros(hidden.shape).masked_fill(hidden, -torch.inf)))
    elif shape["bias"] != "none":
        heads = 1 if shape["bias"] == "one for all heads" else shape["heads"]
        call = replace(call, bias=DenseBias(torch.randn(1, heads, tokens, keys, generator=generator)))
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    places = torch.stack([y.flatten() * 3.0, x.flatten() * 2.0], 1).double()
    own = places if same else torch.rand(key_places, 2, generator=generator).double() * 9
    fewer = 0 if same else prefix // 2  # on the other side, of tokens that stand nowhere
    return call, Places(torch.cat([places[:fewer], places]), own)


def cut_small(monkeypatch):
    """Tiles so small that even small layers take many."""
    monkeypatch.setattr(tiled, "_TILE_BYTES", 4096)
    for kind in (runs._Stacks, runs._Singles):
        monkeypatch.setattr(kind, "tile_bytes", 4096)
    monkeypatch.setattr(runs, "_LEAST_ROWS", 1)


def assert_close(found, expected, tolerance):
    """Equal to a fraction of the largest entry, or of 1; NaN where NaN is expected."""
    assert found.shape == expected.shape
    scale = float(expected.nan_to_num().abs().max()) if expected.numel() else 0
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance * max(scale, 1), equal_nan=True)


def assert_statistics_close(found, expected, tolerance):
    for field in fields(expected):
        assert_close(getattr(found, field.name), getattr(expected, field.name), tolerance)
