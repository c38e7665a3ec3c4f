"""The Triton kernels equal the plain ones on a GPU, or else under Triton's interpreter.

The interpreter replaces the language when Triton is first imported, so `test_under_the_interpreter`
runs this file's other tests in a process of their own. `TRITON_INTERPRET=1 pytest` on this file runs
them directly.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from calls import call_of, random_call
from triton_cases import (
    CASES,
    DEVICE,
    DTYPES,
    INTERPRETED,
    TOLERANCE,
    assert_all_equal,
    assert_equal,
    drawn,
    on_device,
    to_device,
)
from vitscope.attention.bias import DenseBias
from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels import reference, tiled
from vitscope.attention.kernels.statistics import Places

pytest.importorskip("triton")
kernels = pytest.importorskip("vitscope.attention.kernels.triton")

# NumPy, which the interpreter computes with, warns where a row has no key to see, or none among the patches, and
# where sums overflow that are then made again.
pytestmark = pytest.mark.filterwarnings(
    *(f"ignore:{what} encountered:RuntimeWarning" for what in ("invalid value", "divide by zero", "overflow"))
)


every_case = pytest.mark.parametrize("name", CASES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
# Tiles of logits are the same in all kernels: where time is short, the test of rows tries them in every dtype.
enough_dtypes = pytest.mark.parametrize("dtype", DTYPES[:1] if INTERPRETED else DTYPES)
every_fusion = pytest.mark.parametrize("fusion", ["mean", "max", "min"])


@on_device
@every_dtype
@every_case
def test_rows_equal_the_reference(name, dtype):
    call, places = drawn(name, dtype)
    values = torch.randn(call.images, call.heads, call.key_count, 13, device=DEVICE).to(dtype)
    output, statistics, _ = kernels.attend(call, values, places)
    expected_output, expected, _ = reference.attend(call, values, places)
    # weights meet values in these' precision, and the output is rounded to it, as in the model's own fused attention
    assert output.dtype == dtype
    assert_equal(output.float(), expected_output, TOLERANCE if dtype == torch.float32 else torch.finfo(dtype).eps)
    assert_all_equal(statistics, expected)


@on_device
@pytest.mark.parametrize("dtype", DTYPES[:2])
@pytest.mark.parametrize("name", ["plain", "hidden", "many keys", "far apart"])
def test_rows_are_the_same_however_much_is_asked_of_them(name, dtype):
    call, places = drawn(name, dtype)
    values = torch.randn(call.images, call.heads, call.key_count, 3, device=DEVICE).to(dtype)
    output, expected, _ = kernels.attend(call, values, places)
    assert_all_equal(kernels.row_statistics(call, places), expected)
    assert_equal(kernels.normalisers(call), expected.normalisers)
    same_output, same_rows, _ = kernels.attend(call, values, places, whole=False)
    assert_equal(same_output.float(), output.float(), TOLERANCE if dtype == torch.float32 else torch.finfo(dtype).eps)
    for part in (kernels.row_statistics(call, places, whole=False), same_rows):
        assert (part.squared_distance, part.entropy, part.largest) == (None, None, None)
        same = {"squared_distance": None, "entropy": None, "largest": None}
        assert_all_equal(part, replace(expected, **same))


@on_device
@enough_dtypes
@every_case
def test_moments_equal_the_reference(name, dtype):
    call, places = drawn(name, dtype)
    assert_all_equal(kernels.moments(call, places), reference.moments(call, places))


@on_device
@enough_dtypes
@every_case
def test_column_sums_equal_the_reference(name, dtype):
    call, _ = drawn(name, dtype)
    vector = torch.rand(call.images, call.query_count, device=DEVICE)
    known = reference.normalisers(call)
    assert_equal(kernels.column_sums(call, vector, known), reference.column_sums(call, vector, known))


@on_device
@every_fusion
@pytest.mark.parametrize(("name", "dtype"), zip(["relative, prefixes", "qkv", "plain"], DTYPES, strict=False))
def test_rollout_equals_the_reference(name, dtype, fusion):
    call, _ = drawn(name, dtype)
    matrix = reference.fused(call, fusion)
    assert_equal(kernels.fused(call, fusion), matrix)
    vector = torch.rand(call.images, call.query_count, device=DEVICE)
    for least, known in ((None, None), (bounds_between_entries(matrix, 0.7), reference.normalisers(call))):
        assert_equal(kernels.rollout_layer(call, fusion, least), reference.rollout_layer(call, fusion, least))
        expected = reference.vector_times_rollout_layer(call, vector, fusion, least)
        assert_equal(kernels.vector_times_rollout_layer(call, vector, fusion, least, known), expected)


def bounds_between_entries(matrix: torch.Tensor, discard: float) -> torch.Tensor:
    """For each image, the middle of the widest gap among fused entries near their `discard` quantile.

    Close to an entry, rounding would put the bound on either side of it.
    """
    ordered = matrix.flatten(1).sort().values
    near = ordered[:, int(discard * ordered.shape[1]) :][:, :100]
    widest = near.diff().argmax(1, keepdim=True)
    return (near.gather(1, widest) + near.gather(1, widest + 1))[:, 0] / 2


@on_device
@pytest.mark.parametrize(("fusion", "discard"), [("min", 0.0), ("mean", 0.3), ("mean", 0.9), ("max", 1.0)])
def test_threshold_equals_the_reference(fusion, discard, monkeypatch):
    monkeypatch.setattr("vitscope.attention.kernels.triton_fused._RUN_BYTES", 4 * 71 * 65)  # several runs of rows
    call, _ = drawn("dense bias", torch.float32)
    found, expected = (body.threshold(call, fusion, discard) for body in (kernels, reference))
    torch.testing.assert_close(found, expected, rtol=TOLERANCE, atol=0)


@on_device
@every_fusion
def test_statistics_and_fused_heads_equal_the_reference(fusion):
    call, places = drawn("plain", torch.float32)
    statistics, matrix = kernels.statistics_and_fused(call, places, fusion)
    assert_all_equal(statistics, reference.row_statistics(call, places))
    vector = torch.rand(call.images, call.query_count, device=DEVICE)
    expected = reference.vector_times_rollout_layer(call, vector, fusion)
    assert_equal(kernels.vector_times_stored_layer(call, matrix, vector), expected, 1e-4)  # 16 bits
    _, _, same = kernels.attend(call, torch.zeros_like(call.keys), places, fusion)
    assert_all_equal(same, matrix)


@on_device
@every_fusion
def test_discarding_spares_entries_as_large_as_the_threshold(fusion):
    call = random_call(tokens=67, dtype=torch.float32)
    uniform = to_device(replace(call, queries=torch.zeros_like(call.queries)))
    vector = torch.rand(call.images, 67, device=DEVICE)
    least = kernels.threshold(uniform, fusion, 0.9)
    expected = (vector + vector.mean(1, keepdim=True)) / 2  # of all 67² entries, 1/67 each
    rounded = kernels.normalisers(uniform) + 1e-6  # as another pass may find them
    assert_equal(kernels.vector_times_rollout_layer(uniform, vector, fusion, least, rounded), expected)
    assert_equal(kernels.rollout_layer(uniform, fusion, least).sum(1), torch.ones(call.images, 67))


def call_of_logits(logits: torch.Tensor) -> AttentionCall:
    """A call with these logits (images, heads, queries, keys)."""
    images, heads, queries, keys = logits.shape
    nothing = torch.zeros(images, heads, max(queries, keys), 3)
    return to_device(
        AttentionCall("given", queries=nothing[:, :, :queries], keys=nothing[:, :, :keys], bias=DenseBias(logits))
    )


@on_device
def test_by_hand():
    # two patches 10 apart and a prefix token; the first looks half away, the second all at home
    weights = torch.tensor([[0.2, 0.3, 0.5], [0.0, 0.5, 0.5], [0.4, 0.0, 0.6]])
    call = call_of_logits(weights.log()[None, None])
    positions = torch.tensor([[0.0, 0.0], [6.0, 8.0]], device=DEVICE)
    values = torch.tensor([[1.0], [10.0], [100.0]], device=DEVICE)[None, None]
    output, rows, _ = kernels.attend(call, values, Places(positions, positions))
    assert output.flatten().tolist() == pytest.approx([53.2, 55.0, 60.4])
    assert float(rows.distance) == pytest.approx((5.0 + 0.0) / 2)
    assert float(rows.squared_distance) == pytest.approx((50.0 + 0.0) / 2)
    assert float(rows.rescaled_distance) == pytest.approx((5.0 + 0.0) / 2)
    assert float(rows.entropy) == pytest.approx((0.693147 + 0.673012) / 2, abs=1e-6)
    assert float(rows.largest) == pytest.approx((0.5 + 0.6) / 2)
    assert float(rows.prefix_mass) == pytest.approx((0.0 + 0.4) / 2)
    assert rows.normalisers.flatten().tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)
    moments = kernels.moments(call, Places(positions, positions))
    assert moments.mass.flatten().tolist() == pytest.approx([0.8, 1.0, 0.6])
    assert moments.centroid[0, 0, 0].tolist() == pytest.approx([6 * 5 / 8, 8 * 5 / 8])
    assert moments.covariance[0, 0, 0].tolist() == pytest.approx([36 * 15 / 64, 64 * 15 / 64, 48 * 15 / 64])
    vector = torch.tensor([[1.0, 2.0, 4.0]], device=DEVICE)
    assert kernels.column_sums(call, vector, rows.normalisers).flatten().tolist() == pytest.approx([1.8, 1.3, 3.9])
    assert kernels.vector_times_rollout_layer(call, vector, "mean").tolist()[0] == pytest.approx([1.4, 1.65, 3.95])


@on_device
def test_spread_far_from_the_origin_is_exact():
    """Two patches half a pixel apart, in different blocks, hold all the attention."""
    logits = torch.full((1, 1, 1, 131), -torch.inf)
    logits[..., [5, 127]] = 3.0
    positions = torch.rand(131, 2, dtype=torch.float64) * 100
    positions[5], positions[127] = torch.tensor([4096.0, 2048.0]), torch.tensor([4096.0, 2048.5])
    moments = kernels.moments(call_of_logits(logits), Places(positions[:1].to(DEVICE), positions.to(DEVICE)))
    assert moments.centroid.flatten().tolist() == [4096.0, 2048.25]
    assert moments.covariance.flatten().tolist() == [0.0, 0.0625, 0.0]


@on_device
def test_query_that_sees_nothing_is_nan_alone():
    logits = torch.randn(1, 2, 67, 67)
    logits[:, :, 41] = -torch.inf
    call = call_of_logits(logits)
    positions = torch.rand(66, 2, dtype=torch.float64, device=DEVICE)
    places = Places(positions, positions)
    values = torch.randn(1, 2, 67, 3, device=DEVICE)
    output, rows, _ = kernels.attend(call, values, places)
    expected_output, expected_rows, _ = reference.attend(call, values, places)
    assert int(expected_output.isnan().sum()) == 2 * 3
    assert_equal(output, expected_output)
    assert_all_equal(rows, expected_rows)
    assert_all_equal(kernels.moments(call, places), reference.moments(call, places))
    for fusion in ("mean", "max", "min"):
        assert_equal(kernels.fused(call, fusion), reference.fused(call, fusion))
        assert_equal(kernels.threshold(call, fusion, 0.5), reference.threshold(call, fusion, 0.5))


@on_device
def test_calls_that_are_not_supported_go_to_the_tiled_body():
    call, places = drawn("plain", torch.float32)
    bare, double, long = call_of(call.weights(slice(None))), random_call(tokens=67), random_call(tokens=67, dim=257)
    double, long = to_device(double), to_device(replace(long, queries=long.queries.float(), keys=long.keys.float()))
    for other in (bare, double, long):
        assert not kernels.supports(other)
        assert_all_equal(kernels.row_statistics(other, places), tiled.row_statistics(other, places), 0)
        assert torch.equal(kernels.fused(other, fusion="max"), tiled.fused(other, "max"))
    values = torch.randn(call.images, call.heads, 67, 257, device=DEVICE)
    assert torch.equal(kernels.attend(call, values, places)[0], tiled.attend(call, values, places)[0])


@pytest.mark.skipif(INTERPRETED, reason="already under the interpreter")
@pytest.mark.skipif(torch.cuda.is_available(), reason="run on the device")
def test_under_the_interpreter():
    run = subprocess.run(
        [sys.executable, "-m", "pytest", __file__, "-p", "no:cacheprovider", "--tb=short"],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
