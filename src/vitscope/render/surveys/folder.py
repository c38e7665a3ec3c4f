"""Summaries as a folder: every figure, the tables, the page. Written whole or not at all."""

import re
from collections.abc import Sequence
from pathlib import Path

from vitscope.errors import ArgumentError
from vitscope.render.style import save
from vitscope.render.surveys.page import write_page
from vitscope.render.surveys.plates import plates
from vitscope.render.surveys.tables import write_class_table, write_json, write_table
from vitscope.summaries import Summary
from vitscope.writing import whole_folder

FORMATS = ("png", "pdf", "svg")
_TABLES = ("index.html", "summary.csv", "summary.json", "classes.csv")
_FIGURE = re.compile(r"\w+_(by_depth|sorted|models|classes|mean|heads|matrices|layers)(-\d+)?\.(png|pdf|svg)")


def write_comparison(
    summaries: Sequence[Summary], folder: Path, *, formats: Sequence[str] = ("png",), force: bool = False
) -> list[Path]:
    """Write summaries into a new `folder`; OutputError where that cannot be done.

    index.html, summary.csv, summary.json, classes.csv where images have labels, and all figures in each of `formats`.
    An existing folder is replaced only with `force`, and only if it is such a one.
    """
    require_formats(formats)
    with whole_folder(folder, force=force, own=is_own) as draft:
        for plate in plates(summaries):
            figure = plate.draw()
            for suffix in formats:
                save(figure, str(draft / f"{plate.name}.{suffix}"))
        write_table(summaries, draft / "summary.csv")
        write_json(summaries, draft / "summary.json")
        if any(column.classes for summary in summaries for column in summary.columns.values()):
            write_class_table(summaries, draft / "classes.csv")
        write_page(summaries, draft / "index.html")
    return sorted(folder.iterdir())


def require_formats(formats: Sequence[str]) -> None:
    """Raise ArgumentError for formats that figures cannot be written in."""
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        found = repr(unknown[0]) if unknown else "none"
        raise ArgumentError(f"found the format {found}; expected some of {', '.join(FORMATS)}")


def is_own(name: str) -> bool:
    """Whether a comparison writes a file of this name."""
    return name in _TABLES or _FIGURE.fullmatch(name) is not None
