"""Maps and matrices of surveys: true to the numbers, on scales that compare."""

from dataclasses import replace

import numpy as np
import pytest

from comparison.legible import require_legible
from survey_runs import UNEVEN
from vitscope.render.surveys.curves import similarity_figure
from vitscope.render.surveys.maps import even_columns, head_maps_figure, maps_figure
from vitscope.render.surveys.matrices import alignment_figure, head_matrices_figure
from vitscope.render.surveys.plates import absences
from vitscope.render.surveys.sheets import BAR, bar_ticks, tick_words
from vitscope.summaries import MeanMap


def panels(figure):
    return [axes for axes in figure.axes if axes.get_label() != BAR]


def bar_of(figure):
    """The bar of colours, its ends and what is written at its right."""
    (bar,) = (axes for axes in figure.axes if axes.get_label() == BAR)
    return bar.get_xlim(), [text.get_text() for text in bar.texts]


def test_mean_maps_are_multiples_of_uniform_attention(summary):
    figure = maps_figure([summary])
    (axes,) = panels(figure)
    expected = summary.maps[0].values * 77
    np.testing.assert_allclose(axes.images[0].get_array(), expected)
    assert axes.get_title(loc="left") == "vit_toy_patch16_224\n7 × 11 patches\n61 images"
    limits, words = bar_of(figure)
    assert limits == pytest.approx((0, expected.max()))
    assert words == ["weight × patches (1: uniform over the patches)"]
    uniform = tuple(MeanMap("rollout", "", "", 9, np.full(grid, 1 / (grid[0] * grid[1]))) for grid in ((3, 5), (7, 2)))
    for axes in panels(maps_figure([replace(summary, maps=uniform)])):
        np.testing.assert_allclose(axes.images[0].get_array(), 1)


def test_maps_of_all_models_share_one_scale(four):
    figure = maps_figure(four, "heatmaps")
    largest = max(one.maps[1].values.mean(0).max() * one.maps[1].values[0].size for one in four)
    assert len(panels(figure)) == 4
    for axes in panels(figure):
        assert axes.images[0].get_clim() == pytest.approx((0, largest))
    assert bar_of(figure)[0] == pytest.approx((0, largest))


def test_maps_head_by_head(four):
    one = four[1].maps[1]
    figure = head_maps_figure(four[1])
    assert len(panels(figure)) == 13
    for axes, values in zip(panels(figure), [one.values.mean(0), *one.values], strict=True):
        np.testing.assert_allclose(axes.images[0].get_array(), values * 77)
        assert axes.images[0].get_clim() == pytest.approx((0, one.values.max() * 77))
    assert len({round(axes.get_position().x0, 4) for axes in panels(figure)}) == 5


@pytest.mark.parametrize(
    ("count", "most", "columns"), [(1, 4, 1), (4, 4, 4), (5, 5, 5), (5, 4, 3), (6, 5, 3), (7, 5, 4), (13, 5, 5)]
)
def test_panels_stand_in_even_rows(count, most, columns):
    assert even_columns(count, most) == columns


def test_long_names_have_the_room_that_there_is(made):
    name = "vit_large_patch14_clip_224.openai_ft_in12k_in1k"
    titles = [axes.get_title(loc="left") for axes in panels(maps_figure([made(model=name)]))]
    assert titles[0].startswith(f"{name}\n")
    four = maps_figure([made(model=f"{i}{name[1:]}") for i in range(4)])
    assert panels(four)[3].get_title(loc="left").replace("\n", "").startswith(f"3{name[1:]}")
    require_legible(four)


def test_many_grids_are_cut_to_the_commonest_and_the_rest_is_counted(summary):
    grids = tuple(MeanMap("rollout", "rollout", "", 20 - i, np.full((3, 3 + i), 0.5)) for i in range(11))
    figure = maps_figure([replace(summary, maps=grids)])
    assert len(panels(figure)) == 8
    caption = figure.get_label()
    assert "the 8 grids with most images are shown, 132 images in all; 33 more have other grids." in caption
    require_legible(figure)
    heads = tuple(MeanMap("heatmaps", "", "", 20 - i, np.full((2, 3, 3 + i), 0.5)) for i in range(3))
    caption = head_maps_figure(replace(summary, maps=heads)).get_label()
    assert "mean over 20 images of 3 × 3 patches. 37 images more, of other grids, not shown." in caption
    assert "not shown" not in head_maps_figure(replace(summary, maps=heads[:1])).get_label()


def test_captions_have_the_convention_of_every_model(summary):
    maps = tuple(replace(one, convention=f"{one.convention}, layer 11") for one in summary.maps)
    caption = maps_figure([summary, replace(summary, maps=maps)], "heatmaps").get_label()
    assert caption.startswith("Class row of the last layer; or: class row of the last layer, layer 11, mean over heads")


def test_layers_against_layers(summary):
    figure = alignment_figure([summary])
    (axes,) = panels(figure)
    np.testing.assert_array_equal(axes.images[0].get_array(), summary.alignments[0].values)
    assert axes.images[0].get_clim() == (0, 1)
    assert axes.images[0].origin == "lower"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("layer", "layer")
    assert bar_of(figure) == ((0, 1), ["linear CKA"])


def test_how_many_images_entered_the_alignment(summary, made):
    (one,) = summary.alignments
    assert (one.minibatches, one.minibatch) == (1, 32)
    assert "32 images at most, in 1 minibatch of up to 32 images." in alignment_figure([summary]).get_label()
    assert "96 images at most, in 3 minibatches of" in alignment_figure([made(images=113)]).get_label()
    unsaid = replace(summary, alignments=(replace(one, minibatch=None),))
    assert "unbiased; in 1 minibatch. Layer 0" in alignment_figure([unsaid]).get_label()


def test_why_there_is_no_figure_is_said(summary, made):
    assert absences([summary]) == []
    few = made(images=31)  # of the synthetic runs' minibatches none is whole
    assert few.alignments == ()
    assert absences([few]) == [
        "No figure of linear CKA between layers for vit_toy_patch16_224: fewer than 4 images in every minibatch."
    ]
    assert absences([made(heads=[1, 1])]) == [
        "No figure of distance between heads for vit_toy_patch16_224: no layer has two heads."
    ]


def test_heads_against_heads(summary):
    figure = head_matrices_figure(summary)
    values = summary.similarities[0].values
    for layer, (axes, heads) in enumerate(zip(panels(figure), UNEVEN.heads, strict=True)):
        np.testing.assert_array_equal(axes.images[0].get_array(), values[layer, :heads, :heads])
        assert axes.images[0].get_clim() == (0, 1)
        assert axes.get_xlabel() == "head"
        ticks = [tick for tick in axes.get_xticks() if 0 <= tick < heads]
        assert ticks[0] == 0
        assert all(tick == int(tick) for tick in ticks)
    assert [axes.get_ylabel() for axes in panels(figure)] == ["head", "", "", "", ""]
    assert bar_of(figure) == ((0, 1), ["Distance between heads"])
    assert "One colour scale for all layers and models, 0 to 1." in figure.get_label()
    (axes,) = similarity_figure([summary]).axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), summary.similarities[0].layers)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 1, ["0.00", "0.25", "0.50", "0.75", "1.00"]),
        (0, 1.23, ["0.0", "0.5", "1.0"]),
        (0, 3.3, ["0", "1", "2", "3"]),
        (0, 0.0048, ["0.000", "0.002", "0.004"]),
    ],
)
def test_bars_have_round_numbers(low, high, words):
    assert tick_words(bar_ticks(low, high)) == words
