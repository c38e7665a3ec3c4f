"""Layers against layers (linear CKA), and heads against heads (their distance), as matrices."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from vitscope.errors import ArgumentError
from vitscope.render.style import COLOUR_MAP, WIDTH, ReadyFigure, styled
from vitscope.render.surveys.maps import draw_bar
from vitscope.render.surveys.sheets import Panels, sheet
from vitscope.render.surveys.words import capital, counted, drawn_titles, origin
from vitscope.summaries import Summary

_HEAD_COLUMNS = 6


@styled
def alignment_figure(summaries: Sequence[Summary], measure: str = "cka", *, caption: bool = True) -> ReadyFigure:
    """A panel a model that has it; 0 to 1 on one scale."""
    found = [(summary, one) for summary in summaries for one in summary.alignments if one.measure == measure]
    if not found:
        raise ArgumentError(f"found no alignment of {measure!r}; expected a run that was surveyed with it")
    having = [summary for summary, _ in found]
    minibatches = sorted({one.minibatches for _, one in found})
    sums = " to ".join(f"{count:,}" for count in dict.fromkeys((minibatches[0], minibatches[-1])))
    text = (
        f"{capital(found[0][1].convention)}; minibatches summed: {sums}. Layer 0 is at the lower left. {origin(having)}"
    )
    size = WIDTH / 2 - 0.45 - 0.75
    panels = Panels(columns=2, height=size, left=0.45, right=0.75, above=0.3)
    figure, axes = sheet(panels, len(found), text, written=caption)
    for panel, (_, one), title in zip(axes, found, drawn_titles(having, 44), strict=True):
        draw_alignment(panel, one.values)
        panel.set_title(title, loc="left")
    return figure


@styled
def draw_alignment(axes: Axes, values: np.ndarray) -> Axes:
    """One matrix (layers, layers) on axes of the caller's."""
    scale = Normalize(0, 1)
    image = axes.imshow(values, norm=scale, cmap=COLOUR_MAP, origin="lower", interpolation="nearest", aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
        axis.set_tick_params(length=2)
    axes.set_xlabel("layer")
    axes.set_ylabel("layer")
    _no_frame(axes)
    draw_bar(axes, image, scale, width=0.04)
    return axes


@styled
def head_matrices_figure(summary: Summary, measure: str = "head_similarity", *, caption: bool = True) -> ReadyFigure:
    """One model's matrices, a panel a layer, all on one scale."""
    found = next((one for one in summary.similarities if one.measure == measure), None)
    if found is None:
        raise ArgumentError(f"found no similarity of {measure!r}; expected a run that was surveyed with it")
    text = (
        f"{capital(found.convention)}; mean over {counted(found.images, 'image')}. Heads of a layer against one "
        f"another; dark is alike. {origin([summary])}"
    )
    left, right = 0.06, 0.42
    panels = Panels(
        columns=_HEAD_COLUMNS,
        height=WIDTH / _HEAD_COLUMNS - left - right,
        left=left,
        right=right,
        above=0.24,
        below=0.06,
    )
    matrices = [_of_its_heads(values) for values in found.values]
    figure, axes = sheet(panels, len(matrices), text, written=caption)
    largest = max((float(values.max()) for values in matrices if values.size), default=0.0)
    scale = Normalize(0, largest or 1.0)
    for layer, (panel, values) in enumerate(zip(axes, matrices, strict=True)):
        panel.set_title(f"layer {layer}", loc="left")
        panel.set_xticks([])
        panel.set_yticks([])
        _no_frame(panel)
        image = panel.imshow(values, norm=scale, cmap=COLOUR_MAP, interpolation="nearest", aspect="equal")
        if layer == min(len(axes), _HEAD_COLUMNS) - 1:
            draw_bar(panel, image, scale, width=0.08)
    return figure


def _of_its_heads(values: np.ndarray) -> np.ndarray:
    """Without the rows and columns of heads that the layer lacks."""
    here = np.isfinite(np.diagonal(values))
    return values[np.ix_(here, here)]


def _no_frame(axes: Axes) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)
