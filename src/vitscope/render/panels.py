"""Figures made of rows of equal pictures."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from vitscope.errors import ArgumentError
from vitscope.layout import Layout
from vitscope.look import Look, Shown
from vitscope.measures.query import Query
from vitscope.render.overlay import DETAIL, draw_picture, shape_on_page
from vitscope.render.style import INK, WIDTH, ReadyFigure, caption_height, drawable, shorten, write_caption

# Inches.
_TITLE = 0.37  # above each panel, for two lines
_BAR = 0.75  # at the right, for colour bars
_GAP = 0.08
_EDGE = 0.1
_LEAST_HEIGHT, _MAX_HEIGHT = 0.5, 2.3  # of a panel
_PANEL_TITLE, _OVERVIEW_TITLE = 1.05, 1.35  # what the broadest title takes in either band

_OVERVIEW = 4  # panels of the first band


@dataclass(frozen=True)
class Band:
    """Rows of equal panels, in inches; `top` is where the first row's titles begin."""

    rows: int
    columns: int
    width: float
    height: float
    pitch: float  # from one panel's left edge to the next one's
    top: float

    @property
    def bottom(self) -> float:
        return self.top + self.rows * (self.height + _TITLE)

    def corner(self, row: int, column: int) -> tuple[float, float]:
        """Left and top of a panel's picture."""
        return _EDGE + column * self.pitch, self.top + row * (self.height + _TITLE) + _TITLE


@dataclass(frozen=True)
class Sheet:
    """A figure with four larger panels for an overview, a band of smaller ones for maps, bars, a caption."""

    figure: ReadyFigure
    overview: Band
    maps: Band
    rows_each: int  # rows of the band that one row of maps takes

    def overview_axes(self, slot: int) -> Axes:
        """The axes of one of the four panels above."""
        return self._panel(self.overview, *divmod(slot, self.overview.columns))

    def map_axes(self, index: int, below: int = 0) -> Axes:
        """The axes of one map, or those `below` it."""
        row, column = divmod(index, self.maps.columns)
        return self._panel(self.maps, self.rows_each * row + below, column)

    def overview_bar(self, slot: int, *, in_place: bool = False) -> Axes:
        """Axes for a colour bar at the right of the slot's row, or `in_place` of the slot."""
        row, column = divmod(slot, self.overview.columns)
        return self._bar(self.overview, row, column if in_place else self.overview.columns)

    def map_bar(self) -> Axes:
        """Axes for a colour bar at the right of the first row of maps."""
        return self._bar(self.maps, 0, self.maps.columns)

    def _panel(self, band: Band, row: int, column: int) -> Axes:
        axes = self._at(*band.corner(row, column), band.width, band.height)
        axes.set_anchor("NW")
        return axes

    def _bar(self, band: Band, row: int, column: int) -> Axes:
        left, top = band.corner(row, column)
        return self._at(left + 0.02, top, 0.1, band.height)

    def _at(self, left: float, top: float, width: float, height: float) -> Axes:
        total = self.figure.get_size_inches()[1]
        return self.figure.add_axes((left / WIDTH, 1 - (top + height) / total, width / WIDTH, height / total))


def sheet(shown: Shown, maps: int, caption: str, *, rows_each: int = 1) -> Sheet:
    """An empty sheet for an overview and `maps` maps, its caption written.

    As many maps stand in a row as leave each high enough to be read.
    """
    aspect = shape_on_page(shown.seen.height, shown.seen.width)  # height / width
    columns = _columns((4, 2), aspect)
    overview = _band(_OVERVIEW // columns, columns, aspect, top=0.0, least_pitch=_OVERVIEW_TITLE)
    columns = _columns(tuple(c for c in (6, 5, 4, 3, 2) if c <= max(4, maps)), aspect)
    rows = -(-maps // columns) * rows_each
    band = _band(rows, columns, aspect, top=overview.bottom, least_pitch=_PANEL_TITLE)
    figure = ReadyFigure(figsize=(WIDTH, band.bottom + 0.1 + caption_height(caption)))
    write_caption(figure, caption)
    return Sheet(figure, overview, band, rows_each)


def _columns(choices: tuple[int, ...], aspect: float) -> int:
    """The most columns with panels of a readable height; the fewest, where there are none."""
    return next((columns for columns in choices if _size(columns, aspect)[1] >= _LEAST_HEIGHT), choices[-1])


def _band(rows: int, columns: int, aspect: float, *, top: float, least_pitch: float) -> Band:
    width, height = _size(columns, aspect)
    return Band(rows, columns, width, height, max(width + _GAP, least_pitch), top)


def _size(columns: int, aspect: float) -> tuple[float, float]:
    """Width and height of panels that fill a row."""
    width = (WIDTH - _BAR - _EDGE) / columns - _GAP
    height = min(width * aspect, _MAX_HEIGHT)
    return height / aspect, height


def image_of(look: Look, image: int) -> Shown:
    """One image of a look; ArgumentError where there is none of that number."""
    if not 0 <= image < len(look.shown):
        raise ArgumentError(f"image {image} does not exist: the look has {len(look.shown)}, from 0")
    return look.shown[image]


def draw_original(axes: Axes, shown: Shown) -> None:
    """The original picture, dim where the model saw nothing of it; or the input, where there is no original."""
    if shown.original is None or shown.placement is None:
        draw_picture(axes, np.asarray(shown.seen), (shown.seen.height, shown.seen.width))
        axes.set_title(drawable(shorten(shown.name, 22)), loc="left")
        return
    height, width = shown.original.size
    small = shown.original.image.copy()
    small.thumbnail((DETAIL, DETAIL))
    pixels = np.asarray(small)
    y, x = small.height / height, small.width / width  # drawn pixels for each of the original
    left, top, right, bottom = shown.placement.box
    drawn = (pixels * 0.35 + 255 * 0.25).astype(np.uint8)
    rows = slice(max(round(top * y), 0), max(round(bottom * y), 0))
    columns = slice(max(round(left * x), 0), max(round(right * x), 0))
    drawn[rows, columns] = pixels[rows, columns]
    draw_picture(axes, drawn, (height, width))
    if (left, top, right, bottom) != (0, 0, width, height):
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=INK, linewidth=0.8))
    axes.set_title(f"{drawable(shorten(shown.name, 22))}\n{height} × {width} px", loc="left")


def draw_seen(axes: Axes, shown: Shown, query: Query, lattice: Layout) -> None:
    """Exactly what the model saw, with a box around the query where that is a patch of the lattice."""
    draw_picture(axes, np.asarray(shown.seen), (shown.seen.height, shown.seen.width))
    if isinstance(query, tuple):
        height, width = lattice.patch_size
        corner = (query[1] * width, query[0] * height)
        for colour, line in (("white", 2.4), (INK, 1.0)):  # seen on dark and on light
            axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=colour, linewidth=line))
    axes.set_title(f"model's input\n{shown.seen.height} × {shown.seen.width} px", loc="left")


def provenance(look: Look, shown: Shown | None = None, query: Query = None) -> str:
    """What was noted of the picture, the model and the verification, for the end of a caption."""
    boxed = "The query's patch is boxed in the model's input. " if isinstance(query, tuple) else ""
    name = look.settings["model"]["name"]
    version = look.settings["versions"]["vitscope"]
    about = f"{_remarks(shown)} " if shown is not None and _remarks(shown) else ""
    return (
        f"{boxed}{about}Sizes are height × width. Model: {shorten(name, 80)}. Recomputed attention equals the model's "
        f"own to {look.verification_error:.0e} of the values' magnitude. vitscope {version}."
    )


def _remarks(shown: Shown) -> str:
    """What a reader must know of the picture and of how it is drawn."""
    height, width = shown.seen.height, shown.seen.width
    parts = [f"Picture: {shown.note}."] if shown.note else []
    if shape_on_page(height, width) != height / width:
        parts.append("The picture is too oblong to be drawn to scale: its shorter side is stretched.")
    return " ".join(parts)
