"""Attention rollout as a figure: the map over the picture, and its growth layer by layer."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from vitscope.attention.reference import Fusion
from vitscope.look import Look
from vitscope.measures.query import Query
from vitscope.render.overlay import colour_bar, draw_overlay
from vitscope.render.panels import draw_original, draw_seen, provenance, sheet
from vitscope.render.style import COLOUR_MAP, ReadyFigure, styled

_COLUMNS = 6


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
    maps = look.rollout_by_start_layer(fusion, discard, query)
    convention, trail = maps.convention.removesuffix("; one map for each start layer"), np.asarray(maps[image])
    shown, layout = look.shown[image], look.layout
    page = sheet(
        -(-len(trail) // _COLUMNS),
        max(4, min(_COLUMNS, len(trail))),
        shown.seen.height / shown.seen.width,
        f"{convention[0].upper()}{convention[1:]}. Each colour scale runs from its map's least to its largest weight, "
        f"printed above it; uniform would be {1 / layout.tokens:.4f}. Below, the layers from the named one to the "
        f"last alone. {provenance(look)}",
    )
    draw_original(page.axes(0, 0), shown)
    draw_seen(page.axes(0, 1), shown)
    scale = _own_scale(trail[0])
    axes = page.axes(0, 2)
    draw_overlay(axes, shown, layout, trail[0], scale, smooth=smooth, cmap=cmap)
    axes.set_title(f"rollout, all {len(trail)} layers\n{_range(trail[0])}", loc="left")
    colour_bar(page.figure, page.bar(0, 3), scale, "rollout weight", cmap)
    for place, start in enumerate(reversed(range(len(trail)))):
        axes = page.axes(1 + place // _COLUMNS, place % _COLUMNS)
        draw_overlay(axes, shown, layout, trail[start], _own_scale(trail[start]), smooth=smooth, cmap=cmap)
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
    values = np.asarray(look.rollout(fusion, discard, start_layer, query)[image])
    draw_overlay(axes, look.shown[image], look.layout, values, _own_scale(values), smooth=smooth, cmap=cmap)
    axes.set_title(f"rollout, {_range(values)}", loc="left")
    return axes


def _own_scale(values: np.ndarray) -> Normalize:
    return Normalize(float(values.min()), float(values.max()))


def _range(values: np.ndarray) -> str:
    return f"{values.min():.3g} to {values.max():.3g}"


def _layers(first: int, last: int) -> str:
    return f"layer {last}" if first == last else f"layers {first}–{last}"
