"""`look.plot`: every figure of a Look, whole or on axes of the caller's own."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from vitscope.look import Look
from vitscope.render.distance import distance_figure, draw_distance, draw_sorted_distance
from vitscope.render.heatmaps import draw_heatmap, heatmaps_figure
from vitscope.render.lattices import map_lattice, without_rollout
from vitscope.render.overlay import draw_overlay
from vitscope.render.panels import draw_original, draw_seen, image_of, provenance, sheet
from vitscope.render.rollout import draw_rollout, rollout_figure
from vitscope.render.style import ReadyFigure, png_of, styled


class Plot:
    """Figures of one Look. With `ax` one panel is drawn there, without it a whole figure is made.

    Options common to the maps: `image` (index), `query`, `smooth`, `cmap`; see the functions of
    `vitscope.render` for the rest.
    """

    def __init__(self, look: Look) -> None:
        self._look = look

    def heatmaps(self, ax: Axes | None = None, **options: Any) -> Axes | ReadyFigure:
        """Heads of one layer: `layer`, `query`, and `mass` for the figure or `head` for axes."""
        return heatmaps_figure(self._look, **options) if ax is None else draw_heatmap(ax, self._look, **options)

    def rollout(self, ax: Axes | None = None, **options: Any) -> Axes | ReadyFigure:
        """The rollout: `fusion`, `discard`, `query`; on axes also `start_layer`."""
        return rollout_figure(self._look, **options) if ax is None else draw_rollout(ax, self._look, **options)

    def distance(self, ax: Axes | None = None, **options: Any) -> Axes | ReadyFigure:
        """Mean attention distance by depth: `rescale`, `unit`. The figure holds both plots."""
        return distance_figure(self._look, **options) if ax is None else draw_distance(ax, self._look, **options)

    def sorted_distance(self, ax: Axes | None = None, **options: Any) -> Axes | ReadyFigure:
        """Mean attention distance, heads sorted: `rescale`, `unit`."""
        return distance_figure(self._look, **options) if ax is None else draw_sorted_distance(ax, self._look, **options)

    @styled
    def summary(self, image: int = 0) -> ReadyFigure:
        """One strip: original, input, mean heatmap of the last layer, rollout."""
        look, shown = self._look, image_of(self._look, image)
        heatmaps = look.heatmaps()
        panels = [("heatmap", np.asarray(heatmaps[image].mean(0)), map_lattice(look, -1, None), 0.0)]
        absent = without_rollout(look)
        if absent is None:
            rollout = look.rollout()
            rolled = np.asarray(rollout[image])
            panels.append(("rollout", rolled, look.layout, float(rolled.min())))
            absent = rollout.convention
        caption = f"{heatmaps.convention}, mean of heads; {absent}. {provenance(look, shown)}"
        page = sheet(shown, 0, caption[0].upper() + caption[1:])
        draw_original(page.overview_axes(0), shown)
        draw_seen(page.overview_axes(1), shown, None, look.layout)
        for slot, (name, values, lattice, least) in enumerate(panels, 2):
            axes = page.overview_axes(slot)
            draw_overlay(axes, shown, lattice, values, Normalize(least, float(values.max())))
            axes.set_title(f"{name}\n{least:.2g} to {values.max():.2g}", loc="left")
        return page.figure

    def png(self, image: int = 0) -> bytes:
        """The summary as PNG bytes."""
        return png_of(self.summary(image))
