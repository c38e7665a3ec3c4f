"""A map over a picture: colour and opacity follow the value, the picture beneath is grey."""

from typing import Any
from weakref import WeakKeyDictionary

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from PIL import Image

from vitscope.layout import Layout
from vitscope.look import Shown
from vitscope.render.style import COLOUR_MAP, INK, clear_axes

_OPACITY = 0.92  # at the scale's high end; nothing at its low end
_OPACITY_POWER = 0.6  # below 1, so that middling values are seen too
DETAIL = 640  # pixels of the longer side of the picture beneath
_MOST_OBLONG = 12.0  # longer side over shorter, as drawn
_pictures: WeakKeyDictionary[Shown, UInt8[np.ndarray, "height width 3"]] = WeakKeyDictionary()  # beneath the maps


def shape_on_page(height: int, width: int) -> float:
    """Height over width of a picture as it is drawn: its own, but within limits in which it can be seen."""
    return min(max(height / width, 1 / _MOST_OBLONG), _MOST_OBLONG)


def draw_picture(axes: Axes, pixels: UInt8[np.ndarray, "height width 3"], input_size: tuple[int, int]) -> None:
    """A picture on axes in pixels of `input_size` (height, width)."""
    height, width = input_size
    axes.imshow(pixels, extent=(0, width, height, 0), interpolation="antialiased")
    axes.set_aspect(shape_on_page(height, width) * width / height)
    clear_axes(axes)


def draw_overlay(
    axes: Axes,
    shown: Shown,
    layout: Layout,
    heatmap: Float[np.ndarray, "rows columns"],
    scale: Normalize,
    *,
    smooth: bool = False,
    cmap: str = COLOUR_MAP,
) -> None:
    """The map over the grey picture; each patch is one flat square unless `smooth`."""
    draw_picture(axes, as_grey(detailed(shown)), (shown.seen.height, shown.seen.width))
    values = _smoothed(heatmap, layout) if smooth else np.asarray(heatmap)
    height, width = layout.image_size
    colours = _rgba(values, scale, cmap)
    axes.imshow(colours, extent=(0, width, height, 0), interpolation="nearest", aspect=axes.get_aspect())
    _frame(axes, shown)


def draw_mask(axes: Axes, shown: Shown, layout: Layout, mask: Bool[np.ndarray, "rows columns"]) -> None:
    """The picture where the mask holds, outlined, and a pale grey ghost of it elsewhere."""
    pixels = detailed(shown)
    ghost = (255 - (255 - as_grey(pixels).astype(float)) * 0.25).astype(np.uint8)
    kept = Image.fromarray(mask.astype(np.uint8) * 255)
    covered = Image.new("L", (shown.seen.width, shown.seen.height))  # a remainder beside the grid stays outside
    covered.paste(kept.resize((round(layout.image_size[1]), round(layout.image_size[0])), Image.Resampling.NEAREST))
    inside = np.asarray(covered.resize((pixels.shape[1], pixels.shape[0]), Image.Resampling.NEAREST)) > 0
    draw_picture(axes, np.where(inside[..., None], pixels, ghost), (shown.seen.height, shown.seen.width))
    axes.add_collection(LineCollection(_outline(mask, layout.patch_size), colors=INK, linewidths=0.4))
    _frame(axes, shown)


def draw_window(axes: Axes, window: Bool[np.ndarray, "rows columns"], layout: Layout) -> None:
    """The edge of some cells, dashed, on axes in pixels of the input."""
    lines = _outline(window, layout.patch_size)
    for colour, style in (("white", "solid"), (INK, (0, (3, 2)))):  # seen on dark and on light
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.9, linestyles=[style]))


def colour_bar(figure: Figure, axes: Axes, scale: Normalize, label: str, cmap: str = COLOUR_MAP) -> None:
    """A bar with the scale's real numbers, in axes of its own, its label above."""
    bar: Any = figure.colorbar(
        ScalarMappable(scale, cmap), cax=axes, format=FuncFormatter(lambda value, _: f"{value:g}")
    )
    bar.ax.set_title(label, loc="left")
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2)


def detailed(shown: Shown) -> UInt8[np.ndarray, "height width 3"]:
    """What lies under the model's input, with the original's detail where there is one; made once."""
    if shown not in _pictures:
        pixels = _detailed(shown)
        pixels.flags.writeable = False
        _pictures[shown] = pixels
    return _pictures[shown]


def _detailed(shown: Shown) -> UInt8[np.ndarray, "height width 3"]:
    if shown.original is None or shown.placement is None:
        return np.array(shown.seen)
    left, top, right, bottom = shown.placement.box
    inside = left >= 0 and top >= 0 and right <= shown.original.image.width and bottom <= shown.original.image.height
    if not inside:  # padded: only the input itself shows the padding
        return np.array(shown.seen)
    height, width = shown.seen.height, shown.seen.width
    factor = max(1.0, min(DETAIL / max(height, width), max((right - left) / width, (bottom - top) / height)))
    size = (round(width * factor), round(height * factor))
    return np.array(shown.original.image.resize(size, Image.Resampling.LANCZOS, box=shown.placement.box))


def as_grey(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """The same picture without colour, which belongs to the map."""
    return np.repeat(np.asarray(Image.fromarray(pixels).convert("L"))[..., None], 3, axis=2)


def _rgba(values: np.ndarray, scale: Normalize, cmap: str) -> np.ndarray:
    """(rows, columns) → (rows, columns, 4): colour of the value, opacity growing with it."""
    share = np.clip(np.asarray(scale(values), dtype=float), 0, 1)
    colours = mpl.colormaps[cmap](share)
    colours[..., 3] = _OPACITY * share**_OPACITY_POWER
    return colours


def _smoothed(heatmap: np.ndarray, layout: Layout) -> np.ndarray:
    height, width = layout.image_size
    factor = max(1.0, DETAIL / max(height, width))
    picture = Image.fromarray(np.asarray(heatmap, dtype=np.float32))
    return np.asarray(picture.resize((round(width * factor), round(height * factor)), Image.Resampling.BICUBIC))


def _outline(mask: np.ndarray, patch_size: tuple[float, float]) -> list[list[tuple[float, float]]]:
    """The edges between patches inside and outside: lines of two points (x, y) in pixels of the input."""
    height, width = patch_size
    padded = np.pad(mask, 1)
    rows, columns = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])  # above patch (row, column)
    lines = [
        [(int(c) * width, int(r) * height), (int(c + 1) * width, int(r) * height)]
        for r, c in zip(rows, columns, strict=True)
    ]
    rows, columns = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])  # at the left of patch (row, column)
    return lines + [
        [(int(c) * width, int(r) * height), (int(c) * width, int(r + 1) * height)]
        for r, c in zip(rows, columns, strict=True)
    ]


def _frame(axes: Axes, shown: Shown) -> None:
    axes.set_xlim(0, shown.seen.width)
    axes.set_ylim(shown.seen.height, 0)
