"""Tables of the page: what was measured on what, and the numbers."""

import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

import numpy as np

from vitscope.render.surveys.plates import MOST_CLASSES
from vitscope.render.surveys.words import axis_words, capital, titles_of
from vitscope.summaries import ColumnSummary, Estimate, Summary


def facts_table(summaries: Sequence[Summary]) -> str:
    """A column a model: what a reader needs to repeat the numbers."""
    facts = [dict(_facts(summary)) for summary in summaries]
    names = list(dict.fromkeys(name for one in facts for name in one))
    rows = [[escape(name), *_fact([one.get(name, "–") for one in facts])] for name in names]
    return _table(["", *(f'<th scope="col">{escape(title)}</th>' for title in titles_of(summaries))], rows, "facts")


def numbers_tables(summaries: Sequence[Summary]) -> str:
    """For each column a table by layer, and folded ones by head and by class."""
    names = list(dict.fromkeys(name for summary in summaries for name in summary.columns))
    titles = titles_of(summaries)
    out: list[str] = []
    for name in names:
        found = [
            (title, summary.columns[name])
            for title, summary in zip(titles, summaries, strict=True)
            if name in summary.columns
        ]
        out.append(f"<h3>{escape(capital(axis_words(found[0][1])))}</h3>\n{_by_layer(found)}")
        out += [_folded(f"{title}: every head", _by_head(column)) for title, column in found]
        out += [_folded(f"{title}: every class", _by_class(column)) for title, column in found if column.classes]
    return "".join(out)


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    settings = summary.settings
    model = settings["model"]
    yield "model", str(model["name"])
    yield "class", str(model.get("class", "–"))
    yield "parameters", f"{model.get('parameters', 0):,}, {model.get('dtype', '')}"
    yield "weights", "random: never trained" if summary.random else str(model.get("weights") or "unknown")
    yield "weights (SHA-256)", str(model.get("weights_sha256") or "unknown")
    yield "layers", f"{len(settings['layers'])}, heads: {_heads(settings['layers'])}"
    yield "images", f"{summary.images:,} of {summary.source}, {summary.failed:,} failed"
    done = f"{summary.shards_done:,} of {summary.shards_total:,} shards"
    yield "run", f"complete, {done}" if summary.complete else f"unfinished: {done}"
    size = settings.get("input")
    yield "input", "each picture's own aspect" if size is None else f"{size[0]} × {size[1]} px (height × width)"
    yield "preprocessing", _preprocessing(settings.get("preprocessing"))
    for measure in settings["measures"]:
        yield f"convention: {measure['name']}", str(measure.get("convention") or "–")
    yield (
        "intervals",
        f"{summary.confidence * 100:g}% percentile bootstrap over images, {summary.replicates:,} replicates",
    )
    yield "versions", _flat(settings.get("versions"))


def _fact(values: Sequence[str]) -> list[str]:
    """A cell a model; one for all, where they agree."""
    if len(values) > 1 and len(set(values)) == 1:
        return [f'<td colspan="{len(values)}" class="shared">{escape(values[0])}</td>']
    return [f"<td>{escape(value)}</td>" for value in values]


def _heads(layers: Sequence[dict[str, Any]]) -> str:
    counts = [layer["heads"] for layer in layers]
    return str(counts[0]) if len(set(counts)) == 1 else ", ".join(map(str, counts))


def _preprocessing(settings: Any) -> str:
    """Of a whole picture only what is done to it: the crop's size, resizing and place do not apply."""
    if not isinstance(settings, dict) or settings.get("fit") != "whole":
        return _flat(settings)
    height, width = settings["size"]
    sides = " × ".join(map(str, settings.get("multiple", (1, 1))))
    kept = {name: settings[name] for name in ("interpolation", "mean", "std") if name in settings}
    area = f"about the area of {height} × {width} px, sides multiples of {sides} px"
    return f"the whole picture at its own aspect, {area}, {_flat(kept)}"


def _flat(value: Any) -> str:
    """A mapping on one line."""
    if not isinstance(value, dict):
        return "–" if value is None else str(value)
    return ", ".join(
        f"{name} {entry if isinstance(entry, str) else json.dumps(entry)}" for name, entry in value.items()
    )


def _by_layer(found: Sequence[tuple[str, ColumnSummary]]) -> str:
    layers = max(len(column.layers.mean) for _, column in found)
    rows = [["all layers", *(_cell(column.overall, ()) for _, column in found)]]
    for layer in range(layers):
        cells = [_cell(column.layers, layer) if layer < len(column.layers.mean) else _none() for _, column in found]
        rows.append([f"layer {layer}", *cells])
    return _table(["mean over heads", *(_head(title) for title, _ in found)], rows)


def _by_head(column: ColumnSummary) -> str:
    heads = range(column.heads.mean.shape[1])
    rows = [
        [f"layer {layer}", *(_cell(column.heads, (layer, head)) for head in heads)]
        for layer in range(len(column.heads.mean))
    ]
    return _table(["", *(_head(f"head {head}") for head in heads)], rows)


def _by_class(column: ColumnSummary) -> str:
    classes = column.classes
    if classes is None:
        return ""
    rows = [
        [escape(label), f'<td class="number">{int(images):,}</td>', _cell(classes.overall, place)]
        for place, (label, images) in enumerate(zip(classes.labels, classes.images, strict=True))
    ]
    rest = len(rows) - MOST_CLASSES
    more = f'<p class="note">{rest:,} more are in classes.csv.</p>' if rest > 0 else ""
    return _table(["class", _head("images"), _head("mean over all heads")], rows[:MOST_CLASSES]) + more


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "numbers") -> str:
    """`head` and each row begin with text for the first column; the other entries are whole cells."""
    body = "".join(f'<tr><th scope="row">{row[0]}</th>{"".join(row[1:])}</tr>\n' for row in rows)
    first = f'<th scope="col">{head[0]}</th>' if head[0] else "<td></td>"
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="table"><table class="{kind}"><thead><tr>{first}'
        f"{''.join(head[1:])}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )


def _head(title: str) -> str:
    return f'<th scope="col" class="number">{escape(title)}</th>'


def _cell(estimate: Estimate, at: Any) -> str:
    mean, low, high = (float(part[at]) for part in (estimate.mean, estimate.low, estimate.high))
    if not np.isfinite(mean):
        return _none()
    interval = f"<small>{_digits(low)} to {_digits(high)}</small>" if np.isfinite(low) else ""
    return f'<td class="number">{_digits(mean)}{interval}</td>'


def _digits(number: float) -> str:
    return f"{number:#.4g}".removesuffix(".").replace("-", "−")


def _none() -> str:
    return '<td class="number">–</td>'


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>\n{content}</details>\n"
