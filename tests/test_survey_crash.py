"""A survey stopped anywhere: whole shards at every moment, and after resuming what an undisturbed run has."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from survey_toys import SHARDS, BrokenDisk, Worker, contents, fill_run, require_whole_shards
from vitscope.errors import OutputError, RunError
from vitscope.surveys import durable
from vitscope.surveys.run import open_run

TOYS = Path(__file__).with_name("survey_toys.py")


@pytest.fixture(autouse=True)
def _disk_that_is_quick(monkeypatch):
    """In this process, which is not killed; the script's own runs are synced as they are by users."""
    monkeypatch.setattr(durable, "sync", lambda file: None)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    assert fill_run(folder).complete
    return contents(open_run(folder))


def start(*arguments, **options):
    command = [sys.executable, str(TOYS), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def wait_for(process, line):
    for found in process.stdout:
        if found.strip() == line:
            return
    pytest.fail(f"the survey ended without {line!r}: {process.communicate()[1]}")


def require_resumed(folder, undisturbed, computed, kills=1):
    """Resume the run, and find it as if nothing had happened; `computed` are the shards computed before."""
    there = require_whole_shards(folder)
    worker = Worker()
    outcome = fill_run(folder, worker)
    assert outcome.complete
    assert not set(worker.computed) & set(there)
    assert len(computed) + len(worker.computed) <= SHARDS + kills
    assert contents(open_run(folder)) == undisturbed
    assert sorted(path.name for path in folder.iterdir()) == [
        "manifest.json",
        "plan.json",
        "shards",
        "states.safetensors",
    ]


def logged(path):
    return path.read_text().split() if path.exists() else []


def test_killed_at_every_step_or_without_power(tmp_path, undisturbed):
    ended = subprocess.run([sys.executable, TOYS, "break", tmp_path], capture_output=True, text=True, check=True)
    steps = int(ended.stdout)
    assert steps > SHARDS * (4 * 2 + 4)  # four tables written and synced, states, folders, rename
    for step in range(1, steps + 1):
        for name in (f"{step}", f"{step}-lost"):
            require_resumed(tmp_path / name, undisturbed, logged(tmp_path / f"{name}.log"))


def failing(monkeypatch, at, number, *, lasting):
    """Let the step `at` fail, and all after it if `lasting`; the function gives the steps gone."""
    gone = [0]

    def disturbed(step):
        def run(*arguments):
            gone[0] += 1
            if gone[0] == at or (lasting and gone[0] > at):
                raise OSError(number, "No space left on device")
            return step(*arguments)

        return run

    for name in BrokenDisk.STEPS:
        monkeypatch.setattr(durable, name, disturbed(getattr(durable, name)))
    return lambda: gone[0]


@pytest.mark.parametrize("lasting", [False, True])
def test_refused_at_every_step(tmp_path, undisturbed, monkeypatch, lasting):
    with monkeypatch.context() as patched:
        steps = failing(patched, 0, errno.ENOSPC, lasting=False)
        fill_run(tmp_path / "0")
    for step in range(1, steps() + 1):
        folder, worker = tmp_path / f"{step}", Worker()
        with monkeypatch.context() as patched:
            failing(patched, step, errno.ENOSPC, lasting=lasting)
            with pytest.raises(OutputError, match="No space left") as caught:
                fill_run(folder, worker)
        assert str(tmp_path / f"{step}") in str(caught.value)
        assert not list(folder.glob(".draft-*"))
        assert worker.closed or not worker.computed
        require_resumed(folder, undisturbed, worker.computed)


def test_every_byte_is_synced_before_it_is_named(tmp_path, monkeypatch):
    told = []
    for name in BrokenDisk.STEPS:
        step = getattr(durable, name)
        monkeypatch.setattr(durable, name, lambda *given, name=name, step=step: (told.append(name), step(*given))[1])
    fill_run(tmp_path / "run")
    shard = ["make_folder", *["write", "sync"] * 5, "sync", "rename", "sync"]
    file = ["write", "sync", "rename", "sync"]
    assert told == ["sync", *file, "make_folder", "sync", *shard * SHARDS, *file * 2]


@pytest.mark.parametrize("seed", [*range(5), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(5, 55))])
def test_sigkill_at_random_moments(tmp_path, undisturbed, seed):
    folder, log = tmp_path / "run", tmp_path / "log"
    draw, kills, before = random.Random(seed), 0, 0
    while kills < 2:
        process = start("fill", folder, "--pause", 0.03, "--log", log)
        wait_for(process, f"shard {len(require_whole_shards(folder))}")
        ends = time.monotonic() + draw.uniform(0, 0.2)
        while time.monotonic() < ends:
            assert len(require_whole_shards(folder)) >= before  # whole at every moment, and none lost
        process.kill()
        process.communicate()
        kills += 1
        before = len(require_whole_shards(folder))
        assert len(logged(log)) <= before + kills
        if before == SHARDS:
            break
    require_resumed(folder, undisturbed, logged(log), kills)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal(tmp_path, undisturbed, number):
    process = start("fill", tmp_path / "run", "--pause", 0.2, "--log", tmp_path / "log")
    wait_for(process, "shard 2")
    process.send_signal(number)
    said, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert json.loads(said.splitlines()[-1]) == {"closed": True}
    assert not list((tmp_path / "run").glob(".draft-*"))
    assert require_whole_shards(tmp_path / "run")[:2] == (0, 1)
    require_resumed(tmp_path / "run", undisturbed, logged(tmp_path / "log"))


def test_a_second_process_is_refused_and_a_killed_one_does_not_hinder(tmp_path, undisturbed):
    first = start("fill", tmp_path / "run", "--pause", 20, "--log", tmp_path / "log")
    wait_for(first, "shard 0")
    second = start("fill", tmp_path / "run")
    _, complaint = second.communicate()
    assert second.returncode == 1
    assert f"is being written by process {first.pid} on " in complaint
    first.kill()
    first.communicate()
    require_resumed(tmp_path / "run", undisturbed, logged(tmp_path / "log"))


def test_a_child_that_outlives_a_killed_process_holds_no_lock(tmp_path, undisturbed):
    first = start("fill", tmp_path / "run", "--pause", 20, "--fork")
    wait_for(first, "shard 0")
    child = int(first.stdout.readline().split()[1])
    first.kill()
    first.wait()
    try:
        require_resumed(tmp_path / "run", undisturbed, [0])
    finally:
        os.kill(child, signal.SIGKILL)
        first.communicate()


def test_three_parts_at_once_are_one_run(tmp_path, undisturbed):
    parts = [start("fill", tmp_path / "run", "--part", i, 3, "--pause", 0.01) for i in (1, 2, 3)]
    said = [json.loads(part.communicate()[0].splitlines()[-1]) for part in parts]
    assert sum(part["manifests"] for part in said) == 1
    assert [part["computed"] for part in said] == [3 + 3, 3 + 1, 3]
    assert contents(open_run(tmp_path / "run")) == undisturbed
    assert not list((tmp_path / "run").glob(".*"))


def test_a_file_that_may_not_grow(tmp_path, undisturbed):
    process = start("fill", tmp_path / "run", "--limit-at", 3)
    _, complaint = process.communicate()
    assert process.returncode == 1
    assert f"cannot write {tmp_path / 'run' / 'shards' / '00003'}: File too large" in complaint
    assert require_whole_shards(tmp_path / "run") == (0, 1, 2)
    require_resumed(tmp_path / "run", undisturbed, [0, 1, 2, 3])


def test_an_output_that_became_read_only(tmp_path, undisturbed, monkeypatch):
    def refuse(path):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    def before(shard):
        if shard == 3:
            patched.setattr(durable, "make_folder", refuse)

    with (
        monkeypatch.context() as patched,
        pytest.raises(OutputError, match=r"cannot write .*00003: Read-only file system; finished shards are kept"),
    ):
        fill_run(tmp_path / "run", Worker(before=before))
    require_resumed(tmp_path / "run", undisturbed, [0, 1, 2, 3])


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc, where nobody may make a folder")
def test_a_place_where_nobody_may_write():
    with pytest.raises(OutputError, match="cannot write /proc/vitscope-run: "):
        fill_run("/proc/vitscope-run")


@pytest.mark.parametrize(("at", "error"), [(3, OutputError), (SHARDS, RunError)])
def test_a_folder_that_vanished(tmp_path, at, error):
    class Vanishing(Worker):
        def __call__(self, shards):
            for shard, result in super().__call__(shards):
                if shard == at:
                    shutil.rmtree(tmp_path / "run")
                yield shard, result
            if at == SHARDS:
                shutil.rmtree(tmp_path / "run")

    with pytest.raises(error, match=str(tmp_path / "run")):
        fill_run(tmp_path / "run", Vanishing())
    assert not (tmp_path / "run").exists()
