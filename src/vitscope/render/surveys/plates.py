"""Which figures some summaries give, in the order in which they are read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np

from vitscope.render.style import ReadyFigure
from vitscope.render.surveys.classes import classes_figure, classes_of, has_classes
from vitscope.render.surveys.curves import curves_figure, similarity_figure
from vitscope.render.surveys.depth import depth_figure
from vitscope.render.surveys.maps import head_maps_figure, maps_figure
from vitscope.render.surveys.matrices import alignment_figure, head_matrices_figure
from vitscope.render.surveys.ranked import ranked_figure
from vitscope.render.surveys.words import capital, column_words, titles_of
from vitscope.summaries import HeadSimilarity, Summary

MOST_CLASSES = 200  # rows of the page's table of classes; the rest is in classes.csv
_IN_JSON = "its numbers are in the file summary.json"


@runtime_checkable
class Draw(Protocol):
    """A figure, with or without its caption in the picture."""

    def __call__(self, *, caption: bool = True) -> ReadyFigure: ...


@dataclass(frozen=True)
class Plate:
    """One figure that can be drawn, and what it is called."""

    name: str  # of its file, without the suffix
    title: str
    heading: str  # what the figures of different models have in common in their titles
    draw: Draw
    numbers: str = "its numbers are in the tables below"  # for those who do not see it: where they are


def plates(summaries: Sequence[Summary]) -> list[Plate]:
    """All figures that these summaries have the numbers for."""
    return [*_of_columns(summaries), *_of_classes(summaries), *_of_maps(summaries), *_of_pairs(summaries)]


def absences(summaries: Sequence[Summary]) -> list[str]:
    """Why what was measured has no figure, a sentence each."""
    return [
        f"No figure of {column_words(measure['name'])} for {title}: {why}."
        for summary, title in zip(summaries, titles_of(summaries), strict=True)
        for measure in summary.settings["measures"]
        if (why := _absence(summary, measure["name"], measure["kind"])) is not None
    ]


def _absence(summary: Summary, name: str, kind: str) -> str | None:
    if kind == "alignment" and not any(one.measure == name for one in summary.alignments):
        return "fewer than 4 images in every minibatch"
    if kind == "similarity" and not _has_similarity(summary, name):
        return "no layer has two heads"
    return None


def _of_columns(summaries: Sequence[Summary]) -> Iterator[Plate]:
    for name in _names(summaries, lambda summary: summary.columns):
        title = capital(column_words(name))
        yield _plate(f"{name}_by_depth", f"{title} by depth", partial(depth_figure, summaries, name))
        if name.startswith("distance"):
            yield _plate(f"{name}_sorted", f"{title}, heads sorted", partial(ranked_figure, summaries, name))
        if sum(name in summary.columns for summary in summaries) > 1:
            yield _plate(f"{name}_models", f"{title}, models compared", partial(curves_figure, summaries, name))


def _of_classes(summaries: Sequence[Summary]) -> Iterator[Plate]:
    names = _names(summaries, lambda summary: [name for name in summary.columns if has_classes(summary, name)])
    for name in names[:1]:  # the distance, where it was measured: plans begin with it
        title = f"{capital(column_words(name))} by class"
        many = any(len(classes_of(summary, name)) > MOST_CLASSES for summary in summaries)
        numbers = "its numbers are in the file classes.csv" if many else Plate.numbers
        yield Plate(f"{name}_classes", title, title, partial(classes_figure, summaries, name), numbers)


def _of_maps(summaries: Sequence[Summary]) -> Iterator[Plate]:
    for name in _names(summaries, lambda summary: [one.measure for one in summary.maps]):
        title = f"{capital(column_words(name))}, mean over images"
        if len(summaries) > 1 or not _by_head(summaries[0], name):
            yield _plate(f"{name}_mean", title, partial(maps_figure, summaries, name), _IN_JSON)
        yield from _one_by_one(
            summaries,
            f"{name}_heads",
            f"{capital(column_words(name))}, head by head",
            partial(_by_head, name=name),
            partial(head_maps_figure, measure=name),
        )


def _of_pairs(summaries: Sequence[Summary]) -> Iterator[Plate]:
    for name in _names(summaries, lambda summary: [one.measure for one in summary.similarities if _has_pairs(one)]):
        title = capital(column_words(name))
        yield _plate(f"{name}_by_depth", f"{title} by depth", partial(similarity_figure, summaries, name), _IN_JSON)
        yield from _one_by_one(
            summaries,
            f"{name}_matrices",
            f"{title}, layer by layer",
            partial(_has_similarity, name=name),
            partial(head_matrices_figure, measure=name),
        )
    for name in _names(summaries, lambda summary: [one.measure for one in summary.alignments]):
        yield _plate(
            f"{name}_layers", capital(column_words(name)), partial(alignment_figure, summaries, name), _IN_JSON
        )


def _plate(name: str, title: str, draw: Draw, numbers: str = Plate.numbers) -> Plate:
    """A figure of all models."""
    return Plate(name, title, title, draw, numbers)


def _by_head(summary: Summary, name: str) -> bool:
    return any(one.measure == name and one.values.ndim == 3 for one in summary.maps)


def _has_similarity(summary: Summary, name: str) -> bool:
    return any(one.measure == name and _has_pairs(one) for one in summary.similarities)


def _has_pairs(similarity: HeadSimilarity) -> bool:
    """Whether a layer has two heads."""
    return bool(np.isfinite(similarity.layers).any())


def _one_by_one(
    summaries: Sequence[Summary],
    name: str,
    title: str,
    has: Callable[[Summary], bool],
    draw: Callable[..., ReadyFigure],
) -> Iterator[Plate]:
    """A figure a model; numbered where there are several."""
    many = len(summaries) > 1
    for place, (summary, model) in enumerate(zip(summaries, titles_of(summaries), strict=True), 1):
        if has(summary):
            suffix, of = (f"-{place}", f": {model}") if many else ("", "")
            yield Plate(f"{name}{suffix}", f"{title}{of}", title, partial(draw, summary), _IN_JSON)


def _names(summaries: Sequence[Summary], of: Callable[[Summary], Iterable[str]]) -> list[str]:
    """Names in the order of their first appearance."""
    return list(dict.fromkeys(name for summary in summaries for name in of(summary)))
