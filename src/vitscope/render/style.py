"""One look for all figures: sizes in inches for a full text width, quiet lines, captions that tell all."""

import io
import textwrap
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 7.2  # inches: a two-column page's text width
PANEL_GAP = 0.12  # between panels, as a fraction of a panel
COLOUR_MAP = "viridis"
INK, FAINT = "#222222", "#6b6b6b"
_RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
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
P = ParamSpec("P")
R = TypeVar("R")


class ReadyFigure(Figure):
    """A matplotlib figure, made apart from pyplot, that shows itself in a notebook."""

    def _repr_png_(self) -> bytes:
        return png_of(self)


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """The function with vitscope's figure style in force while it runs."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(_RC):
            return function(*args, **kwargs)

    return inner


@styled
def png_of(figure: Figure, dpi: int = 110) -> bytes:
    """The figure as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


@styled
def save(figure: Figure, path: str, dpi: int = 220) -> None:
    """Write the figure in the format of the path's suffix, without the date, so that files can be compared."""
    metadata: dict[str, Any] = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
    figure.savefig(path, dpi=dpi, metadata=metadata.get(path.rpartition(".")[2]))


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


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 150)
