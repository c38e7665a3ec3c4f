"""Sheets for a survey's figures: panels in rows over a caption, sizes in inches, colours of models and of layers."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vitscope.render.style import COLOUR_MAP, FAINT, WIDTH, ReadyFigure, drawable

# Okabe & Ito 2008, told apart by colour-blind readers; their yellow is too pale for lines on white.
MODEL_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#222222", "#E69F00", "#56B4E9")
_MARKERS = "os^Dv<>"
_DASHES: tuple[Any, ...] = ("solid", (0, (4, 2)), (0, (1, 1.5)))  # one a round of the colours
_LAST_COLOUR = 0.9  # of the colour map: the rest is too pale for dots on white
_CAPTION_LETTERS = 136  # a line: hexadecimal digits, of which these captions are full, are wide
_HEAD = 0.06  # inches above the first row
_BAR = 0.36  # the same, with a bar of colours there
BAR = "colours"  # the label of the bar's axes
GRID_LINES = "#e6e6e6"


@dataclass(frozen=True)
class Panels:
    """How a sheet's panels lie, in inches: columns of equal panels, each with room around its axes."""

    columns: int
    height: float  # of the axes
    left: float = 0.68  # of the axes, from the panel's edge
    right: float = 0.12
    above: float = 0.36  # titles
    below: float = 0.46  # ticks and labels

    @property
    def width(self) -> float:
        """Of a panel, with its margins."""
        return WIDTH / self.columns


def sheet(
    panels: Panels,
    count: int,
    caption: str,
    *,
    written: bool,
    legend: Sequence[tuple[Line2D, str]] = (),
    scale: tuple[Normalize, str] | None = None,
) -> tuple[ReadyFigure, list[Axes]]:
    """A figure with `count` panels' axes, row by row; its label is the caption, `written` at its foot or not.

    `scale`: of the colours of all panels, and what they show, for a bar at the head.
    """
    rows = -(-count // panels.columns)
    lines = textwrap.wrap(drawable(caption), _CAPTION_LETTERS) if written else []
    foot = 0.135 * len(lines) + 0.18 if lines else 0.0
    head = 0.08 + 0.16 * len(legend) if legend else _BAR if scale else _HEAD
    row = panels.above + panels.height + panels.below
    total = head + rows * row + foot
    figure = ReadyFigure(figsize=(WIDTH, total))
    axes: list[Axes] = []
    for place in range(count):
        y, x = divmod(place, panels.columns)
        left = x * panels.width + panels.left
        bottom = total - head - y * row - panels.above - panels.height
        size = (panels.width - panels.left - panels.right) / WIDTH, panels.height / total
        axes.append(figure.add_axes((left / WIDTH, bottom / total, *size)))
    if legend:
        _write_legend(figure, legend, panels.left, total)
    if scale:
        _draw_bar(figure, *scale, panels.left, total)
    figure.set_label(caption)
    if lines:
        style: dict[str, Any] = {"fontsize": 6.5, "color": FAINT, "va": "bottom", "linespacing": 1.35}
        figure.text(0.012, 0.05 / total, "\n".join(lines), **style)
    return figure, axes


def _write_legend(figure: ReadyFigure, legend: Sequence[tuple[Line2D, str]], left: float, total: float) -> None:
    """A line a model at the head, so that long names have room."""
    handles, names = zip(*legend, strict=True)
    figure.legend(
        list(handles),
        list(names),
        loc="upper left",
        bbox_to_anchor=(left / WIDTH, 1 - 0.04 / total),
        frameon=False,
        borderaxespad=0,
        borderpad=0.2,
        labelspacing=0.45,
        handlelength=2.2,
    )


def _draw_bar(figure: ReadyFigure, scale: Normalize, words: str, left: float, total: float) -> None:
    """The colours lying at the head, numbers beneath them and what they are of at their right."""
    width, height = 1.5 / WIDTH, 0.08 / total
    bar = figure.add_axes(((left + 0.06) / WIDTH, 1 - 0.16 / total, width, height), label=BAR)
    colours = figure.colorbar(ScalarMappable(scale, COLOUR_MAP), cax=bar, orientation="horizontal")
    ticks = bar_ticks(float(scale.vmin or 0), float(scale.vmax or 0))
    colours.set_ticks(ticks, labels=tick_words(ticks))
    colours.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.tick_params(length=2, pad=1.5)
    bar.text(1.06, 0.5, words, transform=bar.transAxes, va="center")


def bar_ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, three to five of them."""
    found = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = 1e-9 * (high - low)
    return [float(tick) + 0.0 for tick in found if low - slack <= tick <= high + slack]


def tick_words(ticks: Sequence[float]) -> list[str]:
    """All with as many decimals as tell neighbours apart."""
    for decimals in range(12):
        words = [f"{tick:.{decimals}f}" for tick in ticks]
        if all(abs(float(word) - tick) <= 1e-6 * abs(tick) for word, tick in zip(words, ticks, strict=True)):
            return words
    return [f"{tick:g}" for tick in ticks]


def model_style(place: int) -> dict[str, Any]:
    """Colour, marker and dashes of the model at a place in the row of models."""
    round_of, colour = divmod(place, len(MODEL_COLOURS))
    return {
        "color": MODEL_COLOURS[colour],
        "marker": _MARKERS[colour],
        "linestyle": _DASHES[round_of % len(_DASHES)],
        "markersize": 3.5,
        "linewidth": 1.3,
    }


def model_handle(place: int) -> Line2D:
    """What stands for a model in a legend."""
    return Line2D([], [], **model_style(place))


def layer_colour(layer: int, layers: int) -> tuple[float, ...]:
    """Dark at first, light at last."""
    return mpl.colormaps[COLOUR_MAP](_LAST_COLOUR * layer / max(layers - 1, 1))


def by_layer(axes: Axes, layers: int) -> None:
    """The axis of layers: whole numbers, half a layer of room at each end."""
    axes.set_xlim(-0.6, layers - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, min_n_ticks=1))
    axes.set_xlabel("layer")


def rule(axes: Axes, axis: str = "y") -> None:
    """Faint lines across, beneath everything."""
    axes.grid(axis=axis, color=GRID_LINES, linewidth=0.6)  # pyright: ignore[reportArgumentType]
    axes.set_axisbelow(True)


def dashed() -> dict[str, Any]:
    """A line that is no measurement."""
    return {"color": FAINT, "linewidth": 0.8, "linestyle": (0, (4, 3)), "zorder": 0.8}


def limits(*arrays: np.ndarray) -> tuple[float, float]:
    """Limits of an axis that hold all that is finite: from 0 where nothing is below it, else with room at both ends."""
    found = np.concatenate([np.asarray(array, dtype=np.float64).ravel() for array in arrays])
    found = found[np.isfinite(found)]
    low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 1.0)
    if low >= 0:
        return 0.0, 1.08 * high or 1.0
    room = 0.08 * (high - low) or 1.0
    return min(low - room, 0.0), max(high + room, 0.0)
