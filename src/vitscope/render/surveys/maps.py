"""Mean maps on the grid of patches, each with a bar of its scale."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage

from vitscope.errors import ArgumentError
from vitscope.render.style import COLOUR_MAP, WIDTH, ReadyFigure, clear_axes, styled
from vitscope.render.surveys.sheets import Panels, sheet
from vitscope.render.surveys.words import capital, counted, drawn_titles, origin
from vitscope.summaries import MeanMap, Summary

_COLUMNS = 4
_MOST_GRIDS = 8  # of one model, where pictures keep their own aspect
_LEFT, _RIGHT = 0.06, 0.52  # inches beside a map; the bar stands at its right


@styled
def maps_figure(summaries: Sequence[Summary], measure: str = "rollout", *, caption: bool = True) -> ReadyFigure:
    """A panel a model and grid, the mean over heads where the maps have such; each scaled by itself."""
    titles = drawn_titles(summaries, 24)
    found = [
        (titles[place], one)
        for place, summary in enumerate(summaries)
        for one in maps_of(summary, measure)[:_MOST_GRIDS]
    ]
    if not found:
        raise ArgumentError(f"found no mean map of {measure!r}; expected a run that was surveyed with it")
    having = [summary for summary in summaries if maps_of(summary, measure)]
    panels = _panels([_over_heads(one) for _, one in found])
    figure, axes = sheet(panels, len(found), _caption(found[0][1], having, measure), written=caption)
    for panel, (title, one) in zip(axes, found, strict=True):
        values = _over_heads(one)
        draw_map(panel, values, Normalize(float(values.min()), float(values.max())))
        panel.set_title(f"{title}\n{_size(values)}, {counted(one.images, 'image')}", loc="left")
    return figure


@styled
def head_maps_figure(summary: Summary, measure: str = "heatmaps", *, caption: bool = True) -> ReadyFigure:
    """One model's maps of the grid that most images have: the mean of the heads, then a panel a head on one scale."""
    one = next((one for one in maps_of(summary, measure) if one.values.ndim == 3), None)
    if one is None:
        raise ArgumentError(f"found no mean map of {measure!r} by head; expected a run that was surveyed with it")
    maps = [one.values.mean(axis=0), *one.values]
    text = (
        f"{capital(one.convention)}; mean over {counted(one.images, 'image')} of {_size(one.values[0])}. All heads "
        f"share one scale, from 0 to the largest weight; their mean has its own. {origin([summary])}"
    )
    figure, axes = sheet(_panels(maps), len(maps), text, written=caption)
    scale = Normalize(0, float(one.values.max()))
    for place, (panel, values) in enumerate(zip(axes, maps, strict=True)):
        draw_map(panel, values, scale if place else Normalize(0, float(values.max())), bar=place < 2)
        panel.set_title(f"head {place - 1}" if place else f"mean of {counted(len(one.values), 'head')}", loc="left")
    return figure


@styled
def draw_map(axes: Axes, values: np.ndarray, scale: Normalize, *, bar: bool = True) -> Axes:
    """One map (rows, columns) on axes of the caller's, a square a patch, the bar at its right."""
    image = axes.imshow(values, norm=scale, cmap=COLOUR_MAP, interpolation="nearest", aspect="equal")
    clear_axes(axes)
    axes.set_anchor("NW")
    if bar:
        draw_bar(axes, image, scale)
    return axes


def draw_bar(axes: Axes, image: AxesImage, scale: Normalize, width: float = 0.05) -> None:
    """A bar at the right of axes, with numbers at both ends and in the middle."""
    low, high = float(scale.vmin or 0), float(scale.vmax or 0)
    beside = axes.inset_axes((1.05, 0, width, 1))
    bar = axes.figure.colorbar(image, cax=beside)
    ticks = sorted({low, (low + high) / 2, high})
    bar.set_ticks(ticks, labels=_numbers(ticks))
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    beside.tick_params(length=2, pad=1.5)
    for label, alignment in zip(beside.get_yticklabels(), ("bottom", "center", "top"), strict=False):
        label.set_verticalalignment(alignment)  # within the bar's height, clear of titles


def maps_of(summary: Summary, measure: str) -> list[MeanMap]:
    """The summary's maps of a measure, the grid of most images first."""
    return [one for one in summary.maps if one.measure == measure]


def _numbers(ticks: Sequence[float]) -> list[str]:
    """In as few digits as tell them apart."""
    for digits in (2, 3, 4):
        words = [f"{tick:.{digits}g}" for tick in ticks]
        if len(set(words)) == len(words):
            return words
    return [f"{tick:.5g}" for tick in ticks]


def _panels(maps: Sequence[np.ndarray]) -> Panels:
    """As high as the tallest map at full width needs, within limits."""
    width = WIDTH / _COLUMNS - _LEFT - _RIGHT
    tallest = max(values.shape[0] / values.shape[1] for values in maps)
    height = float(np.clip(width * tallest, 0.35, 2 * width))
    return Panels(columns=_COLUMNS, height=height, left=_LEFT, right=_RIGHT, above=0.36, below=0.1)


def _over_heads(one: MeanMap) -> np.ndarray:
    return one.values if one.values.ndim == 2 else one.values.mean(axis=0)


def _size(values: np.ndarray) -> str:
    return f"{values.shape[0]} × {values.shape[1]} patches"


def _caption(one: MeanMap, having: Sequence[Summary], measure: str) -> str:
    left_out = max(len(maps_of(summary, measure)) for summary in having) - _MOST_GRIDS
    more = f" Of each model the {_MOST_GRIDS} grids with most images are shown." if left_out > 0 else ""
    heads = ", mean over heads" if one.values.ndim == 3 else ""
    return (
        f"{capital(one.convention)}{heads}; mean over images. Each colour scale runs from its map's least to its "
        f"largest weight.{more} {origin(having)}"
    )
