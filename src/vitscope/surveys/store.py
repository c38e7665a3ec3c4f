"""A survey's run as it is written: each shard is there whole or not at all, the manifest last of all."""

import errno
import json
import shutil
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save

from vitscope.errors import ArgumentError, OutputError
from vitscope.images.naming import printable
from vitscope.surveys import durable, locks
from vitscope.surveys.agreement import as_json, require_equal
from vitscope.surveys.layout import (
    DRAFT,
    LOCK,
    MANIFEST,
    PLAN,
    SHARDS,
    STATES,
    Counts,
    count_images,
    finished_shards,
    is_complete,
    read_plan,
    read_states,
    shard_folder,
)
from vitscope.surveys.results import ShardResult, State, merged


@contextmanager
def open_writer(folder: Path, settings: Mapping[str, Any], *, part: tuple[int, int] = (1, 1)) -> Generator["RunWriter"]:
    """Begin the run `folder`, or go on with it, alone or beside the other parts of a job array.

    `settings` become plan.json; a run that is there must have the same, but for `model.device` and where the
    pictures are. `part` is
    (i, n), i from 1: parts of one n may write side by side. What a killed process left half done is removed.
    A run that is complete stays as it is, and needs no lock.

    Raises OutputError where the folder holds something else or cannot be written; RunError where the run
    has other settings, or another process is writing it.
    """
    wanted = as_json(settings)
    writer = RunWriter(folder, wanted, part)
    _require_run_or_free(folder)
    if (folder / PLAN).exists() and is_complete(folder, writer.shards):
        require_equal(read_plan(folder), wanted, printable(str(folder)))
        locks.remove_locks(folder)  # of a process that was killed at its very end
        yield writer
        return
    locks.require_locks()
    with ExitStack() as held:
        with _reported(folder):
            _make(folder)
            with locks.gate(folder):
                alone = locks.take(folder, part, held)
                writer.remove_drafts(alone=alone)
                _settle(folder, wanted)
        yield writer
        if is_complete(folder, writer.shards):
            with _reported(folder):
                writer.remove_drafts(alone=True)  # of a lost actor
            locks.remove_locks(folder)


@dataclass(frozen=True)
class RunWriter:
    """Writes a run's shards, and finishes it; from `open_writer`."""

    folder: Path
    settings: Mapping[str, Any]
    part: tuple[int, int]

    def __post_init__(self) -> None:
        for name in ("images", "shard_size", "shards"):
            if not isinstance(self.settings.get(name), int):
                raise ArgumentError(f"a run's settings need a number of {name}; found {self.settings.get(name)!r}")
        number, of = self.part
        if not 1 <= number <= of:
            raise ArgumentError(f"found part {number} of {of}; expected a part from 1 to {of}")

    @property
    def shards(self) -> int:
        """The number of shards of the whole run."""
        return self.settings["shards"]

    def images(self, shard: int) -> int:
        """The number of images of one shard, as planned."""
        size: int = self.settings["shard_size"]
        return max(0, min(size, self.settings["images"] - shard * size))

    def finished(self) -> frozenset[int]:
        """The numbers of the shards that are there, whoever wrote them."""
        return finished_shards(self.folder, self.shards)

    def count(self, shards: frozenset[int]) -> Counts:
        """The images done and failed of finished shards; reads their tables of images."""
        return count_images(self.folder, sorted(shards), self.shards)

    def write(self, shard: int, result: ShardResult) -> None:
        """Put one shard in place, whole and synced; one that is there already stays.

        Raises OutputError where that cannot be done; the shards before it are not touched.
        """
        if not 0 <= shard < self.shards:
            raise ArgumentError(f"found shard {shard}; expected one from 0 to {self.shards - 1}")
        path = shard_folder(self.folder, shard, self.shards)
        draft = self.folder / f"{self._drafts}{shard}-{uuid.uuid4().hex[:8]}"  # Ray may compute a shard twice at once
        with _reported(path):
            if path.exists():
                return
            try:
                durable.make_folder(draft)
                for name, table in result.tables.items():
                    durable.write_file(draft / f"{name}.parquet", _parquet(table))
                durable.write_file(draft / STATES, _safetensors(result.states))
                durable.sync_folder(draft)
                _require_whole(draft, result)
                durable.put(draft, path)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # another process was quicker
                    raise
            finally:
                shutil.rmtree(draft, ignore_errors=True)  # it is there no longer where all went well

    def finish(self) -> bool:
        """Merge the states and write the manifest, once all shards are there; whether the run is complete.

        Reads one shard at a time. Where several parts come to it at once, one does it and the others wait.
        """
        if is_complete(self.folder, self.shards):
            return True
        if len(self.finished()) < self.shards:
            return False
        with _reported(self.folder / MANIFEST), locks.finishing(self.folder):
            if not is_complete(self.folder, self.shards):
                self._put(STATES, _safetensors(merged(self._states())))
                self._put(MANIFEST, _json(self._manifest()))
        return True

    def remove_drafts(self, *, alone: bool) -> None:
        """Remove what a killed process left: of this part, and of every part where nobody else is writing."""
        for path in self.folder.glob(f"{DRAFT}*" if alone else f"{self._drafts}*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    @property
    def _drafts(self) -> str:
        number, of = self.part
        return f"{DRAFT}{number}-of-{of}-"

    def _states(self) -> Iterator[State]:
        for shard in range(self.shards):
            yield read_states(shard_folder(self.folder, shard, self.shards) / STATES)

    def _manifest(self) -> dict[str, Any]:
        images = count_images(self.folder, range(self.shards), self.shards)
        return {**read_plan(self.folder), "complete": True, "counts": images._asdict()}

    def _put(self, name: str, data: memoryview) -> None:
        # Only who finishes writes these, so that one left by a killed process is written over.
        durable.put_file(self.folder / name, data, draft=self.folder / f"{DRAFT}{name}")


def _require_run_or_free(folder: Path) -> None:
    """Raise OutputError where `folder` holds something that is no run. Touches nothing."""
    shown = printable(str(folder))
    with _reported(folder):
        if not folder.exists() and not folder.is_symlink():
            return
        if not folder.is_dir():
            raise OutputError(f"{shown} is a file or a broken link; expected a folder, or a name that is free")
        names = sorted(entry.name for entry in folder.iterdir())
    strangers = [name for name in names if not name.startswith((LOCK, DRAFT))]
    if PLAN not in names and strangers:
        raise OutputError(
            f"{shown} holds what is no run of a survey ({printable(strangers[0])}); nothing was written: choose "
            "a folder that is empty, or does not exist yet"
        )


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)  # another part may have come first
        durable.sync_folder(folder.parent)


def _settle(folder: Path, wanted: Mapping[str, Any]) -> None:
    """plan.json and the folder of shards are there, and as wanted; no manifest is where a shard was taken out."""
    if (folder / PLAN).exists():
        require_equal(read_plan(folder), wanted, printable(str(folder)))
    else:
        durable.put_file(folder / PLAN, _json(wanted), draft=folder / f"{DRAFT}{PLAN}")
    if not is_complete(folder, wanted["shards"]):
        (folder / MANIFEST).unlink(missing_ok=True)
    if not (folder / SHARDS).is_dir():
        durable.make_folder(folder / SHARDS)
        durable.sync_folder(folder)


def _require_whole(draft: Path, result: ShardResult) -> None:
    """Raise FileNotFoundError where another process took something of the draft away."""
    for name in (*(f"{table}.parquet" for table in result.tables), STATES):
        (draft / name).stat()


@contextmanager
def _reported(path: Path) -> Generator[None]:
    """What the system refuses in the block becomes an OutputError that names the path."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {printable(str(path))}: {error.strerror or error}; finished shards are kept: put that right "
            "and give the same command again, or choose another folder"
        ) from error


def _parquet(table: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return memoryview(sink.getvalue())


def _safetensors(states: State) -> memoryview:
    # Not ascontiguousarray, which gives a scalar an axis.
    arrays = {name: np.asarray(values, dtype=np.float64, order="C") for name, values in states.items()}
    return memoryview(save(arrays))


def _json(value: Mapping[str, Any]) -> memoryview:
    return memoryview((json.dumps(dict(value), indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace"))
