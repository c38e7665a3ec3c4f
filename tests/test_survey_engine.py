"""What a run lacks is computed, counted and shown."""

import io
import re
import signal
import sys
import threading

import pytest

from survey_toys import Worker, contents, fill_run, require_whole_shards
from vitscope.errors import ImageError
from vitscope.surveys.engine import Outcome, stoppable
from vitscope.surveys.progress import Progress, duration
from vitscope.surveys.run import open_run


class Told(Progress):
    """Keeps what it is told."""

    def __init__(self):
        super().__init__(quiet=True)
        self.begun, self.steps, self.ended = None, [], 0

    def begin(self, total, resumed=0, failed=0):
        self.begun = (total, resumed, failed)

    def advance(self, images, failed=0):
        self.steps.append((images, failed))

    def end(self):
        self.ended += 1


def test_all_at_once_and_again(tmp_path):
    told = Told()
    assert fill_run(tmp_path / "run", progress=told) == Outcome(10, 3, computed=13, resumed=0, complete=True)
    assert told.begun == (13, 0, 0)
    assert told.steps == [(3, 1), (3, 0), (3, 1), (3, 0), (1, 1)]
    assert told.ended == 1
    told = Told()
    never = Worker()
    assert fill_run(tmp_path / "run", never, progress=told) == Outcome(10, 3, computed=0, resumed=13, complete=True)
    assert (told.begun, told.steps, told.ended) == ((13, 13, 3), [], 1)
    assert not never.closed  # not even asked, as it may load a model


def test_parts_count_their_own_images(tmp_path):
    assert fill_run(tmp_path / "run", part=(1, 2)) == Outcome(4, 3, computed=7, resumed=0, complete=False)
    told, worker = Told(), Worker()
    outcome = fill_run(tmp_path / "run", worker, part=(2, 2), progress=told)
    assert worker.computed == [1, 3]
    assert outcome == Outcome(6, 0, computed=6, resumed=0, complete=True)
    assert told.begun == (6, 0, 0)


def test_an_error_of_the_worker_keeps_what_was_written(tmp_path):
    def before(shard):
        if shard == 3:
            raise ImageError("found nothing")

    whole, told, worker = tmp_path / "whole", Told(), Worker(before=before)
    with pytest.raises(ImageError, match="found nothing"):
        fill_run(tmp_path / "run", worker, progress=told)
    assert (worker.closed, told.ended) == (True, 1)
    assert require_whole_shards(tmp_path / "run") == (0, 1, 2)
    outcome = fill_run(tmp_path / "run")
    assert (outcome.computed, outcome.resumed) == (4, 9)
    fill_run(whole)
    assert contents(open_run(tmp_path / "run")) == contents(open_run(whole))


@pytest.fixture
def _interruptible():
    """SIGINT as Python has it: processes that pytest-xdist starts ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_writing(tmp_path, monkeypatch, number):
    from vitscope.surveys import durable

    def interrupted(draft, path):
        if path.name == "00002":
            signal.raise_signal(number)
        draft.replace(path)

    worker = Worker()
    with monkeypatch.context() as patched:
        patched.setattr(durable, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt) as caught:
            fill_run(tmp_path / "run", worker)
    assert caught.tb is not None  # keeps the worker's frame, which would be closed with it
    assert worker.closed
    assert require_whole_shards(tmp_path / "run") == (0, 1)
    assert not list((tmp_path / "run").glob(".draft*"))
    assert fill_run(tmp_path / "run").computed == 13 - 6


def test_a_worker_that_is_no_generator(tmp_path):
    worker = Worker()
    assert fill_run(tmp_path / "run", lambda shards: iter(list(worker(shards)))).complete


def test_signals_are_given_back():
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    with pytest.raises(KeyboardInterrupt), stoppable():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_whoever_handles_the_signal_already_goes_on_to(tmp_path):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with stoppable():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_in_a_thread(tmp_path):
    done = []
    thread = threading.Thread(target=lambda: done.append(fill_run(tmp_path / "run")))
    thread.start()
    thread.join()
    assert done[0].complete


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_lines_where_there_is_no_terminal():
    clock, stream = Clock(), io.StringIO()
    progress = Progress(stream=stream, clock=clock)
    progress.begin(100_000, resumed=50_000, failed=2)
    clock.now += 29
    progress.advance(512, 1)
    assert stream.getvalue() == ""  # a short survey says nothing
    clock.now += 3
    progress.seen(128)
    clock.now += 5
    progress.seen(128)
    clock.now += 27
    progress.advance(512)
    progress.end()
    assert stream.getvalue().splitlines() == [
        "vitscope: 50,640 of 100,000 images, 20 images/s, 41 min 8 s left, 3 failed",
        "vitscope: 51,024 of 100,000 images, 16 images/s, 51 min 1 s left, 3 failed",
    ]


def test_nothing_at_all_when_quiet():
    clock, stream = Clock(), Terminal()
    progress = Progress(quiet=True, stream=stream, clock=clock)
    progress.begin(7)
    clock.now += 100
    progress.advance(7)
    progress.end()
    assert stream.getvalue() == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_on_a_terminal():
    stream = Terminal()
    progress = Progress(stream=stream)
    progress.begin(1000, resumed=400, failed=3)
    progress.seen(20)
    progress.advance(100, 2)
    bar = progress._bar
    assert (bar.n, bar.initial, bar.total) == (500, 400, 1000)
    assert bar.postfix == "5 failed"
    progress.end()
    assert "500/1000" in stream.getvalue()
    assert re.search(r"\d images/s, 5 failed\]", stream.getvalue())


def test_lines_do_where_tqdm_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    clock, stream = Clock(), Terminal()
    progress = Progress(stream=stream, clock=clock)
    progress.begin(7)
    clock.now += 70
    progress.advance(7)
    progress.end()
    assert stream.getvalue() == "vitscope: 7 of 7 images, 0.1 images/s, 0 s left\n"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (90061, "25 h 1 min")]
)
def test_durations(seconds, words):
    assert duration(seconds) == words
