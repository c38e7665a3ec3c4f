"""What colours mean: scales say their ends, colours are matplotlib's, and nothing is rescaled in silence."""

import matplotlib as mpl
import numpy as np
import pytest

from browser.viewer import mass_words
from vitscope import top_mass

STATE = {"layer": 4, "head": 2, "locked": [(9, 4)]}
MAPS = {"viridis": "viridis", "inferno": "inferno", "cividis": "cividis", "grey": "gray"}
UNIFORM = 1 / 257


@pytest.fixture
def expected(photo_look) -> np.ndarray:
    """Python's map of STATE, (rows, columns)."""
    return np.asarray(photo_look.heatmaps(4, (9, 4)))[0, 2]


def painted(positions: np.ndarray, name: str) -> np.ndarray:
    """matplotlib's colours of positions from 0 to 1, (…, 4) bytes."""
    return mpl.colormaps[name](np.clip((positions * 256).astype(int), 0, 255), bytes=True)


def assert_painted(viewer, positions: np.ndarray, name: str = "viridis"):
    """The canvas holds a pixel a patch, in these colours; a weight off by 1e-3 may have the next of the 256."""
    found, colours = viewer.pixels(), painted(positions, name)
    assert found.shape == colours.shape
    near = [painted(positions + shift / 256, name).astype(int) for shift in (-1, 0, 1)]
    low, high = np.min(near, 0), np.max(near, 0)
    assert ((found >= low) & (found <= high)).all()
    assert (found == colours).all(-1).mean() > 0.9


def share_of(label: str) -> float:
    """ "1.85 %" → 0.0185."""
    return float(label.removeprefix("≤").removeprefix("≥").removesuffix(" %")) / 100


@pytest.mark.parametrize("name", MAPS)
def test_colours_are_matplotlibs(photo, expected, name):
    photo.show(**STATE)
    photo.select("Colours", name)
    assert_painted(photo, expected / expected.max(), MAPS[name])


def test_linear_goes_from_zero_to_the_maps_maximum_and_prints_it(photo, expected):
    ticks = photo.show(**STATE).ticks()
    assert ticks[0] == "0"
    assert share_of(ticks[-1]) == pytest.approx(expected.max(), rel=6e-3)
    assert ticks[-1] in photo.scale_words()


def test_times_uniform_ends_at_its_ceiling_and_says_what_is_above(photo, expected):
    photo.show(**STATE)
    photo.select("Scale", "uniform")
    assert expected.max() > 10 * UNIFORM
    assert photo.ticks()[-1] == "≥10×"
    assert f"up to {expected.max() / UNIFORM:.3g} times" in photo.scale_words()
    assert_painted(photo, expected / (10 * UNIFORM))


def test_the_ceiling_can_be_raised_above_all_values(photo, photo_look):
    weights = np.asarray(photo_look.heatmaps(5, (9, 4)))[0, 2]
    assert weights.max() < 100 * UNIFORM
    photo.show(**STATE | {"layer": 5})
    photo.select("Scale", "uniform")
    photo.select("up to", "100")
    assert photo.ticks()[-1] == "100×"
    assert "up to" not in photo.scale_words()
    assert_painted(photo, weights / (100 * UNIFORM))


def test_logarithmic_spans_three_decades(photo, expected):
    photo.show(**STATE)
    photo.select("Scale", "logarithmic")
    assert share_of(photo.ticks()[-1]) == pytest.approx(expected.max(), rel=6e-3)
    assert_painted(photo, np.clip(1 + np.log10(expected / expected.max()) / 3, 0, 1))


def test_shared_ends_at_the_largest_of_the_layers_heads(photo, photo_look):
    heads = np.asarray(photo_look.heatmaps(4, (9, 4)))[0]  # (heads, rows, columns)
    head = int(np.argmin(heads.max((1, 2))))
    photo.show(**STATE | {"head": head})
    photo.select("Scale", "shared")
    assert heads.max() > 1.1 * heads[head].max()
    assert share_of(photo.ticks()[-1]) == pytest.approx(heads.max(), rel=6e-3)
    assert_painted(photo, heads[head] / heads.max())


def test_smooth_changes_the_picture_and_no_number(photo, expected):
    before = photo.show(**STATE).map()
    photo.page.get_by_label("Smooth").check()
    smoothed = photo.ready().pixels()
    assert smoothed.shape[0] % 16 == 0
    assert smoothed.shape[0] > 16
    step = smoothed.shape[0] // 16
    centres = smoothed[step // 2 :: step, step // 2 :: step].astype(int)
    assert np.abs(centres - painted(expected / expected.max(), "viridis")).mean() < 20
    after = photo.map()
    assert (after.patches == before.patches).all()
    assert after.prefix == before.prefix


def test_nearest_is_the_default_and_each_patch_has_one_colour(photo):
    assert photo.pixels().shape == (16, 16, 4)
    assert (
        photo.page.locator("canvas.map").evaluate("(canvas) => getComputedStyle(canvas).imageRendering") == "pixelated"
    )


def test_the_map_can_be_made_clear(photo):
    photo.slide("Opacity", 0.25)
    assert photo.page.locator(".stage .over").first.evaluate("(over) => getComputedStyle(over).opacity") == "0.25"


def test_the_mass_slider_says_how_many_patches_hold_it(photo, expected):
    photo.show(**STATE)
    photo.choose("Mask")
    for mass in (0.6, 0.85, 0.3):
        photo.slide("Mass", mass)
        chosen = top_mass(photo.map().patches, mass)
        held = 100 * expected[chosen].sum() / expected.sum()
        assert mass_words(photo.caption()) == (pytest.approx(held, abs=0.6), chosen.sum(), 256)
        assert ((photo.pixels()[:, :, 3] > 0) == chosen).all()
        assert photo.page.locator(".marks path.edge").get_attribute("d").startswith("M")


def test_the_start_layer_slider_chooses_the_rollout(photo, photo_look):
    expected = np.asarray(photo_look.rollout_by_start_layer())[0]  # (layers, rows, columns)
    photo.choose("Rollout")
    for start in (0, 3, 5):
        photo.slide("From layer", start)
        assert f"from layer {start}" in photo.caption()
        np.testing.assert_allclose(photo.map().patches, expected[start], rtol=1e-6)
    assert_painted(photo, expected[5] / expected[5].max())


def test_rollout_stays_the_readouts_wherever_one_points(photo, photo_look):
    expected = np.asarray(photo_look.rollout())[0]
    photo.choose("Rollout")
    photo.hover(9, 4)
    assert_painted(photo, expected / expected.max())
    weight = photo.page.locator(".reading").inner_text().split(": ")[1].split(" %")[0]
    assert float(weight) == pytest.approx(100 * expected[9, 4], rel=0.06)
