"""Figures: legible whatever the shape, true to the numbers, the same every time, and theirs alone."""

import io
import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

import vitscope
from toys import ToyViT
from vitscope import Transform, top_mass
from vitscope.errors import ArgumentError
from vitscope.render.style import png_of, save

TRANSFORM = Transform(size=(24, 24), resize=24, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
FIGURES = ("heatmaps", "rollout", "distance", "sorted_distance", "summary")


def picture(height=30, width=41, name="photo.png", seed=0):
    array = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return vitscope.open_picture(array, name=name)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return ToyViT(depth=3).eval()


@pytest.fixture(scope="module")
def look(model):
    return vitscope.wrap(model, TRANSFORM).look(picture())


def opened(figure):
    image = Image.open(io.BytesIO(png_of(figure)))
    image.load()
    return image


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def panel(figure, start):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(start))


def overlay(axes):
    """The map's colours: (rows, columns, 4). The picture lies beneath."""
    return np.asarray(axes.images[1].get_array())


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_opens_and_is_the_same_twice(look, name):
    image = opened(getattr(look.plot, name)())
    assert image.width == 792  # 7.2 inches at 110 dots an inch
    assert 150 < image.height < 1200
    assert len(np.unique(np.asarray(image.convert("L")))) > 50
    assert png_of(getattr(look.plot, name)()) == png_of(getattr(look.plot, name)())


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("suffix", ["pdf", "svg"])
def test_vector_formats_are_the_same_twice(look, name, suffix, tmp_path):
    files = [tmp_path / f"{i}.{suffix}" for i in (1, 2)]
    for file in files:
        save(getattr(look.plot, name)(), str(file), dpi=60)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].stat().st_size > 5000


@pytest.mark.parametrize("scope", ["bundled", "whole"])
@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1)])
def test_extreme_pictures_are_drawn_cropped_and_whole(request, scope, size):
    look = request.getfixturevalue(scope).look(picture(*size))
    assert opened(look.plot.summary()).width == 792
    caption = look.plot.summary().texts[0].get_text().replace("\n", " ")
    assert ("too oblong to be drawn to scale" in caption) == (scope == "whole" and max(size) > 1)


def test_heatmaps_are_the_measured_ones(look):
    maps = np.asarray(look.heatmaps(1, (2, 3)))[0]  # (heads, rows, columns)
    figure = look.plot.heatmaps(layer=1, query=(2, 3), mass=0.4)
    masses = [title for title in titles(figure) if title.startswith("40% of the mass")]
    masks = [top_mass(values, 0.4) for values in (maps.mean(0), *maps)]
    assert masses == [f"40% of the mass in\n{mask.sum()} of 36 patches" for mask in masks]
    for head, values in enumerate(maps):
        axes = panel(figure, f"head {head}")
        prefix = 1 - values.sum()
        assert axes.get_title(loc="left") == f"head {head}, prefix {prefix:.0%}\nmax {values.max():.3g}"
        share = values / maps.max()  # all heads share one scale
        expected = mpl.colormaps["viridis"](share)
        np.testing.assert_allclose(overlay(axes)[..., :3], expected[..., :3], atol=1e-6)
        np.testing.assert_allclose(overlay(axes)[..., 3], 0.92 * share**0.6, atol=1e-5)
    bars = {axes.get_title(loc="left"): axes.get_ylim() for axes in figure.axes if not axes.images}
    assert bars["weight,\neach head"] == pytest.approx((0, maps.max()))
    assert bars["weight,\nmean"] == pytest.approx((0, maps.mean(0).max()))
    caption = figure.texts[0].get_text().replace("\n", " ")
    assert "patch (row 2, column 3) in layer 1 (layers.1)" in caption
    assert "with 40% of its mass" in caption
    assert "Model: ToyViT" in caption
    assert "boxed in the model's input" in caption
    boxes = panel(figure, "model's input").patches
    assert {box.get_bbox().bounds for box in boxes} == {(12, 8, 4, 4)}  # patches of 4 px
    assert not panel(look.plot.heatmaps(), "model's input").patches


def test_masks_show_the_picture_inside_and_a_ghost_outside(model):
    look = vitscope.wrap(model, TRANSFORM).look(picture(48, 48))
    mask = top_mass(look.heatmaps()[0, 1], 0.6)
    figure = look.plot.heatmaps()
    above = panel(figure, "head 1")
    axes = figure.axes[figure.axes.index(above) + 1]
    drawn, grey = (np.asarray(one.images[0].get_array()).astype(int) for one in (axes, above))  # (48, 48, 3)
    ghost = np.abs(drawn - (255 - (255 - grey) * 0.25)).max(-1) <= 1
    np.testing.assert_array_equal(ghost, ~np.kron(mask, np.ones((8, 8), bool)))
    edges = sum(np.abs(np.diff(np.pad(mask, 1).astype(int), axis=axis)).sum() for axis in (0, 1))
    assert len(axes.collections[0].get_segments()) == edges


def test_without_a_mass_there_are_no_masks(look):
    assert not [title for title in titles(look.plot.heatmaps(mass=None)) if "of the mass" in title]


def test_rollouts_are_the_measured_ones(look):
    trail = np.asarray(look.rollout_by_start_layer("max", 0.1, "mean"))[0]  # (layers, rows, columns)
    figure = look.plot.rollout(fusion="max", discard=0.1, query="mean", cmap="cividis")
    for start, name in enumerate(("layers 0–2", "layers 1–2", "layer 2")):
        values, axes = trail[start], panel(figure, name)
        assert axes.get_title(loc="left") == f"{name}\n{values.min():.2g} to {values.max():.2g}"
        share = (values - values.min()) / (values.max() - values.min())
        np.testing.assert_allclose(overlay(axes)[..., :3], mpl.colormaps["cividis"](share)[..., :3], atol=1e-2)
    bar = panel(figure, "rollout weight")
    assert bar.get_ylim() == pytest.approx((trail[0].min(), trail[0].max()))
    assert "max over heads, lowest 10% of each layer discarded" in figure.texts[0].get_text().replace("\n", " ")


def test_distances_are_the_measured_ones(look):
    distances = np.asarray(look.mean_attention_distance(True, "patches"))[0]  # (layers, heads)
    figure = look.plot.distance(rescale=True, unit="patches")
    depth, ranked = figure.axes[:2]
    dots = np.concatenate([np.asarray(dots.get_offsets()) for dots in depth.collections])
    np.testing.assert_allclose(dots[:, 0], np.repeat(range(3), 3))
    np.testing.assert_allclose(dots[:, 1], distances.ravel(), rtol=1e-6)
    np.testing.assert_allclose(depth.lines[0].get_ydata(), distances.mean(1), rtol=1e-6)
    for line, values in zip(ranked.lines[:3], distances, strict=True):
        np.testing.assert_allclose(line.get_ydata(), np.sort(values), rtol=1e-6)
    steps = itertools.product(range(-5, 6), repeat=2)  # closed form of conventions.md, 6 × 6 patches
    uniform = sum((6 - abs(dy)) * (6 - abs(dx)) * math.hypot(dx, dy) for dy, dx in steps) / 6**4
    assert depth.lines[1].get_ydata()[0] == pytest.approx(uniform)
    assert depth.get_ylabel() == "mean attention distance (patches)"
    assert "rows rescaled to 1 over the patches" in figure.texts[0].get_text().replace("\n", " ")


def test_smooth_maps_go_through_the_patches_values(look):
    flat, smooth = (overlay(panel(look.plot.heatmaps(smooth=s), "head 0"))[..., 3] for s in (False, True))
    assert flat.shape == (6, 6)
    assert smooth.shape == (640, 640)
    centres = (np.arange(6) + 0.5) * 640 / 6
    np.testing.assert_allclose(smooth[np.ix_(centres.astype(int), centres.astype(int))], flat, atol=0.02)
    assert "Smoothed by bicubic" in look.plot.rollout(smooth=True).texts[0].get_text().replace("\n", " ")


def test_the_original_is_dim_where_the_model_saw_nothing(bundled):
    white = vitscope.open_picture(np.full((900, 1800, 3), 200, np.uint8), name="grey.png")
    axes = bundled.look(white).plot.heatmaps().axes[0]
    drawn = np.asarray(axes.images[0].get_array())
    assert drawn.shape == (320, 640, 3)  # no more than can be seen
    assert axes.get_xlim() == (0, 1800)
    assert set(drawn[:, 165:475].ravel()) == {200}  # the middle square
    assert set(drawn[:, [0, 155, 485, 639]].ravel()) == {133}
    assert axes.patches[0].get_bbox().bounds == pytest.approx((450, 0, 900, 900))


def test_padding_is_shown_as_the_model_saw_it(model):
    transform = Transform(size=(24, 24), resize=16, mean=(0.5,) * 3, std=(0.2,) * 3)
    look = vitscope.wrap(model, transform).look(picture(16, 16))
    beneath = np.asarray(panel(look.plot.heatmaps(), "head 0").images[0].get_array())
    assert not beneath[:4].any()
    assert beneath[4:20, 4:20].any()


@pytest.mark.parametrize(
    ("name", "options", "title"),
    [
        ("heatmaps", {"head": 2, "layer": 0}, "head 2, 0 to {:.3g}"),
        ("heatmaps", {}, "mean of 3 heads, 0 to {:.3g}"),
        ("rollout", {"start_layer": 1}, "rollout, {:.2g} to {:.2g}"),
        ("distance", {}, "by depth"),
        ("sorted_distance", {}, "sorted heads"),
    ],
)
def test_axes_of_the_caller_are_drawn_on_and_nothing_else_is_touched(look, name, options, title):
    figure = Figure(figsize=(3, 3))
    mine, other = figure.subplots(1, 2)
    before, texts_before = dict(mpl.rcParams), len(figure.texts)
    assert getattr(look.plot, name)(ax=mine, **options) is mine
    assert dict(mpl.rcParams) == before
    assert not other.has_data()
    assert len(figure.axes) == 2
    assert len(figure.texts) == texts_before
    values = {
        "heatmaps": look.heatmaps(0)[0, 2] if options else look.heatmaps()[0].mean(0),
        "rollout": look.rollout(start_layer=1)[0],
    }.get(name)
    numbers = () if values is None else (values.max(),) if name == "heatmaps" else (values.min(), values.max())
    assert mine.get_title(loc="left").startswith(title.format(*numbers))


def test_the_users_own_style_changes_nothing(look):
    expected = png_of(look.plot.distance())
    with mpl.rc_context({"axes.facecolor": "black", "text.usetex": True, "font.size": 30, "savefig.bbox": "tight"}):
        assert png_of(look.plot.distance()) == expected
        assert mpl.rcParams["text.usetex"]


def test_threads_leave_the_settings_as_they_were(look):
    before = dict(mpl.rcParams)
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: png_of(look.plot.distance(), dpi=40), range(8)))) == 1
    assert dict(mpl.rcParams) == before


def test_one_of_several_images_is_drawn_by_its_number(model):
    look = vitscope.wrap(model, TRANSFORM).look([picture(seed=1), picture(seed=2)])
    figure = look.plot.heatmaps(image=1)
    values = np.asarray(look.heatmaps())[1, 0]
    assert f"max {values.max():.3g}" in panel(figure, "head 0").get_title(loc="left")
    assert "mean over 2 images" in look.plot.distance().texts[0].get_text()
    for draw in (look.plot.heatmaps, look.plot.rollout, look.plot.summary):
        with pytest.raises(ArgumentError, match="image 2 does not exist: the look has 2, from 0"):
            draw(image=2)
    with pytest.raises(ArgumentError, match="head 3 does not exist: the layer has 3"):
        look.plot.heatmaps(ax=Figure().subplots(), head=3)


def test_one_patch_alone_is_drawn(model):
    look = vitscope.wrap(ToyViT(depth=1).eval()).look(torch.randn(1, 3, 4, 4))
    for name in FIGURES:
        assert opened(getattr(look.plot, name)()).width == 792


def test_a_note_on_the_picture_is_in_the_caption(model):
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "blue")]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    look = vitscope.wrap(model, TRANSFORM).look(stream.getvalue())
    for name in ("heatmaps", "rollout", "summary"):
        assert "Picture: first of 2 frames." in getattr(look.plot, name)().texts[0].get_text().replace("\n", " ")


def test_a_look_shows_itself_in_a_notebook(look):
    assert look._repr_png_() == look.plot.png() == png_of(look.plot.summary())
    assert look.plot.rollout()._repr_png_().startswith(b"\x89PNG")
