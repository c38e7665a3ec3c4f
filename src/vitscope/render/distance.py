"""Mean attention distance as figures: by depth, a dot a head (Dosovitskiy et al. 2020, Fig. 7 right), and
sorted heads layer by layer (Raghu et al. 2021, Fig. 3)."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from vitscope.look import Look
from vitscope.measures.distance import DistanceUnit, uniform_distance
from vitscope.measures.uniform import uniform_layers
from vitscope.render.panels import provenance
from vitscope.render.style import COLOUR_MAP, FAINT, WIDTH, ReadyFigure, caption_height, shorten, styled, write_caption

_UNITS: dict[DistanceUnit, str] = {
    "pixels": "pixels of the input",
    "patches": "patches",
    "diagonal": "fraction of the diagonal",
    "unit_square": "unit square",
}
_PLOT_HEIGHT = 2.9  # inches
_LAST_COLOUR = 0.9  # of the colour map: the rest is too pale for dots on white


@styled
def distance_figure(look: Look, *, rescale: bool = False, unit: DistanceUnit = "pixels") -> ReadyFigure:
    """Both plots side by side, averaged over the look's images."""
    distances = look.mean_attention_distance(rescale, unit)
    convention = distances.convention
    names = look.images
    images = f"image {shorten(names[0], 80)}" if len(names) == 1 else f"mean over {len(names)} images"
    caption = (
        f"{convention[0].upper()}{convention[1:]}; {images}, input {look.layout.image_size[0]} × "
        f"{look.layout.image_size[1]} px. {provenance(look)}"
    )
    foot = caption_height(caption) + 0.5
    figure = ReadyFigure(figsize=(WIDTH, _PLOT_HEIGHT + foot + 0.4))
    height = figure.get_size_inches()[1]
    left, right = (figure.add_axes((x / WIDTH, foot / height, 2.7 / WIDTH, _PLOT_HEIGHT / height)) for x in (0.6, 3.8))
    draw_distance(left, look, rescale=rescale, unit=unit)
    draw_sorted_distance(right, look, rescale=rescale, unit=unit)
    right.set_ylabel("")
    if len(look.layers) > 1:
        _layer_bar(figure, figure.add_axes((6.7 / WIDTH, foot / height, 0.1 / WIDTH, _PLOT_HEIGHT / height)), look)
    write_caption(figure, caption)
    return figure


@styled
def draw_distance(axes: Axes, look: Look, *, rescale: bool = False, unit: DistanceUnit = "pixels") -> Axes:
    """Distance by depth on axes of the caller's: a dot a head, a line through the layers' means."""
    heads = np.asarray(look.mean_attention_distance(rescale, unit)).mean(axis=0)  # (layers, heads)
    for layer, values in enumerate(heads):
        axes.scatter(
            np.full(len(values), layer), values, s=16, color=_colour(layer, len(heads)), alpha=0.85, linewidths=0
        )
    axes.plot(range(len(heads)), np.nanmean(heads, axis=1), color=FAINT, linewidth=1, zorder=0.8)
    axes.set_xlabel("layer")
    axes.set_title("by depth\na dot a head, line: mean, dashed: uniform attention", loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _finish(axes, look, heads, rescale, unit, by_layer=True)
    return axes


@styled
def draw_sorted_distance(axes: Axes, look: Look, *, rescale: bool = False, unit: DistanceUnit = "pixels") -> Axes:
    """Heads sorted by distance, a line a layer, on axes of the caller's."""
    heads = np.sort(np.asarray(look.mean_attention_distance(rescale, unit)).mean(axis=0), axis=1)  # NaN sorts last
    ranks = np.arange(1, heads.shape[1] + 1)
    for layer, values in enumerate(heads):
        axes.plot(ranks, values, color=_colour(layer, len(heads)), marker="o", markersize=3, linewidth=1.2)
    axes.set_xlabel("heads, sorted by distance")
    dashed = ", dashed: uniform attention" if len(set(_uniform(look, rescale, unit))) == 1 else ""
    axes.set_title(f"sorted heads\na line a layer{dashed}", loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _finish(axes, look, heads, rescale, unit, by_layer=False)
    return axes


def _layer_bar(figure: ReadyFigure, axes: Axes, look: Look) -> None:
    """Which colour stands for which layer."""
    last = len(look.layers) - 1
    bar: Any = figure.colorbar(ScalarMappable(Normalize(0, last / _LAST_COLOUR), COLOUR_MAP), cax=axes)
    bar.set_label("layer")
    bar.outline.set_visible(False)
    axes.set_ylim(0, last)
    axes.tick_params(length=2)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _finish(axes: Axes, look: Look, heads: np.ndarray, rescale: bool, unit: DistanceUnit, *, by_layer: bool) -> None:
    """Axis from 0, label with the unit, and the distance that uniform attention would have."""
    expected = _uniform(look, rescale, unit)
    axes.set_ylim(0, 1.08 * max(float(np.nanmax(heads)), *expected) or 1)  # one patch alone: all distances are 0
    line: dict[str, Any] = {"color": FAINT, "linewidth": 0.8, "linestyle": (0, (4, 3)), "zorder": 0.8}
    if len(set(expected)) == 1:
        axes.axhline(expected[0], **line)
    elif by_layer:
        axes.stairs(expected, np.arange(len(expected) + 1) - 0.5, baseline=None, **line)
    axes.set_ylabel(f"mean attention distance ({_UNITS[unit]})")
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def _uniform(look: Look, rescale: bool, unit: DistanceUnit) -> list[float]:
    """What uniform attention would have, layer by layer; within its window, where a layer has such."""
    layout = look.layout
    per_pixel = uniform_distance(layout, rescale, unit) / (uniform_distance(layout, rescale) or 1)
    layers = uniform_layers(look.attention_seen)
    return [(layer.rescaled_distance if rescale else layer.distance) * per_pixel for layer in layers]


def _colour(layer: int, layers: int) -> tuple[float, ...]:
    return mpl.colormaps[COLOUR_MAP](_LAST_COLOUR * layer / max(layers - 1, 1))
