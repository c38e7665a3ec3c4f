"""Figures of surveys: legible whatever the models, the same every time."""

from dataclasses import replace

import matplotlib as mpl
from matplotlib.colors import to_hex

from comparison.legible import require_legible
from survey_runs import LONG
from vitscope.render.style import png_of, save
from vitscope.render.surveys.classes import classes_figure
from vitscope.render.surveys.depth import depth_figure
from vitscope.render.surveys.plates import plates
from vitscope.render.surveys.sheets import MODEL_COLOURS
from vitscope.render.surveys.telling import told_apart
from vitscope.render.surveys.words import titles_of


def test_figures_of_one_model_are_legible(summary, made):
    twelve = made(heads=[12] * 12, images=331, classes=30, grid=(14, 14), model=LONG, level=900.0)
    for plate in [*plates([summary]), *plates([twelve]), *plates([made(heads=[1], classes=0)])]:
        require_legible(plate.draw())


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
            require_legible(plate.draw())


def test_figures_of_four_models_are_legible(four):
    for plate in plates(four):
        require_legible(plate.draw())
        require_legible(plate.draw(caption=False))


def test_long_labels_are_shortened_and_letters_that_the_font_lacks_are_boxes(summary):
    classes = summary.columns["distance"].classes
    labels = ("写真", "x" * 300, "$\\frac{$", "two\nlines", "n02123045_tabby_cat")
    column = replace(summary.columns["distance"], classes=replace(classes, labels=labels))
    figure = classes_figure([replace(summary, columns={"distance": column})])
    words = {text.get_text().rpartition(" (")[0] for text in figure.axes[0].get_yticklabels()}
    assert words == {"□□", f"{'x' * 9}…{'x' * 11}", "$\\frac{$", "two\\nlines", "n02123045_tabby_cat"}
    require_legible(figure)


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
