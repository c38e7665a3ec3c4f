"""Two crops of one photograph: queries and differences follow the picture, not the crops."""

import csv
import io

import numpy as np
import pytest

from vitscope import sample_photo

TOLERANCE = 1e-3  # of the maximum of either map


@pytest.fixture
def crops(photo_look, whole, files, shared_page):
    """A: the middle of the photograph; B: all of it; the looks and the page."""
    pair = [photo_look, whole.look(sample_photo())]
    return *pair, shared_page(files("crops", pair)).fresh()


def edges(look, axis: int) -> np.ndarray:
    """Where the patches begin and end, in pixels of the original; rows (axis 0) or columns."""
    left, top, right, bottom = look.shown[0].placement.box
    start, end = ((top, bottom), (left, right))[axis]
    return np.linspace(start, end, look.layout.grid[axis] + 1)


def shares(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """(old cells, new cells): the part of each old cell's length that lies in each new cell."""
    low, high = np.maximum(old[:-1, None], new[None, :-1]), np.minimum(old[1:, None], new[None, 1:])
    return np.maximum(high - low, 0) / np.diff(old)[:, None]


def test_a_patch_means_the_same_place_of_the_picture(crops):
    one, two, viewer = crops
    for row, column in [(3, 5), (12, 14), (0, 0)]:
        viewer.hover(row, column)
        y, x = (edges(one, axis)[at] + np.diff(edges(one, axis))[0] / 2 for axis, at in ((0, row), (1, column)))
        expected = [int(np.searchsorted(edges(two, axis), place) - 1) for axis, place in ((0, y), (1, x))]
        assert "patch row {}, column {} ".format(*expected) in viewer.caption(1)


def test_a_place_that_only_one_crop_reaches_is_no_query(crops):
    one, two, viewer = crops
    assert edges(two, 1)[0] < edges(one, 1)[0] - np.diff(edges(two, 1))[0]  # B begins well before A
    viewer.hover(5, 0, pane=1)
    assert all("only one of the crops reaches it" in viewer.caption(pane) for pane in (0, 1))


def test_the_difference_is_of_the_same_places(crops):
    one, two, viewer = crops
    viewer.show(layer=3, head=1, locked=["cls"], difference=1)
    ours, theirs = (np.asarray(look.heatmaps(3, "cls"))[0, 1] for look in (one, two))
    rows, columns = (shares(edges(one, axis), edges(two, axis)) for axis in (0, 1))
    expected = theirs - rows.T @ ours @ columns
    inside = [
        (edges(two, axis)[:-1] >= edges(one, axis)[0] - 1e-6) & (edges(two, axis)[1:] <= edges(one, axis)[-1] + 1e-6)
        for axis in (0, 1)
    ]
    reached = inside[0][:, None] & inside[1]
    assert 0 < reached.sum() < reached.size
    found = np.full(reached.shape, np.nan)
    _, data = viewer.download("CSV")
    for line in csv.DictReader(io.StringIO(data.decode("utf-8"))):
        if line["token"] == "patch" and line["map"].startswith("B − A"):
            found[int(line["row"]), int(line["column"])] = float(line["weight"])
    assert (np.isfinite(found) == reached).all()
    assert np.abs(found - expected)[reached].max() <= TOLERANCE * max(ours.max(), theirs.max())
    assert "where both crops reach" in viewer.caption(1)
    assert ((viewer.pixels(1)[:, :, 3] > 0) == reached).all()
