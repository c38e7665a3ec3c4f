"""What a survey comes to: means over images with their intervals. NumPy alone; nothing is read or drawn here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import PurePosixPath, PureWindowsPath
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
    """The means of each class of images, by label in sorted order; no intervals for classes of few images."""

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

    def __repr__(self) -> str:
        layers, heads = self.heads.mean.shape
        _, unit, mean, interval = _row(self)
        words = " ".join(part for part in ("mean", mean, unit, f"[{interval}]" if interval else "") if part)
        return f"ColumnSummary({self.name!r}, {layers} layers × {heads} heads, {words})"


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
    minibatches: int  # of four images or more
    values: Float[np.ndarray, "layers layers"]
    minibatch: int | None = None  # images of a whole one; None where the plan does not say


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
    def random(self) -> bool:
        """Whether the weights are random ones, of a model that was never trained."""
        return self.settings["model"].get("weights") == "random"

    @property
    def source(self) -> str:
        """What the images came from, with the whole path of a folder or file."""
        return _source_name(self.settings.get("source") or {}, str)

    @property
    def source_name(self) -> str:
        """The same to be shown around: of an absolute path the last part."""
        return _source_name(self.settings.get("source") or {}, _last_part)

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON: arrays are lists, NaN is null."""
        similarities = [{**_plain(one), "layers": _plain(one.layers)} for one in self.similarities]
        return {**_plain(self), "similarities": similarities}

    def __repr__(self) -> str:
        """Model, images and measures; `str` gives the means, too."""
        names = [measure["name"] for measure in self.settings["measures"]]
        return f"Summary({self._heading}; {', '.join(names)})"

    def __str__(self) -> str:
        """A line a column: its name, unit, and mean over all heads of all layers, with the interval."""
        level = f"{self.confidence * 100:g}% interval"
        rows = [("measure", "unit", "mean", level), *(_row(column) for column in self.columns.values())]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d}".rstrip() for a, b, c, d in rows]
        return "\n".join([self._heading, *(lines if self.columns else [])])

    @property
    def _heading(self) -> str:
        unfinished = "" if self.complete else f", unfinished: {self.shards_done} of {self.shards_total} shards"
        return f"{self.model}{', random weights' if self.random else ''}: {self.images:,} images{unfinished}"


def with_column(summaries: Sequence[Summary], name: str) -> list[Summary]:
    """Those that have a column; ArgumentError where none has."""
    having = [summary for summary in summaries if name in summary.columns]
    if not having:
        known = ", ".join(dict.fromkeys(name for summary in summaries for name in summary.columns)) or "none"
        raise ArgumentError(f"found no column {name!r}; expected one that was measured: {known}")
    return having


def _row(column: ColumnSummary) -> tuple[str, str, str, str]:
    """Name, unit, and the overall mean with its interval, if it has one."""
    overall = column.overall
    mean, low, high = (f"{float(part):#.4g}".replace("-", "−") for part in (overall.mean, overall.low, overall.high))
    return column.name, column.unit, mean, f"{low} to {high}" if np.isfinite(overall.low) else ""


def _source_name(source: Mapping[str, Any], named: Callable[[str], str]) -> str:
    """A source's settings in a few words: its name, its path or paths as `named`, or what kind of thing it is."""
    if found := source.get("name") or source.get("path"):
        place = named(str(found))
        if pattern := source.get("pattern"):
            return f"{place.rstrip('/')}/{pattern}"
        return " ".join(str(part) for part in (place, source.get("split")) if part)
    if parts := source.get("parts"):
        return " and ".join(_source_name(part, named) for part in parts)
    if paths := source.get("paths"):
        first = named(str(paths[0]))
        return first if len(paths) == 1 else f"{first} and {len(paths) - 1:,} more"
    kind = source.get("kind")
    if kind == "paths":  # from no one folder
        return "pictures by their paths"
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} in Python" if kind else "an unknown source"


def _last_part(path: str) -> str:
    """Of an absolute path of any system the last part; anything else as it is."""
    for form in (PurePosixPath(path), PureWindowsPath(path)):
        if form.is_absolute():
            return form.name or path
    return path


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
