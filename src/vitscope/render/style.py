"""One look for all figures: sizes in inches for a full text width, quiet lines, captions that tell all."""

import io
import textwrap
import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import IO, Any, ParamSpec, TypeVar

from matplotlib import font_manager, ft2font, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 7.2  # inches: a two-column page's text width
COLOUR_MAP = "viridis"
INK, FAINT = "#222222", "#6b6b6b"
_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.titlepad": 4,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "axes.titlecolor": INK,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "none",
    "svg.hashsalt": "vitscope",  # the same figure gives the same file
    "figure.dpi": 110,
    "text.parse_math": False,  # names of files may hold dollar signs
}
_DRAWING = threading.RLock()  # matplotlib's settings belong to all threads
P = ParamSpec("P")
R = TypeVar("R")


class ReadyFigure(Figure):
    """A matplotlib figure, made apart from pyplot, that shows itself in a notebook."""

    def _repr_png_(self) -> bytes:
        return png_of(self)


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """The function with vitscope's figure style in force while it runs, whatever the user's own style is."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with _DRAWING, style.context(_RC, after_reset=True):
            return function(*args, **kwargs)

    return inner


@styled
def png_of(figure: Figure, dpi: int = 110) -> bytes:
    """The figure as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


@styled
def save(figure: Figure, target: str | IO[bytes], form: str | None = None, dpi: int = 220) -> None:
    """Write the figure as png, pdf or svg, by the path's suffix if not said, without the date, to compare files by."""
    form = str(target).rpartition(".")[2] if form is None else form
    metadata: dict[str, Any] = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
    figure.savefig(target, dpi=dpi, format=form, metadata=metadata.get(form))


def caption_height(text: str) -> float:
    """Inches that a caption takes."""
    return 0.135 * len(_wrapped(text)) + 0.12


def write_caption(figure: Figure, text: str) -> None:
    """The caption at the figure's foot."""
    height = figure.get_size_inches()[1]
    figure.text(
        0.012, 0.05 / height, "\n".join(_wrapped(text)), fontsize=6.5, color=FAINT, va="bottom", linespacing=1.35
    )


def clear_axes(axes: Axes) -> None:
    """No ticks and no frame: for pictures."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def shorten(name: str, length: int) -> str:
    """The name with its middle left out where it is longer than `length`."""
    return name if len(name) <= length else f"{name[: length // 2 - 1]}…{name[-(length - length // 2) :]}"


def drawable(text: str) -> str:
    """The text with a box for each letter that the figures' font lacks."""
    letters = _letters()
    return "".join(letter if ord(letter) in letters else "□" for letter in text)


@cache
def _letters() -> frozenset[int]:
    """Code points in the figures' font."""
    path = font_manager.findfont(_RC["font.family"])
    return frozenset(ft2font.FT2Font(path).get_charmap())


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(drawable(text), 150)
