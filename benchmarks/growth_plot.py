"""Draws how time and memory grow with the number of tokens.

    python benchmarks/growth_plot.py FIGURES.json PICTURE.png

The figures are those that `growth.py --json` writes. Lines are measured, dashed ones computed.
"""

import argparse
import json
import math
from pathlib import Path

from measure import median_of

# Okabe and Ito's colours, told apart with every kind of colour vision.
_LINES = {
    "plain": ("plain forward pass", "#000000"),
    "look-all": ("vitscope,\nall three measures", "#0072B2"),
    "naive-row": ("naive, attention stored", "#D55E00"),
}
_FAINT = "#767676"
_LABEL_POINTS = 22  # between the middles of two labels, at least
_TICK_RATIO = 2.5  # between two ticks, at least


def draw(facts, picture):
    """Two panels, CPU (or CUDA) time and peak memory, into a PNG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    points = facts["points"]
    on_gpu = "device" in facts["machine"]
    clock, memory = ("cuda", "cuda") if on_gpu else ("cpu", "process")
    with mpl.rc_context({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(11, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        times = _panel(left, points, lambda point: median_of(point["costs"], clock))
        peaks = _panel(right, points, lambda point: point["peaks"][memory] / 1e9)
        left.set_ylabel(f"{'CUDA' if on_gpu else 'CPU'} time of one image, seconds")
        right.set_ylabel(f"peak memory of the {'GPU' if on_gpu else 'process'}, GB")
        if not on_gpu:
            _memory_line(right, facts["machine"]["memory_bytes"] / 1e9)
        _label_ends(left, times)  # last: nothing moves the axes' limits any more
        _label_ends(right, peaks)
        figure.savefig(picture, dpi=160)


def _panel(axes, points, value):
    """One quantity of every variant over the number of tokens; the lines' ends that are still to be labelled."""
    axes.set(xscale="log", yscale="log", xlabel="tokens")
    plain, ends = _known(points, "plain", value), []
    for name, (title, colour) in _LINES.items():
        known = _known(points, name, value)
        if not known:
            continue
        axes.plot(known.keys(), known.values(), color=colour, marker="o", markersize=4, linewidth=1.8)
        end = max(known)
        if end == max(plain):
            ends.append(((end, known[end]), title, colour))
        else:
            _continue(axes, known[end], plain, end, colour)
            _label(axes, (end, known[end]), title, colour, (-9, 3))
    _ticks(axes, sorted(plain))
    return ends


def _known(points, name, value):
    """What was measured of a variant, by number of tokens."""
    return {point["tokens"]: value(point[name]) for point in points if "costs" in point[name]}


def _continue(axes, last, plain, end, colour):
    """On from the last measured point, dashed: what is added to plain grows as the square of the number of tokens."""
    added = last - plain[end]
    line = [(tokens, middle + added * (tokens / end) ** 2) for tokens, middle in plain.items() if tokens >= end]
    axes.plot(*zip(*line, strict=True), color=colour, linestyle=(0, (4, 3)), linewidth=1.3)
    at = (end ** (2 / 3) * line[-1][0] ** (1 / 3), last ** (2 / 3) * line[-1][1] ** (1 / 3))  # below a machine's memory
    _label(axes, at, "computed, not measured:\nwhat is added ∝ tokens²", colour, (-9, 9), fontsize=9)


def _label(axes, at, words, colour, offset, **style):
    """Words left of a point."""
    axes.annotate(words, at, xytext=offset, textcoords="offset points", color=colour, ha="right", va="center", **style)


def _ticks(axes, tokens):
    """Ticks at what was measured, written out, where there is room."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    roomy = [tokens[-1]]
    for number in tokens[-2::-1]:
        if roomy[-1] / number >= _TICK_RATIO:
            roomy.append(number)
    axes.xaxis.set_major_locator(FixedLocator(roomy))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", labelsize=9)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)


def _label_ends(axes, ends):
    """Names right of the lines' ends, moved apart where they would overlap."""
    bottom, top = (math.log10(limit) for limit in axes.get_ylim())
    height = axes.get_figure().get_figheight() * 72 * 0.8  # of the panel, in points
    lowest = -math.inf
    for at, words, colour in sorted(ends, key=lambda end: end[0][1]):
        stands = (math.log10(at[1]) - bottom) / (top - bottom) * height
        moved = max(stands, lowest)
        lowest = moved + _LABEL_POINTS
        offset = (9, moved - stands)
        axes.annotate(words, at, xytext=offset, textcoords="offset points", color=colour, va="center")


def _memory_line(axes, gigabytes):
    """What the machine has."""
    axes.axhline(gigabytes, color=_FAINT, linewidth=1, linestyle=":")
    axes.annotate(
        f"this machine's memory, {gigabytes:.0f} GB",
        (0, gigabytes),
        xycoords=("axes fraction", "data"),
        xytext=(4, 4),
        textcoords="offset points",
        color=_FAINT,
        fontsize=9,
    )


def main():
    """Draw figures that were kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path)
    parser.add_argument("picture", type=Path)
    chosen = parser.parse_args()
    draw(json.loads(chosen.figures.read_text()), chosen.picture)


if __name__ == "__main__":
    main()
