"""Attention heatmaps as a figure: the picture, every head, their mean, with and without the mass mask."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from vitscope.errors import ArgumentError
from vitscope.look import Look
from vitscope.measures.heatmaps import top_mass
from vitscope.measures.query import Query
from vitscope.render.overlay import colour_bar, draw_mask, draw_overlay
from vitscope.render.panels import Sheet, draw_original, draw_seen, provenance, sheet
from vitscope.render.style import COLOUR_MAP, ReadyFigure, styled

_COLUMNS = 6


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
    maps = look.heatmaps(layer, query)
    heads = np.asarray(maps[image])  # (heads, rows, columns)
    outside = 1 - heads.sum((1, 2))  # (heads,): what the query gives to prefix tokens
    scale = Normalize(0, float(heads.max()))
    shown, layout = look.shown[image], look.layout
    every = 1 if mass is None else 2  # rows of panels for each row of heads
    chunks = -(-len(heads) // _COLUMNS)
    columns = max(4, min(_COLUMNS, len(heads)))
    page = sheet(
        chunks * every, columns, shown.seen.height / shown.seen.width, _caption(look, maps.convention, mass, smooth)
    )
    _draw_header(page, look, image, heads.mean(0), mass, smooth, cmap)
    for head, values in enumerate(heads):
        row, column = 1 + every * (head // _COLUMNS), head % _COLUMNS
        axes = page.axes(row, column)
        draw_overlay(axes, shown, layout, values, scale, smooth=smooth, cmap=cmap)
        axes.set_title(f"head {head}\n{_amounts(values, outside[head], bool(layout.prefix))}", loc="left")
        if mass is not None:
            _draw_mask(page.axes(row + 1, column), look, image, values, mass)
    colour_bar(page.figure, page.bar(1), scale, "weight, each head", cmap)
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
    maps = look.heatmaps(layer, query)
    heads = maps.shape[1]
    if head is not None and not -heads <= head < heads:
        raise ArgumentError(f"head {head} does not exist: the layer has {heads}, from 0")
    values = np.asarray(maps[image].mean(0) if head is None else maps[image, head])
    scale = Normalize(0, float(values.max()))
    draw_overlay(axes, look.shown[image], look.layout, values, scale, smooth=smooth, cmap=cmap)
    which = f"mean of {heads} heads" if head is None else f"head {head % heads}"
    axes.set_title(f"{which}, 0 to {values.max():.3g}", loc="left")
    return axes


def _draw_header(
    page: Sheet,
    look: Look,
    image: int,
    mean: np.ndarray,
    mass: float | None,
    smooth: bool,
    cmap: str,
) -> None:
    """Original, input, mean over heads and the mean's mask."""
    shown, scale = look.shown[image], Normalize(0, float(mean.max()))
    draw_original(page.axes(0, 0), shown)
    draw_seen(page.axes(0, 1), shown)
    axes = page.axes(0, 2)
    draw_overlay(axes, shown, look.layout, mean, scale, smooth=smooth, cmap=cmap)
    axes.set_title(f"mean of heads\n{_amounts(mean, 1 - mean.sum(), bool(look.layout.prefix))}", loc="left")
    colour_bar(page.figure, page.bar(0, None if mass is not None else 3), scale, "mean of heads", cmap)
    if mass is not None:
        _draw_mask(page.axes(0, 3), look, image, mean, mass)


def _draw_mask(axes: Axes, look: Look, image: int, values: np.ndarray, mass: float) -> None:
    mask = top_mass(values, mass)
    draw_mask(axes, look.shown[image], look.layout, mask)
    axes.set_title(f"{mass:.0%} of the mass in\n{mask.sum()} of {mask.size} patches", loc="left")


def _amounts(values: np.ndarray, outside: float, has_prefix: bool) -> str:
    largest = f"max {values.max():.3f}"
    return f"{largest}, prefix {max(outside, 0):.0%}" if has_prefix else largest


def _caption(look: Look, convention: str, mass: float | None, smooth: bool) -> str:
    parts = [f"{convention[0].upper()}{convention[1:]}. All heads share one scale; their mean has its own."]
    if look.layout.prefix:
        parts.append(f"Prefix: the weight given to prefix tokens ({', '.join(look.layout.prefix)}).")
    if mass is not None:
        parts.append(f"Masks: per map, the smallest set of patches with {mass:.0%} of its mass over the patches.")
    if smooth:
        parts.append("Smoothed by bicubic interpolation between patches.")
    return " ".join([*parts, provenance(look)])
