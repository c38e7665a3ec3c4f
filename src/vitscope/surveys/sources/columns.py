"""Which columns of a list or table hold the image, the id and the label, and what their values become."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from vitscope.errors import SourceError
from vitscope.images.naming import is_url, printable
from vitscope.surveys.sources.ids import escaped, unescaped

PATHS = ("path", "image", "file", "filename")
IDS = ("id",)
LABELS = ("label", "class")
_TRIED = 32  # paths looked at before a list counts as one for another folder


def find_column(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    """The first of `wanted` that is there, in capitals or not."""
    found = {name.strip().lower(): name for name in names}
    return next((found[name] for name in wanted if name in found), None)


def strings(column: Any, name: str) -> Any:
    """A column of any plain type as strings; empty ones are null. SourceError where it has no plain type."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        raise SourceError(
            f"the column {printable(name)} is of {column.type}; expected strings or numbers: write one of these, or "
            "give the column another name"
        )
    return pa.array((text or None for text in column.cast(pa.string()).to_pylist()), pa.string())


def class_names(numbers: Any, names: Sequence[str]) -> Any:
    """A column of class numbers as names; null where there is no such class (−1: not known)."""
    known = dict(enumerate(names))
    return pa.array((known.get(number) for number in numbers.to_pylist()), pa.string())


def path_id(path: str) -> str:
    """The id of a path that a list or a caller wrote: as written, with "/", see `ids.escaped`."""
    return escaped(path.replace(os.sep, "/"))


def located(path: str, folder: str) -> str:
    """The path or URL, from the folder on; `path` is escaped."""
    plain = unescaped(path)
    return plain if is_url(plain) else str(Path(folder) / plain)


def require_some(paths: Iterable[str | None], folder: str, shown: str) -> None:
    """Raise SourceError where none of the first paths leads anywhere: the list is for another folder."""
    tried = [located(path, folder) for path, _ in zip(paths, range(_TRIED), strict=False) if path]
    if tried and not any(is_url(path) or os.path.lexists(path) for path in tried):
        raise SourceError(
            f"{shown}: none of its first {len(tried)} paths exists ({printable(tried[0])} …); expected paths relative "
            f"to the list's own folder, {printable(folder)}; move the list, or change its paths"
        )
