"""Markdown: tables, spreads, and the file that keeps what was printed."""

import argparse
import statistics
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def new_result(name):
    """An empty file "date-name.md" in `results/`, or -2, -3 … where that exists: nothing is overwritten."""
    RESULTS.mkdir(exist_ok=True)
    number = 1
    while True:
        suffix = f"-{number}" if number > 1 else ""
        path = RESULTS / f"{time.strftime('%Y-%m-%d')}-{name}{suffix}.md"
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return path


def writer(path):
    """A function that prints a text and, unless `path` is None, also adds it to that file at once."""

    def say(text=""):
        print(text, flush=True)
        if path is not None:
            with path.open("a") as file:
                file.write(f"{text}\n")

    return say


def table(headings, rows):
    """A Markdown table."""
    return "\n".join(map(table_row, [headings, ["---"] * len(headings), *rows]))


def table_row(cells):
    """One line of it."""
    return f"| {' | '.join(map(str, cells))} |"


def spread(values, digits):
    """Median (least to largest)."""
    low, middle, high = (f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})" if len(values) > 1 else middle


def seconds_digits(seconds):
    """Digits after the point that leave about three that count."""
    return 3 if seconds < 1 else 2 if seconds < 100 else 0


def parser(description, threads=True):
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--save", action="store_true", help="keep what is printed in benchmarks/results/")
    if threads:
        made.add_argument("--threads", type=int, default=1, help="of torch and NumPy")
        made.add_argument("--device", default="cpu", help="cpu or cuda")
        made.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    return made
