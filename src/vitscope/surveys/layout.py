"""Where a run keeps what: names of its files and folders, and what is read of one shard.

    RUN/plan.json, shards/00000/…, states.safetensors, manifest.json

Locks (`.lock…`) and drafts (`.draft-…`) lie beside them while a run is written.
"""

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import load

from vitscope.errors import ArgumentError, RunError
from vitscope.images.naming import printable
from vitscope.models.names import did_you_mean, listing

PLAN = "plan.json"
MANIFEST = "manifest.json"
STATES = "states.safetensors"
SHARDS = "shards"
LOCK = ".lock"  # what the names of locks begin with
DRAFT = ".draft-"  # what the names of drafts begin with


class Counts(NamedTuple):
    """Images, measured and failed."""

    done: int
    failed: int


def read_plan(folder: Path) -> dict[str, Any]:
    """The settings that a run was begun with; RunError where they cannot be read."""
    path = folder / PLAN
    try:
        found: Any = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {printable(str(path))}: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("shards"), int):
        raise RunError(f"{printable(str(path))} is no plan of a survey; expected settings with a number of shards")
    if found.get("format") != 1:
        raise RunError(
            f"{printable(str(path))} has format {found.get('format')!r}; expected 1: use the vitscope that wrote it"
        )
    return found


def shard_folder(run: Path, shard: int, shards: int) -> Path:
    """The folder of shard number `shard` of `shards`; sorted by name they stand in order, however many."""
    return run / SHARDS / f"{shard:0{_digits(shards)}}"


def finished_shards(run: Path, shards: int) -> frozenset[int]:
    """The numbers of the shards that are there, of `shards`. Reads one folder's names, and opens nothing."""
    name = re.compile(rf"[0-9]{{{_digits(shards)}}}")
    try:
        with os.scandir(run / SHARDS) as entries:
            there = (int(entry.name) for entry in entries if name.fullmatch(entry.name) and entry.is_dir())
            return frozenset(number for number in there if number < shards)
    except FileNotFoundError as error:
        if run.is_dir():  # planned, and no more
            return frozenset()
        raise RunError(
            f"{printable(str(run))} is no longer there; survey into it anew, or give another folder"
        ) from error
    except OSError as error:
        raise RunError(f"cannot read {printable(str(run / SHARDS))}: {error.strerror or error}") from error


def _digits(shards: int) -> int:
    return max(5, len(str(shards - 1)))


def is_complete(run: Path, shards: int) -> bool:
    """Whether the run has its manifest and all of its shards."""
    return (run / MANIFEST).is_file() and len(finished_shards(run, shards)) == shards


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """One shard's table; ArgumentError for columns that it does not have, RunError where it cannot be read."""
    try:
        with pq.ParquetFile(path) as file:
            if columns is None:
                return file.read()
            _require_columns(path, columns, file.schema_arrow.names)
            return file.read(list(columns))
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from error


def _require_columns(path: Path, columns: Sequence[str], names: Sequence[str]) -> None:
    for column in columns:
        if column not in names:
            near = did_you_mean(column, names)
            raise ArgumentError(
                f"the table {path.stem} has no column {column!r}; it has {listing(names)}{near.rstrip('.')}"
            )


def read_states(path: Path) -> dict[str, np.ndarray]:
    """The states of one file; RunError where it cannot be read."""
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from error


def count_images(run: Path, shards: Iterable[int], of: int) -> Counts:
    """The images of these shards, out of `of` shards."""
    counts = [counted(read_table(shard_folder(run, shard, of) / "images.parquet", ["status"])) for shard in shards]
    return Counts(sum(each.done for each in counts), sum(each.failed for each in counts))


def counted(images: pa.Table) -> Counts:
    """The images of a table of images."""
    done = images["status"].to_pylist().count("done")
    return Counts(done, images.num_rows - done)


def _damaged(path: Path, error: Exception) -> RunError:
    reason = getattr(error, "strerror", None) or error
    return RunError(
        f"cannot read {printable(str(path))}: {reason}; where it is damaged, remove its folder and the run's "
        f"{MANIFEST}, and survey again: only what is missing is computed"
    )
