"""A run's tables and states as a Summary, shard by shard: what is held grows with heads and classes, not with images
(but for 28 bytes each, and the strings of one shard)."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from vitscope.errors import ArgumentError, RunError
from vitscope.summaries import ClassMeans, ColumnSummary, Estimate, Summary
from vitscope.surveys.bootstrap import Deviations, Totals, draws, estimate, mean_over, ratio
from vitscope.surveys.census import Census, census
from vitscope.surveys.sums import alignments, column_convention, head_similarities, mean_maps

_LEAST_OF_CLASS = 10  # images: percentile intervals of fewer are far too narrow
_MOST_CLASS_CELLS = 30_000_000  # numbers a column may take for its classes' heads: 240 MB


@runtime_checkable
class ReadableRun(Protocol):
    """What a summary needs of a run on disk; `vitscope.surveys.run.Run` is one."""

    @property
    def settings(self) -> Mapping[str, Any]: ...
    @property
    def complete(self) -> bool: ...
    @property
    def shards_done(self) -> int: ...
    @property
    def shards_total(self) -> int: ...
    def batches(self, name: Any, columns: Sequence[str] | None = None) -> Iterator[Any]: ...
    def states(self) -> Mapping[str, np.ndarray]: ...


def summarize(run: ReadableRun, *, replicates: int = 1000, confidence: float = 0.95, seed: int = 0) -> Summary:
    """Means over the run's images with bootstrap intervals, maps, similarities and alignments.

    Intervals are percentile intervals of `replicates` bootstrap means, at the level `confidence`; images are drawn,
    with all their heads. Equal runs and seeds give equal intervals, whatever the order of the rows. Raises RunError
    where no image was measured.
    """
    if replicates < 100:
        raise ArgumentError(f"found {replicates} replicates; expected 100 or more, for an interval to mean something")
    if not 0 < confidence < 1:
        raise ArgumentError(f"found a confidence of {confidence:g}; expected a share between 0 and 1, as 0.95")
    images = census(run.batches("images", ["image_id", "label", "status"]))
    if not len(images.hashes):
        raise RunError(f"the run holds no measured image, {images.failed} failed; expected one at least, to summarize")
    shape = (len(run.settings["layers"]), max((layer["heads"] for layer in run.settings["layers"]), default=0))
    tallies = _tallies(run, images, shape)
    bootstrap = _Bootstrap(replicates, confidence, seed)
    known = run.states()
    return Summary(
        settings=run.settings,
        complete=run.complete,
        shards_done=run.shards_done,
        shards_total=run.shards_total,
        images=len(images.hashes),
        failed=images.failed,
        images_digest=hashlib.sha256(images.hashes.tobytes()).hexdigest(),
        confidence=confidence,
        replicates=replicates,
        columns={tally.name: _column(tally, run, images, bootstrap) for tally in tallies},
        maps=tuple(mean_maps(run.settings, known)),
        similarities=tuple(head_similarities(run.settings, known)),
        alignments=tuple(alignments(run.settings, known)),
        notes=_notes(images, shape),
    )


@dataclass(frozen=True)
class _Bootstrap:
    replicates: int
    confidence: float
    seed: int

    def draws(self, groups: int) -> Float[np.ndarray, "replicates groups"]:
        return draws(groups, self.replicates, self.seed)


class _Tally:
    """One column's sums while its rows pass by."""

    def __init__(self, name: str, images: Census, shape: tuple[int, int]) -> None:
        self.name, self.shape = name, shape
        layers, heads = shape
        self.groups = Totals(images.groups, layers * heads)
        self.deviations = Deviations(layers * heads)
        self.by_class = _has_classes(images, shape)
        self.classes = Totals(len(images.labels) if self.by_class else 0, layers * heads)
        self.class_groups = Totals(int(images.class_starts[-1]) if self.by_class else 0, layers)

    def add(self, images: Census, places: np.ndarray, cells: np.ndarray, values: np.ndarray) -> None:
        """Rows of images (by their place in the census), cells (layer · heads + head) and values."""
        self.groups.add(images.group[places], cells, values)
        self.deviations.add(cells, values)
        if self.by_class:
            labelled = images.label[places] >= 0
            places, cells, values = places[labelled], cells[labelled], values[labelled]
            self.classes.add(images.label[places], cells, values)
            self.class_groups.add(images.class_group[places], cells // self.shape[1], values)


def _tallies(run: ReadableRun, images: Census, shape: tuple[int, int]) -> list[_Tally]:
    names = [name for measure in _measures(run, "column") for name in measure["columns"]]
    tallies = [_Tally(name, images, shape) for name in names]
    if not tallies:
        return []
    for batch in run.batches("heads", ["image_id", "layer", "head", *names]):
        table = pa.table(batch.columns, names=batch.schema.names) if isinstance(batch, pa.RecordBatch) else batch
        if not table.num_rows:
            continue
        places = images.places(table.column("image_id"))
        cells = _cells(table, shape)
        for tally in tallies:
            values = table.column(tally.name).to_numpy().astype(np.float64)
            tally.add(images, places, cells, values)
    return tallies


def _cells(table: pa.Table, shape: tuple[int, int]) -> Int[np.ndarray, " rows"]:
    layer, head = (table.column(name).to_numpy().astype(np.int64) for name in ("layer", "head"))
    for name, found, count in (("layer", layer, shape[0]), ("head", head, shape[1])):
        if found.min() < 0 or found.max() >= count:
            raise RunError(
                f"found {name} {found.min()} to {found.max()} in the run's heads; expected 0 to {count - 1}, as its "
                "plan says: the tables belong to another plan; survey again into another folder"
            )
    return layer * shape[1] + head


def _column(tally: _Tally, run: ReadableRun, images: Census, bootstrap: _Bootstrap) -> ColumnSummary:
    measure = next(measure for measure in _measures(run, "column") if tally.name in measure["columns"])
    uniform = (run.settings.get("uniform") or {}).get(tally.name)
    layers, heads = tally.shape
    replicates = tally.groups.means(bootstrap.draws(images.groups)).reshape(-1, layers, heads)
    mean = ratio(tally.groups.sums.sum(axis=0), tally.groups.counts.sum(axis=0)).reshape(layers, heads)
    by_layer = mean_over(replicates.reshape(-1, heads)).reshape(-1, layers)
    level, groups = bootstrap.confidence, images.groups
    return ColumnSummary(
        name=tally.name,
        convention=column_convention(measure, tally.name),
        unit=str(measure.get("unit") or ""),
        images=tally.groups.counts.sum(axis=0).astype(np.int64).reshape(layers, heads),
        heads=estimate(mean, replicates, level, groups),
        layers=estimate(mean_over(mean), by_layer, level, groups),
        overall=estimate(mean_over(mean[None])[0, ...], mean_over(replicates), level, groups),
        deviation=tally.deviations.deviation.reshape(layers, heads),
        uniform=None if uniform is None else np.array([np.nan if x is None else x for x in uniform], dtype=np.float64),
        classes=_classes(tally, images, bootstrap) if tally.by_class else None,
    )


def _classes(tally: _Tally, images: Census, bootstrap: _Bootstrap) -> ClassMeans:
    layers, heads = tally.shape
    by_class: list[tuple[Estimate, Estimate]] = []
    drawn: dict[int, np.ndarray] = {}
    sizes = np.bincount(images.label[images.label >= 0], minlength=len(images.labels))
    for start, stop, size in zip(images.class_starts, images.class_starts[1:], sizes, strict=False):
        groups = int(stop - start)
        if groups not in drawn:
            drawn[groups] = bootstrap.draws(groups)
        sums, counts = tally.class_groups.sums[start:stop], tally.class_groups.counts[start:stop]
        enough = bool(size >= _LEAST_OF_CLASS)
        by_class.append(_of_class(sums, counts, drawn[groups], bootstrap.confidence, enough=enough))
    per_layer, overall = zip(*by_class, strict=True)
    return ClassMeans(
        labels=images.labels,
        images=sizes,
        heads=ratio(tally.classes.sums, tally.classes.counts).reshape(-1, layers, heads),
        layers=_stacked(per_layer),
        overall=_stacked(overall),
    )


def _of_class(
    sums: Float[np.ndarray, "groups layers"],
    counts: Float[np.ndarray, "groups layers"],
    drawn: Float[np.ndarray, "replicates groups"],
    confidence: float,
    *,
    enough: bool,
) -> tuple[Estimate, Estimate]:
    """Of one class, by layer and over all; each head's number counts alike. `enough`: images for an interval."""
    groups = len(sums) if enough else 1
    total, count = sums.sum(axis=0), counts.sum(axis=0)
    totals, countings = drawn @ sums, drawn @ counts  # (replicates, layers)
    overall = ratio(totals.sum(axis=1), countings.sum(axis=1))
    return (
        estimate(ratio(total, count), ratio(totals, countings), confidence, groups),
        estimate(ratio(total.sum(keepdims=True), count.sum(keepdims=True))[0, ...], overall, confidence, groups),
    )


def _stacked(estimates: Sequence[Estimate]) -> Estimate:
    return Estimate(*(np.stack([getattr(one, name) for one in estimates]) for name in ("mean", "low", "high")))


def _measures(run: ReadableRun, kind: str) -> list[dict[str, Any]]:
    return [measure for measure in run.settings["measures"] if measure["kind"] == kind]


def _has_classes(images: Census, shape: tuple[int, int]) -> bool:
    return 0 < len(images.labels) * shape[0] * shape[1] <= _MOST_CLASS_CELLS


def _notes(images: Census, shape: tuple[int, int]) -> tuple[str, ...]:
    if images.labels and not _has_classes(images, shape):
        return (f"{len(images.labels):,} different labels are too many to be summarized one by one.",)
    return ()
