"""Moments of attention against closed forms, a dense sibling, and each library's own account of its attention."""

import hypothesis.strategies as st
import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings

import vitscope
from calls import call_of, random_call, seen_of
from families import FAMILIES
from known_layouts import close
from test_arranged import NAMES, Plain, arranged
from vitscope import Entropy, MeanAttentionDistance, Moments, moments
from vitscope.attention.kernels import compiled, reference, tiled
from vitscope.attention.kernels.statistics import Places
from vitscope.errors import ArgumentError
from vitscope.measures.plan import Facts, LayerFacts, plan

UNITS = ["pixels", "patches", "diagonal", "unit_square"]
GRID = (5, 7)
BODIES = [(tiled, torch.float64, 1e-10), (tiled, torch.float32, 3e-5), (compiled, torch.bfloat16, 3e-5)]
REAL = ["timm-vit_tiny_patch16_224", "torchvision-vit", "transformers-vit"]


def looking(grid, dy, dx):
    """Every patch looks at one patch alone, so far away, or at itself where that is outside."""
    numbers = np.arange(grid[0] * grid[1]).reshape(grid)
    rows, columns = np.mgrid[: grid[0], : grid[1]]
    inside = (rows + dy >= 0) & (rows + dy < grid[0]) & (columns + dx >= 0) & (columns + dx < grid[1])
    seen = np.where(inside, numbers[(rows + dy) % grid[0], (columns + dx) % grid[1]], numbers)
    return np.eye(numbers.size)[seen.ravel()], inside.mean()


def both(weights, grid, patch, unit="pixels"):
    """The dense function's answer, found to be the measure's in float64 and in float32; without prefix tokens."""
    expected = moments(weights, grid, patch, 0, unit)
    for dtype in (torch.float64, torch.float32):
        seen = seen_of([call_of(torch.from_numpy(weights).to(dtype)[None, None])], grid, patch, ())
        np.testing.assert_allclose(Moments(unit).measure(seen)[0, 0, 0], expected, rtol=1e-5, atol=1e-5)
    return expected


@pytest.mark.parametrize("grid", [(1, 1), (1, 5), GRID, (37, 29)])
def test_who_looks_at_itself_has_no_moments(grid):
    assert both(np.eye(grid[0] * grid[1]), grid, 14).tolist() == [0, 0, 0]


@pytest.mark.parametrize("grid", [(1, 1), (7, 3), GRID])
def test_uniform_attention_has_the_closed_form(grid):
    patches = grid[0] * grid[1]
    spread = 11 * np.sqrt((grid[0] ** 2 - 1) / 12 + (grid[1] ** 2 - 1) / 12)
    found = both(np.full((patches, patches), 1 / patches), grid, 11)
    np.testing.assert_allclose(found, [0, 0, spread], atol=1e-9)


@pytest.mark.parametrize(("dy", "dx"), [(0, -1), (0, 2), (-3, 0), (1, -1)])
def test_who_looks_one_way_has_that_offset(dy, dx):
    weights, share = looking(GRID, dy, dx)
    np.testing.assert_allclose(both(weights, GRID, 13), [13 * dy * share, 13 * dx * share, 0], atol=1e-9)


def test_two_patches_at_once_are_spread_about_their_middle():
    weights = np.zeros((3, 3))
    weights[:, 0], weights[:, 2] = 0.25, 0.75  # at 0 and 20 pixels: the centroid is at 15, the spread √(3/16)·20
    np.testing.assert_allclose(both(weights, (1, 3), 10), [0, 15 - 10, np.sqrt(3) * 5])


@pytest.mark.parametrize(
    ("unit", "step"), [("patches", 1), ("diagonal", 16 / np.hypot(80, 112)), ("unit_square", 1 / 6)]
)
def test_units_by_hand(unit, step):
    weights, share = looking(GRID, 0, -1)
    np.testing.assert_allclose(both(weights, GRID, 16, unit), [0, -share * step, 0], atol=1e-12)


def test_rows_without_mass_count_as_nothing():
    weights = np.full((1, 4, 4), 1 / 3)
    weights[:, :, 0] = 0
    weights[:, 1] = [1, 0, 0, 0]  # the first patch gives all to the class token
    found = moments(weights, (1, 3), 10)
    spread = np.sqrt(200 / 3)
    np.testing.assert_allclose(found[0], [0, (0 + 0 - 10) / 3, 2 / 3 * spread], atol=1e-12)
    seen = seen_of([call_of(torch.from_numpy(weights)[None])], (1, 3), 10)
    np.testing.assert_allclose(Moments().measure(seen)[0, 0], found, atol=1e-12)


@pytest.mark.parametrize("unit", UNITS)
def test_streamed_moments_equal_the_dense_function(unit):
    call = random_call(2, 3, 37, 5)
    streamed = Moments(unit).measure(seen_of([call], GRID, 11, ("cls", "reg1")))
    assert streamed.shape == (2, 1, 3, 3)
    assert len(Moments.columns) == streamed.shape[-1]
    dense = moments(call.weights(slice(None)), GRID, 11, 2, unit)
    np.testing.assert_allclose(streamed[:, 0], dense, rtol=1e-10, atol=1e-12)
    assert streamed.convention == dense.convention == Moments(unit).convention


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES)
@settings(max_examples=25)
@given(
    prefixes=st.sampled_from([(0, 0), (2, 2), (5, 2), (0, 3)]),
    queries=st.sampled_from([1, 11, 77]),
    keys=st.sampled_from([1, 13, 77]),
    sharpness=st.sampled_from([0.1, 3, 30]),
    seed=st.integers(0, 999),
)
def test_every_body_equals_the_reference(body, dtype, tolerance, prefixes, queries, keys, sharpness, seed):
    tokens = [count + prefix for count, prefix in zip((queries, keys), prefixes, strict=True)]
    call = random_call(2, 3, tokens[0], 5, keys=tokens[1], dtype=dtype, sharpness=sharpness, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    places = [torch.rand(count, 2, generator=generator, dtype=torch.float64) * 100 for count in (queries, keys)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiled, "_TILE_BYTES", 4000)  # so that even small layers take many tiles
        found, expected = (each.mean_moments(call, Places(*places)) for each in (body, reference))
    mass = reference.moments(call, Places(*places)).mass[:, :, prefixes[0] :]
    known = (mass > 1e-6).all(-1)  # below, next to nothing is divided by next to nothing
    torch.testing.assert_close(found[known], expected[known], rtol=tolerance, atol=100 * tolerance)


def test_narrow_attention_far_from_the_middle_is_exact_in_float32(monkeypatch):
    monkeypatch.setattr(tiled, "_TILE_BYTES", 2**16)
    grid = (37, 37)
    one = np.eye(37 * 37) * (1 - 1e-6) + 1e-6 * looking(grid, 0, 1)[0]
    seen = seen_of([call_of(torch.from_numpy(one).float()[None, None])], grid, 14, ())
    expected = moments(one, grid, 14, 0)
    assert expected[2] < 0.02
    np.testing.assert_allclose(Moments().measure(seen)[0, 0, 0], expected, rtol=1e-4, atol=1e-12)


@settings(max_examples=25)
@given(seed=st.integers(0, 999))
def test_flips_turn_offsets_round_and_pixels_scale_everything(seed):
    grid = (3, 5)
    weights = random_call(1, 2, 16, seed=seed).weights(slice(None)).numpy()
    found = moments(weights, grid, 16)
    np.testing.assert_allclose(moments(weights, grid, 32), 2 * found)
    assert (found[..., 2] >= 0).all()
    assert (found[..., 2] <= np.hypot(2 * 16, 4 * 16) / 2 + 1e-9).all()
    tokens = np.arange(15).reshape(grid)
    for moved, shape, change in (
        (tokens[::-1], grid, lambda it: it * [-1, 1, 1]),
        (tokens[:, ::-1], grid, lambda it: it * [1, -1, 1]),
        (tokens.T, (5, 3), lambda it: it[..., [1, 0, 2]]),
    ):
        order = np.concatenate([[0], moved.reshape(-1) + 1])
        np.testing.assert_allclose(moments(weights[..., order, :][..., order], shape, 16), change(found), atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["operands", "weights"])
def test_windows_of_every_sort_equal_those_worked_out_token_by_token(name, kind):
    subject = arranged(name, kind=kind)
    plain, arrangement = Plain(subject), subject.arrangement
    each = []
    for window, row, query in plain.placed(arrangement.query_tokens):
        here = plain.place(arrangement.queries, query)
        tokens = [(column, key) for other, column, key in plain.placed(arrangement.key_tokens) if other == window]
        placed = [(column, plain.place(arrangement.keys, key)) for column, key in tokens]
        there = {column: place for column, place in placed if place is not None}
        if here is not None:
            weights = plain.weights[:, window, :, row][..., [*there]]  # (images, heads, placed keys)
            weights = weights / weights.sum(-1, keepdims=True)
            places = np.stack([*there.values()])
            centroid = weights @ places
            spread = np.sqrt((weights * np.square(places - centroid[..., None, :]).sum(-1)).sum(-1))
            each.append(np.concatenate([centroid - here, spread[..., None]], -1))
    close(subject.mean_moments(), np.mean(each, 0))
    finer = arrangement.finer
    one = np.subtract(finer.grid, 1) * finer.patch_size
    offsets = np.mean(each, 0)[..., :2]
    close(subject.mean_moments(unit_square=True)[..., :2], offsets / one)


@pytest.mark.parametrize("name", REAL)
def test_real_models_have_the_moments_of_what_their_library_reports(name):
    (family,) = (family for family in FAMILIES if family.name == name)
    model = family.make().eval()
    images = family.images(2, torch.float32)
    expected = np.stack(
        [moments(weights, family.grid, family.patch, len(family.prefix)) for weights in family.oracle(model, images)], 1
    )
    scope = vitscope.wrap(model)
    asked = [Moments(), Moments("unit_square"), Entropy()]
    found = [values for _, values in scope.measure(list(images), asked, batch_size=2)]
    np.testing.assert_allclose([values[asked[0]] for values in found], expected, rtol=1e-4, atol=1e-3)
    look = scope.look(images).attention_seen
    np.testing.assert_allclose([values[asked[1]] for values in found], asked[1].measure(look), rtol=1e-4, atol=1e-5)


def test_windows_of_a_real_model_and_heads_that_a_layer_lacks():
    model = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=56, depths=(2, 1), embed_dim=12, num_heads=(2, 3), num_classes=3
    )
    scope = vitscope.wrap(model.eval())
    images = torch.randn(3, 3, 56, 56)
    expected = Moments().measure(scope.look(images).attention_seen)
    found = np.stack([values[Moments()] for _, values in scope.measure(list(images), [Moments()], batch_size=3)])
    assert found.shape == (3, 3, 3, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    assert np.isnan(found[:, :2, 2]).all()
    assert np.isfinite(found[:, :2, :2]).all()
    assert np.isfinite(found[:, 2]).all()
    # with random weights attention is all but uniform in a window of 7 × 7 patches of 4 px, or 8 px
    np.testing.assert_allclose(found[:, 0, :2, 2], 4 * np.sqrt(8), rtol=0.02)
    np.testing.assert_allclose(found[:, 2, :, 2], 8 * np.sqrt(8), rtol=0.02)


def test_no_layer_is_kept_for_them_and_the_plan_tells_of_them():
    layers = tuple(LayerFacts(f"blocks.{i}.attn", 3, 17, 211, 211) for i in range(5))
    facts = Facts(2, layers, torch.float32, "cpu")
    needs = Moments().needs | Moments("unit_square").needs | MeanAttentionDistance().needs
    found = plan(facts, needs, free_bytes=10**9, limit_bytes=10**9, installed=frozenset())
    assert found.kept == ()
    assert "moments in pixels, moments in the unit square, while the model runs" in str(found)
    assert Moments("patches").needs == Moments().needs


def test_units_that_are_none_are_refused():
    with pytest.raises(ArgumentError, match="pixels, patches"):
        Moments("metres")
    with pytest.raises(ArgumentError, match="square patches"):
        moments(np.eye(6), (2, 3), (4, 8), 0, "patches")
    with pytest.raises(ArgumentError, match="which are 7"):
        moments(np.eye(6), (2, 3), 4)
