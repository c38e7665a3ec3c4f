"""Figures stay legible: whatever the picture's shape and name, no text covers another or leaves the page."""

import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import timm
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

import vitscope
from toys import ToyViT
from vitscope import Transform
from vitscope.render.style import save


def picture(height=30, width=41, name="photo.png"):
    array = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return vitscope.open_picture(array, name=name)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return ToyViT(depth=3).eval()


@pytest.fixture(scope="module")
def look(model):
    return vitscope.wrap(model, TRANSFORM).look(picture())


TRANSFORM = Transform(size=(24, 24), resize=24, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))


@pytest.fixture(scope="module")
def large():
    """12 heads, 7 layers, a class token and 4 registers, whole pictures."""
    sizes = {"embed_dim": 24, "depth": 7, "num_heads": 12, "img_size": 48, "patch_size": 4}
    options = {"num_classes": 5, "dynamic_img_size": True, "reg_tokens": 4}
    model = timm.create_model("vit_tiny_patch16_224", **sizes, **options).eval()
    transform = Transform(size=(48, 48), resize=48, mean=(0.5,) * 3, std=(0.5,) * 3)
    return vitscope.wrap(model, transform.whole((4, 4)))


def texts(figure):
    """Every text that is drawn: ticks outside the axes' range are not."""
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        slack = 1e-6 * (high - low)
        ticks = [tick for tick in axis.get_major_ticks() if not low - slack <= tick.get_loc() <= high + slack]
        hidden |= {text for tick in ticks for text in tick.findobj(Text)}
    found = figure.findobj(lambda artist: isinstance(artist, Text) and artist not in hidden)
    return [text for text in found if text.get_visible() and text.get_text().strip()]


@pytest.mark.parametrize(
    ("height", "width"),
    [(40, 40), (64, 43), (9, 16), (20, 160), (160, 20), (1, 20000), (20000, 1)],
)
@pytest.mark.parametrize("name", ["heatmaps", "rollout", "summary"])
def test_no_text_covers_another_or_leaves_the_page(large, height, width, name):
    _require_legible(getattr(large.look(picture(height, width, "a rather long name of a picture.jpeg")).plot, name)())


def test_distances_are_legible(large, look):
    for one in (large.look(picture(40, 40)), look):
        _require_legible(one.plot.distance())
        _require_legible(one.plot.sorted_distance(rescale=True, unit="unit_square"))


def _require_legible(figure):
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts(figure)]
    assert len(boxes) > 3
    page = figure.bbox
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= page.x1, text
        assert box.y1 <= page.y1, text
    for (left, first), (right, second) in itertools.combinations(boxes, 2):
        apart = first.x1 <= second.x0 or second.x1 <= first.x0 or first.y1 <= second.y0 or second.y1 <= first.y0
        assert apart, (left, right)
    for axes in figure.axes:  # pictures can be seen
        size = axes.get_window_extent(renderer)
        assert min(size.width, size.height) > 8


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cost $5 or $6.jpg", "cost $5 or $6.jpg"),
        ("$\\frac{$.jpg", "$\\frac{$.jpg"),
        ("two\nlines.jpg", "two\\nlines.jpg"),
        ("<script>alert(1)</script>", "<script>al…1)</script>"),
        ("x" * 4000, "xxxxxxxxxx…xxxxxxxxxxx"),
        ("写真 été.jpg", "□□ été.jpg"),  # the figures' font has no such letters
    ],
)
def test_names_are_drawn_as_they_are(model, name, shown, tmp_path):
    look = vitscope.wrap(model, TRANSFORM).look(picture(name=name))
    figure = look.plot.summary()
    assert figure.axes[0].get_title(loc="left").splitlines()[0] == shown
    _require_legible(figure)
    _require_legible(look.plot.distance())
    save(look.plot.distance(), str(tmp_path / "distance.svg"))
    root = ElementTree.parse(tmp_path / "distance.svg").getroot()
    assert not [element for element in root.iter() if element.tag.endswith("script")]
