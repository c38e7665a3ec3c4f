"""Every body of the kernels equals the plain one on random shapes."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from calls import call_of, random_call
from kernel_cases import BASE, BODIES, SHAPES, assert_close, assert_statistics_close, cut_small, draw, singles, stacks
from vitscope.attention.kernels import compiled, reference, tiled
from vitscope.attention.kernels.statistics import Places


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    cut_small(monkeypatch)


def test_weights_that_do_not_sum_to_one_are_taken_as_they_are():
    generator = torch.Generator().manual_seed(0)
    call = call_of(torch.rand(2, 3, 29, 29, generator=generator, dtype=torch.float64) - 0.1)  # some below 0
    places = Places(*[torch.rand(27, 2, generator=generator, dtype=torch.float64)] * 2)
    found, expected = (body.row_statistics(call, places) for body in (tiled, reference))
    for name in ("distance", "squared_distance", "rescaled_distance", "largest", "prefix_mass"):
        assert_close(getattr(found, name), getattr(expected, name), 1e-8)


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES)
@settings(max_examples=40)
@given(shape=SHAPES)
def test_row_statistics_equal_the_reference(body, dtype, tolerance, shape):
    call, places = draw(shape, dtype)
    expected = reference.row_statistics(call, places)
    assert_statistics_close(body.row_statistics(call, places), expected, tolerance)
    assert_close(body.normalisers(call), expected.normalisers, tolerance)


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES)
@settings(max_examples=25)
@given(shape=SHAPES)
def test_output_and_statistics_together_equal_the_reference(body, dtype, tolerance, shape):
    call, places = draw(shape, dtype)
    values = torch.randn(call.images, call.heads, call.key_count, 3).to(dtype)
    found, statistics, nothing = body.attend(call, values, places)
    expected, plain, _ = reference.attend(call, values, places)
    assert nothing is None
    assert_close(found, expected, tolerance)
    assert_statistics_close(statistics, plain, tolerance)


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES[1:])
@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
@settings(max_examples=15)
@given(shape=SHAPES)
def test_statistics_and_fused_heads_equal_the_reference(body, dtype, tolerance, fusion, shape):
    call, places = draw(shape, dtype, square=True)
    values = torch.randn(call.images, call.heads, call.key_count, 3)
    vector = torch.rand(call.images, call.query_count)
    expected = reference.vector_times_rollout_layer(call, vector, fusion)
    for found, matrix in (
        body.statistics_and_fused(call, places, fusion),
        body.attend(call, values, places, fusion)[1:],
        reference.statistics_and_fused(call, places, fusion),
    ):
        assert_statistics_close(found, reference.row_statistics(call, places), tolerance)
        stored = reference.vector_times_stored_layer(call, matrix, vector)
        assert_close(stored, expected, 1e-4)  # 16 bits
        column_major = vector.T.contiguous().T
        assert_close(body.vector_times_stored_layer(call, matrix, column_major), stored, 1e-5)


@pytest.mark.parametrize("body", [compiled, tiled])
def test_fused_heads_are_kept_to_half_a_step_of_their_rows_largest(body):
    call, places = draw({**BASE, "sharpness": 9.0}, torch.float32, square=True)
    _, matrix = body.statistics_and_fused(call, places, "max")
    expected = reference.fused(call, "max")
    step = expected.amax(-1, keepdim=True) / (2**15 - 1)
    assert (
        float(((matrix.levels * matrix.steps[..., None] - expected).abs() / step).max()) < 0.6
    )  # the rest is float32's own rounding


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES)
@settings(max_examples=25)
@given(shape=SHAPES)
def test_moments_equal_the_reference(body, dtype, tolerance, shape):
    call, places = draw(shape, dtype)
    found, expected = body.moments(call, places), reference.moments(call, places)
    known = expected.mass > 1e-6  # below, next to nothing is divided by next to nothing
    assert_close(found.mass, expected.mass, tolerance)
    assert_close(found.centroid[known], expected.centroid[known], 10 * tolerance)
    extent = float((places.keys - places.keys.mean(0)).square().sum(1).max())  # covariances are differences of such
    wrong = (found.covariance - expected.covariance)[known].abs()
    assert not known.any() or float(wrong.max()) <= 10 * tolerance * max(extent, 1)


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES)
@settings(max_examples=25)
@given(shape=SHAPES)
def test_column_sums_equal_the_reference(body, dtype, tolerance, shape):
    call, _ = draw(shape, dtype)
    vector = torch.rand(call.images, call.query_count).to(call.dtype)
    arguments = (call, vector, reference.normalisers(call))
    assert_close(body.column_sums(*arguments), reference.column_sums(*arguments), tolerance)


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES)
@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
@settings(max_examples=15)
@given(shape=SHAPES, discard=st.sampled_from([0.0, 0.3, 0.9]), known=st.booleans())
def test_rollout_kernels_equal_the_reference(body, dtype, tolerance, fusion, shape, discard, known):
    call, _ = draw(shape, dtype, square=True)
    least = body.threshold(call, fusion, discard) if discard else None
    if discard:
        assert_close(least, reference.threshold(call, fusion, discard), tolerance)
        least = between_entries(call, fusion, least)
    vector = torch.rand(call.images, call.query_count).to(call.dtype)
    assert_close(body.rollout_layer(call, fusion, least), reference.rollout_layer(call, fusion, least), 10 * tolerance)
    normalisers = body.normalisers(call) if known else None
    found = body.vector_times_rollout_layer(call, vector, fusion, least, normalisers)
    assert_close(found, reference.vector_times_rollout_layer(call, vector, fusion, least), 10 * tolerance)


def between_entries(call, fusion, least):
    """Bounds as near `least` as can be with no entry close by, which rounding would put on either side."""
    bounds = []
    for entries, bound in zip(reference.fused(call, fusion).flatten(1), least, strict=True):
        ordered = torch.cat([entries.new_zeros(1), entries]).sort().values
        gaps = ordered[1:] / ordered[:-1].clamp_min(1e-30)
        wide = torch.nonzero((gaps > 1.01) & (ordered[:-1] >= bound * 0.5))
        if len(wide):
            first = int(wide[0])
            bounds.append((ordered[first] * ordered[first + 1]).sqrt())
        else:
            bounds.append(2 * ordered[-1])
    return torch.stack(bounds)


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES)
@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
def test_ties_at_the_threshold_stay(body, dtype, tolerance, fusion):
    call, _ = draw({**BASE, "sharpness": 0.0, "bias": "none"}, dtype, square=True)  # uniform: all entries are equal
    vector = torch.rand(call.images, call.query_count).to(call.dtype)
    least = body.threshold(call, fusion, 0.9)
    found = body.vector_times_rollout_layer(call, vector, fusion, least, body.normalisers(call))
    assert_close(found, body.vector_times_rollout_layer(call, vector, fusion), 10 * tolerance)


@pytest.mark.parametrize("body", [tiled, stacks, singles])
def test_hidden_keys_receive_nothing_at_all(body):
    call, _ = draw({**BASE, "bias": "hidden keys"}, torch.float32)
    hidden = call.bias.term[0, 0, 0] == -torch.inf
    vector = torch.ones(call.images, call.query_count)
    columns = body.column_sums(call, vector, body.normalisers(call))
    assert hidden.any()
    assert (columns[..., hidden] == 0).all()
    assert (columns[..., ~hidden] > 0).all()


@settings(max_examples=25)
@given(shape=SHAPES)
def test_fused_matrix_equals_the_reference(shape):
    call, _ = draw(shape, torch.float64)
    torch.testing.assert_close(tiled.fused(call, "max"), reference.fused(call, "max"))


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
        rows = module.row_statistics(call_of(weights[None, None]), Places(places, places))
        assert float(rows.distance) == pytest.approx((5.0 + 0.0) / 2)
        assert float(rows.squared_distance) == pytest.approx((50.0 + 0.0) / 2)
        assert float(rows.rescaled_distance) == pytest.approx((5.0 + 0.0) / 2)
        assert float(rows.largest) == pytest.approx((0.5 + 0.6) / 2)
        assert float(rows.prefix_mass) == pytest.approx(0.2)
        assert float(rows.entropy) == pytest.approx((0.693147 + 0.673012) / 2, abs=1e-6)
        moments = module.moments(call_of(weights[None, None]), Places(places, places))
        assert moments.centroid[0, 0, 1].tolist() == pytest.approx([3.0, 4.0])  # half on each patch
        assert moments.covariance[0, 0, 1].tolist() == pytest.approx([9.0, 16.0, 12.0])
        assert moments.covariance[0, 0, 2].tolist() == pytest.approx([0.0, 0.0, 0.0])


def test_biases_reach_the_weights():
    call = random_call(images=1, bias=True)
    without = random_call(images=1)
    expected = torch.softmax(without.logits(slice(None)) + call.bias.term, -1)
    torch.testing.assert_close(call.weights(slice(None)), expected)
