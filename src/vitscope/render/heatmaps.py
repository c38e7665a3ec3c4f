"""Attention heatmaps as a figure: the picture, every head, their mean, with and without the mass mask."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from vitscope.errors import ArgumentError
from vitscope.look import Look, Shown
from vitscope.measures.heatmaps import top_mass
from vitscope.measures.query import Query
from vitscope.render.overlay import colour_bar, draw_mask, draw_overlay
from vitscope.render.panels import Sheet, draw_original, draw_seen, image_of, provenance, sheet
from vitscope.render.style import COLOUR_MAP, ReadyFigure, styled


@styled
def heatmaps_figure(
    look: Look,
    *,
    image: int = 0,
    layer: int | str = -1,
    query: Query = None,
    mass: float | None = 0.6,
    smooth: bool = False,
    cmap: str = COLOUR_MAP,
) -> ReadyFigure:
    """All heads of a layer on one scale; `mass` adds, below each, the patches that hold that much of it."""
    shown = image_of(look, image)
    maps = look.heatmaps(layer, query)
    heads = np.asarray(maps[image])  # (heads, rows, columns)
    scale = Normalize(0, float(heads.max()))
    caption = _caption(look, maps.convention, mass, smooth, provenance(look, shown, query))
    page = sheet(shown, len(heads), caption, rows_each=1 if mass is None else 2)
    draw_original(page.overview_axes(0), shown)
    draw_seen(page.overview_axes(1), look, shown, query)
    _draw_mean(page, look, shown, heads.mean(0), mass, smooth, cmap)
    for head, values in enumerate(heads):
        axes = page.map_axes(head)
        draw_overlay(axes, shown, look.layout, values, scale, smooth=smooth, cmap=cmap)
        axes.set_title(_amounts(f"head {head}", values, bool(look.layout.prefix)), loc="left")
        if mass is not None:
            _draw_mask(page.map_axes(head, below=1), look, shown, values, mass)
    colour_bar(page.figure, page.map_bar(), scale, "weight,\neach head", cmap)
    return page.figure


@styled
def draw_heatmap(
    axes: Axes,
    look: Look,
    *,
    image: int = 0,
    layer: int | str = -1,
    head: int | None = None,
    query: Query = None,
    smooth: bool = False,
    cmap: str = COLOUR_MAP,
) -> Axes:
    """One head, or the mean over heads, on axes of the caller's."""
    shown = image_of(look, image)
    maps = look.heatmaps(layer, query)
    heads = maps.shape[1]
    if head is not None and not -heads <= head < heads:
        raise ArgumentError(f"head {head} does not exist: the layer has {heads}, from 0")
    values = np.asarray(maps[image].mean(0) if head is None else maps[image, head])
    scale = Normalize(0, float(values.max()))
    draw_overlay(axes, shown, look.layout, values, scale, smooth=smooth, cmap=cmap)
    which = f"mean of {heads} heads" if head is None else f"head {head % heads}"
    axes.set_title(f"{which}, 0 to {values.max():.3g}", loc="left")
    return axes


def _draw_mean(
    page: Sheet, look: Look, shown: Shown, mean: np.ndarray, mass: float | None, smooth: bool, cmap: str
) -> None:
    """Mean over heads and its mask."""
    scale = Normalize(0, float(mean.max()))
    axes = page.overview_axes(2)
    draw_overlay(axes, shown, look.layout, mean, scale, smooth=smooth, cmap=cmap)
    axes.set_title(_amounts("mean of heads", mean, bool(look.layout.prefix)), loc="left")
    if mass is None:
        colour_bar(page.figure, page.overview_bar(3, in_place=True), scale, "weight,\nmean", cmap)
        return
    colour_bar(page.figure, page.overview_bar(2), scale, "weight,\nmean", cmap)
    _draw_mask(page.overview_axes(3), look, shown, mean, mass)


def _draw_mask(axes: Axes, look: Look, shown: Shown, values: np.ndarray, mass: float) -> None:
    mask = top_mass(values, mass)
    draw_mask(axes, shown, look.layout, mask)
    axes.set_title(f"{mass:.0%} of the mass in\n{mask.sum()} of {mask.size} patches", loc="left")


def _amounts(name: str, values: np.ndarray, has_prefix: bool) -> str:
    """What the query gives to prefix tokens, all that is not on the patches, and the largest weight."""
    prefix = f", prefix {max(1 - values.sum(), 0):.0%}" if has_prefix else ""
    return f"{name}{prefix}\nmax {values.max():.3g}"


def _caption(look: Look, convention: str, mass: float | None, smooth: bool, ending: str) -> str:
    parts = [f"{convention[0].upper()}{convention[1:]}. All heads share one scale; their mean has its own."]
    if look.layout.prefix:
        parts.append(f"Prefix: the weight given to prefix tokens ({', '.join(look.layout.prefix)}).")
    if mass is not None:
        parts.append(f"Masks: per map, the smallest set of patches with {mass:.0%} of its mass over the patches.")
    if smooth:
        parts.append("Smoothed by bicubic interpolation between patches.")
    return " ".join([*parts, ending])
