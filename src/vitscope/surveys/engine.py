"""Fills a run: what it lacks is computed by a worker, shard by shard, and written as it comes."""

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import FrameType

from vitscope.surveys.layout import Counts, counted
from vitscope.surveys.progress import Progress
from vitscope.surveys.results import ShardResult
from vitscope.surveys.store import RunWriter

Worker = Callable[[Sequence[int]], Iterator[tuple[int, ShardResult]]]
"""From the numbers of shards to their results, in the same order."""

Compute = Callable[[Sequence[int]], Generator[Counts]]
"""Computes shards and writes them; of each that is written, the counts of its images."""


@dataclass(frozen=True)
class Outcome:
    """Of the shards that were asked for; images that failed are counted as computed or resumed, too."""

    done: int  # images measured
    failed: int  # images without a result
    computed: int  # images gone through this time
    resumed: int  # images that were there already
    complete: bool  # the whole run, the other parts' shards included


def fill(writer: RunWriter, numbers: Sequence[int], worker: Worker, progress: Progress) -> Outcome:
    """Compute those of the shards `numbers` that are not there, and finish the run if it has all then.

    Stopped by SIGINT or SIGTERM: KeyboardInterrupt, with the worker closed and the written shards kept.
    Raises what `writer` and `worker` raise.
    """
    return fill_by(writer, numbers, lambda pending: _write_all(writer, pending, worker), progress)


def fill_by(writer: RunWriter, numbers: Sequence[int], compute: Compute, progress: Progress) -> Outcome:
    """As `fill`, by what computes shards and writes them too, wherever it does so."""
    with stoppable():
        there = writer.finished() & set(numbers)
        pending = [shard for shard in numbers if shard not in there]
        before = writer.count(there)
        done, failed = before
        progress.begin(sum(map(writer.images, numbers)), sum(before), before.failed)
        try:
            with closing(compute(pending)) as written:
                for images in written:
                    done, failed = done + images.done, failed + images.failed
                    progress.advance(sum(images), images.failed)
        finally:
            progress.end()
        return Outcome(done, failed, done + failed - sum(before), sum(before), writer.finish())


def _write_all(writer: RunWriter, pending: Sequence[int], worker: Worker) -> Generator[Counts]:
    """Write the shards as the worker gives them; of each, its images."""
    if not pending:
        return
    results = worker(pending)
    try:
        for shard, result in results:
            writer.write(shard, result)
            yield counted(result.tables["images"])
    finally:
        close = getattr(results, "close", None)  # a generator ends its processes and files there
        if close is not None:
            close()


@contextmanager
def stoppable() -> Generator[None]:
    """SIGTERM, by which clusters stop a job, raises KeyboardInterrupt in the block, as SIGINT does.

    Only in the main thread, as others get no signals, and where nobody else handles it.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    owner = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a forked child, which is to end without a word
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
