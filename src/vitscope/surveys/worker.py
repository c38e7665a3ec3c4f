"""From a plan's shards to their results: images read beside the model, measured in batches that fit."""

import gc
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vitscope.errors import LimitError, NotFiniteError, VitscopeError
from vitscope.scope import Scope
from vitscope.surveys.chosen import Chosen
from vitscope.surveys.collecting import Collected, Columns
from vitscope.surveys.loading import Chunk, chunks, is_out_of_memory
from vitscope.surveys.minibatches import Minibatches
from vitscope.surveys.planning import SurveyPlan
from vitscope.surveys.preparing import CPU_BATCH
from vitscope.surveys.results import ShardResult
from vitscope.surveys.sources.base import Source
from vitscope.surveys.witnesses import Witnesses


@dataclass
class SurveyWorker:
    """Computes the results of shards, one after the other."""

    scope: Scope
    source: Source
    plan: SurveyPlan
    chosen: tuple[Chosen, ...]
    columns: Columns
    batch_size: int  # of the model; halved where memory does not suffice
    workers: int
    keep_maps: bool
    limit_bytes: int
    seen: Callable[[int], None] | None = None  # told of images as they are measured, before their shard is there

    def __call__(self, shards: Sequence[int]) -> Generator[tuple[int, ShardResult]]:
        """The shards' results, in order. Raises what the model refuses of every image, SourceError and RunError."""
        measuring = Measuring(self)
        ready = chunks(self.source, self.plan, self.scope.transform, shards, size=self.batch_size, workers=self.workers)
        with closing(ready):
            for chunk in ready:
                measuring.take(chunk)
                if self.seen is not None:
                    self.seen(len(chunk.images))
                if chunk.last:
                    yield chunk.shard, measuring.finish(chunk.shard)


class Measuring:
    """One shard in hand."""

    def __init__(self, worker: SurveyWorker) -> None:
        self._worker = worker
        self._batch_size = worker.batch_size
        measures = [chosen.measure for chosen in worker.chosen]
        self._see = worker.scope.observer(
            measures,
            batch_size=worker.batch_size,
            limit_bytes=worker.limit_bytes,
            image_bytes=worker.limit_bytes // CPU_BATCH,  # on a CPU alone are fused heads stored
        )
        self._witnesses = Witnesses(worker.source, worker.plan, worker.scope.transform)
        self._begin()

    def take(self, chunk: Chunk) -> None:
        """Measure what fills a batch; the rest waits for more of its size."""
        if chunk.start == 0:
            self._begin(self._worker.plan.rows(chunk.shard).num_rows)
        for number, read in enumerate(chunk.images, chunk.start):
            self._collected.images.append(read)
            if read.failure is None:
                self._witnesses.saw(chunk.shard, number)
            else:
                self._lost(number)
        for numbers, tensors in chunk.tensors:
            self._wait(numbers, tensors)

    def finish(self, shard: int) -> ShardResult:
        """The shard's result; SourceError where images could not be read, and the source proves to have gone."""
        for waiting in list(self._waiting.values()):
            self._flush(waiting)
        unread = [number for number, read in enumerate(self._collected.images) if read.blake2b is None]
        if unread:
            self._worker.source.require()
            self._witnesses.require(shard, unread)
        return self._collected.result()

    def _begin(self, images: int = 0) -> None:
        worker = self._worker
        self._collected = Collected(worker.columns, worker.keep_maps)
        self._waiting: dict[tuple[int, ...], tuple[list[int], list[Tensor]]] = {}  # by size of the input
        self._minibatches = {
            chosen: Minibatches(chosen.name, chosen.measure, images)
            for chosen in worker.chosen
            if chosen.kind == "alignment"
        }

    def _wait(self, numbers: Sequence[int], tensors: Tensor) -> None:
        waiting = self._waiting.setdefault(tuple(tensors.shape[1:]), ([], []))
        waiting[0].extend(numbers)
        waiting[1].append(tensors)
        while len(waiting[0]) >= self._worker.batch_size:
            self._flush(waiting)

    def _flush(self, waiting: tuple[list[int], list[Tensor]]) -> None:
        """Measure up to a batch of those that wait."""
        numbers, tensors = waiting
        if not numbers:
            return
        joined = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
        size = self._worker.batch_size
        self._measure(numbers[:size], joined[:size])
        numbers[:] = numbers[size:]
        tensors[:] = [joined[size:]] if numbers else []

    def _measure(self, numbers: list[int], images: Tensor) -> None:
        """Measure a batch; in halves where memory does not suffice, image by image where one gives no numbers."""
        size = self._batch_size  # may become smaller on the way
        for start in range(0, len(numbers), size):
            self._measure_part(numbers[start : start + size], images[start : start + size])

    def _measure_part(self, numbers: list[int], images: Tensor) -> None:
        problem: VitscopeError | None = None
        try:
            found = self._values(images)
        except NotFiniteError as error:
            problem = error
        except (RuntimeError, MemoryError, LimitError) as error:
            if len(numbers) == 1 or not _may_fit_in_halves(error):
                raise
            self._batch_size = max(1, min(self._batch_size, len(numbers)) // 2)
        else:
            self._record(numbers, *found)
            return
        # Outside of the handlers, which keep what the failed pass had in memory.
        if problem is None:
            _free()
            self._measure(numbers, images)
        elif len(numbers) == 1:
            self._collected.failed(numbers[0], problem)
            self._lost(numbers[0])
        else:
            for i, number in enumerate(numbers):
                self._measure_part([number], images[i : i + 1])

    def _values(self, images: Tensor) -> tuple[dict[Chosen, Any], dict[Chosen, Any]]:
        """What each measure gives for the images; and the features of those that compare minibatches."""
        with torch.no_grad():
            seen = self._see(images)
            values = {one: one.measure.measure(seen) for one in self._worker.chosen if one.kind != "alignment"}
            features = {one: one.measure.features(seen) for one in self._minibatches}
        return values, features

    def _record(self, numbers: list[int], values: dict[Chosen, Any], features: dict[Chosen, Any]) -> None:
        self._collected.take(numbers, values)
        for chosen, minibatches in self._minibatches.items():
            minibatches.take(numbers, features[chosen], self._collected)

    def _lost(self, number: int) -> None:
        for minibatches in self._minibatches.values():
            minibatches.failed(number, self._collected)


def _may_fit_in_halves(error: Exception) -> bool:
    return isinstance(error, LimitError) or is_out_of_memory(error)


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
