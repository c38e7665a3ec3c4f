"""The processes that read a survey's images: what is said when one dies, and that they end with the survey."""

import multiprocessing
import os
import re
import signal
import threading
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import pytest

import vitscope
from survey_images import pixels
from vitscope.errors import RunError
from vitscope.surveys.loading import Chunk, chunks
from vitscope.surveys.planning import plan_survey
from vitscope.surveys.sources.opening import open_source
from vitscope.surveys.sources.python import MappingSource

OPTIONS = {"measures": ["entropy"], "shard_size": 5, "progress": False}
ADVICE = r"finished shards are kept.*--workers 0"
NAMES = [f"{i}" for i in range(13)]
DEATH = "DataLoader worker (pid 7) is killed by signal: Killed. "  # as PyTorch says it
DEATH_TOLD = rf"^a process that reads images died \({re.escape(DEATH)}\); {ADVICE}"


@dataclass(frozen=True, eq=False)
class Deadly(MappingSource):
    """Kills the process that reads one of its images, unless it is this one."""

    deadly: str = ""
    survivor: int = 0

    def read(self, row):
        if row["id"] == self.deadly and os.getpid() != self.survivor:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(row)


def started():
    """Chunks of pictures, the first of them there."""
    source = open_source({name: pixels(int(name)) for name in NAMES})
    plan, scope = plan_survey(source, shard_size=5), vitscope.load(device="cpu")
    ready = chunks(source, plan, scope.transform, range(3), size=2, workers=2)
    assert len(next(ready).images) == 2
    return ready


def kill_and_wait(child):
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # left for PyTorch to find


def load_by(monkeypatch, error, before=lambda: None):
    """Go through the chunks of a loader that stops with this error, after `before`."""

    def stopped(*given, **options):
        before()
        raise error
        yield

    go_through(monkeypatch, stopped)


def go_through(monkeypatch, loader):
    """All chunks that this gives in PyTorch's loader's place."""
    monkeypatch.setattr("vitscope.surveys.loading.DataLoader", loader)
    source = open_source({name: pixels(int(name)) for name in NAMES})
    list(chunks(source, plan_survey(source, shard_size=5), None, range(3), size=2, workers=2))


@pytest.fixture
def told():
    """Makes SIGCHLD tell of a death, as PyTorch's handler does; the one that was there is put back."""

    def tell(number, frame):
        raise RuntimeError(DEATH)

    handler = signal.getsignal(signal.SIGCHLD)
    yield lambda: signal.signal(signal.SIGCHLD, tell)
    signal.signal(signal.SIGCHLD, handler)


def test_a_killed_reader_is_told_and_finished_shards_are_kept(bundled, tmp_path):
    images = {name: pixels(int(name)) for name in NAMES}
    deadly = plan_survey(open_source(images), shard_size=5).rows(2)["id"][1].as_py()
    source = Deadly(images, deadly=deadly, survivor=os.getpid())
    with pytest.raises(RunError, match=rf"^a process that reads images died \(DataLoader worker \(pid.*{ADVICE}"):
        vitscope.survey(source, bundled, tmp_path / "run", workers=1, batch_size=1, **OPTIONS)
    done = vitscope.open_run(tmp_path / "run").shards
    assert 2 not in done
    run = vitscope.survey(source, bundled, tmp_path / "run", workers=0, **OPTIONS)
    assert run.table("failures").num_rows == 0


def test_a_reader_that_dies_while_the_model_is_busy_is_told_at_the_next_chunk():
    ready = started()
    child = multiprocessing.active_children()[0]
    kill_and_wait(child)
    with pytest.raises(RunError, match=rf"DataLoader worker \(pid {child.pid}\) is killed by signal: Killed.*{ADVICE}"):
        list(ready)
    assert signal.getsignal(signal.SIGCHLD) not in (signal.SIG_DFL, None)  # PyTorch's, for other loaders


@pytest.mark.parametrize(
    "words",
    [
        "DataLoader worker_init_fn must be callable",
        "Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback: it exited unexpectedly",
        "my DataLoader worker (pid 7) exited unexpectedly",
        "CUDA error: the kernel is killed by signal",
    ],
)
def test_what_else_goes_wrong_is_told_as_it_is(monkeypatch, words):
    with pytest.raises(RuntimeError) as told:
        load_by(monkeypatch, RuntimeError(words))
    assert (type(told.value), str(told.value)) == (RuntimeError, words)


def test_several_that_are_gone_are_told(monkeypatch):
    with pytest.raises(RunError, match=r"died \(DataLoader worker \(pid\(s\) 7, 11\) exited unexpectedly\); .*kept"):
        load_by(monkeypatch, RuntimeError("DataLoader worker (pid(s) 7, 11) exited unexpectedly"))


def test_a_reader_that_dies_while_the_others_are_started_is_told(monkeypatch):
    class Starting:
        def __init__(self, *given, **options):
            pass

        def __iter__(self):
            raise RuntimeError(DEATH)

    with pytest.raises(RunError, match=DEATH_TOLD):
        go_through(monkeypatch, Starting)


def test_a_death_that_is_told_between_two_chunks(monkeypatch, told):
    def deferred():
        signals, moments[:] = moments[:], []
        for number in signals:
            signal.raise_signal(number)
        return nullcontext()

    moments = [signal.SIGCHLD]  # the first alone
    monkeypatch.setattr("vitscope.surveys.loading._deaths_deferred", deferred)
    monkeypatch.setattr("vitscope.surveys.loading._hears_of_deaths", lambda: False)
    told()
    with pytest.raises(RunError, match=DEATH_TOLD):
        go_through(monkeypatch, lambda *given, **options: [Chunk(0, 0, last=False)])
    assert not moments


@pytest.mark.parametrize("error", [EOFError(), ConnectionResetError(104, "Connection reset by peer")])
def test_a_reader_whose_socket_closes_before_its_death_is_told(monkeypatch, told, error):
    def soon():
        monkeypatch.setattr("vitscope.surveys.loading._TOLD_WITHIN", 60)
        told()
        threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGCHLD]).start()

    with pytest.raises(RunError, match=DEATH_TOLD):
        load_by(monkeypatch, error, soon)


def test_a_socket_that_closes_is_told_where_no_death_is(monkeypatch):
    monkeypatch.setattr("vitscope.surveys.loading._TOLD_WITHIN", 0)
    with pytest.raises(RunError, match=rf"died \(EOFError: half a chunk\); {ADVICE}"):
        load_by(monkeypatch, EOFError("half a chunk"))


def ended(children):
    for child in children:
        child.join(30)
    return not any(child.is_alive() for child in children)


@pytest.mark.parametrize("busy", ["worker.Measuring.take", "store.RunWriter.write"])  # measuring, or writing a shard
@pytest.mark.parametrize("killed", [False, True])
def test_readers_end_with_the_survey(bundled, tmp_path, monkeypatch, killed, busy):
    children = []

    def stop(*given):
        children.extend(multiprocessing.active_children())
        if not killed:
            raise KeyboardInterrupt
        kill_and_wait(children[0])

    monkeypatch.setattr(f"vitscope.surveys.{busy}", stop)
    images = {name: pixels(int(name)) for name in NAMES}
    with pytest.raises((KeyboardInterrupt, RunError)) as told:
        vitscope.survey(images, bundled, tmp_path / "run", workers=2, batch_size=1, **OPTIONS)
    assert told.type is (RunError if killed else KeyboardInterrupt)
    assert len(children) == 2
    assert ended(children)  # while the error is still at hand, as in a notebook


def test_the_last_chunks_come_though_the_source_is_read_beside():
    ready = started()
    sizes = [len(chunk.images) for chunk in ready]
    assert sizes == [2, 1, 2, 2, 1, 2, 1]
    assert np.sum(sizes) + 2 == len(NAMES)
    assert not multiprocessing.active_children()
