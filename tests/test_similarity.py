"""Distances between heads against SciPy, a dense sibling, and what a metric must be."""

import hypothesis.strategies as st
import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from scipy.spatial.distance import jensenshannon

import vitscope
from calls import call_of, random_call, seen_of
from families import FAMILIES
from known_layouts import close
from test_arranged import NAMES, Plain, arranged
from vitscope import Entropy, HeadSimilarity, head_similarity
from vitscope.attention.kernels import compiled, reference, tiled
from vitscope.errors import ArgumentError
from vitscope.measures.needs import EVERYTHING

REAL = ["timm-vit_tiny_patch16_224", "torchvision-vit", "transformers-vit"]


def distances(rows):
    """By SciPy, of rows (heads, …, keys): (heads, heads, …)."""
    return np.array([[np.nan_to_num(jensenshannon(one, other, axis=-1, base=2)) for other in rows] for one in rows])


def measured(weights, prefix=("cls",), grid=(5, 7)):
    """Of one layer: (images, heads, heads)."""
    return HeadSimilarity().measure(seen_of([call_of(torch.as_tensor(weights))], grid, prefix=prefix))[:, 0]


def test_dense_and_streamed_equal_scipy():
    call = random_call(2, 3, 37, 5)
    weights = call.weights(slice(None))
    expected = np.stack([distances(image[:, 2:].numpy()).mean(-1) for image in weights])
    np.testing.assert_allclose(head_similarity(weights, 2), expected, atol=1e-10)
    seen = seen_of([call, call], (5, 7), prefix=("cls", "reg1"))
    streamed = HeadSimilarity().measure(seen)
    assert streamed.shape == (2, 2, 3, 3)
    for layer in range(2):
        np.testing.assert_allclose(streamed[:, layer], expected, atol=1e-10)
    assert streamed.convention == head_similarity(weights, 2).convention


def test_by_hand():
    same = np.full((4, 4), 0.25)
    half = np.repeat([[0.5, 0.5, 0, 0]], 4, 0)  # of the queries, all but the first are asked
    other = np.repeat([[0, 0, 0.5, 0.5]], 4, 0)
    # m = (3, 3, 1, 1)/8 between the first two: 1.811278 bits less half of 2 + 1
    expected = np.sqrt([[0, 0.3112781244591328, 0.3112781244591328], [0, 0, 1], [0, 0, 0]])
    weights = np.stack([same, half, other])[None]
    np.testing.assert_allclose(head_similarity(weights)[0], expected + expected.T, atol=1e-12)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-6)):
        np.testing.assert_allclose(
            measured(weights.astype(dtype), grid=(1, 3))[0], expected + expected.T, atol=tolerance
        )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_rows_that_are_the_same_are_not_apart_at_all(dtype):
    rows = torch.rand(1, 1, 36, 36, dtype=dtype).softmax(-1).expand(1, 3, 36, 36)
    assert (measured(rows) == 0).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("power", [4, 12, 20])
def test_nearly_equal_rows_are_exactly_as_far_apart_as_they_are(dtype, power):
    """Entropies would cancel in all digits."""
    step = 2.0**-power
    pattern = torch.tensor([1.0, -1.0] * 16, dtype=dtype)
    one = torch.full((32, 32), 1 / 32, dtype=dtype)
    found = measured(torch.stack([one, one * (1 + step * pattern)])[None], prefix=(), grid=(4, 8))[0, 0, 1]
    t = step / (2 + step * pattern.double())  # |p − q| / (p + q)
    series = sum(t ** (2 * k) / (2 * k * (2 * k - 1)) for k in range(1, 6))  # of ½·ln(1 − t²) + t·artanh t
    exact = float(((2 + step * pattern.double()) / 64 * series).sum()) / np.log(2)
    assert found == pytest.approx(np.sqrt(exact), rel=1e-11 if dtype == torch.float64 else 1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 2e-15), (torch.float32, 1e-6)])
@pytest.mark.parametrize("step", [0.3, 1e-2, 1e-4, 1e-6])
def test_every_digit_of_the_divergence_holds_where_rows_are_nearly_equal(dtype, tolerance, step):
    one = torch.rand(5, 31, dtype=dtype).softmax(-1)
    other = one * (1 + step * (torch.rand(5, 31, dtype=dtype) - 0.5))
    mean = (one.double() + other.double()) / 2
    t = (one.double() - other.double()) / mean / 2
    series = sum(t ** (2 * k) / (2 * k * (2 * k - 1)) for k in range(1, 12))  # of ½·ln(1 − t²) + t·artanh t
    expected = (mean * series).sum(-1) / np.log(2)
    np.testing.assert_allclose(tiled._divergence(one, other), expected, rtol=tolerance)


@pytest.mark.parametrize("ratio", [1e-1, 1e-3, 1e-5, 1e-6, 1e-7, 1e-9, 1e-30, 0])
def test_rows_that_are_far_apart_are_exact_in_float32(ratio):
    one, other = np.array([1 - ratio, ratio]), np.array([ratio, 1 - ratio])
    weights = np.stack([one, other])[None, :, None].repeat(2, 2)
    expected = jensenshannon(one, other, base=2)
    found = measured(weights.astype(np.float32), grid=(1, 2), prefix=())[0, 0, 1]
    assert found == pytest.approx(expected, rel=3e-7)


@settings(max_examples=40)
@given(seed=st.integers(0, 999), sharpness=st.sampled_from([1e-4, 0.1, 3, 100]))
def test_it_is_a_metric_whatever_the_order_of_the_tokens(seed, sharpness):
    call = random_call(1, 5, 16, 7, sharpness=sharpness, seed=seed, dtype=torch.float32)
    weights = call.weights(slice(None))
    found = measured(weights, grid=(3, 5))[0].astype(np.float64)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert (found == found.T).all()
    assert (np.diagonal(found) == 0).all()
    assert (found[:, None] <= found[:, :, None] + found[None] + 1e-6).all()  # d(a, c) ≤ d(a, b) + d(b, c)
    order = torch.cat([torch.zeros(1, dtype=torch.long), torch.randperm(15) + 1])
    moved = measured(weights[..., order, :][..., torch.randperm(16)], grid=(3, 5))[0]
    np.testing.assert_allclose(moved, found, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("body", "dtype", "tolerance"), [(tiled, torch.float64, 1e-7), (compiled, torch.float16, 1e-5)]
)
@pytest.mark.parametrize("tile", [1, 3000, 2**20])
@settings(max_examples=15)
@given(
    heads=st.sampled_from([1, 2, 5]),
    windows=st.sampled_from([1, 3]),
    queries=st.sampled_from([1, 17]),
    keys=st.sampled_from([1, 23]),
    sharpness=st.sampled_from([0.1, 3, 30]),
    bias=st.booleans(),
    seed=st.integers(0, 999),
)
def test_every_body_equals_the_reference(
    body, dtype, tolerance, tile, heads, windows, queries, keys, sharpness, bias, seed
):
    call = random_call(
        2 * windows, heads, queries, 5, keys=keys, dtype=dtype, sharpness=sharpness, bias=bias, seed=seed
    )
    asking = torch.rand(windows, queries, generator=torch.Generator().manual_seed(seed)) < 0.7
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiled, "_PAIR_TILE_BYTES", {"cpu": tile})
        found = body.head_distances(call, asking)
    expected = reference.head_distances(call, asking)
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance * queries)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["operands", "weights"])
def test_windows_of_every_sort_equal_those_worked_out_token_by_token(name, kind):
    subject = arranged(name, kind=kind)
    plain, arrangement = Plain(subject), subject.arrangement
    each = [
        np.stack([distances(image) for image in plain.weights[:, window, :, row]])
        for window, row, query in plain.placed(arrangement.query_tokens)
        if query >= len(arrangement.queries.prefix)
    ]
    close(subject.head_distances(), np.mean(each, 0))


def test_rows_are_rescaled_and_weights_below_zero_have_no_distance():
    weights = random_call(1, 3, 36, 5).weights(slice(None))
    expected = head_similarity(weights)
    np.testing.assert_allclose(measured(weights * torch.tensor([0.5, 2, 3])[:, None, None]), expected, atol=1e-10)
    weights[0, 1, 5, 7] = -0.01
    found = measured(weights)[0]
    np.testing.assert_array_equal(np.isnan(found), [[False, True, False], [True, False, True], [False, True, False]])
    assert found[0, 2] == pytest.approx(expected[0, 0, 2])
    np.testing.assert_array_equal(np.isnan(found), np.isnan(reference_of(weights)))
    assert np.isnan(measured(weights[:, [1, 1]])[0, 0, 1])  # not even from the same


def reference_of(weights):
    return reference.head_distances(call_of(weights), torch.arange(36)[None] > 0)[0]


@pytest.mark.parametrize("name", REAL)
def test_real_models_have_the_distances_of_what_their_library_reports(name):
    (family,) = (family for family in FAMILIES if family.name == name)
    model = family.make().eval()
    images = family.images(2, torch.float32)
    expected = np.stack(
        [head_similarity(weights.double(), len(family.prefix)) for weights in family.oracle(model, images)], 1
    )
    scope = vitscope.wrap(model)
    measures = [HeadSimilarity(), Entropy()]
    found = np.stack([values[measures[0]] for _, values in scope.measure(list(images), measures, batch_size=2)])
    assert expected.max() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-6)
    np.testing.assert_allclose(HeadSimilarity().measure(scope.look(images).attention_seen), found, rtol=1e-4, atol=1e-6)


def test_windows_of_a_real_model_and_heads_that_a_layer_lacks():
    model = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=56, depths=(2, 1), embed_dim=12, num_heads=(2, 3), num_classes=3
    )
    scope = vitscope.wrap(model.eval())
    images = torch.randn(3, 3, 56, 56)
    look = scope.look(images).attention_seen
    found = np.stack([values[HeadSimilarity()] for _, values in scope.measure(list(images), [HeadSimilarity()])])
    np.testing.assert_allclose(found, HeadSimilarity().measure(look), rtol=1e-4, atol=1e-6)
    assert found.shape == (3, 3, 3, 3)
    assert np.isnan(found[:, :2, 2]).all()
    assert np.isnan(found[:, :2, :, 2]).all()
    for layer, call in enumerate(look.layers):
        weights = call.weights(slice(None)).unflatten(0, (3, -1)).double()  # (images, windows, heads, queries, keys)
        dense = head_similarity(weights, 0).mean(1)  # all windows have as many queries
        np.testing.assert_allclose(found[:, layer, : call.heads, : call.heads], dense, rtol=1e-4, atol=2e-6)


def test_needs_and_arguments():
    assert HeadSimilarity().needs.layers == frozenset()
    assert (HeadSimilarity().needs | EVERYTHING).passes == HeadSimilarity().needs.passes
    with pytest.raises(ArgumentError, match="heads, tokens, tokens"):
        head_similarity(np.eye(3))
