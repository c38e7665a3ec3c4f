"""Several models in one plot: the mean over heads by depth, with its interval."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from vitscope.errors import ArgumentError
from vitscope.render.style import ReadyFigure, styled
from vitscope.render.surveys.sheets import Panels, by_layer, limits, model_handle, model_style, rule, sheet
from vitscope.render.surveys.words import (
    axis_words,
    capital,
    column_words,
    conventions,
    drawn_titles,
    interval_words,
    origin,
)
from vitscope.summaries import Estimate, HeadSimilarity, Summary, with_column


@styled
def curves_figure(summaries: Sequence[Summary], column: str = "distance", *, caption: bool = True) -> ReadyFigure:
    """The models that have the column; depth is relative where their numbers of layers differ."""
    having = with_column(summaries, column)
    places = [place for place, summary in enumerate(summaries) if column in summary.columns]
    figure, axes = _sheet(summaries, places, curves_caption(having, column), written=caption)
    draw_curves(axes, [summary.columns[column].layers for summary in having], places)
    axes.set_ylabel(capital(axis_words(having[0].columns[column])))
    return figure


@styled
def similarity_figure(
    summaries: Sequence[Summary], measure: str = "head_similarity", *, caption: bool = True
) -> ReadyFigure:
    """The mean distance between a layer's heads by depth; it has no interval, as runs keep its sum alone."""
    having = {place: found for place, one in enumerate(summaries) if (found := _similarity(one, measure))}
    if not having:
        raise ArgumentError(f"found no similarity of {measure!r}; expected a run that was surveyed with it")
    places, matrices = list(having), list(having.values())
    models = [summaries[place] for place in places]
    text = (
        f"{capital(matrices[0].convention)}. Mean over the pairs of different heads of a layer; layers "
        f"of one head have none. No interval: of these matrices a run keeps the sum alone. {origin(models, measure)}"
    )
    figure, axes = _sheet(summaries, places, text, written=caption)
    draw_curves(axes, [_without_interval(found.layers) for found in matrices], places)
    axes.set_ylabel(capital(column_words(measure)))
    return figure


@styled
def draw_curves(axes: Axes, curves: Sequence[Estimate], places: Sequence[int] | None = None) -> Axes:
    """A curve a model on axes of the caller's; `places`: each model's place in the row of models, for its colour."""
    counts = {len(curve.mean) for curve in curves}
    for place, curve in zip(places or range(len(curves)), curves, strict=True):
        layers = np.arange(len(curve.mean))
        depth = layers if len(counts) == 1 else layers / max(len(layers) - 1, 1)
        style = model_style(place)
        axes.fill_between(depth, curve.low, curve.high, color=style["color"], alpha=0.22, linewidth=0)
        axes.plot(depth, curve.mean, **style)
    if len(counts) == 1:
        by_layer(axes, *counts)
    else:
        axes.set_xlim(-0.03, 1.03)
        axes.set_xlabel("relative depth: 0 is the first layer, 1 the last")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.set_ylim(limits(*(part for curve in curves for part in (curve.mean, curve.low, curve.high))))
    rule(axes)
    return axes


def curves_caption(summaries: Sequence[Summary], column: str) -> str:
    """What the figure shows."""
    columns = [summary.columns[column] for summary in summaries]
    return (
        f"{conventions(columns)} Mean over the heads of a layer; bands: {interval_words(summaries)}, where they are "
        f"wider than the line. {origin(summaries, column)}"
    ).strip()


def _sheet(
    summaries: Sequence[Summary], places: Sequence[int], caption: str, *, written: bool
) -> tuple[ReadyFigure, Axes]:
    titles = drawn_titles(summaries, 80)
    legend = [(model_handle(place), titles[place]) for place in places]
    figure, (axes,) = sheet(Panels(columns=1, height=2.6, above=0.12), 1, caption, written=written, legend=legend)
    return figure, axes


def _similarity(summary: Summary, measure: str) -> HeadSimilarity | None:
    return next((found for found in summary.similarities if found.measure == measure), None)


def _without_interval(values: np.ndarray) -> Estimate:
    none = np.full_like(values, np.nan)
    return Estimate(values, none, none)
