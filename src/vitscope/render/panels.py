"""Figures made of rows of equal pictures."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from vitscope.look import Look, Shown
from vitscope.render.overlay import draw_picture
from vitscope.render.style import INK, WIDTH, ReadyFigure, caption_height, shorten, write_caption

_TITLE, _BAR = 0.36, 0.75  # inches above each panel, and at the right for a colour bar
_GAP = 0.08
_EDGE = 0.1
_MAX_HEIGHT = 2.3  # inches of a panel
_HEADER_COLUMNS = 4


@dataclass
class Sheet:
    """A figure with a header of four larger panels, rows of smaller ones below, bars at the right, a caption."""

    figure: ReadyFigure
    header: tuple[float, float]  # width, height of a header panel in inches
    panel: tuple[float, float]  # width, height of the others in inches

    def axes(self, row: int, column: int) -> Axes:
        """The axes of one panel; row 0 is the header."""
        width, height = self._size(row)
        return self._at(_EDGE + column * (width + _GAP), self._top(row), width, height)

    def bar(self, row: int, column: int | None = None) -> Axes:
        """Axes for a colour bar of one row's height, at the right edge, or where a column begins."""
        width, height = self._size(row)
        left = WIDTH - _BAR + 0.06 if column is None else _EDGE + column * (width + _GAP)
        return self._at(left, self._top(row), 0.1, height)

    def _size(self, row: int) -> tuple[float, float]:
        return self.panel if row else self.header

    def _top(self, row: int) -> float:
        below_header = self.header[1] + _TITLE + (row - 1) * (self.panel[1] + _TITLE)
        return _TITLE + (below_header if row else 0)

    def _at(self, left: float, top: float, width: float, height: float) -> Axes:
        total = self.figure.get_size_inches()[1]
        return self.figure.add_axes((left / WIDTH, 1 - (top + height) / total, width / WIDTH, height / total))


def sheet(rows: int, columns: int, aspect: float, caption: str) -> Sheet:
    """An empty sheet of a header and `rows` rows for panels of `aspect` (height / width), its caption written."""
    header, panel = _panel_size(_HEADER_COLUMNS, aspect), _panel_size(columns, aspect)
    total = header[1] + _TITLE + rows * (panel[1] + _TITLE) + 0.1 + caption_height(caption)
    figure = ReadyFigure(figsize=(WIDTH, total))
    write_caption(figure, caption)
    return Sheet(figure, header, panel)


def _panel_size(columns: int, aspect: float) -> tuple[float, float]:
    width = (WIDTH - _BAR - _EDGE - columns * _GAP) / columns
    height = min(width * aspect, _MAX_HEIGHT)
    return height / aspect, height


def draw_original(axes: Axes, shown: Shown) -> None:
    """The original picture, dim where the model saw nothing of it; or the input, where there is no original."""
    if shown.original is None or shown.placement is None:
        draw_picture(axes, np.asarray(shown.seen), (shown.seen.height, shown.seen.width))
        axes.set_title(shorten(shown.name, 24), loc="left")
        return
    height, width = shown.original.size
    pixels = np.asarray(shown.original.image)
    left, top, right, bottom = (round(edge) for edge in shown.placement.box)
    lit = (pixels * 0.35 + 255 * 0.25).astype(np.uint8)
    rows, columns = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
    lit[rows, columns] = pixels[rows, columns]
    draw_picture(axes, lit, (height, width))
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=INK, linewidth=0.8))
    axes.set_title(f"{shorten(shown.name, 24)}\n{width} × {height} px", loc="left")


def draw_seen(axes: Axes, shown: Shown) -> None:
    """Exactly what the model saw."""
    draw_picture(axes, np.asarray(shown.seen), (shown.seen.height, shown.seen.width))
    axes.set_title(f"model's input\n{shown.seen.width} × {shown.seen.height} px", loc="left")


def provenance(look: Look) -> str:
    """Model and verification, for the end of a caption."""
    name = look.settings["model"]["name"]
    version = look.settings["versions"]["vitscope"]
    return (
        f"Model: {name}. Recomputed attention equals the model's own to {look.verification_error:.0e} of the values' "
        f"magnitude. vitscope {version}."
    )
