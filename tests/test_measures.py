"""Measures against closed forms, published formulas, and what must hold whatever the attention."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

import vitscope
from calls import random_call, seen_of
from vitscope.errors import ArgumentError, QueryError
from vitscope.layout import Layout
from vitscope.measures.distance import uniform_distance

# Uniform attention, rescaled: the closed forms of mean attention distance.
UNIFORM = [
    ((14, 14), 16, 116.492227),
    ((7, 7), 32, 115.502894),
    ((24, 24), 16, 200.047983),
    ((16, 16), 14, 116.565053),
    ((37, 37), 14, 269.991880),
    ((28, 28), 8, 116.721636),
    ((7, 7), 4, 14.437862),
]


def uniform_seen(grid, patch, prefix=("cls",)):
    tokens = len(prefix) + grid[0] * grid[1]
    flat = torch.zeros(1, 1, tokens, 1, dtype=torch.float64)  # all logits 0
    call = random_call(1, 1, tokens, 1)
    return seen_of([type(call)("uniform", queries=flat, keys=flat)], grid, patch, prefix)


@pytest.mark.parametrize(("grid", "patch", "expected"), UNIFORM)
def test_uniform_attention_has_the_closed_form(grid, patch, expected):
    seen = uniform_seen(grid, patch)
    tokens = grid[0] * grid[1] + 1
    distance = vitscope.MeanAttentionDistance(rescale=True).measure(seen)
    assert distance.shape == (1, 1, 1)
    assert distance.item() == pytest.approx(expected, rel=1e-5)
    plain = vitscope.MeanAttentionDistance().measure(seen)
    assert plain.item() == pytest.approx(expected * (tokens - 1) / tokens, rel=1e-5)
    assert vitscope.Entropy().measure(seen).item() == pytest.approx(np.log(tokens))
    assert vitscope.PrefixMass().measure(seen).item() == pytest.approx(1 / tokens)


def test_uniform_attention_without_rescaling_is_115_9():
    assert vitscope.MeanAttentionDistance().measure(uniform_seen((14, 14), 16)).item() == pytest.approx(
        115.900896, rel=1e-5
    )


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("patches", 116.492227 / 16),
        ("diagonal", 116.492227 / np.hypot(224, 224)),
        ("unit_square", 116.492227 / 16 / 13),
    ],
)
def test_units_by_hand(unit, expected):
    found = vitscope.MeanAttentionDistance(True, unit).measure(uniform_seen((14, 14), 16))
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("unit", ["pixels", "patches", "diagonal", "unit_square"])
def test_the_uniform_line_of_figures_is_what_uniform_attention_measures(unit, rescale):
    seen = uniform_seen((5, 7), 11, ("cls", "reg1"))
    measured = vitscope.MeanAttentionDistance(rescale, unit).measure(seen)
    assert uniform_distance(seen.layout, rescale, unit) == pytest.approx(measured.item())


def test_oblong_patches_are_as_far_apart_as_their_pixels():
    places = Layout((2, 3), (10, 4), ("cls",)).centres()
    np.testing.assert_array_equal(places, [[5, 2], [5, 6], [5, 10], [15, 2], [15, 6], [15, 10]])
    one_below = np.roll(np.eye(6), 3, axis=1)  # each patch looks at the one above or below it
    assert vitscope.mean_attention_distance(one_below, (2, 3), (10, 4), prefix=0).item() == 10


def test_identity_attention_has_distance_zero():
    eye = torch.eye(7 * 3 + 1, dtype=torch.float64)[None, None]
    assert vitscope.mean_attention_distance(eye, (7, 3), 16).item() == 0


def dense_attention(images=2, heads=3, grid=(5, 7), prefix=2, seed=0):
    call = random_call(images, heads, prefix + grid[0] * grid[1], 5, seed=seed)
    return call, call.weights(slice(None))


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("unit", ["pixels", "patches", "diagonal", "unit_square"])
def test_streamed_distance_equals_the_dense_function(unit, rescale):
    call, weights = dense_attention()
    seen = seen_of([call], (5, 7), 11, ("cls", "reg1"))
    streamed = vitscope.MeanAttentionDistance(rescale, unit).measure(seen)[:, 0]
    dense = vitscope.mean_attention_distance(weights, (5, 7), 11, 2, rescale, unit)
    np.testing.assert_allclose(streamed, dense, rtol=1e-10)


def test_published_formulas_give_the_same_distances():
    """Each source's own arithmetic, written out anew from its description."""
    _, weights = dense_attention(1, 3, (5, 5), 1)
    patches = weights[0, :, 1:, 1:].numpy()  # (heads, 25, 25)
    cells = np.array([(r, c) for r in range(5) for c in range(5)], dtype=float)
    # Dosovitskiy et al., in the code of google-research/vision_transformer issue 162: sum, then mean.
    pixels = np.array([[16 * np.hypot(*(a - b)) for b in cells] for a in cells])
    authors = np.mean(np.sum(patches * pixels, axis=2), axis=1)
    np.testing.assert_allclose(vitscope.mean_attention_distance(weights, (5, 5), 16)[0], authors)
    # Walmer et al.: rows rescaled, centres from 0 to 1.
    unit = np.array([[np.hypot(*((a - b) / 4)) for b in cells] for a in cells])
    rescaled = patches / patches.sum(-1, keepdims=True)
    walmer = (rescaled * unit).sum(-1).mean(-1)
    found = vitscope.mean_attention_distance(weights, (5, 5), 16, rescale=True, unit="unit_square")
    np.testing.assert_allclose(found[0], walmer)


@settings(max_examples=30)
@given(seed=st.integers(0, 999), rescale=st.booleans())
def test_distance_properties(seed, rescale):
    grid = (3, 5)
    _, weights = dense_attention(1, 2, grid, 1, seed)
    distance = vitscope.mean_attention_distance(weights, grid, 16, 1, rescale)
    assert (distance >= 0).all()
    assert (distance <= np.hypot(2 * 16, 4 * 16)).all()
    np.testing.assert_allclose(vitscope.mean_attention_distance(weights, grid, 32, 1, rescale), 2 * distance)
    tokens = np.arange(15).reshape(grid)
    for moved, shape in ((tokens[::-1], grid), (tokens[:, ::-1], grid), (tokens.T, (5, 3))):
        order = np.concatenate([[0], moved.reshape(-1) + 1])
        permuted = weights.numpy()[..., order, :][..., order]
        found = vitscope.mean_attention_distance(permuted, shape, 16, 1, rescale)
        np.testing.assert_allclose(found, distance)


def test_patches_that_are_not_square_have_no_unit_patches():
    _, weights = dense_attention(grid=(3, 5), prefix=1)
    with pytest.raises(ArgumentError, match="square patches"):
        vitscope.mean_attention_distance(weights, (3, 5), (16, 8), unit="patches")


# Rollout


def test_rollout_of_uniform_attention():
    tokens, layers = 13, 5
    uniform = np.full((1, tokens, tokens), 1 / tokens)
    expected = (1 - 2**-layers) / tokens + 2**-layers * np.eye(tokens)
    np.testing.assert_allclose(vitscope.rollout([uniform] * layers), expected)


def test_rollout_of_one_permutation():
    tokens, layers = 7, 3
    permutation = np.roll(np.eye(tokens), 1, axis=1)
    expected = sum(
        count * 2.0**-layers * np.linalg.matrix_power(permutation, k) for k, count in enumerate((1, 3, 3, 1))
    )
    np.testing.assert_allclose(vitscope.rollout([permutation[None]] * layers), expected, atol=1e-15)


@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
@pytest.mark.parametrize("discard", [0.0, 0.5, 0.9])
def test_streamed_rollout_equals_the_dense_function(fusion, discard):
    calls = [random_call(2, 3, 37, 5, seed=i) for i in range(4)]
    seen = seen_of(calls, (5, 7), prefix=("cls", "reg1"))
    dense = vitscope.rollout([call.weights(slice(None)) for call in calls], fusion, discard, 1)  # (images, 37, 37)
    measure = vitscope.Rollout(fusion, discard, start_layer=1)
    np.testing.assert_allclose(measure.matrix(seen), dense, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(measure.measure(seen), dense[:, 0, 2:].reshape(2, 5, 7), rtol=1e-9)
    patch = vitscope.Rollout(fusion, discard, 1, query=(3, 4)).measure(seen)
    np.testing.assert_allclose(patch, dense[:, 2 + 3 * 7 + 4, 2:].reshape(2, 5, 7), rtol=1e-9)


def test_rollout_by_start_layer_holds_every_start():
    seen = seen_of([random_call(2, 3, 16, 5, seed=i) for i in range(4)], (3, 5))
    every = vitscope.Rollout().by_start_layer(seen)
    assert every.shape == (2, 4, 3, 5)
    for start in range(4):
        np.testing.assert_allclose(every[:, start], vitscope.Rollout(start_layer=start).measure(seen))


def test_rollout_starts_from_the_models_own_readout():
    calls = [random_call(2, 3, 15, 5, seed=i) for i in range(3)]
    dense = vitscope.rollout([call.weights(slice(None)) for call in calls])
    mean = vitscope.Rollout().measure(seen_of(calls, (3, 5), prefix=(), readout="mean"))
    np.testing.assert_allclose(mean, dense.mean(1).reshape(2, 3, 5), rtol=1e-9)
    head = random_call(2, 4, 1, 5, keys=15, seed=9)
    pooled = vitscope.Rollout().measure(seen_of(calls, (3, 5), prefix=(), readout="pool", pooling=head))
    row = head.weights(slice(None)).mean(1).numpy()  # (images, 1, 15)
    np.testing.assert_allclose(pooled, (row @ dense).reshape(2, 3, 5), rtol=1e-9)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 999),
    fusion=st.sampled_from(["mean", "max", "min"]),
    discard=st.sampled_from([0.0, 0.7]),
)
def test_rollout_properties(seed, fusion, discard):
    layers = [random_call(1, 3, 13, 5, seed=seed + i).weights(slice(None)).numpy()[0] for i in range(3)]
    matrix = vitscope.rollout(layers, fusion, discard)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(-1), 1)
    order = np.random.default_rng(seed).permutation(13)
    permuted = vitscope.rollout([layer[:, order][:, :, order] for layer in layers], fusion, discard)
    np.testing.assert_allclose(permuted, matrix[order][:, order], atol=1e-12)


def test_discard_keeps_ties_and_empty_rows_keep_their_identity():
    weights = np.array([[[0.1, 0.1, 0.8], [0.1, 0.1, 0.1], [0.3, 0.3, 0.4]]])
    # k = ⌊0.5·9⌋ + 1 = 5, the fifth smallest is 0.1: nothing lies strictly below it
    np.testing.assert_allclose(vitscope.rollout([weights], discard=0.5), vitscope.rollout([weights]))
    # k = 7, the seventh smallest is 0.3: the second row is left empty
    factor = vitscope.rollout([weights], discard=0.7)
    np.testing.assert_allclose(factor[1], [0, 1, 0])
    np.testing.assert_allclose(factor[0], [1 / 1.8, 0, 0.8 / 1.8])


# Heatmaps and masks


def test_heatmaps_are_the_rows_of_the_attention():
    call, weights = dense_attention()
    seen = seen_of([random_call(2, 3, 37, seed=5), call], (5, 7), prefix=("cls", "reg1"))
    for query, token in ((None, 0), ("cls", 0), ("reg1", 1), ((4, 2), 2 + 4 * 7 + 2)):
        maps = vitscope.Heatmaps(query=query).measure(seen)
        np.testing.assert_allclose(maps, weights[:, :, token, 2:].reshape(2, 3, 5, 7))
        np.testing.assert_allclose(maps, vitscope.heatmaps(weights, (5, 7), 2, token))
    mean = vitscope.Heatmaps(query="mean").measure(seen)
    np.testing.assert_allclose(mean, weights[:, :, 2:, 2:].mean(2).reshape(2, 3, 5, 7))
    assert "class token (the model's readout) in layer 1" in vitscope.Heatmaps().measure(seen).convention


def test_pooling_heads_answer_for_the_last_layer_only():
    head = random_call(2, 4, 1, 5, keys=15, seed=9)
    calls = [random_call(2, 3, 15, 5, seed=i) for i in range(3)]
    seen = seen_of(calls, (3, 5), prefix=(), readout="pool", pooling=head)
    maps = vitscope.Heatmaps().measure(seen)
    np.testing.assert_allclose(maps, head.weights(slice(None)).reshape(2, 4, 3, 5))
    with pytest.raises(QueryError, match="pooling head"):
        vitscope.Heatmaps(layer=0).measure(seen)


@pytest.mark.parametrize(
    ("layer", "query", "message"),
    [
        (-1, "cls", "no query 'cls' in this layer; it has mean"),
        (-1, (3, 0), "rows are 0 to 2"),
        (-1, (0, -1), "columns 0 to 4"),
        (2, None, "the model has 2, from 0"),
        ("blocks.7", None, "no layer is named"),
    ],
)
def test_queries_that_do_not_exist_are_named(layer, query, message):
    seen = seen_of([random_call(1, 3, 15, 5, seed=i) for i in range(2)], (3, 5), prefix=(), readout="mean")
    with pytest.raises(QueryError, match=message):
        vitscope.Heatmaps(layer, query).measure(seen)


@settings(max_examples=50)
@given(
    mass=st.floats(0, 1),
    values=st.lists(st.floats(0, 1, allow_subnormal=False), min_size=6, max_size=6),
)
def test_top_mass_is_the_smallest_set_that_holds_the_mass(mass, values):
    heatmap = np.array(values).reshape(2, 3)
    chosen = vitscope.top_mass(heatmap, mass)
    total = heatmap.sum()
    assert chosen.dtype == bool
    assert chosen.shape == heatmap.shape
    assert heatmap[chosen].sum() >= mass * total * (1 - 1e-9)
    if chosen.any():  # without its weakest patch it would not hold the mass, and no stronger patch is left out
        assert heatmap[chosen].sum() - heatmap[chosen].min() < mass * total * (1 + 1e-9)
        assert heatmap[~chosen].max(initial=0) <= heatmap[chosen].min()


def test_top_mass_by_hand():
    heatmap = np.array([[[0.5, 0.1], [0.3, 0.1]], [[0.25, 0.25], [0.25, 0.25]]])
    expected = [[[True, False], [True, False]], [[True, True], [True, False]]]
    np.testing.assert_array_equal(vitscope.top_mass(heatmap, 0.6), expected)
    assert not vitscope.top_mass(np.zeros((2, 3)), 0.6).any()
    assert not vitscope.top_mass(heatmap, 0).any()
    assert vitscope.top_mass(heatmap, 1).all()


# Arrays from other frameworks


def test_any_framework_gives_the_same_numbers():
    import jax

    _, weights = dense_attention(1, 2, (3, 5), 1)
    single = weights.float()
    expected = vitscope.mean_attention_distance(single.numpy(), (3, 5), 16)
    assert expected.dtype == np.float32
    for array in (single, single.clone().requires_grad_(), jax.numpy.asarray(single.numpy())):
        np.testing.assert_array_equal(vitscope.mean_attention_distance(array, (3, 5), 16), expected)
    half = vitscope.mean_attention_distance(single.bfloat16(), (3, 5), 16)
    np.testing.assert_allclose(half, expected, rtol=0.02)
    assert vitscope.mean_attention_distance(weights, (3, 5), 16).dtype == np.float64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vitscope.mean_attention_distance(np.ones((3, 16, 16)), (4, 4), 16), "17"),
        (lambda: vitscope.mean_attention_distance(np.ones((3, 17, 16)), (4, 4), 16), "tokens, tokens"),
        (lambda: vitscope.mean_attention_distance(-np.ones((3, 17, 17)), (4, 4), 16), "logits"),
        (lambda: vitscope.mean_attention_distance(np.ones((17, 17), int), (4, 4), 16), "floating"),
        (
            lambda: vitscope.mean_attention_distance(np.ones((17, 17)), (4, 4), 16, unit="metres"),
            "pixels, patches",
        ),
        (lambda: vitscope.rollout([np.ones((2, 3, 3))], fusion="sum"), "mean, max, min"),
        (lambda: vitscope.rollout([np.ones((2, 3, 3))], discard=1.0), "below 1"),
        (lambda: vitscope.rollout([np.ones((2, 3, 3))], start_layer=1), "no layer is left"),
        (lambda: vitscope.rollout([np.ones((3, 3))]), "heads, tokens, tokens"),
        (lambda: vitscope.top_mass(np.ones((3, 3)), 60), "0 to 1"),
        (lambda: vitscope.top_mass(np.full((3, 3), np.nan), 0.6), "finite"),
    ],
)
def test_arguments_without_meaning_are_refused(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_refused_layers_raise_where_they_are_needed():
    from dataclasses import replace

    good, bad = random_call(1, 2, 16), replace(random_call(1, 2, 16), refusal="layer 'x': differs")
    seen = seen_of([bad, good], (3, 5))
    assert vitscope.Heatmaps().measure(seen).shape == (1, 2, 3, 5)
    for measure in (vitscope.Rollout(), vitscope.Entropy(), vitscope.Heatmaps(layer=0)):
        with pytest.raises(vitscope.VitscopeError, match="differs"):
            measure.measure(seen)
    assert vitscope.Rollout(start_layer=1).measure(seen).shape == (1, 3, 5)


def test_layers_with_fewer_heads_are_padded_with_nan():
    seen = seen_of([random_call(1, 2, 16), random_call(1, 3, 16)], (3, 5))
    distance = vitscope.MeanAttentionDistance().measure(seen)
    assert distance.shape == (1, 2, 3)
    np.testing.assert_array_equal(np.isnan(distance), [[[False, False, True], [False, False, False]]])


def test_conventions_are_lost_by_arithmetic():
    distance = vitscope.MeanAttentionDistance(True, "diagonal").measure(seen_of([random_call(1, 2, 16)], (3, 5)))
    assert "rescaled to 1" in distance.convention
    assert "diagonal" in distance.convention
    assert distance.mean(0).convention == ""
