"""Linear CKA against the formula and closed forms."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from vitscope import LinearCKA, linear_cka
from vitscope.errors import ArgumentError

CKA = LinearCKA()


def features(images, *widths, seed=0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(images, width, generator=generator, dtype=torch.float64) + shift for width in widths]


def added(states):
    states = list(states)
    return {name: sum(state[name] for state in states) for name in states[0]}


def hsic_by_loops(x, y):
    """Song et al. 2012: sums over all pairs, triples and quadruples of different images."""
    k, l = x @ x.T, y @ y.T  # noqa: E741
    n = len(k)
    different = ~np.eye(n, dtype=bool)
    three = different[:, :, None] & different[:, None] & different[None]
    four = three[..., None] & different[:, None, None] & different[None, :, None] & different[None, None]
    pairs = (k * l)[different].mean()
    triples = np.einsum("ij,iq->ijq", k, l)[three].mean()
    quadruples = np.einsum("ij,qr->ijqr", k, l)[four].mean()
    return pairs + quadruples - 2 * triples


def test_the_estimate_is_the_mean_over_images_that_are_all_different():
    """Of k(i, j)·l(i, j) + k(i, j)·l(q, r) − 2·k(i, j)·l(i, q): what makes it unbiased."""
    x, y = (side.numpy() for side in features(7, 3, 5, shift=0.7))
    expected = hsic_by_loops(x, y) / np.sqrt(hsic_by_loops(x, x) * hsic_by_loops(y, y))
    assert linear_cka(x, y) == pytest.approx(expected, rel=1e-9)
    state = CKA.state([torch.from_numpy(x), torch.from_numpy(y)])
    np.testing.assert_allclose(state["sum"][0, 1], hsic_by_loops(x, y), rtol=1e-9)
    assert state["count"] == 1


@settings(max_examples=25)
@given(images=st.sampled_from([4, 5, 11, 32]), shift=st.sampled_from([0.0, 3.0, 100.0]), seed=st.integers(0, 999))
def test_the_measure_equals_the_plain_formula(images, shift, seed):
    layers = features(images, 3, 13, 29, seed=seed, shift=shift)
    found = CKA.finish(CKA.state(layers))
    assert found.convention == CKA.convention
    expected = [[linear_cka(one, other) for other in layers] for one in layers]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(np.diagonal(found), 1)
    np.testing.assert_allclose(found, found.T)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_features_far_from_zero_lose_nothing(dtype):
    """With a mean that is large beside what differs."""
    layers = features(16, 11, 13)
    far = [(layer + 1e5).to(dtype) for layer in layers]
    exact = [layer.double() - 1e5 for layer in far]
    np.testing.assert_allclose(CKA.state(far)["sum"], CKA.state(exact)["sum"], rtol=1e-9)


@settings(max_examples=20)
@given(seed=st.integers(0, 999), scale=st.floats(1e-3, 1e3))
def test_turns_scalings_and_shifts_change_nothing(seed, scale):
    x, y = features(9, 5, 7, seed=seed)
    turn, _ = torch.linalg.qr(features(7, 7, seed=seed + 1)[0])
    other = scale * y @ turn + features(1, 7, seed=seed + 2)[0]
    expected = CKA.finish(CKA.state([x, y]))
    np.testing.assert_allclose(CKA.finish(CKA.state([x, other])), expected, atol=1e-7)
    assert linear_cka(x, other) == pytest.approx(linear_cka(x, y), abs=1e-7)
    assert linear_cka(y, scale * y @ turn) == pytest.approx(1)


def test_a_linear_map_that_is_no_turn_changes_it():
    x = features(11, 5)[0]
    assert linear_cka(x, x * torch.tensor([1.0, 1, 1, 1, 30])) < 0.9


@pytest.mark.parametrize("minibatch", [5, 16])
def test_independent_features_are_not_alike_however_small_the_minibatches(minibatch):
    """The biased estimate would be about 0.9 for 5 images and 100 features."""
    states = [CKA.state(features(minibatch, 100, 90, seed=i)) for i in range(300)]
    merged = added(states)
    assert merged["count"] == 300
    assert abs(CKA.finish(merged)[0, 1]) < 0.02


def test_states_of_minibatches_add_up_in_any_order():
    parts = [features(8, 5, 7, 11, seed=i) for i in range(6)]
    states = [CKA.state(part) for part in parts]
    found = CKA.finish(added(states))
    np.testing.assert_allclose(CKA.finish(added(states[::-1])), found, rtol=1e-12)
    np.testing.assert_allclose(CKA.finish(added([added(states[:2]), added(states[2:])])), found, rtol=1e-12)
    orders = [torch.randperm(8) for _ in parts]
    shuffled = [[layer[order] for layer in part] for part, order in zip(parts, orders, strict=True)]
    np.testing.assert_allclose(CKA.finish(added(map(CKA.state, shuffled))), found, rtol=1e-9)


def test_too_few_images_count_as_nothing():
    assert not CKA.state(features(3, 5, 7))["sum"].any()
    assert CKA.state(features(3, 5, 7))["count"] == 0
    whole = CKA.state(features(8, 5, 7))
    np.testing.assert_array_equal(CKA.finish(added([whole, CKA.state(features(3, 5, 7))])), CKA.finish(whole))
    assert np.isnan(CKA.finish(CKA.state(features(3, 5, 7)))).all()


def test_a_layer_that_is_the_same_for_all_images_is_like_none():
    x = features(8, 5)[0]
    found = CKA.finish(CKA.state([x, torch.ones(8, 3)]))
    np.testing.assert_array_equal(np.isnan(found), [[False, True], [True, True]])
    assert np.isnan(linear_cka(x, np.ones((8, 3))))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LinearCKA(3), "at least 4"),
        (lambda: CKA.state([torch.ones(5, 3), torch.ones(4, 3)]), r"\[4, 5\]"),
        (lambda: linear_cka(np.ones((5, 3)), np.ones((4, 3))), "found 5 and 4"),
        (lambda: linear_cka(np.ones((3, 3)), np.ones((3, 3))), "at least 4 images"),
        (lambda: linear_cka(np.ones(5), np.ones(5)), r"\(images, features\)"),
        (lambda: linear_cka(np.ones((5, 3), int), np.ones((5, 3), int)), "floating"),
    ],
)
def test_arguments_without_meaning_are_refused(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()
