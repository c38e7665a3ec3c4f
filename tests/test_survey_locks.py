"""Who may write a run beside whom, and what is left by those who were killed."""

import os
import sys
import threading
from contextlib import ExitStack

import pytest

from survey_toys import SHARDS, fill_run, result_of, settings
from vitscope.errors import RunError
from vitscope.surveys import durable, locks
from vitscope.surveys.store import open_writer


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("first", "second", "allowed"),
    [
        ((1, 1), (1, 1), False),
        ((1, 1), (2, 3), False),
        ((2, 3), (1, 1), False),
        ((2, 3), (2, 3), False),
        ((2, 3), (1, 2), False),
        ((2, 3), (3, 3), True),
    ],
)
def test_who_may_write_beside_whom(tmp_path, first, second, allowed):
    with open_writer(tmp_path / "run", settings(), part=first):
        if allowed:
            with open_writer(tmp_path / "run", settings(), part=second):
                pass
            return
        with pytest.raises(RunError) as caught, open_writer(tmp_path / "run", settings(), part=second):
            pass
        holder = "all of it" if first == (1, 1) else f"part {first[0]} of {first[1]}"
        assert f"is being written by process {os.getpid()} on " in str(caught.value)
        assert f"({holder})" in str(caught.value)
        assert ("compute another of the 3 parts" in str(caught.value)) == (first[1] == 3)
    with open_writer(tmp_path / "run", settings(), part=second):
        pass


def test_the_holder_told_is_one_that_is_there(tmp_path):
    with open_writer(tmp_path / "run", settings(), part=(3, 5)):
        with open_writer(tmp_path / "run", settings(), part=(2, 5)):
            pass
        with pytest.raises(RunError, match=r"\(part 3 of 5\)"), open_writer(tmp_path / "run", settings()):
            pass


@pytest.mark.parametrize("others", [False, True])
def test_drafts_of_killed_processes_are_removed_by_whoever_may(tmp_path, others):
    with open_writer(tmp_path / "run", settings()):
        pass
    for draft in (".draft-1-of-3-4", ".draft-2-of-3-1", ".draft-1-of-1-2"):
        (tmp_path / "run" / draft).mkdir()
    (tmp_path / "run" / ".draft-manifest.json").touch()
    with ExitStack() as held:
        if others:
            locks.take(tmp_path / "run", (2, 3), held)
        with open_writer(tmp_path / "run", settings(), part=(1, 3)):
            left = [name for name in names_in(tmp_path / "run") if name.startswith(".draft")]
    expected = [".draft-1-of-1-2", ".draft-2-of-3-1", ".draft-manifest.json"]
    assert left == (expected if others else [])


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with pytest.raises(RunError, match=r"has no file locks \(Function not implemented\)"):
        fill_run(tmp_path / "run")


def test_a_system_without_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(RunError, match="Windows, which has no flock"):
        fill_run(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def finished_parts(folder):
    """Writers of both parts of a run that has all its shards, and no manifest yet."""
    with open_writer(folder, settings(), part=(1, 2)) as first, open_writer(folder, settings(), part=(2, 2)) as second:
        for shard in range(SHARDS):
            (first, second)[shard % 2].write(shard, result_of(shard))
        yield first, second


def test_the_part_that_comes_second_finds_it_finished(tmp_path, monkeypatch):
    named = []
    rename, finishing = durable.rename, locks.finishing
    monkeypatch.setattr(durable, "rename", lambda draft, path: (rename(draft, path), named.append(path.name)))
    for first, second in finished_parts(tmp_path / "run"):
        came = []

        def overtaken(run, first=first, came=came):
            monkeypatch.setattr(locks, "finishing", finishing)
            came.append(first.finish())
            return finishing(run)

        monkeypatch.setattr(locks, "finishing", overtaken)
        assert second.finish()
        assert came == [True]
    assert named.count("manifest.json") == named.count("states.safetensors") == 1
    assert not [name for name in names_in(tmp_path / "run") if name.startswith(".")]


def test_one_part_waits_while_another_finishes(tmp_path):
    for first, second in finished_parts(tmp_path / "run"):
        done = []
        waiting = threading.Thread(target=lambda second=second, done=done: done.append(second.finish()))
        with locks.finishing(first.folder):
            waiting.start()
            waiting.join(0.2)
            assert done == []
        waiting.join()
        assert done == [True]
