"""Which image belongs to which shard of a survey. Pure: opens nothing but the index it is given.

The order depends on the set of ids alone, so that neither the order in which a folder is listed nor
the number of machines changes what stands in a shard.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from vitscope.errors import ArgumentError
from vitscope.surveys.sources.base import Source
from vitscope.surveys.sources.ids import require_unique

_BATCH = 65536  # rows that become Python's strings at a time


@dataclass(frozen=True)
class SurveyPlan:
    """The images of a survey in order, in runs of `shard_size`; the last shard may be shorter."""

    index: pa.Table  # in planned order: `id`, `label`, and what the source reads by
    shard_size: int

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return -(-len(self.index) // self.shard_size)

    def rows(self, shard: int) -> pa.Table:
        """The rows of one shard, by its number from 0. Raises ArgumentError outside."""
        if not 0 <= shard < self.shards:
            raise ArgumentError(f"found shard {shard}; expected 0 to {self.shards - 1}")
        return self.index.slice(shard * self.shard_size, self.shard_size)

    @cached_property
    def sha256(self) -> str:
        """Over ids and labels in planned order, a line of JSON each: [id, label]."""
        digest = hashlib.sha256()
        for batch in self.index.select(["id", "label"]).to_batches(max_chunksize=_BATCH):
            rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            digest.update("".join(f"{json.dumps(row)}\n" for row in rows).encode())
        return digest.hexdigest()


def plan_survey(source: Source, *, shard_size: int = 512, sample: int | None = None) -> SurveyPlan:
    """List a source and put its images in order.

    Images stand in the order of a hash of their ids (BLAKE2b, 128 bits): classes are spread evenly, and
    runs of images are drawn at random but always the same. Those of an `ordered` source keep its order.
    `sample`: only that many, those of the least hashes, so that a smaller sample is part of a larger;
    all of them where there are fewer.

    Raises SourceError where nothing is listed or ids are empty or not unique, ArgumentError for a
    `shard_size` or `sample` below 1.
    """
    for name, value in (("shard_size", shard_size), ("sample", sample)):
        if value is not None and value < 1:
            raise ArgumentError(f"found {name}={value}; expected at least 1 image")
    index = source.index()
    require_unique(index, source.name)
    if source.ordered and sample is None:
        return SurveyPlan(index, shard_size)
    order = _hashed_order(index["id"])[:sample]
    return SurveyPlan(index.take(pa.array(np.sort(order) if source.ordered else order)), shard_size)


def share_of(shards: int, part: int, parts: int) -> range:
    """The shards of one of several jobs, part 1 to `parts`: every parts-th. Raises ArgumentError otherwise."""
    if shards < 0 or not 1 <= part <= parts:
        raise ArgumentError(
            f"found part {part} of {parts} of {shards} shards; expected a part from 1 to {max(parts, 1)}"
        )
    return range(part - 1, shards, parts)


def _hashed_order(ids: Any) -> np.ndarray:
    """Rows by the hashes of their ids; no two ids of 128 bits are alike."""
    hashes = np.empty((len(ids), 2), dtype=np.uint64)
    start = 0
    for chunk in ids.chunks:
        for offset in range(0, len(chunk), _BATCH):
            texts = chunk.slice(offset, _BATCH).to_pylist()
            joined = b"".join(hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts)
            hashes[start : start + len(texts)] = np.frombuffer(joined, dtype=">u8").reshape(-1, 2)
            start += len(texts)
    return np.lexsort((hashes[:, 1], hashes[:, 0]))
