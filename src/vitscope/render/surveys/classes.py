"""The classes of images with the lowest and the highest means, a dot a class with its interval."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from vitscope.errors import ArgumentError
from vitscope.images.naming import printable
from vitscope.render.style import ReadyFigure, drawable, shorten, styled
from vitscope.render.surveys.sheets import Panels, dashed, rule, sheet
from vitscope.render.surveys.words import axis_words, capital, conventions, drawn_titles, interval_words, origin
from vitscope.summaries import ClassMeans, ColumnSummary, Estimate, Summary

_EACH_END = 10  # classes; where there are no more than twice as many, all
_LEAST = 10  # images of a class that is drawn
_LABEL_LENGTH = 21
_LOW, _HIGH = "#0072B2", "#D55E00"


@styled
def classes_figure(
    summaries: Sequence[Summary], column: str = "distance", *, layer: int | None = None, caption: bool = True
) -> ReadyFigure:
    """A panel a model whose images have labels; in one layer, or over all heads of all layers."""
    having = [summary for summary in summaries if has_classes(summary, column)]
    if not having:
        raise ArgumentError(
            f"found no class means of {column!r}; expected a run over images with labels, {_LEAST} images of a class "
            "at least"
        )
    columns = [summary.columns[column] for summary in having]
    chosen = shown_classes(columns[0], layer)
    panels = Panels(
        columns=1 if len(having) == 1 else 2,
        height=0.145 * min(len(chosen), 2 * _EACH_END + 1) + 0.15,
        left=1.6,
        right=0.16,
        above=0.26,
    )
    where = "all heads of all layers" if layer is None else f"the heads of layer {layer}"
    order = "; all panels have the first one's classes, in its order" if len(having) > 1 else ""
    text = (
        f"{conventions(columns)} Mean over {where}: the {_EACH_END} classes with the lowest means and the {_EACH_END} "
        f"with the highest, or all where there are few{order}; with {interval_words(having)} of the class; in brackets "
        f"its number of images, dashed: all images. Classes of fewer than {_LEAST} images, or than half as many as the "
        f"median class, are left out, and of many classes the outermost are so partly by chance. "
        f"{origin(having, column)}"
    )
    figure, axes = sheet(panels, len(having), text, written=caption)
    for panel, values, title in zip(axes, columns, drawn_titles(having, 60 if len(having) == 1 else 46), strict=True):
        draw_classes(panel, values, layer=layer, like=columns[0])
        panel.set_title(title, loc="left", x=-(panels.left - 0.1) / (panels.width - panels.left - panels.right))
    return figure


@styled
def draw_classes(
    axes: Axes, column: ColumnSummary, *, layer: int | None = None, like: ColumnSummary | None = None
) -> Axes:
    """One model's classes on axes of the caller's, the highest mean on top, or in the order of the column `like`."""
    if column.classes is None:
        raise ArgumentError(f"found no class means of {column.name!r}; expected a run over images with labels")
    estimate, overall = _chosen(column, layer)
    labels = shown_classes(like or column, layer)
    shown, gap = _without_middle(labels)
    rows = np.arange(len(shown)) + np.where(gap & (np.arange(len(shown)) >= _EACH_END), 1, 0)
    mean, low, high = (_of_labels(part, column.classes, shown) for part in (estimate.mean, estimate.low, estimate.high))
    colours = [_LOW if place < len(shown) / 2 else _HIGH for place in range(len(shown))]
    axes.hlines(rows, low, high, color=colours, linewidth=1)
    axes.scatter(mean, rows, s=11, color=colours, linewidths=0)
    images = _of_labels(column.classes.images, column.classes, shown)
    ticks, words = list(rows), [_label(label, count) for label, count in zip(shown, images, strict=True)]
    if gap:
        ticks.append(_EACH_END)
        words.append(f"… {len(labels) - len(shown):,} more …")
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


def has_classes(summary: Summary, column: str) -> bool:
    """Whether a class has images enough to be drawn."""
    return bool(classes_of(summary, column)) and bool(shown_classes(summary.columns[column]))


def shown_classes(column: ColumnSummary, layer: int | None = None) -> list[str]:
    """The labels of classes of enough images, by ascending mean; ties in the classes' order."""
    classes = column.classes
    if classes is None:
        return []
    mean = _chosen(column, layer)[0].mean
    enough = (classes.images >= _least(classes)) & np.isfinite(mean)
    return [classes.labels[place] for place in np.argsort(mean, kind="stable") if enough[place]]


def _without_middle(labels: list[str]) -> tuple[list[str], bool]:
    """The outermost at each end, and whether that leaves some out."""
    gap = len(labels) > 2 * _EACH_END
    return (labels[:_EACH_END] + labels[-_EACH_END:] if gap else labels), gap


def _of_labels(values: np.ndarray, classes: ClassMeans, labels: Sequence[str]) -> np.ndarray:
    """The entries of these classes; NaN for one that is not there, or has too few images."""
    place = {label: i for i, label in enumerate(classes.labels) if classes.images[i] >= _LEAST}
    return np.array([values[place[label]] if label in place else np.nan for label in labels], dtype=np.float64)


def _least(classes: ClassMeans) -> float:
    """Images that a class must have to be drawn: the mean of a few is far out by chance."""
    return max(_LEAST, float(np.median(classes.images)) / 2)


def _chosen(column: ColumnSummary, layer: int | None) -> tuple[Estimate, float]:
    classes = column.classes
    if classes is None or layer is None:
        return classes.overall if classes else column.overall, float(column.overall.mean)
    if not 0 <= layer < len(column.layers.mean):
        raise ArgumentError(f"found layer {layer}; expected 0 to {len(column.layers.mean) - 1}")
    parts = (part[:, layer] for part in (classes.layers.mean, classes.layers.low, classes.layers.high))
    return Estimate(*parts), float(column.layers.mean[layer])


def _label(label: str, images: float) -> str:
    count = f"{int(images):,}" if np.isfinite(images) else f"under {_LEAST}"
    return f"{drawable(shorten(printable(label), _LABEL_LENGTH))} ({count})"
