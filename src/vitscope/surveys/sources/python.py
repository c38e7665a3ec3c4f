"""Images in Python: a mapping or a sequence, read where they are; an iterable, put on disk first (`spool`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from vitscope.errors import ArgumentError, ImageError, SourceError
from vitscope.surveys.sources.ids import (
    as_text,
    index_table,
    numbered,
    require_unique,
    system_reason,
    unescaped,
    unreadable,
)
from vitscope.surveys.sources.items import as_image, as_label, taken_apart


@dataclass(frozen=True, eq=False)
class MappingSource:
    """Images by their ids."""

    images: Mapping[Any, Any]
    labels: tuple[str | None, ...] | None = None
    ordered: bool = False

    @property
    def name(self) -> str:
        """Its type's name."""
        return f"{type(self.images).__name__} of {len(self.images):,} images"

    @property
    def settings(self) -> dict[str, Any]:
        """Kind; the ids say the rest."""
        return {"kind": "mapping"}

    def index(self) -> pa.Table:
        """`id`, the keys, and `label`. Raises SourceError for keys that are no strings."""
        keys = list(self.images)
        if (odd := next((key for key in keys if not isinstance(key, str)), None)) is not None:
            raise SourceError(f"{self.name}: found the key {odd!r} ({type(odd).__name__}); expected strings, the ids")
        return index_table((as_text(key) for key in keys), self.labels or [None] * len(keys))

    def require(self) -> None:
        """Nothing can be gone: the images are in memory."""

    def read(self, row: Mapping[str, Any]) -> Any:
        """The image; what the mapping raises becomes an ImageError."""
        key = row["id"]
        try:
            item = self.images[key if key in self.images else unescaped(key)]
        except Exception as error:  # the mapping may do anything
            raise _failed(key, error) from error
        return as_image(item, key)


@dataclass(frozen=True, eq=False)
class SequenceSource:
    """Images by their numbers: anything with a length and items, torch's data sets among them.

    Items are images, (id, image) or (image, label), see `items.taken_apart`. Those of lists and tuples
    are looked at for ids and labels; those of other sequences are not, as that may decode them.
    """

    images: Any  # a sequence
    ids: tuple[str, ...] | None = None
    labels: tuple[str | None, ...] | None = None
    ordered: bool = False

    @property
    def name(self) -> str:
        """Its type's name and its length."""
        return f"{type(self.images).__name__} of {len(self.images):,} images"

    @property
    def settings(self) -> dict[str, Any]:
        """Kind; the ids say the rest."""
        return {"kind": "sequence"}

    def index(self) -> pa.Table:
        """`id`, by default the number, eight digits; `label`; and `item`, the number."""
        numbers = numbered(len(self.images))
        ids, labels = self.ids or numbers, self.labels or [None] * len(numbers)
        if isinstance(self.images, list | tuple):
            items = [taken_apart(item) for item in self.images]
            ids = self.ids or [item.image_id or number for item, number in zip(items, numbers, strict=True)]
            labels = self.labels or [item.label for item in items]
        table = index_table(ids, labels, item=np.arange(len(numbers)))
        require_unique(table, self.name)
        return table

    def require(self) -> None:
        """Nothing can be gone: the images are in memory."""

    def read(self, row: Mapping[str, Any]) -> Any:
        """The image; what the sequence raises becomes an ImageError."""
        try:
            item = self.images[row["item"]]
        except Exception as error:  # a data set may read from anywhere
            raise _failed(row["id"], error) from error
        return as_image(taken_apart(item).image, row["id"])


def mapping_source(images: Mapping[Any, Any], labels: Sequence[Any] | None) -> MappingSource:
    """A mapping from ids to images; `labels` in the order of its keys."""
    return MappingSource(images, checked(labels, len(images), "labels", as_label))


def sequence_source(images: Any, ids: Sequence[str] | None, labels: Sequence[Any] | None) -> SequenceSource:
    """A sequence of images; `ids` and `labels`, one each, take the place of those in the items."""
    count = len(images)
    return SequenceSource(images, checked(ids, count, "ids", as_id), checked(labels, count, "labels", as_label))


def checked(
    values: Sequence[Any] | None, count: int, name: str, convert: Callable[[Any], str | None]
) -> tuple[Any, ...] | None:
    """One value an image, converted; ArgumentError for another number of them."""
    if values is None:
        return None
    if len(values) != count:
        raise ArgumentError(f"found {len(values):,} {name} for {count:,} images; expected one for each")
    return tuple(convert(value) for value in values)


def as_id(value: Any) -> str:
    """An id as text. Raises ArgumentError where it is no string."""
    if not isinstance(value, str):
        raise ArgumentError(f"found the id {value!r} ({type(value).__name__}); expected strings: str(…)")
    return as_text(value)


def _failed(image_id: str, error: Exception) -> ImageError:
    return unreadable(image_id, f"{type(error).__name__}: {system_reason(error)}", "expected an image")
