"""The numbers of summaries as files: a tidy table, one of classes, and everything as JSON."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitscope.render.surveys.plates import absences
from vitscope.render.surveys.telling import reservations, told_apart
from vitscope.summaries import Estimate, Summary

HEADER = ("model", "measure", "layer", "head", "mean", "low", "high", "images")
CLASS_HEADER = ("model", "measure", "label", "layer", "head", "mean", "low", "high", "images")
Row = tuple[Any, ...]


def write_table(summaries: Sequence[Summary], path: Path) -> None:
    """CSV: a row a model, measure, layer and head.

    Without a head: the mean over the layer's heads; without a layer too: over all heads of all layers.
    """
    _write(path, HEADER, rows_of(summaries))


def write_class_table(summaries: Sequence[Summary], path: Path) -> None:
    """CSV: the same for each class; its heads have no interval."""
    _write(path, CLASS_HEADER, class_rows_of(summaries))


def write_json(summaries: Sequence[Summary], path: Path) -> None:
    """Everything of every summary, and what to beware of."""
    models = [
        {"title": title, **summary.to_json()} for title, summary in zip(told_apart(summaries), summaries, strict=True)
    ]
    report = {"format": 1, "reservations": reservations(summaries), "absent": absences(summaries), "models": models}
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def rows_of(summaries: Sequence[Summary]) -> Iterator[Row]:
    """The rows of `write_table`, numbers as numbers, "" where there is none."""
    for title, summary in zip(told_apart(summaries), summaries, strict=True):
        for column in summary.columns.values():
            start = (title, column.name)
            yield (*start, "", "", *_numbers(column.overall, ()), summary.images)
            for layer in range(len(column.layers.mean)):
                yield (*start, layer, "", *_numbers(column.layers, layer), int(column.images[layer].max(initial=0)))
                for head in np.flatnonzero(np.isfinite(column.heads.mean[layer])).tolist():
                    numbers = _numbers(column.heads, (layer, head))
                    yield (*start, layer, head, *numbers, int(column.images[layer, head]))


def class_rows_of(summaries: Sequence[Summary]) -> Iterator[Row]:
    """The rows of `write_class_table`."""
    for title, summary in zip(told_apart(summaries), summaries, strict=True):
        for column in summary.columns.values():
            if (classes := column.classes) is None:
                continue
            for place, label in enumerate(classes.labels):
                start, images = (title, column.name, label), int(classes.images[place])
                yield (*start, "", "", *_numbers(classes.overall, place), images)
                for layer, heads in enumerate(classes.heads[place]):
                    yield (*start, layer, "", *_numbers(classes.layers, (place, layer)), images)
                    for head in np.flatnonzero(np.isfinite(heads)).tolist():
                        yield (*start, layer, head, float(heads[head]), "", "", images)


def _numbers(estimate: Estimate, at: Any) -> tuple[float | str, ...]:
    values = (float(part[at]) for part in (estimate.mean, estimate.low, estimate.high))
    return tuple(value if np.isfinite(value) else "" for value in values)


def _write(path: Path, header: Row, rows: Iterator[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.writer(file)
        table.writerow(header)
        for row in rows:
            table.writerow([f"{entry:.7g}" if isinstance(entry, float) else entry for entry in row])
