"""The grid of thumbnails and the plots choose layers and heads, and say what Python measured of each."""

import matplotlib as mpl
import numpy as np
import pytest

from browser.viewer import canvas_pixels, expect, of_each

LAYERS, HEADS = 6, 4


def order_of(viewer, having: str = "") -> list[tuple[int, int]]:
    """Layers and heads in the order in which the thumbnails stand."""
    names = of_each(viewer.page.locator(f"[data-head]{having}"), "one.dataset.head")
    return [tuple(int(part) for part in name.split("·")) for name in names]


def chosen(viewer) -> set[tuple[int, int]]:
    return set(order_of(viewer, "[aria-pressed=true]"))


def axis(viewer, label: str):
    """The header of a row or a column."""
    return viewer.page.locator(".axis").get_by_text(label, exact=True)


def measured(look, sort: str) -> np.ndarray:
    """What Python measured, (layers, heads)."""
    if sort == "prefix":
        return np.asarray(look.prefix_mass())[0].sum(-1)
    return np.asarray(look.mean_attention_distance() if sort == "distance" else look.entropy())[0]


def test_a_thumbnail_chooses_its_head(photo, photo_look):
    photo.head(2, 3).click()
    shown = photo.ready().map()
    expected = np.asarray(photo_look.heatmaps(2))[0, 3]
    assert "layer 2, head 3" in shown.caption
    assert np.abs(shown.patches - expected).max() <= 1e-3 * expected.max()
    assert chosen(photo) == {(2, 3)}


@pytest.mark.parametrize(
    ("label", "words", "heads"),
    [
        ("L3", "layer 3, mean over heads", {(3, head) for head in range(HEADS)}),
        ("2", "mean over layers, head 2", {(layer, 2) for layer in range(LAYERS)}),
        ("mean", "mean over layers, mean over heads", {divmod(at, HEADS) for at in range(LAYERS * HEADS)}),
    ],
)
def test_a_header_shows_the_mean(photo, label, words, heads):
    photo.head(1, 1).click()
    axis(photo, label).click()
    assert words in photo.ready().caption()
    assert chosen(photo) == heads
    assert axis(photo, label).get_attribute("aria-pressed") == "true"


def test_mean_over_heads_is_a_method_too(photo):
    photo.head(2, 3).click()
    photo.choose("Mean over heads")
    assert "layer 2, mean over heads" in photo.caption()
    photo.choose("Attention row")
    assert "layer 2, head 0" in photo.caption()


def test_double_click_isolates_a_head_and_again_shows_all(photo):
    photo.head(4, 1).dblclick()
    assert order_of(photo.ready()) == [(4, 1)]
    assert "layer 4, head 1" in photo.caption()
    photo.head(4, 1).dblclick()
    assert len(order_of(photo.ready())) == LAYERS * HEADS
    photo.head(4, 1).dblclick()
    photo.button("Show all heads").click()
    assert len(order_of(photo.ready())) == LAYERS * HEADS


def thumbnail(viewer, layer: int, head: int) -> np.ndarray:
    return canvas_pixels(viewer.head(layer, head).locator("canvas")).astype(int)


def test_thumbnails_show_each_heads_own_map(photo, photo_look):
    expected = np.asarray(photo_look.heatmaps(3))[0]  # (heads, rows, columns)
    for head, weights in enumerate(expected):
        share = np.minimum(255, (weights / weights.max() * 256).astype(int))
        colours = mpl.colormaps["viridis"](share, bytes=True)
        # A weight off by 1e-3 may have the next of the 256 colours.
        assert photo.until(lambda head=head, colours=colours: np.abs(thumbnail(photo, 3, head) - colours).max() <= 4)


def test_hovering_redraws_the_thumbnails(photo):
    before = thumbnail(photo.ready(), 0, 0)
    photo.hover(8, 3)
    assert photo.until(lambda: (thumbnail(photo, 0, 0) != before).any())


@pytest.mark.parametrize(("sort", "words"), [("distance", "px"), ("entropy", "nats"), ("prefix", "%")])
def test_sorting_is_by_what_python_measured(photo, photo_look, sort, words):
    values = measured(photo_look, sort)
    photo.select("Order", sort)
    order = order_of(photo)
    found = np.array([values[place] for place in order])
    falling = sort == "prefix"  # the largest prefix mass first, the shortest distance and least entropy else
    slack = 1e-6 * values.max()
    assert sorted(order) == [divmod(at, HEADS) for at in range(LAYERS * HEADS)]
    assert (np.diff(found) <= slack).all() if falling else (np.diff(found) >= -slack).all()
    label = photo.head(*order[0]).get_attribute("aria-label")
    assert label.endswith(words)
    assert float(label.split(", ")[-1].split()[0]) == pytest.approx(
        found[0] * (100 if sort == "prefix" else 1), rel=0.06
    )


@pytest.mark.parametrize("sort", ["distance", "entropy", "prefix"])
def test_sorting_can_be_reversed(photo, sort):
    photo.select("Order", sort)
    order = order_of(photo)
    photo.page.get_by_label("reversed").check()
    assert order_of(photo.ready()) == order[::-1]


def test_sorting_by_distance_follows_the_rescaled_one(photo, photo_look):
    values = np.asarray(photo_look.mean_attention_distance(rescale=True))[0]
    photo.select("Order", "distance")
    photo.page.get_by_label("rescaled to 1").check()
    found = np.array([values[place] for place in order_of(photo.ready())])
    assert (np.diff(found) >= -1e-6 * values.max()).all()


PLOTS = ("distance", "entropy", "prefix")  # in this order
UNITS = {"distance": (1, "px"), "entropy": (1, "nats"), "prefix": (100, "%")}


def plot(viewer, name: str):
    return viewer.page.locator(".plots figure").nth(PLOTS.index(name))


def heights(viewer, name: str) -> np.ndarray:
    """How high the dots stand above the axis' top, downwards, by layer and head."""
    dots = plot(viewer, name).locator(".dots circle")
    return np.array(of_each(dots, "Number(one.getAttribute('cy'))"))


@pytest.mark.parametrize("name", PLOTS)
def test_hovering_a_dot_goes_to_its_head(photo, photo_look, name):
    values, (scale, unit) = measured(photo_look, name), UNITS[name]
    layer = 2
    head = int(np.argmax(values[layer]))  # the topmost, which no other covers
    dot = plot(photo, name).locator(".dots circle").nth(layer * HEADS + head)
    dot.scroll_into_view_if_needed()
    dot.hover(force=True)
    assert f"layer {layer}, head {head}" in photo.ready().caption()
    words = plot(photo, name).locator(".plot-value").inner_text()
    assert words.startswith(f"L{layer} H{head}: ")
    assert words.endswith(f" {unit}")
    assert float(words.split(": ")[1].split()[0]) == pytest.approx(scale * values[layer, head], rel=6e-3)


@pytest.mark.parametrize("name", PLOTS)
def test_dots_stand_at_the_heights_of_what_python_measured(photo, photo_look, name):
    values, found = measured(photo_look, name).ravel(), heights(photo, name)
    slope, zero = np.polyfit(values, found, 1)
    assert slope < 0  # larger is higher
    np.testing.assert_allclose(found, zero + slope * values, atol=1e-2)


@pytest.mark.parametrize("name", PLOTS)
def test_dots_stand_above_their_layer(photo, name):
    dots = plot(photo, name).locator(".dots circle")
    across = of_each(dots, "Number(one.getAttribute('cx'))")
    steps = np.diff(np.reshape(across, (LAYERS, HEADS)), axis=0)  # from layer to layer
    assert (steps > 1).all()
    np.testing.assert_allclose(steps, steps[0, 0], atol=1e-6)


def test_the_distance_plot_can_be_rescaled(photo, photo_look):
    values = np.asarray(photo_look.mean_attention_distance(rescale=True))[0].ravel()
    photo.page.get_by_label("rescaled to 1").check()
    found = heights(photo.ready(), "distance")
    slope, zero = np.polyfit(values, found, 1)
    np.testing.assert_allclose(found, zero + slope * values, atol=1e-2)


def test_choosing_a_head_leaves_the_rollout(photo):
    photo.choose("Rollout")
    photo.head(1, 2).click()
    expect(photo.page.locator(".caption")).to_contain_text("layer 1, head 2")


def test_choosing_a_header_leaves_the_rollout(photo):
    photo.choose("Rollout")
    axis(photo, "L1").click()
    expect(photo.page.locator(".caption")).to_contain_text("layer 1, mean over heads")
