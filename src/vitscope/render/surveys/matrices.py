"""Layers against layers (linear CKA), and heads against heads (their distance), as matrices."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from vitscope.errors import ArgumentError
from vitscope.render.style import COLOUR_MAP, WIDTH, ReadyFigure, styled
from vitscope.render.surveys.sheets import Panels, sheet
from vitscope.render.surveys.words import capital, column_words, counted, drawn_titles, origin
from vitscope.summaries import Alignment, Summary

_HEAD_COLUMNS = 6


@styled
def alignment_figure(summaries: Sequence[Summary], measure: str = "cka", *, caption: bool = True) -> ReadyFigure:
    """A panel a model that has it; 0 to 1 on one scale."""
    found = [(summary, one) for summary in summaries for one in summary.alignments if one.measure == measure]
    if not found:
        raise ArgumentError(f"found no alignment of {measure!r}; expected a run that was surveyed with it")
    having = [summary for summary, _ in found]
    text = (
        f"{capital(found[0][1].convention)}; {' or '.join(dict.fromkeys(_minibatches(*pair) for pair in found))}. "
        f"Layer 0 is at the lower left. {origin(having, measure)}"
    )
    size = WIDTH / 2 - 0.45 - 0.75
    panels = Panels(columns=2, height=size, left=0.45, right=0.75, above=0.3)
    figure, axes = sheet(panels, len(found), text, written=caption, scale=(Normalize(0, 1), "linear CKA"))
    for panel, (_, one), title in zip(axes, found, drawn_titles(having, 44), strict=True):
        draw_alignment(panel, one.values)
        panel.set_title(title, loc="left")
    return figure


@styled
def draw_alignment(axes: Axes, values: np.ndarray) -> Axes:
    """One matrix (layers, layers) on axes of the caller's."""
    scale = Normalize(0, 1)
    axes.imshow(values, norm=scale, cmap=COLOUR_MAP, origin="lower", interpolation="nearest", aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
        axis.set_tick_params(length=2)
    axes.set_xlabel("layer")
    axes.set_ylabel("layer")
    _no_frame(axes)
    return axes


@styled
def head_matrices_figure(summary: Summary, measure: str = "head_similarity", *, caption: bool = True) -> ReadyFigure:
    """One model's matrices, a panel a layer, all on one scale."""
    found = next((one for one in summary.similarities if one.measure == measure), None)
    if found is None:
        raise ArgumentError(f"found no similarity of {measure!r}; expected a run that was surveyed with it")
    matrices = [_of_its_heads(values) for values in found.values]
    scale = Normalize(0, max([1.0, *(float(values.max()) for values in matrices if values.size)]))
    text = (
        f"{capital(found.convention)}; mean over {counted(found.images, 'image')}. Heads of a layer against one "
        f"another: dark is alike. One colour scale for all layers and models, 0 to {scale.vmax:g}. "
        f"{origin([summary], measure)}"
    )
    left, right = 0.34, 0.06
    height = WIDTH / _HEAD_COLUMNS - left - right
    panels = Panels(columns=_HEAD_COLUMNS, height=height, left=left, right=right, above=0.24, below=0.36)
    words = capital(column_words(measure))
    figure, axes = sheet(panels, len(matrices), text, written=caption, scale=(scale, words))
    for layer, (panel, values) in enumerate(zip(axes, matrices, strict=True)):
        panel.set_title(f"layer {layer}", loc="left")
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))
            axis.set_tick_params(length=2, pad=1.5)
        panel.set_xlabel("head", labelpad=1)
        if layer % _HEAD_COLUMNS == 0:
            panel.set_ylabel("head", labelpad=1)
        _no_frame(panel)
        panel.imshow(values, norm=scale, cmap=COLOUR_MAP, interpolation="nearest", aspect="equal")
    return figure


def _minibatches(summary: Summary, one: Alignment) -> str:
    """How many images were compared with one another, as far as sums over minibatches tell."""
    if one.minibatch is None:
        return f"in {counted(one.minibatches, 'minibatch', 'minibatches')}"
    most = min(one.minibatches * one.minibatch, summary.images)
    return (
        f"{counted(most, 'image')} at most, in {counted(one.minibatches, 'minibatch', 'minibatches')} of "
        f"up to {one.minibatch:,} images"
    )


def _of_its_heads(values: np.ndarray) -> np.ndarray:
    """Without the rows and columns of heads that the layer lacks."""
    here = np.isfinite(np.diagonal(values))
    return values[np.ix_(here, here)]


def _no_frame(axes: Axes) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)
