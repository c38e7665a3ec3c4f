"""The classes of images with the lowest and the highest means, a dot a class with its interval."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from vitscope.errors import ArgumentError
from vitscope.images.naming import printable
from vitscope.render.style import ReadyFigure, drawable, shorten, styled
from vitscope.render.surveys.sheets import Panels, dashed, rule, sheet
from vitscope.render.surveys.words import axis_words, capital, conventions, drawn_titles, interval_words, origin
from vitscope.summaries import ClassMeans, ColumnSummary, Estimate, Summary

_EACH_END = 10  # classes; where there are no more than twice as many, all
_LABEL_LENGTH = 21
_LOW, _HIGH = "#0072B2", "#D55E00"


@styled
def classes_figure(
    summaries: Sequence[Summary], column: str = "distance", *, layer: int | None = None, caption: bool = True
) -> ReadyFigure:
    """A panel a model whose images have labels; in one layer, or over all heads of all layers."""
    having = [summary for summary in summaries if classes_of(summary, column)]
    if not having:
        raise ArgumentError(f"found no class means of {column!r}; expected a run over images with labels")
    columns = [summary.columns[column] for summary in having]
    rows = max(min(len(classes_of(summary, column)), 2 * _EACH_END + 1) for summary in having)
    panels = Panels(columns=1 if len(having) == 1 else 2, height=0.145 * rows + 0.15, left=1.6, right=0.16, above=0.26)
    where = "all heads of all layers" if layer is None else f"the heads of layer {layer}"
    text = (
        f"{conventions(columns)} Mean over {where}: the {_EACH_END} classes with the lowest means and the {_EACH_END} "
        f"with the highest, or all where there are few, with {interval_words(having)} of the class; in brackets its "
        f"number of images, dashed: all images. Classes of fewer than half as many images as the median class are "
        f"left out, and of many classes the outermost are so partly by chance. {origin(having)}"
    )
    figure, axes = sheet(panels, len(having), text, written=caption)
    for panel, values, title in zip(axes, columns, drawn_titles(having, 60 if len(having) == 1 else 46), strict=True):
        draw_classes(panel, values, layer=layer)
        panel.set_title(title, loc="left", x=-(panels.left - 0.1) / (panels.width - panels.left - panels.right))
    return figure


@styled
def draw_classes(axes: Axes, column: ColumnSummary, *, layer: int | None = None) -> Axes:
    """One model's classes on axes of the caller's, the highest mean on top."""
    if column.classes is None:
        raise ArgumentError(f"found no class means of {column.name!r}; expected a run over images with labels")
    estimate, overall = _chosen(column, layer)
    mean = np.where(column.classes.images < _least(column.classes), np.nan, estimate.mean)
    shown, known = outermost(mean), int(np.isfinite(mean).sum())
    gap = len(shown) < known
    rows = np.arange(len(shown)) + np.where(gap & (np.arange(len(shown)) >= _EACH_END), 1, 0)
    colours = [_LOW if place < len(shown) / 2 else _HIGH for place in range(len(shown))]
    axes.hlines(rows, estimate.low[shown], estimate.high[shown], color=colours, linewidth=1)
    axes.scatter(estimate.mean[shown], rows, s=11, color=colours, linewidths=0)
    ticks, words = (
        list(rows),
        [_label(column.classes.labels[place], int(column.classes.images[place])) for place in shown],
    )
    if gap:
        ticks.append(_EACH_END)
        words.append(f"… {known - len(shown):,} more …")
    axes.set_yticks(ticks, words)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.7, max(rows) + 0.7)
    axes.axvline(overall, **dashed())
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.set_xlabel(capital(axis_words(column)))
    axes.spines["left"].set_visible(False)
    rule(axes, "x")
    return axes


def classes_of(summary: Summary, column: str) -> tuple[str, ...]:
    """The labels of a column's classes; none where there are no classes."""
    found = summary.columns.get(column)
    return found.classes.labels if found is not None and found.classes is not None else ()


def outermost(means: Float[np.ndarray, " classes"]) -> np.ndarray:
    """The places of the lowest and the highest, ascending; NaN left out, ties in the classes' order."""
    order = np.argsort(means, kind="stable")
    order = order[np.isfinite(means[order])]
    return order if len(order) <= 2 * _EACH_END else np.concatenate([order[:_EACH_END], order[-_EACH_END:]])


def _least(classes: ClassMeans) -> float:
    """Images that a class must have to be drawn: the mean of a few is far out by chance."""
    return float(np.median(classes.images)) / 2


def _chosen(column: ColumnSummary, layer: int | None) -> tuple[Estimate, float]:
    classes = column.classes
    if classes is None or layer is None:
        return classes.overall if classes else column.overall, float(column.overall.mean)
    if not 0 <= layer < len(column.layers.mean):
        raise ArgumentError(f"found layer {layer}; expected 0 to {len(column.layers.mean) - 1}")
    parts = (part[:, layer] for part in (classes.layers.mean, classes.layers.low, classes.layers.high))
    return Estimate(*parts), float(column.layers.mean[layer])


def _label(label: str, images: int) -> str:
    return f"{drawable(shorten(printable(label), _LABEL_LENGTH))} ({images:,})"
