"""Classes of surveys: in order, with their intervals, and none of few images."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from vitscope.errors import ArgumentError
from vitscope.render.surveys.classes import classes_figure, draw_classes, has_classes
from vitscope.render.surveys.plates import plates


def segments(collection):
    """(bars, 2 ends, x and y) of hlines."""
    return np.array(collection.get_segments())


def words_of(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


def dots_of(axes):
    return np.ma.filled(axes.collections[1].get_offsets(), np.nan)


def test_classes_are_in_order_with_their_intervals(made):
    one = made(images=600, classes=47)
    classes = one.columns["distance"].classes
    (axes,) = classes_figure([one]).axes
    dots = dots_of(axes)
    order = np.argsort(classes.overall.mean)
    shown = np.concatenate([order[:10], order[-10:]])
    np.testing.assert_allclose(dots[:, 0], classes.overall.mean[shown])
    np.testing.assert_array_equal(dots[:, 1], [*range(10), *range(11, 21)])
    np.testing.assert_allclose(
        segments(axes.collections[0])[:, :, 0], np.stack([classes.overall.low, classes.overall.high], 1)[shown]
    )
    words = words_of(axes)
    assert words[0] == f"{classes.labels[shown[0]]} ({classes.images[shown[0]]})"
    assert words[-1] == "… 27 more …"
    assert axes.lines[0].get_xdata()[0] == pytest.approx(float(one.columns["distance"].overall.mean))
    layer = draw_classes(Figure().subplots(), one.columns["distance"], layer=2)
    np.testing.assert_allclose(dots_of(layer)[:, 0], np.sort(classes.layers.mean[:, 2])[[*range(10), *range(-10, 0)]])
    assert "heads of layer 2" in classes_figure([one], layer=2).get_label()


def test_twenty_classes_are_all_shown_and_of_more_the_outermost(made):
    for count, last in ((20, ("class", 0)), (21, ("… 1", 20))):
        axes = draw_classes(Figure().subplots(), made(images=331, classes=count).columns["distance"])
        assert words_of(axes)[-1].startswith(last[0])
        assert len(dots_of(axes)) == 20


@pytest.mark.parametrize(
    ("images", "shown"),
    [
        ([42, 15, 42, 21, 42], {"class 0 (42)", "class 2 (42)", "class 3 (21)", "class 4 (42)"}),  # half the median: 21
        ([12, 9, 12, 10, 2], {"class 0 (12)", "class 2 (12)", "class 3 (10)"}),  # never fewer than 10
    ],
)
def test_classes_of_few_images_are_left_out(summary, images, shown):
    column = summary.columns["distance"]
    few = replace(column, classes=replace(column.classes, images=np.array(images)))
    assert set(words_of(draw_classes(Figure().subplots(), few))) == shown
    assert "Classes of fewer than 10 images" in classes_figure([summary]).get_label()


def test_without_a_class_of_ten_images_there_is_no_figure(summary):
    column = summary.columns["distance"]
    few = replace(column, classes=replace(column.classes, images=np.full(5, 9)))
    one = replace(summary, columns={"distance": few})
    assert not has_classes(one, "distance")
    assert "distance_classes" not in [plate.name for plate in plates([one])]
    with pytest.raises(ArgumentError, match="10 images of a class at least"):
        classes_figure([one])


def test_all_models_have_the_classes_and_the_order_of_the_first(made):
    first, second = made(classes=7, images=101), made(classes=5, images=101, seed=3)
    left, right = classes_figure([first, second]).axes
    names = [word.partition(" (")[0] for word in words_of(left)]
    assert [word.partition(" (")[0] for word in words_of(right)] == names
    expected = dict(
        zip(second.columns["distance"].classes.labels, second.columns["distance"].classes.overall.mean, strict=True)
    )
    np.testing.assert_allclose(dots_of(right)[:, 0], [expected.get(name, np.nan) for name in names])
    assert sum(word.endswith("(under 10)") for word in words_of(right)) == 2
    caption = classes_figure([first, second]).get_label()
    assert "all panels have the first one's classes, in its order" in caption
    assert "in its order" not in classes_figure([first]).get_label()
