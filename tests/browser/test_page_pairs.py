"""Several pictures: side by side they move together, their difference is B − A, the filmstrip chooses."""

import matplotlib as mpl
import numpy as np
import pytest

from browser.viewer import expect

TOLERANCE = 1e-3  # of the maximum of either map


def rows_of(look, layer, query, image=0) -> np.ndarray:
    """(heads, rows, columns)."""
    return np.asarray(look.heatmaps(layer, query))[image]


def by_area(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Each cell's weight spread evenly over its area and gathered in another grid's cells."""

    def shares(old, new):
        edges = np.arange(old)[:, None] / old, np.arange(new)[None] / new
        overlap = np.minimum(edges[0] + 1 / old, edges[1] + 1 / new) - np.maximum(edges[0], edges[1])
        return np.maximum(overlap, 0) * old  # (old, new)

    return shares(values.shape[0], shape[0]).T @ values @ shares(values.shape[1], shape[1])


@pytest.fixture
def same_grid(looks, files, shared_page):
    """A: registers, 6 heads; B: a relative bias, 3 heads; both 7 × 11 patches, 3 layers."""
    pair = [looks("registers"), looks("relative bias")]
    return *pair, shared_page(files("same-grid", pair)).fresh()


@pytest.fixture
def other_grid(looks, files, shared_page):
    """A: 7 × 11 patches, 3 layers; B: 5 × 13, 2 layers."""
    pair = [looks("registers"), looks("mask")]
    return *pair, shared_page(files("other-grid", pair)).fresh()


def test_two_looks_open_side_by_side_with_the_readout_of_each(other_grid):
    one, two, viewer = other_grid
    for look, shown in zip((one, two), viewer.maps(), strict=True):
        expected = rows_of(look, len(look.layers) - 1, None).mean(0)
        assert shown.patches.shape == look.layout.grid
        assert np.abs(shown.patches - expected).max() <= TOLERANCE * expected.max()


def test_query_head_and_layer_move_together(same_grid):
    one, two, viewer = same_grid
    viewer.hover(5, 9)
    assert all("patch row 5, column 9" in viewer.caption(pane) for pane in (0, 1))
    viewer.click(2, 7)
    viewer.head(1, 2).click()
    for look, shown in zip((one, two), viewer.ready().maps(), strict=True):
        expected = rows_of(look, 1, (2, 7))[2]
        assert "layer 1, head 2" in shown.caption
        assert np.abs(shown.patches - expected).max() <= TOLERANCE * expected.max()


@pytest.mark.parametrize(("pane", "pointed", "shown"), [(0, (6, 1), [(6, 1), (4, 1)]), (1, (4, 1), [(6, 1), (4, 1)])])
def test_the_pointer_on_either_picture_means_the_same_place(other_grid, pane, pointed, shown):
    viewer = other_grid[-1].hover(*pointed, pane)
    for at, (row, column) in enumerate(shown):
        assert f"patch row {row}, column {column}" in viewer.caption(at)


def test_a_model_of_other_depth_shows_its_layer_of_the_same_depth(other_grid):
    viewer = other_grid[-1]
    for layer, other in [(0, 0), (2, 1)]:
        viewer.head(layer, 1).click()
        assert f"layer {layer}, head 1" in viewer.ready().caption(0)
        assert f"layer {other}, head 1" in viewer.caption(1)


def test_the_difference_is_the_second_less_the_first(same_grid):
    one, two, viewer = same_grid
    viewer.page.get_by_label("difference").check()
    viewer.head(2, 1).click()
    viewer.click(6, 3)
    first, second = (rows_of(look, 2, (6, 3))[1] for look in (one, two))
    shown = viewer.maps()
    assert np.abs(shown[0].patches - first).max() <= TOLERANCE * first.max()
    assert np.abs(shown[1].patches - (second - first)).max() <= TOLERANCE * (first.max() + second.max())


def test_on_another_grid_the_difference_keeps_the_sums(other_grid):
    one, two, viewer = other_grid
    viewer.page.get_by_label("difference").check()
    viewer.head(2, 1).click()
    viewer.click(6, 1)
    first, second = rows_of(one, 2, (6, 1))[1], rows_of(two, 1, (4, 1))[1]
    laid = by_area(first, two.layout.grid)
    found = viewer.maps()[1].patches
    assert np.abs(found - (second - laid)).max() <= TOLERANCE * (first.max() + second.max())
    assert found.sum() == pytest.approx(second.sum() - first.sum(), abs=2 * TOLERANCE)
    assert "by area" in viewer.caption(1)


def test_the_difference_has_a_diverging_scale_centred_on_zero(same_grid):
    viewer = same_grid[-1].show(difference=1, layer=2, head=1, locked=[(6, 3)])
    difference = viewer.maps()[1].patches
    largest = np.abs(difference).max()
    positions = 0.5 + difference / (2 * largest)
    expected = mpl.colormaps["coolwarm"](np.clip((positions * 256).astype(int), 0, 255), bytes=True)
    assert np.abs(viewer.pixels(1).astype(int) - expected).max() <= 3  # the CSV's digits may lie across a border
    low, zero, high = viewer.ticks(1)
    assert zero == "0"
    assert float(high.removesuffix(" %").removeprefix("+")) == pytest.approx(100 * largest, rel=6e-3)
    assert low == high.replace("+", "−")


def test_the_table_of_a_difference_has_its_largest_either_way(same_grid):
    viewer = same_grid[-1].show(difference=1, layer=2, head=1, locked=[(6, 3)])
    difference = viewer.maps()[1].patches
    found = viewer.top_patches(1)
    assert [(int(row), int(column)) for row, column, _ in found] == [
        tuple(int(part) for part in np.unravel_index(at, difference.shape))
        for at in np.argsort(-np.abs(difference), axis=None, kind="stable")[:10]
    ]
    assert all(
        weight.startswith("+" if difference[int(row), int(column)] > 0 else "−") for row, column, weight in found
    )


def test_side_by_side_can_be_left(same_grid):
    viewer = same_grid[-1]
    viewer.page.get_by_label("Side by side").uncheck()
    assert viewer.ready().page.locator(".stage").count() == 1
    viewer.page.get_by_label("Side by side").check()
    assert viewer.ready().page.locator(".stage").count() == 2


def strip_button(viewer, name: str):
    return viewer.page.locator(".filmstrip li button").filter(has_text=name)


def test_the_filmstrip_chooses_the_picture(strip):
    look, viewer = strip
    assert viewer.page.locator(".filmstrip li .name").all_inner_texts() == [
        "plain.png",
        "mirrored.png",
        "upside down.png",
    ]
    strip_button(viewer, "upside down").click()
    shown = viewer.ready().map()
    expected = rows_of(look, 5, None, image=2).mean(0)
    assert shown.picture == "upside down.png"
    assert np.abs(shown.patches - expected).max() <= TOLERANCE * expected.max()


def test_two_pictures_of_one_model_side_by_side(strip):
    look, viewer = strip
    viewer.page.get_by_label("Side by side").check()
    strip_button(viewer, "upside down").click(modifiers=["Shift"])
    viewer.ready().hover(3, 12)
    for image, pane in [(0, 0), (2, 1)]:
        assert "patch row 3, column 12" in viewer.caption(pane)
        assert look.images[image] in viewer.page.locator(".pane h2").nth(pane).inner_text()
    viewer.click(3, 12)
    for image, shown in zip((0, 2), viewer.maps(), strict=True):
        expected = rows_of(look, 5, (3, 12), image).mean(0)
        assert np.abs(shown.patches - expected).max() <= TOLERANCE * expected.max()


def test_choosing_a_picture_keeps_its_counterpart_beside_it(same_grid):
    one, _, viewer = same_grid
    buttons = viewer.page.locator(".filmstrip li button")
    assert buttons.count() == 4
    buttons.nth(1).click()
    for pane in (0, 1):
        expect(viewer.page.locator(".pane h2").nth(pane)).to_contain_text(one.images[1])
