"""Models that attend in windows or on several grids: the page shows each layer where its tokens stand."""

import numpy as np
import pytest

from arranged_looks import MODELS, arranged_look
from browser.viewer import of_each

TOLERANCE = 1e-3  # of a row's maximum


@pytest.fixture(params=MODELS)
def kind(request) -> str:
    return request.param


def opened(kind, files, shared_page):
    look = arranged_look(kind)
    return look, shared_page(files(kind, [look])).fresh()


def middle(look, index, row, column) -> tuple[float, float]:
    """Shares of the picture's width and height at which a layer's patch has its middle."""
    lattice = look.attention_seen.arrangement(index).queries
    height, width = (look.shown[0].seen.height, look.shown[0].seen.width)
    x, y = (column + 0.5) * lattice.patch_size[1] / width, (row + 0.5) * lattice.patch_size[0] / height
    return min(x, 0.99), min(y, 0.99)  # a last patch may reach beyond the picture


def own_patch(look, lattice, row, column) -> tuple[int, int]:
    """The picture's own patch at the middle of a lattice's cell."""
    sides = zip((row, column), lattice.patch_size, look.layout.patch_size, look.layout.grid, strict=True)
    return tuple(min(int((index + 0.5) * size // own), count - 1) for index, size, own, count in sides)


def hover(viewer, look, index, row, column, *, click=False):
    """Point at the middle of a layer's patch, and perhaps lock it."""
    viewer.stage().scroll_into_view_if_needed()
    box, (x, y) = viewer.stage().bounding_box(), middle(look, index, row, column)
    viewer.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    if click:
        viewer.page.mouse.down()
        viewer.page.mouse.up()
    return viewer.ready()


def expected(look, index, query, head) -> np.ndarray:
    return np.asarray(look.heatmaps(index, query))[0, head]


def assert_close(found, wanted):
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= TOLERANCE * np.abs(wanted).max()


def places(look, index):
    rows, columns = look.layers[index].grid
    return {(0, 0), (rows - 1, columns - 1), (rows // 2, columns // 3)}


def test_every_layer_shows_what_the_patch_under_the_pointer_attends_to(kind, files, shared_page):
    look, viewer = opened(kind, files, shared_page)
    for index in {0, 1, len(look.layers) - 1}:
        head, lattice = look.layers[index].heads - 1, look.attention_seen.arrangement(index).queries
        for row, column in places(look, index):
            hover(viewer.show(layer=index, head=head), look, index, row, column)
            caption, words = viewer.caption(), look.layers[index].windows
            assert (
                f"patch row {row}, column {column} attends to, layer {index}{f' ({words})' if words else ''}" in caption
            )
            assert viewer.markers() == [(row, column)]
            viewer.show(layer=index, head=head, locked=[own_patch(look, lattice, row, column)])
            assert_close(viewer.map().patches, expected(look, index, (row, column), head))
    assert viewer.problems == []


def test_every_layer_shows_who_attends_to_a_patch(kind, files, shared_page):
    look, viewer = opened(kind, files, shared_page)
    for index in (0, len(look.layers) - 1):
        arrangement = look.attention_seen.arrangement(index)
        rows, columns = arrangement.keys.grid
        key = (rows - 1) * columns + columns // 2
        queries = [divmod(cell, arrangement.queries.grid[1]) for cell in range(arrangement.queries.patches)]
        received = [expected(look, index, query, 0).ravel()[key] for query in queries]
        locked = [own_patch(look, arrangement.keys, *divmod(key, columns))]
        shown = viewer.show(layer=index, head=0, direction="to", locked=locked).map()
        assert_close(shown.patches, np.reshape(received, arrangement.queries.grid))


@pytest.mark.parametrize("layer", [0, 1])  # the second is shifted
@pytest.mark.parametrize("patch", [(0, 0), (13, 9), (27, 27)])
def test_exactly_what_a_patch_may_attend_to_is_drawn_and_outlined(layer, patch, files, shared_page):
    look, viewer = opened("swin", files, shared_page)
    hover(viewer.show(layer=layer, head=0), look, layer, *patch)
    weights = look.attention_seen.layers[layer].weights(slice(None)).amax(1)  # (windows, queries, keys)
    arrangement = look.attention_seen.arrangement(layer)
    ((window, position),) = np.argwhere(arrangement.query_tokens == patch[0] * 28 + patch[1])
    reached = arrangement.key_tokens[window][weights[window, position].numpy() > 1e-20]
    inside = np.zeros(28 * 28, dtype=bool)
    inside[reached] = True
    assert (viewer.pixels()[:, :, 3] > 0).ravel().tolist() == inside.tolist()
    rows, columns = np.nonzero(inside.reshape(28, 28))
    box = "(({ x, y, width, height }) => [x, y, x + width, y + height])(one.getBBox())"
    (outline,) = of_each(viewer.stage().locator("path.edge.window"), box)
    assert outline == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert ("shifted" in viewer.caption()) == (layer == 1)
    shown = hover(viewer, look, layer, *patch, click=True).map().patches.ravel()
    assert (shown[~inside] < 1e-30).all()
    assert shown[inside].sum() == pytest.approx(1, abs=1e-3)


def test_windows_are_not_drawn_where_there_are_none(files, shared_page):
    for kind, layer in (("swin", 2), ("pvt", 0), ("cait", 0)):
        look, viewer = opened(kind, files, shared_page)
        if look.attention_seen.arrangement(layer).windows == 1:
            hover(viewer.show(layer=layer), look, layer, 0, 0)
            assert viewer.stage().locator("path.window").count() == 0
    _, viewer = opened("swin", files, shared_page)
    assert viewer.show(layer=0, locked=["mean"]).stage().locator("path.window").count() == 0


@pytest.mark.parametrize("kind", ["cait", "volo"])
def test_class_attention_opens_the_page(kind, files, shared_page):
    look, viewer = opened(kind, files, shared_page)
    assert "What the class token attends to, class attention after layer" in viewer.caption()
    assert_close(viewer.map().patches, np.asarray(look.heatmaps())[0].mean(0))
    assert "reads the last layer" in viewer.show(layer=0).caption()


def test_the_mean_over_layers_lays_all_grids_on_one(files, shared_page):
    _, viewer = opened("swin", files, shared_page)
    shown = viewer.show(layer="mean", head=0, locked=[(3, 20)]).map()
    assert "laid on 28 × 28 by area" in shown.caption
    assert shown.patches.shape == (28, 28)
    assert shown.patches.sum() == pytest.approx(1, abs=1e-3)


def test_arrow_keys_step_on_the_layers_own_grid(files, shared_page):
    _, viewer = opened("swin", files, shared_page)
    viewer.show(layer=2, locked=[(0, 0)]).stage().focus()
    assert "patch row 1, column 0" in viewer.press("ArrowDown").caption()
    assert "patch row 1, column 1" in viewer.press("ArrowRight").caption()
    assert "patch row 2, column 2" in viewer.show(layer=0, locked=[(2, 2)]).caption()


def test_rollout_and_plots_are_there(kind, files, shared_page):
    look, viewer = opened(kind, files, shared_page)
    viewer.show(method="rollout")
    assert_close(viewer.map().patches, np.asarray(look.rollout())[0])
    titles = viewer.page.locator(".plots figcaption").all_inner_texts()
    assert [title.split()[0] for title in titles] == ["Distance", "Entropy"]
