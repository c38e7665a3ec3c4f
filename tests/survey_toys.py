"""A survey that needs no torch: numbers from the bytes of made-up pictures; and a script that runs it, or breaks it.

python tests/survey_toys.py fill RUN [--part I N] [--pause SECONDS] [--log FILE] [--limit-at SHARD] [--fork]
python tests/survey_toys.py break FOLDER        # FOLDER/<k> and FOLDER/<k>-lost: killed at the k-th step
"""

import argparse
import hashlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from vitscope.errors import VitscopeError
from vitscope.surveys import durable
from vitscope.surveys.engine import fill
from vitscope.surveys.progress import Progress
from vitscope.surveys.results import ShardResult
from vitscope.surveys.run import open_run
from vitscope.surveys.store import open_writer

IMAGES, SHARD_SIZE, SHARDS = 13, 3, 5  # one image in the last shard, which fails
LAYERS, HEADS = 2, 3
TABLES = ("heads", "images", "failures", "maps")


def settings(**others):
    return {
        "format": 1,
        "model": {"name": "toy", "device": "cpu", "weights_sha256": hashlib.sha256(b"toy").hexdigest()},
        "measures": [{"name": "distance", "kind": "column", "convention": "bytes"}, {"name": "rollout", "kind": "map"}],
        "source": {"name": "numbers", "kind": "toy"},
        "images": IMAGES,
        "shard_size": SHARD_SIZE,
        "shards": SHARDS,
        **others,
    }


def picture(number):
    """(layers, heads) of one image, or None where it fails."""
    if number % 5 == 2:
        return None
    digest = hashlib.blake2b(str(number).encode(), digest_size=4 * LAYERS * HEADS).digest()
    values = np.frombuffer(digest, np.uint32).reshape(LAYERS, HEADS) / np.float32(2**32)
    return np.where(np.arange(HEADS) < 2 + np.arange(LAYERS)[:, None], values, np.nan)  # layer 0 has two heads


def result_of(shard):
    """All four tables, and states with NaN, of shapes (), (2,) and (2, 3)."""
    numbers = range(shard * SHARD_SIZE, min(IMAGES, (shard + 1) * SHARD_SIZE))
    pictures = {number: picture(number) for number in numbers}
    there = {number: values for number, values in pictures.items() if values is not None}
    failed = [number for number in numbers if number not in there]
    states = {"map.rollout.2x3.count": np.array(float(len(there)))}
    if there:
        total = sum(there.values())
        states |= {"map.rollout.2x3.sum": total, "similarity.toy.sum": total[0, :2] * shard}
    rows = [(f"{n:04d}", i, j, v[i, j]) for n, v in there.items() for i in range(LAYERS) for j in range(HEADS - 1 + i)]
    return ShardResult(
        {
            "heads": _table(rows, image_id=pa.string(), layer=pa.int16(), head=pa.int16(), distance=pa.float32()),
            "images": _table(
                [
                    (f"{n:04d}", None if n % 7 == 0 else "abc"[n % 3], "failed" if n in failed else "done")
                    for n in numbers
                ],
                image_id=pa.string(),
                label=pa.string(),
                status=pa.string(),
            ),
            "failures": _table([(f"{n:04d}", "ImageError") for n in failed], image_id=pa.string(), error=pa.string()),
            "maps": _table(
                [(f"{n:04d}", v.ravel().tolist()) for n, v in there.items()],
                image_id=pa.string(),
                values=pa.list_(pa.float32()),
            ),
        },
        states,
    )


def _table(rows, **types):
    columns = list(zip(*rows, strict=True)) or [()] * len(types)
    return pa.table({name: pa.array(column, kind) for (name, kind), column in zip(types.items(), columns, strict=True)})


class Worker:
    """Computes shards; `computed` and the log tell which."""

    def __init__(self, *, pause=0.0, log=None, before=None):
        self.pause, self.log, self.before = pause, log, before
        self.computed, self.closed = [], False

    def __call__(self, shards):
        try:
            for shard in shards:
                self.computed.append(shard)
                if self.log is not None:
                    with self.log.open("a") as file:
                        file.write(f"{shard}\n")
                if self.before is not None:
                    self.before(shard)
                time.sleep(self.pause)
                yield shard, result_of(shard)
        finally:
            self.closed = True


def fill_run(folder, worker=None, *, part=(1, 1), progress=None, **others):
    """The toy survey into `folder`, from where it was."""
    numbers = [shard for shard in range(SHARDS) if shard % part[1] == part[0] - 1]
    with open_writer(Path(folder), settings(**others), part=part) as writer:
        return fill(writer, numbers, worker or Worker(), progress or Progress())


def contents(run):
    """Everything that a reader can see, comparable: types, rows in order, sums to the last bit."""
    seen = {name: (run.table(name).schema.to_string(), repr(run.table(name).to_pydict())) for name in TABLES}
    states = {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in run.states().items()}
    return {**seen, "states": states, "settings": run.settings, "complete": run.complete}


def expected_rows(shards):
    """The rows of these shards alone, by table."""
    results = [result_of(shard) for shard in shards]
    return {name: repr(pa.concat_tables([r.tables[name] for r in results]).to_pydict()) for name in TABLES}


def require_whole_shards(folder):
    """The numbers of the shards that a reader sees, each of which is whole; none where there is no run yet."""
    if not (Path(folder) / "plan.json").exists():
        return ()
    run = open_run(folder)
    if run.shards:
        assert {name: repr(run.table(name).to_pydict()) for name in TABLES} == expected_rows(run.shards)
        run.states()
    if run.complete:
        json.loads((Path(folder) / "manifest.json").read_text())
    return run.shards


class BrokenDisk:
    """Counts the steps of `durable`, and ends the process at one of them, half of a write done.

    With `loses`, what was not synced is lost then, as when the power fails: the bytes of files, the names
    in folders, renames. Nothing is really synced, which a process that is killed does not need.
    """

    STEPS = ("make_folder", "write", "sync", "rename")

    def __init__(self, run, break_at, *, loses):
        self.run, self.break_at, self.loses = run, break_at, loses
        self.steps = 0
        self.real = {name: getattr(durable, name) for name in (*self.STEPS, "write_file")}
        self.bytes, self.names, self.renames = set(), {}, []
        for name in (*self.STEPS, "write_file"):
            setattr(durable, name, getattr(self, name))

    def step(self):
        self.steps += 1
        return self.steps == self.break_at

    def make_folder(self, path):
        if self.step():
            self.end()
        self.real["make_folder"](path)

    def write_file(self, path, data):
        path.touch()
        self.bytes.add(path.stat().st_ino)
        self.names[path.stat().st_ino] = path.parent.stat().st_ino
        self.real["write_file"](path, data)

    def write(self, file, data):
        if self.step():
            self.real["write"](file, data[: len(data) // 2])
            self.end()
        return self.real["write"](file, data)

    def sync(self, file):
        if self.step():
            self.end()
        number = os.fstat(file).st_ino
        self.bytes.discard(number)
        self.names = {name: parent for name, parent in self.names.items() if parent != number}
        self.renames = [move for move in self.renames if move[2] != number]

    def rename(self, draft, path):
        if self.step():
            self.end()
        self.real["rename"](draft, path)
        self.renames.append((draft, path, path.parent.stat().st_ino))

    def end(self):
        if self.loses:
            for draft, path, _ in reversed(self.renames):
                path.rename(draft)
            for path in [path for path in self.run.rglob("*") if path.is_file()]:
                number = path.stat().st_ino
                if number in self.names:
                    path.unlink()
                elif number in self.bytes:
                    os.truncate(path, path.stat().st_size // 2)
        os._exit(9)


def break_everywhere(folder):
    """A run a step, killed there; prints how many steps an undisturbed run has."""
    step, killed = 0, True
    while killed:
        step += 1
        for loses in (False, True):
            run = folder / f"{step}{'-lost' if loses else ''}"
            child = os.fork()
            if child == 0:
                BrokenDisk(run, step, loses=loses)
                fill_run(run, Worker(log=folder / f"{run.name}.log"))
                os._exit(0)
            killed = os.waitpid(child, 0)[1] != 0
    print(step - 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("fill", "break"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", type=int, nargs=2, default=(1, 1))
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--limit-at", type=int)  # from this shard on, no file may have more than 100 bytes
    parser.add_argument("--fork", action="store_true")  # a child that stays
    given = parser.parse_args()
    if given.what == "break":
        return break_everywhere(given.folder)
    return run_script(given)


def run_script(given):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts without
    manifests = []
    rename = durable.rename
    durable.rename = lambda draft, path: (
        manifests.append(1) if path.name == "manifest.json" else 0,
        rename(draft, path),
    )

    def before(shard):
        print(f"shard {shard}", flush=True)
        if shard == given.limit_at:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        if given.fork and os.fork() == 0:
            print(f"child {os.getpid()}", flush=True)  # by itself, which is when it runs
            time.sleep(60)
            os._exit(0)

    worker = Worker(pause=given.pause, log=given.log, before=before)
    try:
        outcome = fill_run(given.folder, worker, part=tuple(given.part))
    except VitscopeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(json.dumps({"closed": worker.closed}), flush=True)
        return 130
    print(json.dumps({"manifests": len(manifests), "complete": outcome.complete, "computed": outcome.computed}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
