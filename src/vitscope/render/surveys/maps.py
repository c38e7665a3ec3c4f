"""Mean maps on the grid of patches, as multiples of uniform attention, all of a figure on one scale."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from vitscope.errors import ArgumentError
from vitscope.render.style import COLOUR_MAP, WIDTH, ReadyFigure, clear_axes, styled
from vitscope.render.surveys.sheets import Panels, sheet
from vitscope.render.surveys.words import capital, counted, drawn_titles, origin
from vitscope.summaries import MeanMap, Summary

WEIGHT = "weight × patches (1: uniform over the patches)"
_COLUMNS, _HEAD_COLUMNS = 4, 5  # at most
_MOST_GRIDS = 8  # of one model, where pictures keep their own aspect
_LEFT, _RIGHT = 0.06, 0.2  # inches beside a map
_WIDEST = 1.4  # inches, of a map
_LETTER = 0.068  # inches, of a title


@styled
def maps_figure(summaries: Sequence[Summary], measure: str = "rollout", *, caption: bool = True) -> ReadyFigure:
    """A panel a model and grid, the mean over heads where the maps have such."""
    found = [(place, one) for place, summary in enumerate(summaries) for one in maps_of(summary, measure)[:_MOST_GRIDS]]
    if not found:
        raise ArgumentError(f"found no mean map of {measure!r}; expected a run that was surveyed with it")
    having = [summary for summary in summaries if maps_of(summary, measure)]
    maps = [ratio_to_uniform(_over_heads(one)) for _, one in found]
    columns = even_columns(len(found), _COLUMNS)
    letters = int((WIDTH / columns - _LEFT) / _LETTER)
    names = [textwrap.wrap(title, letters) for title in drawn_titles(summaries, 2 * letters)]
    lines = max(len(names[place]) for place, _ in found) + 2
    scale = _scale(maps)
    figure, axes = sheet(
        _panels(maps, columns, lines),
        len(found),
        _caption([one for _, one in found], having, measure),
        written=caption,
        scale=(scale, WEIGHT),
    )
    for panel, (place, one), values in zip(axes, found, maps, strict=True):
        draw_map(panel, values, scale)
        title = [*names[place], _size(values), counted(one.images, "image")]
        panel.set_title("\n".join(title), loc="left")
    return figure


@styled
def head_maps_figure(summary: Summary, measure: str = "heatmaps", *, caption: bool = True) -> ReadyFigure:
    """One model's maps of the grid that most images have: the mean of the heads, then a panel a head."""
    one = next((one for one in maps_of(summary, measure) if one.values.ndim == 3), None)
    if one is None:
        raise ArgumentError(f"found no mean map of {measure!r} by head; expected a run that was surveyed with it")
    maps = [ratio_to_uniform(values) for values in (one.values.mean(axis=0), *one.values)]
    others = sum(other.images for other in maps_of(summary, measure)) - one.images
    rest = f" {counted(others, 'image')} more, of other grids, not shown." if others else ""
    text = (
        f"{capital(one.convention)}; mean over {counted(one.images, 'image')} of {_size(one.values[0])}.{rest} Weights "
        f"times the number of patches: 1 is what uniform attention over the patches would give. One colour scale for "
        f"all, from 0 to the largest. {origin([summary], measure)}"
    )
    scale = _scale(maps)
    panels = _panels(maps, even_columns(len(maps), _HEAD_COLUMNS), 1)
    figure, axes = sheet(panels, len(maps), text, written=caption, scale=(scale, WEIGHT))
    for place, (panel, values) in enumerate(zip(axes, maps, strict=True)):
        draw_map(panel, values, scale)
        panel.set_title(f"head {place - 1}" if place else f"mean of {counted(len(one.values), 'head')}", loc="left")
    return figure


@styled
def draw_map(axes: Axes, values: np.ndarray, scale: Normalize) -> Axes:
    """One map (rows, columns) on axes of the caller's, a square a patch."""
    axes.imshow(values, norm=scale, cmap=COLOUR_MAP, interpolation="nearest", aspect="equal")
    clear_axes(axes)
    axes.set_anchor("NW")
    return axes


def maps_of(summary: Summary, measure: str) -> list[MeanMap]:
    """The summary's maps of a measure, the grid of most images first."""
    return [one for one in summary.maps if one.measure == measure]


def ratio_to_uniform(values: np.ndarray) -> np.ndarray:
    """Weights (rows, columns) times the number of patches, so that maps of different grids compare."""
    return values * values.size


def even_columns(count: int, most: int) -> int:
    """Columns, `most` at most, that part `count` panels into as few rows, as even as can be."""
    return -(-count // -(-count // most))


def _scale(maps: Sequence[np.ndarray]) -> Normalize:
    """From 0, so that small differences look small."""
    return Normalize(0, max(float(values.max()) for values in maps) or 1.0)


def _panels(maps: Sequence[np.ndarray], columns: int, lines: int) -> Panels:
    """As high as the tallest map at full width needs, within limits."""
    width = min(WIDTH / columns - _LEFT - _RIGHT, _WIDEST)
    tallest = max(values.shape[0] / values.shape[1] for values in maps)
    height = float(np.clip(width * tallest, 0.35, 1.6 * width))
    right = WIDTH / columns - _LEFT - width
    return Panels(columns=columns, height=height, left=_LEFT, right=right, above=0.12 + 0.12 * lines, below=0.1)


def _over_heads(one: MeanMap) -> np.ndarray:
    return one.values if one.values.ndim == 2 else one.values.mean(axis=0)


def _size(values: np.ndarray) -> str:
    return f"{values.shape[0]} × {values.shape[1]} patches"


def _caption(found: Sequence[MeanMap], having: Sequence[Summary], measure: str) -> str:
    heads = ", mean over heads" if found[0].values.ndim == 3 else ""
    words = "; or: ".join(dict.fromkeys(one.convention for one in found))
    return (
        f"{capital(words)}{heads}; mean over images. Weights times the number of patches: 1 is what uniform "
        f"attention over the patches would give. One colour scale for all maps, from 0 to the largest."
        f"{_left_out(having, measure)} {origin(having, measure)}"
    )


def _left_out(having: Sequence[Summary], measure: str) -> str:
    """How many images the maps show, where there are more grids than are drawn."""
    grids = [maps_of(summary, measure) for summary in having]
    if max(len(maps) for maps in grids) <= _MOST_GRIDS:
        return ""
    shown = sum(one.images for maps in grids for one in maps[:_MOST_GRIDS])
    others = sum(one.images for maps in grids for one in maps[_MOST_GRIDS:])
    return (
        f" Of each model the {_MOST_GRIDS} grids with most images are shown, {counted(shown, 'image')} in all; "
        f"{others:,} more {'has another grid' if others == 1 else 'have other grids'}."
    )
