"""Attention rollout as a figure: the map over the picture, and its growth layer by layer."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from vitscope.attention.kernels.reference import Fusion
from vitscope.look import Look
from vitscope.measures.query import Query
from vitscope.render.lattices import query_lattice
from vitscope.render.overlay import colour_bar, draw_overlay
from vitscope.render.panels import draw_original, draw_seen, image_of, provenance, sheet
from vitscope.render.style import COLOUR_MAP, ReadyFigure, styled


@styled
def rollout_figure(
    look: Look,
    *,
    image: int = 0,
    fusion: Fusion = "mean",
    discard: float = 0.0,
    query: Query = None,
    smooth: bool = False,
    cmap: str = COLOUR_MAP,
) -> ReadyFigure:
    """The rollout through all layers, and below it from each layer on, last layer first."""
    shown = image_of(look, image)
    maps = look.rollout_by_start_layer(fusion, discard, query)
    convention = maps.convention.removesuffix("; one map for each start layer")
    trail = np.asarray(maps[image])  # (layers, rows, columns)
    page = sheet(shown, len(trail), _caption(look, convention, smooth, provenance(look, shown, query)))
    draw_original(page.overview_axes(0), shown)
    draw_seen(page.overview_axes(1), shown, query, query_lattice(look, -1))
    scale = _own_scale(trail[0])
    axes = page.overview_axes(2)
    draw_overlay(axes, shown, look.layout, trail[0], scale, smooth=smooth, cmap=cmap)
    axes.set_title(f"rollout, all {len(trail)} layers\n{_range(trail[0])}", loc="left")
    colour_bar(page.figure, page.overview_bar(3, in_place=True), scale, "rollout weight", cmap)
    for place, start in enumerate(reversed(range(len(trail)))):
        axes = page.map_axes(place)
        draw_overlay(axes, shown, look.layout, trail[start], _own_scale(trail[start]), smooth=smooth, cmap=cmap)
        axes.set_title(f"{_layers(start, len(trail) - 1)}\n{_range(trail[start])}", loc="left")
    return page.figure


@styled
def draw_rollout(
    axes: Axes,
    look: Look,
    *,
    image: int = 0,
    fusion: Fusion = "mean",
    discard: float = 0.0,
    start_layer: int = 0,
    query: Query = None,
    smooth: bool = False,
    cmap: str = COLOUR_MAP,
) -> Axes:
    """The rollout on axes of the caller's."""
    shown = image_of(look, image)
    values = np.asarray(look.rollout(fusion, discard, start_layer, query)[image])
    draw_overlay(axes, shown, look.layout, values, _own_scale(values), smooth=smooth, cmap=cmap)
    axes.set_title(f"rollout, {_range(values)}", loc="left")
    return axes


def _caption(look: Look, convention: str, smooth: bool, ending: str) -> str:
    parts = [
        f"{convention[0].upper()}{convention[1:]}. Each colour scale runs from its map's least to its largest weight, "
        f"printed above it; uniform would be {1 / look.layout.tokens:.2g}. Below, the layers from the named one to the "
        "last alone."
    ]
    if smooth:
        parts.append("Smoothed by bicubic interpolation between patches.")
    return " ".join([*parts, ending])


def _own_scale(values: np.ndarray) -> Normalize:
    return Normalize(float(values.min()), float(values.max()))


def _range(values: np.ndarray) -> str:
    """Least and largest, in as few digits as tell them apart."""
    low, high = float(values.min()), float(values.max())
    digits = next((digits for digits in (2, 3, 4) if f"{low:.{digits}g}" != f"{high:.{digits}g}"), 2)
    return f"{low:.{digits}g} to {high:.{digits}g}"


def _layers(first: int, last: int) -> str:
    return f"layer {last}" if first == last else f"layers {first}–{last}"
