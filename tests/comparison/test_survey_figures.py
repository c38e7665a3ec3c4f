"""Figures of surveys: true to the numbers."""

import re
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from survey_runs import MEASURES, UNEVEN
from vitscope.errors import ArgumentError
from vitscope.render.surveys.classes import classes_figure, draw_classes
from vitscope.render.surveys.curves import curves_figure, similarity_figure
from vitscope.render.surveys.depth import depth_figure, draw_depth
from vitscope.render.surveys.maps import head_maps_figure, maps_figure
from vitscope.render.surveys.matrices import alignment_figure, head_matrices_figure
from vitscope.render.surveys.plates import plates
from vitscope.render.surveys.ranked import draw_ranked, outer_layers, ranked_figure
from vitscope.render.surveys.sheets import MODEL_COLOURS, limits
from vitscope.render.surveys.telling import told_apart
from vitscope.render.surveys.words import column_words, titles_of


def caption(figure):
    return figure.texts[0].get_text().replace("\n", " ")


def segments(collection):
    """(bars, 2 ends, x and y) of vlines or hlines."""
    return np.array(collection.get_segments())


def test_every_head_is_a_dot_with_its_interval_by_depth(summary):
    column = summary.columns["distance"]
    figure = depth_figure([summary])
    (axes,) = figure.axes
    dots = np.concatenate([np.asarray(one.get_offsets()) for one in axes.collections[0::2]])
    bars = np.concatenate([segments(one) for one in axes.collections[1::2]])
    layer, head = np.nonzero(np.isfinite(column.heads.mean))
    assert len(dots) == len(bars) == sum(UNEVEN.heads)
    np.testing.assert_array_equal(np.round(dots[:, 0]), layer)
    np.testing.assert_allclose(dots[:, 1], column.heads.mean[layer, head])
    np.testing.assert_allclose(bars[:, 0], np.stack([dots[:, 0], column.heads.low[layer, head]], axis=1))
    np.testing.assert_allclose(bars[:, 1, 1], column.heads.high[layer, head])
    assert (np.diff(dots[:, 0])[np.diff(layer) == 0] > 0).all()  # side by side, in their order
    for i in range(5):  # about their layer, however many they are
        assert dots[layer == i, 0].mean() == pytest.approx(i)
    means, uniform = axes.lines
    np.testing.assert_allclose(means.get_ydata(), column.layers.mean)
    assert set(uniform.get_ydata()) == {116.49}
    assert uniform.get_linestyle() == "--"
    assert axes.get_ylabel() == "Mean attention distance (px)"
    assert axes.get_ylim() == pytest.approx((0, 1.08 * np.nanmax(column.heads.high)))
    assert axes.get_xlim() == (-0.6, 4.6)


def test_uniform_attention_follows_the_layers_where_it_changes(summary):
    column = replace(summary.columns["distance"], uniform=np.array([10.0, 20, 20, np.nan, 30]))
    axes = draw_depth(Figure().subplots(), column)
    (steps,) = axes.patches
    np.testing.assert_array_equal(steps.get_data().values, column.uniform)
    assert len(axes.lines) == 1
    assert len(draw_depth(Figure().subplots(), replace(column, uniform=None)).lines) == 1


def test_captions_tell_all(summary):
    text = caption(depth_figure([summary]))
    assert text.startswith("Mean attention distance in pixels of the model's input; prefix tokens dropped on both axes")
    for words in (
        "95% percentile bootstrap intervals over images",
        "dashed: what uniform attention would have",
        "Model: vit_toy_patch16_224 (weights 0123456789ab, 61 images of set0/, 2 failed)",
        "vitscope 0.1.0.",
    ):
        assert words in text
    assert "uniform" not in caption(depth_figure([summary], "entropy"))
    assert "99% percentile" in caption(curves_figure([replace(summary, confidence=0.99)]))


def test_every_caption_names_model_weights_and_images(summary, four):
    for summaries in ([summary], four):
        for plate in plates(summaries):
            figure = plate.draw()
            label = figure.get_label()
            assert re.sub(r"[□\s]", "", caption(figure)) == re.sub(r"\s|[写真]", "", label)
            drawn = [title for title in titles_of(summaries) if title in label]
            assert drawn or "-" in plate.name
            assert "weights 0123456789ab" in label
            assert "images of set0/" in label
            assert not plate.draw(caption=False).texts
            assert plate.draw(caption=False).get_label() == label


def test_heads_of_the_outer_layers_are_sorted(summary):
    column = summary.columns["distance"]
    (axes,) = ranked_figure([summary]).axes
    lines = [line for line in axes.lines if line.get_label().startswith("layer")]
    assert [line.get_label() for line in lines] == ["layer 0", "layer 1", "layer 3", "layer 4"]
    for line, bars, layer in zip(lines, axes.collections, (0, 1, 3, 4), strict=True):
        heads = np.isfinite(column.heads.mean[layer])
        order = np.argsort(column.heads.mean[layer][heads])
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, heads.sum() + 1))
        np.testing.assert_allclose(line.get_ydata(), column.heads.mean[layer][heads][order])
        np.testing.assert_allclose(segments(bars)[:, 0, 1], column.heads.low[layer][heads][order])
        np.testing.assert_allclose(segments(bars)[:, 1, 1], column.heads.high[layer][heads][order])
    assert axes.get_xlabel() == "heads, sorted by distance"
    assert len({line.get_color() for line in lines}) == 4


@pytest.mark.parametrize(("layers", "chosen"), [(1, (0,)), (2, (0, 1)), (3, (0, 1, 2)), (12, (0, 1, 10, 11))])
def test_outer_layers(layers, chosen):
    assert outer_layers(layers) == chosen


def test_panels_of_models_share_their_scale(four):
    for figure in (depth_figure(four), ranked_figure(four)):
        assert len({axes.get_ylim() for axes in figure.axes}) == 1
        top = max(np.nanmax(one.columns["distance"].heads.high) for one in four)
        assert figure.axes[0].get_ylim()[1] >= top
        titles = [axes.get_title(loc="left") for axes in figure.axes]
        assert titles[0] == "vit_tiny"
        assert titles[1].startswith("hf-hub:some-organ")
        assert [bool(axes.get_ylabel()) for axes in figure.axes] == [True, False, True, False]


def test_curves_of_models_of_one_depth(made):
    models = [made(), made(seed=4, weights="f" * 64)]
    figure = curves_figure(models, "entropy")
    (axes,) = figure.axes
    for line, band, one, colour in zip(axes.lines, axes.collections, models, MODEL_COLOURS, strict=False):
        layers = one.columns["entropy"].layers
        np.testing.assert_array_equal(line.get_xdata(), range(5))
        np.testing.assert_allclose(line.get_ydata(), layers.mean)
        assert line.get_color() == colour
        corners = band.get_paths()[0].vertices
        assert corners[:, 1].min() == pytest.approx(layers.low.min())
        assert corners[:, 1].max() == pytest.approx(layers.high.max())
    assert axes.get_xlabel() == "layer"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(told_apart(models))


def test_curves_of_models_of_other_depths_are_relative(four):
    (axes,) = curves_figure(four).axes
    assert axes.get_xlabel().startswith("relative depth")
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [0, 0.5, 1])
    np.testing.assert_allclose(axes.lines[2].get_xdata(), np.arange(24) / 23)


def test_a_model_keeps_its_colour_where_another_lacks_the_column(made, summary):
    other = made(measures=[MEASURES[0]])
    figure = curves_figure([other, summary], "entropy")
    assert [line.get_color() for line in figure.axes[0].lines] == [MODEL_COLOURS[1]]
    assert "set0/" in caption(figure)
    assert not [plate for plate in plates([other, summary]) if plate.name == "entropy_models"]


def test_models_beyond_the_palette_are_told_apart_by_dashes(made):
    lines = curves_figure([made()] * 9).axes[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 9


def test_what_was_not_measured_is_not_drawn(made, summary):
    bare = made(measures=[MEASURES[1]], classes=0)
    assert [plate.name for plate in plates([bare])] == ["entropy_by_depth"]
    assert not [plate for plate in plates([made(heads=[1, 1, 1])]) if "similarity" in plate.name]  # no pairs of heads
    for draw in (depth_figure, ranked_figure, curves_figure):
        with pytest.raises(ArgumentError, match="found no column 'spread'; expected one that was measured: entropy"):
            draw([bare], "spread")
    for draw in (maps_figure, similarity_figure, alignment_figure, classes_figure):
        with pytest.raises(ArgumentError, match="found no "):
            draw([bare])
    for draw in (head_maps_figure, head_matrices_figure):
        with pytest.raises(ArgumentError, match="found no "):
            draw(bare)
    with pytest.raises(ArgumentError, match="found layer 5; expected 0 to 4"):
        draw_classes(Figure().subplots(), summary.columns["distance"], layer=5)


def test_plates_of_one_and_of_several(summary, four):
    assert [plate.name for plate in plates([summary])] == [
        "distance_by_depth", "distance_sorted", "entropy_by_depth", "prefix_mass_by_depth", "prefix_mass_cls_by_depth",
        "distance_classes", "rollout_mean", "heatmaps_heads", "head_similarity_by_depth", "head_similarity_matrices",
        "cka_layers",
    ]  # fmt: skip
    names = [plate.name for plate in plates(four)]
    assert {"distance_models", "heatmaps_mean", "heatmaps_heads-1", "heatmaps_heads-4"} <= set(names)
    assert len(set(names)) == len(names)


def test_axes_of_the_caller_are_drawn_on_and_nothing_else_is_touched(summary):
    before = dict(mpl.rcParams)
    for draw in (draw_depth, draw_ranked, draw_classes):
        figure = Figure(figsize=(3, 3))
        mine, other = figure.subplots(1, 2)
        assert draw(mine, summary.columns["distance"]) is mine
        assert not other.has_data()
        assert len(figure.axes) == 2
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("distance", "mean attention distance"),
        ("distance_rescaled", "mean attention distance, rescaled"),
        ("distance_unit_patches", "mean attention distance, unit patches"),
        ("prefix_mass_reg1", "mass on the prefix token reg1"),
        ("rollout_fusion_max", "attention rollout, fusion max"),
        ("my_own", "my own"),
        ("distances", "distances"),
    ],
)
def test_columns_have_words(name, words):
    assert column_words(name) == words


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 2], (0, 2.16)), ([-1, 1], (-1.16, 1.16)), ([-2, -1], (-2.08, 0)), ([0, 0], (0, 1)), ([np.nan], (0, 1.08))],
)
def test_limits(values, expected):
    assert limits(np.array(values, float)) == pytest.approx(expected)
