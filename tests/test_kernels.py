"""The tiled kernels equal the plain ones on random shapes, and hold no layer in full."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from calls import call_of, random_call
from vitscope.attention import reference, tiled

SHAPES = st.fixed_dictionaries(
    {
        "images": st.sampled_from([1, 2, 3]),
        "heads": st.sampled_from([1, 2, 5]),
        "grid": st.sampled_from([(1, 1), (3, 7), (5, 2), (11, 13)]),
        "prefix": st.sampled_from([0, 1, 2, 5]),
        "dim": st.sampled_from([1, 7]),
        "bias": st.booleans(),
        "sharpness": st.sampled_from([0.1, 3.0, 40.0]),
        "seed": st.integers(0, 999),
    }
)
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5}


def draw(shape, dtype):
    grid, prefix = shape["grid"], shape["prefix"]
    names = ("images", "heads", "dim", "bias", "sharpness", "seed")
    call = random_call(tokens=prefix + grid[0] * grid[1], dtype=dtype, **{name: shape[name] for name in names})
    y, x = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    places = torch.stack([y.flatten() * 3.0, x.flatten() * 2.0], 1).double()
    return call, places, prefix


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    monkeypatch.setattr(tiled, "_TILE_BYTES", 4096)  # so that even small layers take many tiles


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@settings(max_examples=40, deadline=None)
@given(shape=SHAPES)
def test_row_statistics_equal_the_reference(dtype, shape):
    call, places, prefix = draw(shape, dtype)
    plain, fast = (module.row_statistics(call, places, prefix) for module in (reference, tiled))
    for name in ("distance", "rescaled_distance", "entropy", "prefix_mass"):
        expected, found = getattr(plain, name), getattr(fast, name)
        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * 10)


@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, discard=st.sampled_from([0.0, 0.3, 0.9]))
def test_rollout_kernels_equal_the_reference(fusion, shape, discard):
    call, _, _ = draw(shape, torch.float64)
    least = tiled.threshold(call, fusion, discard) if discard else None
    if discard:
        torch.testing.assert_close(least, reference.threshold(call, fusion, discard), rtol=1e-12, atol=0)
        least = least * (1 - 1e-9)  # off the entry itself, which the two may round to either side
    vector = torch.rand(call.images, call.query_count, dtype=torch.float64)
    for kernel in ("rollout_layer", "vector_times_rollout_layer"):
        arguments = (vector, fusion, least) if kernel.startswith("vector") else (fusion, least)
        expected, found = (getattr(module, kernel)(call, *arguments) for module in (reference, tiled))
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-13)


@settings(max_examples=25, deadline=None)
@given(shape=SHAPES)
def test_fused_matrix_and_mean_row_equal_the_reference(shape):
    call, _, prefix = draw(shape, torch.float64)
    torch.testing.assert_close(tiled.fused(call, "max"), reference.fused(call, "max"))
    torch.testing.assert_close(tiled.mean_row(call, prefix), reference.mean_row(call, prefix))


def test_threshold_is_an_entry_of_the_float32_matrix():
    call = random_call(images=1, tokens=67, dtype=torch.float32)
    entries = reference.fused(call, "mean").flatten().sort().values
    found = tiled.threshold(call, "mean", 0.9)
    assert float(found) == pytest.approx(float(entries[int(0.9 * 67 * 67)]), rel=1e-6)


def test_statistics_by_hand():
    # two patches 10 apart and a prefix token; the first looks half away, the second all at home
    weights = torch.tensor([[0.2, 0.3, 0.5], [0.0, 0.5, 0.5], [0.4, 0.0, 0.6]], dtype=torch.float64)
    places = torch.tensor([[0.0, 0.0], [6.0, 8.0]], dtype=torch.float64)
    for module in (reference, tiled):
        rows = module.row_statistics(call_of(weights[None, None]), places, 1)
        assert float(rows.distance) == pytest.approx((5.0 + 0.0) / 2)
        assert float(rows.rescaled_distance) == pytest.approx((5.0 + 0.0) / 2)
        assert float(rows.prefix_mass) == pytest.approx(0.2)
        assert float(rows.entropy) == pytest.approx((0.693147 + 0.673012) / 2, abs=1e-6)


def test_biases_reach_the_weights():
    call = random_call(images=1, bias=True)
    without = random_call(images=1)
    expected = torch.softmax(without.logits(slice(None)) + call.bias.term, -1)
    torch.testing.assert_close(call.weights(slice(None)), expected)
