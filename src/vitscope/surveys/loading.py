"""A survey's images read, decoded and preprocessed in worker processes beside the model."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vitscope.errors import ImageError, RunError, VitscopeError
from vitscope.images.decode import open_picture
from vitscope.images.transform import Transform
from vitscope.showing import preprocessed, show
from vitscope.surveys.planning import SurveyPlan
from vitscope.surveys.sources.base import Source

_AHEAD = 2  # chunks that each worker holds ready


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
            read, tensor = read_image(self._source, row, self._transform)
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
) -> Iterator[Chunk]:
    """All chunks of up to `size` images of these shards, in order, made ready by so many processes (0: in this one).

    Workers go on with the next shards while the model is busy. RunError where one of them dies.
    """
    keys = [
        (shard, start, min(start + size, count))
        for shard in shards
        for count in (plan.rows(shard).num_rows,)
        for start in range(0, count, size)
    ]
    loader = DataLoader(
        Chunks(source, plan, transform),
        sampler=keys,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
    )
    ready = iter(loader)
    try:
        while (chunk := _next(ready)) is not None:
            yield chunk
    finally:
        del ready  # ends the workers


def _next(ready: Iterator[Chunk]) -> Chunk | None:
    try:
        return next(ready, None)
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise RunError(
            f"a process that reads images died ({str(error).splitlines()[0]}); finished shards are kept. Free memory, "
            "or use fewer workers (--workers 0 reads in the main process), and run it again"
        ) from error


def read_image(source: Source, row: Mapping[str, Any], transform: Transform | None) -> tuple[Read, Tensor | None]:
    """One image, and its tensor (3, height, width) unless it failed: whatever a source of the user's raises."""
    image_id, label = row["id"], row["label"]
    try:
        image = source.read(row)
        tensor = preprocessed(image)
        if tensor is None:
            image = open_picture(image, name=image_id)
            size, (tensor, _) = image.size, show(image, transform)
        else:
            size = (tensor.shape[-2], tensor.shape[-1])
        if len(tensor) != 1:
            raise ImageError(f"{image_id}: found {len(tensor)} images in one; expected images one by one")
    except VitscopeError as error:
        return Read(image_id, label, None, (type(error).__name__, str(error))), None
    except Exception as error:
        return Read(image_id, label, None, (type(error).__name__, f"{image_id}: {error}")), None
    digest = hashlib.blake2b(tensor[0].contiguous().numpy().data, digest_size=16).hexdigest()
    return Read(image_id, label, size, None, (tensor.shape[-2], tensor.shape[-1]), digest), tensor[0]
