"""A survey's run as it is read, complete or not: its tables, shard by shard, and its merged states."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from vitscope.errors import ArgumentError, RunError
from vitscope.images.naming import missing, printable
from vitscope.models.names import listing
from vitscope.summaries import Summary
from vitscope.surveys.layout import (
    MANIFEST,
    PLAN,
    SHARDS,
    STATES,
    finished_shards,
    read_plan,
    read_states,
    read_table,
    shard_folder,
)
from vitscope.surveys.results import merged

TableName = Literal["heads", "images", "failures", "maps"]

_TABLES = ("heads", "images", "failures", "maps")


@dataclass(frozen=True)
class Run:
    """What a survey's folder held when it was opened; from `open_run`.

    Shards that are finished later are not seen, so that tables read one after the other belong together.
    """

    folder: Path
    settings: dict[str, Any] = field(repr=False)  # of plan.json
    complete: bool  # all shards and the manifest are there
    shards: tuple[int, ...] = field(repr=False)  # the finished ones' numbers, in order

    @property
    def shards_done(self) -> int:
        """How many shards are there."""
        return len(self.shards)

    @property
    def shards_total(self) -> int:
        """How many there are when the survey is through."""
        return self.settings["shards"]

    def describe(self) -> str:
        """One line: the folder, and how much of it is there."""
        state = "complete" if self.complete else f"unfinished: {self.shards_done:,} of {self.shards_total:,} shards"
        return f"{printable(str(self.folder))} ({state})"

    def table(self, name: TableName, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of the finished shards, in the order of the shards; `columns` in the order given.

        RunError where no shard is finished, the run has no such table, or it cannot be read; ArgumentError
        for columns that it does not have.
        """
        return pa.concat_tables([read_table(path, columns) for path in self._paths(name)])

    def batches(self, name: TableName, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The same, one shard's table after the other: memory for one at a time."""
        for path in self._paths(name):
            yield read_table(path, columns)

    def dataset(self, name: TableName) -> ds.Dataset:
        """The same as a data set of Arrow, for filters and scans."""
        return ds.dataset([str(path) for path in self._paths(name)], format="parquet")

    def states(self) -> dict[str, np.ndarray]:
        """The sums over all images of the finished shards, by name, float64."""
        if self.complete:
            return read_states(self.folder / STATES)
        return merged(read_states(self._shard(shard) / STATES) for shard in self.shards)

    def summary(self, *, replicates: int = 1000, confidence: float = 0.95, seed: int = 0) -> Summary:
        """Means of all measures, per head, layer and class, with bootstrap intervals over the images.

        RunError where no image was measured.
        """
        from vitscope.surveys.summary import summarize

        return summarize(self, replicates=replicates, confidence=confidence, seed=seed)

    def _shard(self, shard: int) -> Path:
        return shard_folder(self.folder, shard, self.shards_total)

    def _paths(self, name: str) -> list[Path]:
        if name not in _TABLES:
            raise ArgumentError(f"found the table {name!r}; expected one of {', '.join(_TABLES)}")
        if not self.shards:
            raise RunError(f"{printable(str(self.folder))} has no finished shard yet; survey on, then read it")
        first = self._shard(self.shards[0])
        if not (first / f"{name}.parquet").is_file():
            there = sorted(path.stem for path in first.glob("*.parquet"))
            hint = ": survey with maps of every image to have it" if name == "maps" else ""
            raise RunError(f"{printable(str(self.folder))} has no table {name}; it has {listing(there)}{hint}")
        return [self._shard(shard) / f"{name}.parquet" for shard in self.shards]


def open_run(folder: str | os.PathLike[str]) -> Run:
    """The run in `folder`, as far as it is there; RunError where there is none."""
    path = Path(folder)
    if not (path / PLAN).is_file():
        raise RunError(_no_run(path))
    settings = read_plan(path)
    shards = tuple(sorted(finished_shards(path, settings["shards"])))
    complete = (path / MANIFEST).is_file() and len(shards) == settings["shards"]
    return Run(path, settings, complete, shards)


def _no_run(path: Path) -> str:
    """What is at `path` instead of a run, and which runs are near."""
    shown = printable(str(path))
    if not path.exists():
        return missing(str(path), "a run").replace("no such file", "no such run")
    for parent in (path.parent, path.parent.parent):
        if (path.name == PLAN or SHARDS in path.parts[-2:]) and (parent / PLAN).is_file():
            return f"{shown} is a part of a run; expected the run's own folder: {printable(str(parent))}"
    if not path.is_dir():
        return f"{shown} is a file; expected the folder of a survey's run"
    inside = sorted(printable(str(plan.parent)) for plan in path.glob(f"*/{PLAN}"))
    advice = f"did you mean {listing(inside, 3)}?" if inside else "expected the folder that a survey was written to"
    return f"{shown} holds no {PLAN}; {advice}"
