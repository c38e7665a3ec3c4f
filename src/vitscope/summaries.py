"""What a survey comes to: means over images with their intervals. NumPy alone; nothing is read or drawn here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from vitscope.errors import ArgumentError


@dataclass(frozen=True)
class Estimate:
    """A mean over images, and the bootstrap's confidence interval for it.

    Of one shape. NaN where there is none: a head that its layer lacks, the interval of a single image.
    """

    mean: Float[np.ndarray, "*shape"]
    low: Float[np.ndarray, "*shape"]
    high: Float[np.ndarray, "*shape"]


@dataclass(frozen=True)
class ClassMeans:
    """The means of each class of images, by label in sorted order."""

    labels: tuple[str, ...]
    images: Int[np.ndarray, " classes"]
    heads: Float[np.ndarray, "classes layers heads"]
    layers: Estimate  # (classes, layers): mean over heads
    overall: Estimate  # (classes,): mean over all heads of all layers


@dataclass(frozen=True)
class ColumnSummary:
    """One number a head, over all images.

    `layers` is the mean over a layer's heads, `overall` over all heads of all layers; `deviation` is the standard
    deviation between images (n − 1).
    """

    name: str
    convention: str
    unit: str
    images: Int[np.ndarray, "layers heads"]
    heads: Estimate  # (layers, heads)
    layers: Estimate  # (layers,)
    overall: Estimate  # ()
    deviation: Float[np.ndarray, "layers heads"]
    uniform: Float[np.ndarray, " layers"] | None = None  # what uniform attention would have
    classes: ClassMeans | None = None  # None where images have no labels


@dataclass(frozen=True)
class MeanMap:
    """The mean of a map over the images of one grid."""

    measure: str
    convention: str
    unit: str
    images: int
    values: Float[np.ndarray, "*heads rows columns"]


@dataclass(frozen=True)
class HeadSimilarity:
    """The mean distance between the heads of each layer; NaN beyond a layer's heads."""

    measure: str
    convention: str
    images: int
    values: Float[np.ndarray, "layers heads heads"]

    @property
    def layers(self) -> Float[np.ndarray, " layers"]:
        """The mean over pairs of different heads; NaN where a layer has one head."""
        apart = ~np.eye(self.values.shape[1], dtype=bool)
        pairs = self.values[:, apart]  # (layers, heads · (heads − 1))
        known = np.isfinite(pairs)
        total, count = np.where(known, pairs, 0).sum(axis=1), known.sum(axis=1)
        return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


@dataclass(frozen=True)
class Alignment:
    """Linear CKA between the layers, from sums over minibatches."""

    measure: str
    convention: str
    minibatches: int
    values: Float[np.ndarray, "layers layers"]


@dataclass(frozen=True)
class Summary:
    """One run, ready to be drawn and compared without its model and its tables."""

    settings: Mapping[str, Any]
    complete: bool
    shards_done: int
    shards_total: int
    images: int  # that enter the means
    failed: int
    images_digest: str  # of the ids that enter the means, whatever their order
    confidence: float
    replicates: int
    columns: Mapping[str, ColumnSummary]
    maps: tuple[MeanMap, ...] = ()
    similarities: tuple[HeadSimilarity, ...] = ()
    alignments: tuple[Alignment, ...] = ()
    notes: tuple[str, ...] = ()  # what a reader must know of these numbers

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.settings["model"]["name"])

    @property
    def weights(self) -> str:
        """The first twelve digits of the weights' SHA-256, or "unknown"."""
        return str(self.settings["model"].get("weights_sha256") or "unknown")[:12]

    @property
    def source(self) -> str:
        """What the images came from."""
        return _source_name(self.settings.get("source") or {})

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON: arrays are lists, NaN is null."""
        return _plain(self)


def told_apart(summaries: Sequence[Summary]) -> tuple[str, ...]:
    """A title for each: the model's name, and where names coincide what else tells them apart, or a number."""
    titles = [summary.model for summary in summaries]
    for tell in (_weights_words, _source_words, _input_words):
        again = Counter(titles)
        words = [tell(summary) for summary in summaries]
        for title in [title for title, count in again.items() if count > 1]:
            places = [i for i, other in enumerate(titles) if other == title]
            if len({words[i] for i in places}) > 1:
                for i in places:
                    titles[i] = f"{title}, {words[i]}"
    numbers: Counter[str] = Counter()
    again = Counter(titles)
    for i, title in enumerate(titles):
        numbers[title] += 1
        titles[i] = f"{title} ({numbers[title]})" if again[title] > 1 else title
    return tuple(titles)


def with_column(summaries: Sequence[Summary], name: str) -> list[Summary]:
    """Those that have a column; ArgumentError where none has."""
    having = [summary for summary in summaries if name in summary.columns]
    if not having:
        known = ", ".join(dict.fromkeys(name for summary in summaries for name in summary.columns)) or "none"
        raise ArgumentError(f"found no column {name!r}; expected one that was measured: {known}")
    return having


def reservations(summaries: Sequence[Summary]) -> tuple[str, ...]:
    """What a reader must know before comparing these, a sentence each."""
    out: list[str] = []
    for title, summary in zip(told_apart(summaries), summaries, strict=True):
        if not summary.complete:
            done = f"{summary.shards_done} of {summary.shards_total} shards"
            out.append(f"{title} is unfinished: {done}, {summary.images:,} images.")
        out += [f"{title}: {note}" for note in summary.notes]
    if len({summary.images_digest for summary in summaries}) > 1:
        out.append("The models were measured on different images: differences between them may be the images'.")
    if len({str(summary.settings.get("input")) for summary in summaries}) > 1:
        out.append("The models' inputs differ in size: distances in pixels do not compare directly.")
    names = dict.fromkeys(name for summary in summaries for name in summary.columns)
    out += [f"{name} is not of one convention in all models." for name in names if not _one_convention(name, summaries)]
    return tuple(out)


def _one_convention(name: str, summaries: Sequence[Summary]) -> bool:
    found = [summary.columns[name] for summary in summaries if name in summary.columns]
    return len({(column.convention, column.unit) for column in found}) == 1


def _weights_words(summary: Summary) -> str:
    return f"weights {summary.weights[:8]}"


def _source_words(summary: Summary) -> str:
    return f"on {summary.source}"


def _input_words(summary: Summary) -> str:
    size = summary.settings.get("input")
    return "own aspect" if size is None else f"{size[0]} × {size[1]} px"


def _source_name(source: Mapping[str, Any]) -> str:
    """A source's settings in a few words: its name, its path or paths, or what kind of thing it is."""
    if found := source.get("name") or source.get("path"):
        return " ".join(str(part) for part in (found, source.get("pattern"), source.get("split")) if part)
    if parts := source.get("parts"):
        return " and ".join(_source_name(part) for part in parts)
    if paths := source.get("paths"):
        return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1:,} more"
    kind = source.get("kind")
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} in Python" if kind else "an unknown source"


def _plain(value: Any) -> Any:
    """Dataclasses, mappings and arrays as what JSON has."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
