"""Summaries as one HTML file that needs nothing else: no script, no network, every figure and number in it."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from vitscope.render.style import png_of
from vitscope.render.surveys.facts import facts_table, numbers_tables
from vitscope.render.surveys.plates import Plate, absences, plates
from vitscope.render.surveys.telling import reservations
from vitscope.render.surveys.words import counted, titles_of
from vitscope.summaries import Summary

_DPI = 200  # of 7.2 inches: 1440 pixels, sharp on dense screens


def write_page(summaries: Sequence[Summary], path: Path) -> None:
    """The page as the file `path`: what was measured on what, every figure with its caption, the numbers."""
    path.write_text("".join(page_parts(summaries)), encoding="utf-8", errors="backslashreplace")


def page_parts(summaries: Sequence[Summary]) -> Iterator[str]:
    """The document in pieces, one a figure."""
    style = (files("vitscope.render.surveys") / "page.css").read_text(encoding="utf-8")
    title = escape(_title(summaries))
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style)}">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    )
    yield f'<p class="lead">{escape(_lead(summaries))}</p>\n{_beware(summaries)}'
    drawn = plates(summaries)
    yield _contents(drawn)
    yield f'<h2 id="measured">What was measured, on what</h2>\n{facts_table(summaries)}'
    yield '<h2 id="figures">Figures</h2>\n'
    for plate in drawn:
        yield _figure(plate)
    yield "".join(f'<p class="note">{escape(sentence)}</p>\n' for sentence in absences(summaries))
    yield f'<h2 id="numbers">Numbers</h2>\n{numbers_tables(summaries)}</main>\n</body>\n</html>\n'


def _title(summaries: Sequence[Summary]) -> str:
    return f"{titles_of(summaries, 70)[0]}: a survey" if len(summaries) == 1 else f"{len(summaries)} models compared"


def _lead(summaries: Sequence[Summary]) -> str:
    counts = sorted({summary.images for summary in summaries})
    images = counted(counts[0], "image") if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,} images"
    sources = list(dict.fromkeys(summary.source_name for summary in summaries))
    return f"Where attention goes, as a mean over {images} of {', '.join(sources)}: {', '.join(titles_of(summaries))}."


def _beware(summaries: Sequence[Summary]) -> str:
    found = "".join(f"<li>{escape(sentence)}</li>" for sentence in reservations(summaries))
    return f'<div class="beware"><strong>Beware</strong><ul>{found}</ul></div>\n' if found else ""


def _contents(drawn: Sequence[Plate]) -> str:
    first = {plate.heading: plate.name for plate in reversed(drawn)}
    figures = [(first[heading], heading) for heading in dict.fromkeys(plate.heading for plate in drawn)]
    entries = [("measured", "What was measured, on what"), *figures, ("numbers", "Numbers")]
    links = "".join(f'<li><a href="#{escape(name)}">{escape(title)}</a></li>' for name, title in entries)
    return f'<nav aria-label="Contents"><ol>{links}</ol></nav>\n'


def _figure(plate: Plate) -> str:
    """The picture without its caption, which stands beneath as text."""
    figure = plate.draw(caption=False)
    data = base64.b64encode(png_of(figure, dpi=_DPI)).decode("ascii")
    name, title, caption = escape(plate.name), escape(plate.title), escape(str(figure.get_label()))
    return (
        f'<figure id="{name}"><h3>{title}</h3><div class="wide picture" tabindex="0" role="group" aria-label="{title}">'
        f'<img src="data:image/png;base64,{data}" alt="{title}; {escape(plate.numbers)}"></div>'
        f"<figcaption>{caption}</figcaption></figure>\n"
    )


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
