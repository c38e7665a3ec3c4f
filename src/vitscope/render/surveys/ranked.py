"""Heads sorted by distance, for the two lowest and the two highest layers (Raghu et al. 2021, Fig. 3)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from vitscope.render.style import INK, ReadyFigure, styled
from vitscope.render.surveys.sheets import Panels, dashed, limits, rule, sheet
from vitscope.render.surveys.words import (
    axis_words,
    capital,
    column_words,
    conventions,
    drawn_titles,
    interval_words,
    origin,
)
from vitscope.summaries import ColumnSummary, Summary, with_column

# The two lowest layers are blue, the two highest orange; the outer ones dark, the inner ones light and hollow.
_STYLES = (("#0B4F8A", "o", True), ("#5DA5DA", "s", False), ("#E8914F", "s", False), ("#A63C06", "o", True))


@styled
def ranked_figure(summaries: Sequence[Summary], column: str = "distance", *, caption: bool = True) -> ReadyFigure:
    """A panel a model that has the column, all on one scale."""
    having = with_column(summaries, column)
    columns = [summary.columns[column] for summary in having]
    panels = Panels(columns=1 if len(having) == 1 else 2, height=2.2, above=0.5)
    figure, axes = sheet(panels, len(having), ranked_caption(having, column), written=caption)
    for one, values, title in zip(axes, columns, drawn_titles(having, 44), strict=True):
        draw_ranked(one, values)
        one.set_title(title, loc="left", pad=18)
    span = (0 if min(one.get_ylim()[0] for one in axes) >= 0 else None, max(one.get_ylim()[1] for one in axes))
    for place, one in enumerate(axes):
        one.set_ylim(*span)
        if place % panels.columns:
            one.set_ylabel("")
    return figure


@styled
def draw_ranked(axes: Axes, column: ColumnSummary) -> Axes:
    """One model's layers on axes of the caller's."""
    chosen = outer_layers(len(column.heads.mean))
    for layer, (colour, marker, filled) in zip(chosen, _styles(len(chosen)), strict=True):
        order = np.argsort(column.heads.mean[layer], kind="stable")
        order = order[np.isfinite(column.heads.mean[layer][order])]
        values, low, high = (part[layer][order] for part in (column.heads.mean, column.heads.low, column.heads.high))
        ranks = np.arange(1, len(order) + 1)
        axes.vlines(ranks, low, high, color=INK, linewidth=0.7, zorder=3)
        face = colour if filled else "white"
        axes.plot(
            ranks,
            values,
            color=colour,
            marker=marker,
            markersize=3.6,
            markerfacecolor=face,
            linewidth=1.1,
            label=f"layer {layer}",
        )
    if column.uniform is not None and len(set(np.round(column.uniform[list(chosen)], 4))) == 1:
        axes.axhline(float(column.uniform[chosen[0]]), **dashed())
    axes.set_ylim(limits(*_drawn(column, chosen)))
    axes.set_xlabel(f"heads, sorted by {_short(column.name)}")
    axes.set_ylabel(capital(axis_words(column)))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, min_n_ticks=1))
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=4, frameon=False, borderaxespad=0.1, columnspacing=1.1,
        handlelength=1.6, handletextpad=0.5,
    )  # fmt: skip
    rule(axes)
    return axes


def ranked_caption(summaries: Sequence[Summary], column: str) -> str:
    """What the figure shows."""
    columns = [summary.columns[column] for summary in summaries]
    uniform = "; dashed: uniform attention" if any(one.uniform is not None for one in columns) else ""
    return (
        f"{conventions(columns)} The heads of the two lowest (blue) and the two highest (orange) layers, each layer "
        f"sorted by itself, with {interval_words(summaries)}{uniform}. {origin(summaries, column)}"
    ).strip()


def outer_layers(layers: int) -> tuple[int, ...]:
    """The two lowest and two highest layers; all, where there are no more."""
    return tuple(sorted({*range(min(2, layers)), *range(max(layers - 2, 0), layers)}))


def _styles(count: int) -> list[tuple[str, str, bool]]:
    kept = {1: (0,), 2: (0, 3), 3: (0, 1, 3)}.get(count, (0, 1, 2, 3))
    return [_STYLES[place] for place in kept]


def _short(name: str) -> str:
    return "distance" if name.startswith("distance") else column_words(name)


def _drawn(column: ColumnSummary, chosen: Sequence[int]) -> list[np.ndarray]:
    layers = list(chosen)
    parts = [column.heads.mean[layers], column.heads.low[layers], column.heads.high[layers]]
    return parts if column.uniform is None else [*parts, column.uniform[layers]]
