"""The traced layout as a picture: which patches attend to one another, in every kind of layer."""

import textwrap
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitscope.arrangement import NOWHERE, Arrangement
from vitscope.look import Look
from vitscope.render.style import FAINT, INK, WIDTH, ReadyFigure, styled

_COLUMNS = 4
_PANEL = WIDTH / _COLUMNS  # inches
_TITLE = 0.52  # inches above each panel
_NOTE = 0.3  # inches below them all
_PALE = 0.45  # of white in each window's colour, so that the dots of queries show
_ALONE = np.array([0.68, 0.76, 0.84])
_COLOURS = 12  # of windows: enough that neighbours differ


@styled
def layouts(look: Look) -> Figure:
    """A panel for each way in which layers attend, naming the layers; windows have colours of their own."""
    seen = look.attention_seen
    groups: dict[tuple[Any, ...], tuple[Arrangement, list[int]]] = {}
    for index in range(len(seen.layers)):
        arrangement = seen.known_arrangement(index)
        if arrangement is not None and arrangement.keys.patches:
            tokens = (arrangement.query_tokens.tobytes(), arrangement.key_tokens.tobytes())
            key = (arrangement.queries, arrangement.keys, *tokens)
            groups.setdefault(key, (arrangement, []))[1].append(index)
    rows = -(-max(len(groups), 1) // _COLUMNS)
    height = rows * (_PANEL + _TITLE) + _NOTE
    figure = ReadyFigure(figsize=(WIDTH, height))
    width, tall = look.shown[0].seen.size
    for number, (arrangement, layers) in enumerate(groups.values()):
        row, column = divmod(number, _COLUMNS)
        left, top = column * _PANEL + 0.06, row * (_PANEL + _TITLE) + _TITLE
        side = _PANEL - 0.12
        axes = figure.add_axes((left / WIDTH, 1 - (top + side) / height, side / WIDTH, side / height))
        _draw(axes, arrangement, (tall, width))
        words = arrangement.describe() or "every patch to every patch"
        (rows_of, columns_of), (step, _) = arrangement.keys.grid, arrangement.keys.patch_size
        axes.set_title(
            f"{_named(layers)}: {arrangement.kind}\n{_wrapped(words)}\n{rows_of} × {columns_of} keys, {step:g} px",
            loc="left",
            fontsize=6,
            linespacing=1.25,
        )
    note = (
        "Colours tell windows apart, and repeat; white: in several windows. Dots: queries that stand on another grid."
    )
    figure.text(0.06 / WIDTH, 0.1 / height, note, color=FAINT, fontsize=6)
    return figure


def _draw(axes: Axes, arrangement: Arrangement, size: tuple[int, int]) -> None:
    """The keys' cells, in the colour of the window that holds them; those of several windows are white."""
    layout = arrangement.keys
    colours = np.ones((layout.patches, 3))
    held = np.zeros(layout.patches, int)
    palette = colormaps["tab20"]
    for window, tokens in enumerate(arrangement.key_tokens):
        cells = tokens[(tokens != NOWHERE) & (tokens >= len(layout.prefix))] - len(layout.prefix)
        own = np.array(palette((window * 7 % _COLOURS) / _COLOURS)[:3]) if arrangement.windows > 1 else _ALONE
        colours[cells] = _PALE + (1 - _PALE) * own
        held[cells] += 1
    colours[held > 1] = 1
    (rows, columns), (height, width) = layout.grid, layout.patch_size
    axes.imshow(
        colours.reshape(rows, columns, 3), extent=(0, columns * width, rows * height, 0), interpolation="nearest"
    )
    if rows * columns <= 1024:
        axes.vlines(np.arange(columns + 1) * width, 0, rows * height, colors="white", linewidths=0.4)
        axes.hlines(np.arange(rows + 1) * height, 0, columns * width, colors="white", linewidths=0.4)
    if arrangement.queries.grid != layout.grid and arrangement.queries.patches:
        y, x = arrangement.queries.centres().T
        axes.plot(x, y, ".", color=INK, markersize=max(0.6, 18 / max(arrangement.queries.grid)), linestyle="none")
    axes.set_xlim(0, max(size[1], columns * width))
    axes.set_ylim(max(size[0], rows * height), 0)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(FAINT)
        spine.set_linewidth(0.5)


def _named(layers: list[int]) -> str:
    if len(layers) == 1:
        return f"layer {layers[0]}"
    if layers == list(range(layers[0], layers[-1] + 1)):
        return f"layers {layers[0]} to {layers[-1]}"
    return f"layers {', '.join(map(str, layers[:5]))}{' …' if len(layers) > 5 else ''}"


def _wrapped(words: str) -> str:
    return "\n".join(textwrap.wrap(words, 36))
