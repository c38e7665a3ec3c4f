"""Attention heatmaps as a figure: the picture, every head, their mean, with and without the mass mask."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from vitscope.errors import ArgumentError
from vitscope.layout import Layout
from vitscope.look import Look, Shown
from vitscope.measures.heatmaps import top_mass
from vitscope.measures.query import Query
from vitscope.render.lattices import map_lattice, query_lattice, window_of
from vitscope.render.overlay import colour_bar, draw_mask, draw_overlay, draw_window
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
    maps, lattice = look.heatmaps(layer, query), map_lattice(look, layer, query)
    heads = np.asarray(maps[image])  # (heads, rows, columns)
    scale = Normalize(0, max(float(heads.max()), 0.0))
    window = window_of(look, layer, query)
    signed = f"Weights below 0, down to {heads.min():.2g}, are not drawn: heads are mixed after the softmax. "
    ending = (
        (signed if heads.min() < 0 else "")
        + ("" if window is None else "Dashed: what it may attend to. ")
        + provenance(look, shown, query)
    )
    caption = _caption(lattice, maps.convention, mass, smooth, ending)
    page = sheet(shown, len(heads), caption, rows_each=1 if mass is None else 2)
    draw_original(page.overview_axes(0), shown)
    seen = page.overview_axes(1)
    draw_seen(seen, shown, query, query_lattice(look, layer))
    if window is not None:
        draw_window(seen, window, lattice)
    _draw_mean(page, lattice, shown, heads.mean(0), mass, smooth, cmap)
    for head, values in enumerate(heads):
        axes = page.map_axes(head)
        draw_overlay(axes, shown, lattice, values, scale, smooth=smooth, cmap=cmap)
        axes.set_title(_amounts(f"head {head}", values, bool(lattice.prefix)), loc="left")
        if mass is not None:
            _draw_mask(page.map_axes(head, below=1), lattice, shown, values, mass)
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
    scale = Normalize(0, max(float(values.max()), 0.0))
    draw_overlay(axes, shown, map_lattice(look, layer, query), values, scale, smooth=smooth, cmap=cmap)
    which = f"mean of {heads} heads" if head is None else f"head {head % heads}"
    axes.set_title(f"{which}, 0 to {values.max():.3g}", loc="left")
    return axes


def _draw_mean(
    page: Sheet, lattice: Layout, shown: Shown, mean: np.ndarray, mass: float | None, smooth: bool, cmap: str
) -> None:
    """Mean over heads and its mask."""
    scale = Normalize(0, max(float(mean.max()), 0.0))
    axes = page.overview_axes(2)
    draw_overlay(axes, shown, lattice, mean, scale, smooth=smooth, cmap=cmap)
    axes.set_title(_amounts("mean of heads", mean, bool(lattice.prefix)), loc="left")
    if mass is None:
        colour_bar(page.figure, page.overview_bar(3, in_place=True), scale, "weight,\nmean", cmap)
        return
    colour_bar(page.figure, page.overview_bar(2), scale, "weight,\nmean", cmap)
    _draw_mask(page.overview_axes(3), lattice, shown, mean, mass)


def _draw_mask(axes: Axes, lattice: Layout, shown: Shown, values: np.ndarray, mass: float) -> None:
    mask = top_mass(values.clip(0), mass)  # heads that are mixed after the softmax may have negative weights
    draw_mask(axes, shown, lattice, mask)
    axes.set_title(f"{mass:.0%} of the mass in\n{mask.sum()} of {mask.size} patches", loc="left")


def _amounts(name: str, values: np.ndarray, has_prefix: bool) -> str:
    """What the query gives to prefix tokens, all that is not on the patches, and the largest weight."""
    prefix = f", prefix {max(1 - values.sum(), 0):.0%}" if has_prefix else ""
    return f"{name}{prefix}\nmax {values.max():.3g}"


def _caption(lattice: Layout, convention: str, mass: float | None, smooth: bool, ending: str) -> str:
    parts = [f"{convention[0].upper()}{convention[1:]}. All heads share one scale; their mean has its own."]
    if lattice.prefix:
        parts.append(f"Prefix: the weight given to prefix tokens ({', '.join(lattice.prefix)}).")
    if mass is not None:
        parts.append(f"Masks: per map, the smallest set of patches with {mass:.0%} of its mass over the patches.")
    if smooth:
        parts.append("Smoothed by bicubic interpolation between patches.")
    return " ".join([*parts, ending])
