"""Figures and page of surveys: true to the numbers, legible whatever the models, the same every time."""

import csv
import io
import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from survey_runs import MEASURES, PlainRun, Synthetic, write_run
from vitscope.errors import ArgumentError
from vitscope.render.style import png_of, save
from vitscope.render.surveys import page
from vitscope.render.surveys.classes import classes_figure, draw_classes, outermost
from vitscope.render.surveys.curves import curves_figure, similarity_figure
from vitscope.render.surveys.depth import depth_figure, draw_depth
from vitscope.render.surveys.maps import head_maps_figure, maps_figure
from vitscope.render.surveys.matrices import alignment_figure, head_matrices_figure
from vitscope.render.surveys.plates import plates
from vitscope.render.surveys.ranked import draw_ranked, outer_layers, ranked_figure
from vitscope.render.surveys.sheets import MODEL_COLOURS, limits
from vitscope.render.surveys.tables import CLASS_HEADER, HEADER, write_class_table, write_json, write_table
from vitscope.render.surveys.words import column_words, titles_of
from vitscope.summaries import MeanMap, told_apart
from vitscope.surveys.summary import summarize

LONG = "hf-hub:some-organization/a-rather-long-name-of-a-model_vit_small_patch16_224.dino.in1k-of-many-words"
UNEVEN = Synthetic(heads=(3, 7, 2, 7, 1), images=61, classes=5)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The summary of a synthetic run, made once each."""
    known = {}
    root = tmp_path_factory.mktemp("runs")

    def make(**options):
        key = json.dumps(options, sort_keys=True)
        if key not in known:
            known[key] = summarize(PlainRun(write_run(root / str(len(known)), Synthetic(**options))), replicates=200)
        return known[key]

    return make


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    return summarize(PlainRun(write_run(tmp_path_factory.mktemp("run") / "uneven", UNEVEN)), replicates=200)


@pytest.fixture(scope="module")
def four(made):
    return [
        made(heads=[3, 3, 3], model="vit_tiny"),
        made(heads=[12] * 12, model=LONG, seed=3, level=10.0),
        made(heads=[16] * 24, model="vit_large_patch14_clip_224.openai_ft_in12k_in1k", seed=5, classes=30, images=113),
        made(heads=[6] * 12, model="$cost$ <b>写真</b>", seed=9, missing=1, grid=(13, 5)),
    ]


def caption(figure):
    return figure.texts[0].get_text().replace("\n", " ")


def segments(collection):
    """(bars, 2 ends, x and y) of vlines or hlines."""
    return np.array(collection.get_segments())


# What the figures hold.


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


def test_mean_maps_are_drawn_as_they_are(summary, four):
    figure = maps_figure([summary])
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.images[0].get_array(), summary.maps[0].values)
    assert axes.images[0].get_clim() == (summary.maps[0].values.min(), summary.maps[0].values.max())
    assert axes.get_title(loc="left") == "vit_toy_patch16_224\n7 × 11 patches, 61 images"
    (bar,) = axes.child_axes
    assert [text.get_text() for text in bar.get_yticklabels()][-1] == f"{summary.maps[0].values.max():.2g}"
    heads = [four[1].maps[1].values.mean(0), *four[1].maps[1].values]
    figure = head_maps_figure(four[1])
    assert len(figure.axes) == 13
    for axes, values in zip(figure.axes, heads, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), values)
    assert {axes.images[0].get_clim() for axes in figure.axes[1:]} == {
        (0, heads[1:][np.argmax([h.max() for h in heads[1:]])].max())
    }
    assert figure.axes[0].images[0].get_clim() == (0, heads[0].max())
    assert [len(axes.child_axes) for axes in figure.axes] == [1, 1] + [0] * 11
    assert len(maps_figure(four, "heatmaps").axes) == 4


def test_many_grids_are_cut_to_the_commonest(summary):
    grids = tuple(MeanMap("rollout", "rollout", "", 20 - i, np.full((3, 3 + i), 0.5)) for i in range(11))
    figure = maps_figure([replace(summary, maps=grids)])
    assert len(figure.axes) == 8
    assert "Of each model the 8 grids with most images are shown." in caption(figure)
    _require_legible(figure)


def test_matrices_are_drawn_as_they_are(summary):
    (axes,) = alignment_figure([summary]).axes
    np.testing.assert_array_equal(axes.images[0].get_array(), summary.alignments[0].values)
    assert axes.images[0].get_clim() == (0, 1)
    assert axes.images[0].origin == "lower"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("layer", "layer")
    figure = head_matrices_figure(summary)
    values = summary.similarities[0].values
    for layer, (axes, heads) in enumerate(zip(figure.axes, UNEVEN.heads, strict=True)):
        np.testing.assert_array_equal(axes.images[0].get_array(), values[layer, :heads, :heads])
        assert axes.images[0].get_clim() == (0, np.nanmax(values))
    assert [len(axes.child_axes) for axes in figure.axes] == [0, 0, 0, 0, 1]
    (axes,) = similarity_figure([summary]).axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), summary.similarities[0].layers)


def test_classes_are_in_order_with_their_intervals(made):
    one = made(images=400, classes=47)
    classes = one.columns["distance"].classes
    (axes,) = classes_figure([one]).axes
    dots = np.asarray(axes.collections[1].get_offsets())
    order = np.argsort(classes.overall.mean)
    shown = np.concatenate([order[:10], order[-10:]])
    np.testing.assert_allclose(dots[:, 0], classes.overall.mean[shown])
    np.testing.assert_array_equal(dots[:, 1], [*range(10), *range(11, 21)])
    np.testing.assert_allclose(
        segments(axes.collections[0])[:, :, 0], np.stack([classes.overall.low, classes.overall.high], 1)[shown]
    )
    words = [text.get_text() for text in axes.get_yticklabels()]
    assert words[0] == f"{classes.labels[shown[0]]} ({classes.images[shown[0]]})"
    assert words[-1] == "… 27 more …"
    assert axes.lines[0].get_xdata()[0] == pytest.approx(float(one.columns["distance"].overall.mean))
    layer = draw_classes(Figure().subplots(), one.columns["distance"], layer=2)
    np.testing.assert_allclose(
        np.asarray(layer.collections[1].get_offsets())[:, 0],
        np.sort(classes.layers.mean[:, 2])[[*range(10), *range(-10, 0)]],
    )
    assert "heads of layer 2" in caption(classes_figure([one], layer=2))


def test_classes_of_few_images_are_left_out(summary):
    column = summary.columns["distance"]
    few = replace(column.classes, images=np.array([12, 5, 12, 6, 12]))  # half the median is 6
    axes = draw_classes(Figure().subplots(), replace(column, classes=few))
    words = [text.get_text() for text in axes.get_yticklabels()]
    assert sorted(words) == ["class 0 (12)", "class 2 (12)", "class 3 (6)", "class 4 (12)"]


def test_outermost_classes():
    np.testing.assert_array_equal(outermost(np.array([3.0, np.nan, 1, 2])), [2, 3, 0])
    assert outermost(np.arange(21.0)).tolist() == [*range(10), *range(11, 21)]


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


# Legible.


def _texts(figure):
    hidden = set()
    every = [*figure.axes, *(child for axes in figure.axes for child in axes.child_axes)]
    for axis in (axis for axes in every for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        slack = 1e-6 * (high - low)
        ticks = [tick for tick in axis.get_major_ticks() if not low - slack <= tick.get_loc() <= high + slack]
        hidden |= {text for tick in ticks for text in tick.findobj(Text)}
    found = figure.findobj(lambda artist: isinstance(artist, Text) and artist not in hidden)
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def _require_legible(figure):
    """No text covers another or leaves the page."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in _texts(figure)]
    assert len(boxes) > 2
    for text, box in boxes:
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert inside, text
    for (left, first), (right, second) in itertools.combinations(boxes, 2):
        apart = first.x1 <= second.x0 or second.x1 <= first.x0 or first.y1 <= second.y0 or second.y1 <= first.y0
        assert apart, (left, right)
    for axes in figure.axes:
        size = axes.get_window_extent(renderer)
        assert min(size.width, size.height) > 8


def test_figures_of_one_model_are_legible(summary, made):
    twelve = made(heads=[12] * 12, images=113, classes=30, grid=(14, 14), model=LONG, level=900.0)
    for plate in [*plates([summary]), *plates([twelve]), *plates([made(heads=[1], classes=0)])]:
        _require_legible(plate.draw())


def test_numbers_and_hexadecimal_digits_of_any_width_are_legible(made):
    """Narrow ranges have long ticks; weights' digits are wide."""
    models = [made(classes=47, images=400, weights=weights * 4) for weights in ("e5341f071cf4dd00", "7c7cd706f1c8dd00")]
    narrow = []
    for one in models:
        column = one.columns["distance"]
        part = replace(
            column.classes.overall,
            **{key: 33.1 + getattr(column.classes.overall, key) / 1e4 for key in ("mean", "low", "high")},
        )
        small = {key: (getattr(column.heads, key) - 90) / 1e3 for key in ("mean", "low", "high")}
        column = replace(column, heads=replace(column.heads, **small), classes=replace(column.classes, overall=part))
        narrow.append(replace(one, columns={"offset_x": replace(column, name="offset_x", uniform=None)}))
    for summaries in (models, narrow, narrow[:1]):
        for plate in plates(summaries):
            _require_legible(plate.draw())


def test_figures_of_four_models_are_legible(four):
    for plate in plates(four):
        _require_legible(plate.draw())
        _require_legible(plate.draw(caption=False))


def test_long_labels_are_shortened_and_letters_that_the_font_lacks_are_boxes(summary):
    classes = summary.columns["distance"].classes
    labels = ("写真", "x" * 300, "$\\frac{$", "two\nlines", "n02123045_tabby_cat")
    column = replace(summary.columns["distance"], classes=replace(classes, labels=labels))
    figure = classes_figure([replace(summary, columns={"distance": column})])
    words = {text.get_text().rpartition(" (")[0] for text in figure.axes[0].get_yticklabels()}
    assert words == {"□□", f"{'x' * 9}…{'x' * 11}", "$\\frac{$", "two\\nlines", "n02123045_tabby_cat"}
    _require_legible(figure)


def test_names_that_shortening_makes_alike_get_numbers(made):
    models = [made(model="a" * 50 + middle + "b" * 50) for middle in ("1", "2")]
    assert titles_of(models, 20)[0] == f"1: {'a' * 7}…{'b' * 9}"
    assert len(set(titles_of(models, 20))) == 2
    assert titles_of(models) != told_apart(models)


def test_the_same_figure_gives_the_same_file(summary, tmp_path):
    for suffix in ("png", "pdf", "svg"):
        files = [tmp_path / f"{i}.{suffix}" for i in (1, 2)]
        for file in files:
            save(depth_figure([summary]), str(file), dpi=60)
        assert files[0].read_bytes() == files[1].read_bytes()


def test_the_users_own_style_changes_nothing(four):
    expected = [png_of(plate.draw(), dpi=40) for plate in plates(four[:1])]
    with mpl.rc_context(
        {"axes.facecolor": "black", "text.usetex": True, "font.size": 30, "axes.prop_cycle": "cycler('color', 'r')"}
    ):
        assert [png_of(plate.draw(), dpi=40) for plate in plates(four[:1])] == expected


def test_colours_of_models_are_okabe_and_itos():
    assert [to_hex(colour).upper() for colour in MODEL_COLOURS[:4]] == ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]


# Tables and page.


def test_the_tidy_table(summary, tmp_path):
    write_table([summary, summary], tmp_path / "summary.csv")
    with (tmp_path / "summary.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == HEADER
    assert len(rows) == 2 * 4 * (1 + 5 + sum(UNEVEN.heads))
    column = summary.columns["distance"]
    find = {(row["model"], row["measure"], row["layer"], row["head"]): row for row in rows}
    head = find["vit_toy_patch16_224 (2)", "distance", "1", "4"]
    assert float(head["mean"]) == pytest.approx(column.heads.mean[1, 4], rel=1e-6)
    assert float(head["low"]) == pytest.approx(column.heads.low[1, 4], rel=1e-6)
    assert (head["images"], find["vit_toy_patch16_224 (1)", "entropy", "", ""]["images"]) == ("61", "61")
    assert float(find["vit_toy_patch16_224 (1)", "distance", "3", ""]["high"]) == pytest.approx(
        column.layers.high[3], rel=1e-6
    )
    assert ("vit_toy_patch16_224 (1)", "distance", "2", "2") not in find


def test_the_table_of_classes(summary, tmp_path):
    write_class_table([summary], tmp_path / "classes.csv")
    with (tmp_path / "classes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CLASS_HEADER
    assert len(rows) == 4 * 5 * (1 + 5 + sum(UNEVEN.heads))
    first = next(
        row
        for row in rows
        if (row["measure"], row["label"], row["layer"], row["head"]) == ("entropy", "class 3", "0", "2")
    )
    assert float(first["mean"]) == pytest.approx(summary.columns["entropy"].classes.heads[3, 0, 2], rel=1e-6)
    assert (first["low"], first["images"]) == ("", "12")


def test_the_json_of_all(summary, tmp_path):
    other = replace(summary, images_digest="0" * 64)
    write_json([summary, other], tmp_path / "summary.json")
    found = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert [model["title"] for model in found["models"]] == ["vit_toy_patch16_224 (1)", "vit_toy_patch16_224 (2)"]
    assert "different images" in found["reservations"][0]
    assert found["models"][0]["columns"]["distance"]["overall"]["mean"] == float(
        summary.columns["distance"].overall.mean
    )


class Tags(HTMLParser):
    """Tags, their attributes, and all text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open += [tag] if tag not in ("meta", "img") else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(page, "_DPI", 20)


@pytest.mark.usefixtures("quick")
def test_the_page_holds_everything_and_nothing_from_elsewhere(four, tmp_path):
    page.write_page(four, tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text("utf-8")
    parsed = Tags(text)
    assert not parsed.open
    words = " ".join(" ".join(parsed.words).split())
    assert not {"script", "link", "iframe", "b"} & {tag for tag, _ in parsed.tags}
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    assert not [attrs for _, attrs in parsed.tags if "style" in attrs or any(name.startswith("on") for name in attrs)]
    policy = next(attrs["content"] for tag, attrs in parsed.tags if "http-equiv" in attrs)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    made = plates(four)
    assert sum(tag == "img" for tag, _ in parsed.tags) == len(made)
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(set(ids)) == len(ids)
    targets = {attrs["href"].removeprefix("#") for tag, attrs in parsed.tags if tag == "a"}
    assert targets <= set(ids)
    for plate in made:
        assert plate.name in ids
        assert plate.draw(caption=False).get_label() in words
    assert "$cost$ <b>写真</b>" in words
    for expected in (
        "4 models compared",
        "61 of set0/, 2 failed",
        "unfinished: 3 of 4 shards",
        "different images",
        "0123456789abcdef" * 4,
    ):
        assert expected in words


@pytest.mark.usefixtures("quick")
def test_the_pages_numbers_are_the_summarys(summary):
    text = "".join(page.page_parts([summary]))
    column = summary.columns["distance"]
    for estimate, at in ((column.overall, ()), (column.layers, 3), (column.heads, (1, 4))):
        mean, low, high = (f"{float(part[at]):#.4g}" for part in (estimate.mean, estimate.low, estimate.high))
        assert f'<td class="number">{mean}<small>{low} to {high}</small></td>' in text
    assert text.count("<details>") == 2 * 4
    assert "every class" in text
    assert "<h1>vit_toy_patch16_224: a survey</h1>" in text
    assert 'class="beware"' not in text


@pytest.mark.usefixtures("quick")
def test_hostile_names_stay_text(made):
    hostile = made(model="<script>alert(1)</script>\"'&", heads=[2, 2])
    column = hostile.columns["distance"]
    labels = tuple(f"<img src=x onerror=alert({i})>" for i in range(5))
    column = replace(column, name="<i>", convention="<svg onload=x>", classes=replace(column.classes, labels=labels))
    settings = {**hostile.settings, "source": {"name": '"><script>'}}
    one = replace(hostile, columns={"distance": column}, settings=settings)
    for summaries in ([one], [one, one]):
        parsed = Tags("".join(page.page_parts(summaries)))
        assert not {"script", "i", "svg"} & {tag for tag, _ in parsed.tags}
        assert all(attrs["src"].startswith("data:image/png") for tag, attrs in parsed.tags if tag == "img")
        assert not parsed.open


def test_pictures_have_the_width_of_a_page(four):
    for plate in plates(four):
        image = mpl.image.imread(io.BytesIO(png_of(plate.draw(), dpi=50)))
        assert image.shape[1] == 360
        assert 40 < image.shape[0] < 900
