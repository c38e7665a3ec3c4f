"""A survey's images read, decoded and preprocessed in worker processes beside the model."""

import hashlib
import re
import signal
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vitscope.errors import ImageError, RunError, SourceError, VitscopeError
from vitscope.images.decode import open_picture
from vitscope.images.naming import is_url, printable
from vitscope.images.transform import Transform
from vitscope.showing import preprocessed, show
from vitscope.surveys.planning import SurveyPlan
from vitscope.surveys.sources.base import Source
from vitscope.surveys.sources.ids import system_reason
from vitscope.surveys.sources.presence import passing

WAITS = (0.1, 0.4, 1.5)  # seconds before an image is read again, where what hindered it may pass
_AHEAD = 2  # chunks that each worker holds ready
_TOLD_WITHIN = 1.0  # seconds from the end of a worker's sockets to the signal of its death, at most
_DIED = re.compile(r"DataLoader worker \(.*\) (is killed by signal|exited unexpectedly)")  # as PyTorch 2 says it


@dataclass(frozen=True)
class Read:
    """What became of one image: its sizes in pixels, or why it could not be shown."""

    id: str
    label: str | None
    size: tuple[int, int] | None  # (height, width) of the picture
    failure: tuple[str, str] | None = None  # the error's class and its message
    input_size: tuple[int, int] | None = None  # (height, width) of the model's input
    blake2b: str | None = None  # of the model's input, which tells the picture from others of its name


@dataclass
class Chunk:
    """Consecutive images of one shard, ready for the model."""

    shard: int
    start: int  # of the first, in the shard
    last: bool  # of the shard
    images: list[Read] = field(default_factory=list[Read])
    tensors: list[tuple[list[int], Tensor]] = field(default_factory=list[tuple[list[int], Tensor]])
    """By size of the input: their numbers in the shard, and the tensors (images, 3, height, width)."""
    stopped: str | None = None  # why the survey cannot go on here; as data, for PyTorch garbles exceptions on their way


class Chunks(Dataset[Chunk]):
    """Chunks by (shard, start, stop)."""

    def __init__(self, source: Source, plan: SurveyPlan, transform: Transform | None) -> None:
        self._source, self._plan, self._transform = source, plan, transform

    def __getitem__(self, key: tuple[int, int, int]) -> Chunk:
        shard, start, stop = key
        rows = self._plan.rows(shard)
        chunk = Chunk(shard, start, last=stop == rows.num_rows)
        by_size: dict[tuple[int, ...], tuple[list[int], list[Tensor]]] = {}
        for number, row in enumerate(rows.slice(start, stop - start).to_pylist(), start):
            try:
                read, tensor = read_image(self._source, row, self._transform)
            except SourceError as error:
                return Chunk(shard, start, chunk.last, stopped=str(error))
            chunk.images.append(read)
            if tensor is not None:
                numbers, tensors = by_size.setdefault(tuple(tensor.shape), ([], []))
                numbers.append(number)
                tensors.append(tensor)
        chunk.tensors = [(numbers, torch.stack(tensors)) for numbers, tensors in by_size.values()]
        return chunk


def chunks(
    source: Source,
    plan: SurveyPlan,
    transform: Transform | None,
    shards: Sequence[int],
    *,
    size: int,
    workers: int,
) -> Generator[Chunk]:
    """All chunks of up to `size` images of these shards, in order, made ready by so many processes (0: in this one).

    Workers go on with the next shards while the model is busy, and end when this is closed. SourceError where an
    image cannot be read for now; RunError where a worker died.
    """
    keys = [
        (shard, start, min(start + size, count))
        for shard in shards
        for count in (plan.rows(shard).num_rows,)
        for start in range(0, count, size)
    ]
    ready: Iterator[Chunk] | None = None
    died: str | None = None
    try:
        ready = iter(
            DataLoader(
                Chunks(source, plan, transform),
                sampler=keys,
                batch_size=None,
                num_workers=workers,
                prefetch_factor=_AHEAD if workers else None,
            )
        )
        while isinstance(chunk := _awaited(ready), Chunk):
            if chunk.stopped is not None:
                raise SourceError(chunk.stopped)
            with _deaths_deferred():
                yield chunk
        died = chunk
    except RuntimeError as error:  # of PyTorch's handler, wherever the signal fell
        if not _DIED.match(str(error)):
            raise
        died = str(error).splitlines()[0]
    finally:
        with _deaths_deferred():
            ready = None  # the last reference to the loader's iterator, which ends the workers with itself
    if died is not None:  # without the error, whose frames would keep the other workers
        raise RunError(
            f"a process that reads images died ({died}); finished shards are kept. Free memory, or use fewer workers "
            "(--workers 0 reads in the main process), and run it again"
        )


def _awaited(ready: Iterator[Chunk]) -> Chunk | str | None:
    """The next chunk; None after the last; words for a worker's death that PyTorch does not tell.

    What PyTorch tells of a death, by now or while this waits, it raises.
    """
    if _hears_of_deaths():
        signal.raise_signal(signal.SIGCHLD)  # of those that were deferred
    try:
        return next(ready, None)
    except (ConnectionError, EOFError) as error:  # of a dead worker's socket, which closes before the death is told
        died = f"{type(error).__name__}: {error}"
        time.sleep(_TOLD_WITHIN)  # cut short by PyTorch's handler, whose words say more
    return died


@contextmanager
def _deaths_deferred() -> Generator[None]:
    """A worker's death is told when the next chunk is awaited, not amid the block.

    PyTorch's handler of SIGCHLD raises at any line of the main thread, be it one that writes a shard, or one in C
    that makes another error of it. Without the handler, half a chunk of a dead worker would be awaited for ever.
    """
    if not _hears_of_deaths():
        yield
        return
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, handler or signal.SIG_DFL)


def _hears_of_deaths() -> bool:
    """Whether signals are handled here: in the main thread alone, and not on Windows."""
    return threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGCHLD")


def read_image(source: Source, row: Mapping[str, Any], transform: Transform | None) -> tuple[Read, Tensor | None]:
    """One image, and its tensor (3, height, width) unless it failed: whatever a source of the user's raises.

    SourceError where it cannot be read for a reason that may pass (see `passing`), and has not after `WAITS`. An
    address that does not answer fails, as those of dead hosts never will.
    """
    waits = iter(WAITS)
    while True:
        given: Any = None
        try:
            given = source.read(row)
            return _shown(given, row, transform)
        except Exception as error:
            cause, wait = (error if is_out_of_memory(error) else passing(error)), next(waits, None)
            if cause is None or (wait is None and isinstance(given, str) and is_url(given)):
                return _failed(row, error), None
            if wait is None:
                raise SourceError(_cannot(row["id"], system_reason(cause))) from error
        time.sleep(wait)  # outside of the handler, which keeps what was in memory


def _shown(given: Any, row: Mapping[str, Any], transform: Transform | None) -> tuple[Read, Tensor]:
    image_id = row["id"]
    tensor = preprocessed(given)
    if tensor is None:
        picture = open_picture(given, name=image_id)
        size, (tensor, _) = picture.size, show(picture, transform)
    else:
        size = (tensor.shape[-2], tensor.shape[-1])
    if len(tensor) != 1:
        raise ImageError(f"{image_id}: found {len(tensor)} images in one; expected images one by one")
    tensor = tensor[0].detach().cpu().contiguous()
    pixels = tensor.ravel().view(torch.uint8)  # of any dtype; flat, as this view needs a stride of 1
    digest = hashlib.blake2b(pixels.numpy().data, digest_size=16).hexdigest()
    return Read(image_id, row["label"], size, None, (tensor.shape[-2], tensor.shape[-1]), digest), tensor


def _failed(row: Mapping[str, Any], error: Exception) -> Read:
    """Its words on one line, as tables hold no text that is not UTF-8."""
    words = str(error) if isinstance(error, VitscopeError) else f"{row['id']}: {error}"
    return Read(row["id"], row["label"], None, (type(error).__name__, printable(words)))


def _cannot(image_id: str, reason: str) -> str:
    return (
        f"{printable(image_id)} cannot be read for now ({printable(reason)}; tried {len(WAITS) + 1} times), which is "
        "no fault of the picture; finished shards are kept, and nothing was recorded of the one in hand. Bring back "
        "what it is read from, free memory, or use fewer workers, and give the same command again; if this file can "
        "never be read again, put an empty one in its place, which counts as failed"
    )


def is_out_of_memory(error: BaseException) -> bool:
    """PyTorch says it by a class of its own on CUDA, and in words on a CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = str(error) if isinstance(error, RuntimeError) else ""
    return "can't allocate memory" in words or "not enough memory" in words
