"""A column by depth: a dot a head with its interval (for distances Dosovitskiy et al. 2020, Fig. 7 right)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from vitscope.render.style import FAINT, INK, ReadyFigure, styled
from vitscope.render.surveys.sheets import Panels, by_layer, dashed, layer_colour, limits, rule, sheet
from vitscope.render.surveys.words import axis_words, capital, conventions, drawn_titles, interval_words, origin
from vitscope.summaries import ColumnSummary, Summary, with_column

_SPREAD = 0.56  # of a layer's heads, in layers: beside one another, so that no interval hides another


@styled
def depth_figure(summaries: Sequence[Summary], column: str = "distance", *, caption: bool = True) -> ReadyFigure:
    """A panel a model that has the column, all on one scale."""
    having = with_column(summaries, column)
    columns = [summary.columns[column] for summary in having]
    panels = Panels(columns=1 if len(having) == 1 else 2, height=2.5 if len(having) == 1 else 1.9)
    figure, axes = sheet(panels, len(having), depth_caption(having, column), written=caption)
    span = limits(*(array for one in columns for array in _drawn(one)))
    titles = drawn_titles(having, 60 if len(having) == 1 else 44)
    for place, (one, values, title) in enumerate(zip(axes, columns, titles, strict=True)):
        draw_depth(one, values)
        one.set_title(title, loc="left")
        one.set_ylim(span)
        if place % panels.columns:
            one.set_ylabel("")
    return figure


@styled
def draw_depth(axes: Axes, column: ColumnSummary) -> Axes:
    """One model's column on axes of the caller's."""
    layers, heads = column.heads.mean.shape
    offsets = np.linspace(-_SPREAD / 2, _SPREAD / 2, heads) if heads > 1 else np.zeros(1)
    size = float(np.clip(180 / (layers * heads) ** 0.5, 5, 16))
    for layer in range(layers):
        here = np.isfinite(column.heads.mean[layer])
        at = layer + offsets[here] - offsets[here].mean() if here.any() else offsets[:0]
        values, low, high = (part[layer][here] for part in (column.heads.mean, column.heads.low, column.heads.high))
        colour = layer_colour(layer, layers)
        axes.scatter(at, values, s=size, color=colour, alpha=0.55, linewidths=0)
        axes.vlines(at, low, high, color=INK, linewidth=0.7, zorder=3)  # seen on the dot, too
    axes.plot(range(layers), column.layers.mean, color=FAINT, linewidth=1, zorder=0.9)
    _draw_uniform(axes, column)
    by_layer(axes, layers)
    axes.set_ylabel(capital(axis_words(column)))
    axes.set_ylim(limits(*_drawn(column)))
    rule(axes)
    return axes


def depth_caption(summaries: Sequence[Summary], column: str) -> str:
    """What the figure shows."""
    columns = [summary.columns[column] for summary in summaries]
    uniform = ", dashed: what uniform attention would have" if any(one.uniform is not None for one in columns) else ""
    return (
        f"{conventions(columns)} A dot is a head's mean over images, the bar on it its interval "
        f"({interval_words(summaries)}); heads stand side by side in their order, line: mean over heads{uniform}. "
        f"{origin(summaries, column)}"
    ).strip()


def _drawn(column: ColumnSummary) -> list[np.ndarray]:
    parts = [column.heads.mean, column.heads.low, column.heads.high]
    return parts if column.uniform is None else [*parts, column.uniform]


def _draw_uniform(axes: Axes, column: ColumnSummary) -> None:
    if column.uniform is None:
        return
    known = column.uniform[np.isfinite(column.uniform)]
    if len(known) == len(column.uniform) and len(set(np.round(known, 4))) == 1:
        axes.axhline(float(known[0]), **dashed())
    else:
        axes.stairs(column.uniform, np.arange(len(column.uniform) + 1) - 0.5, baseline=None, **dashed())
