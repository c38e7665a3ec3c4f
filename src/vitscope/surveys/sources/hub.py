"""Data sets of Hugging Face's `datasets`: from disk, by name, or already loaded. The only file that imports it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

import pyarrow as pa

from vitscope.errors import MissingLibraryError, SourceError
from vitscope.images.naming import printable
from vitscope.surveys.sources.columns import class_names, strings
from vitscope.surveys.sources.ids import index_table, numbered, system_reason, unreadable
from vitscope.surveys.sources.presence import require_there

PREFIX = "datasets:"
_IMAGES = ("image", "img")  # which of several columns of images is taken
_ROW_DIGITS = 8


@dataclass(frozen=True, eq=False)
class DatasetSource:
    """A data set with a column of images. The id is the split, "/", and the row, eight digits.

    Paths inside the data set are no ids: they may be missing, be there twice, or belong to the machine
    that wrote them. The label is the column of type ClassLabel, by its name (`label` of several, else
    the first), else a column `label`. Images are handed on as they are stored: vitscope decodes them.
    """

    origin: str  # the folder, absolute, or the name on the hub
    split: str = ""
    on_disk: bool = True
    loaded: Any = None  # a datasets.Dataset, given in Python
    ordered: bool = False

    @property
    def name(self) -> str:
        """The folder's last part, or the name on the hub, and the split."""
        name = printable((PurePath(self.origin).name or self.origin) if self.on_disk else self.origin)
        return f"{name}:{self.split}" if self.split else name

    @property
    def settings(self) -> dict[str, Any]:
        """Kind, folder or name, and split."""
        return {"kind": "datasets", "path": printable(self.origin), "split": self.split}

    def index(self) -> pa.Table:
        """`id` and `label`, in the data set's order. Raises SourceError."""
        rows = self._dataset()
        _image_column(rows, self.name)
        if not len(rows):
            raise SourceError(f"{self.name}: no row in it; expected at least one")
        ids = numbered(len(rows), f"{self.split or rows.split or 'all'}/")
        return index_table(ids, [None] * len(ids)).set_column(1, "label", _labels(rows))

    def require(self) -> None:
        """Raise SourceError where what the images are read from is gone."""
        if self.on_disk and self.loaded is None:
            require_there(self.origin)

    def read(self, row: Mapping[str, Any]) -> bytes | str:
        """The encoded image, or its path."""
        number = int(row["id"][-_ROW_DIGITS:])
        try:
            held = self._images()[number]
        except Exception as error:  # a data set may read from anywhere
            raise unreadable(row["id"], f"row {number} of {self.name}: {system_reason(error)}") from error
        value = next(iter(held.values()))
        if value and value.get("bytes"):
            return value["bytes"]
        if value and value.get("path"):
            return value["path"]
        raise unreadable(row["id"], f"row {number} of {self.name} holds no image", "expected bytes or a path")

    def _dataset(self) -> Any:
        return self.loaded if self.loaded is not None else _load(self.origin, self.split, self.on_disk)

    def _images(self) -> Any:
        if self.loaded is not None:
            return _undecoded(self.loaded, self.name)
        return _load_images(self.origin, self.split, self.on_disk, self.name)


def is_saved(folder: str) -> bool:
    """Whether `save_to_disk` wrote this folder: a Dataset or a DatasetDict."""
    return any((Path(folder) / name).is_file() for name in ("dataset_dict.json", "state.json"))


def saved_source(folder: str, split: str = "") -> DatasetSource:
    """A folder that `save_to_disk` wrote."""
    return _opened(DatasetSource(os.path.abspath(folder), split))  # noqa: PTH100 - follows no links


def named_source(given: str) -> DatasetSource:
    """`datasets:org/name` or `datasets:org/name:split` (`:train[:10%]` too), as `datasets.load_dataset` finds it."""
    name, _, split = given.removeprefix(PREFIX).partition(":")
    return _opened(DatasetSource(name, split, on_disk=False))


def loaded_source(given: Any) -> DatasetSource:
    """A Dataset, or a DatasetDict of one split, that is loaded already."""
    if not hasattr(given, "column_names") or hasattr(given, "keys"):
        split, rows = _only_split(given, "this DatasetDict", "give one of them: data['{split}']")
        return loaded_source(rows) if split else DatasetSource("Dataset", "", False, rows)
    return DatasetSource("Dataset", str(given.split or ""), on_disk=False, loaded=given)


def is_loaded(given: Any) -> bool:
    """Whether this is a Dataset or a DatasetDict, without importing the library."""
    return type(given).__module__.partition(".")[0] == "datasets" and hasattr(given, "cast_column") and _has_rows(given)


def _has_rows(given: Any) -> bool:
    """An IterableDataset has none: it is an iterable like any other."""
    return hasattr(given, "num_rows")


def _opened(source: DatasetSource) -> DatasetSource:
    """The source with its split named, once it is known that it can be loaded."""
    rows = _load(source.origin, source.split, source.on_disk)
    _image_column(rows, source.name)
    return source


@lru_cache(maxsize=4)
def _load(origin: str, split: str, on_disk: bool) -> Any:
    """One split, its files mapped into memory."""
    library = _library()
    shown = printable(origin)
    try:
        given = library.load_from_disk(origin) if on_disk else library.load_dataset(origin, split=split or None)
    except Exception as error:  # the hub, its cache and the builders raise almost anything
        where = "" if on_disk else "; offline, only what HF_HOME holds can be loaded"
        raise SourceError(
            f"{shown}: datasets cannot load it ({type(error).__name__}: {printable(str(error))}){where}"
        ) from error
    if not hasattr(given, "keys"):
        if on_disk and split and split != str(given.split):
            raise SourceError(f"{shown}: a Dataset without splits; found :{split}; leave it out")
        return given
    if not split:
        return _only_split(given, shown, f"name one: {shown}:{{split}}")[1]
    if split not in given:
        raise SourceError(f"{shown}: found no split {split!r}; expected one of {', '.join(given)}")
    return given[split]


@lru_cache(maxsize=4)
def _load_images(origin: str, split: str, on_disk: bool, shown: str) -> Any:
    return _undecoded(_load(origin, split, on_disk), shown)


def _only_split(given: Any, shown: str, advice: str) -> tuple[str, Any]:
    if len(given) != 1:
        first = next(iter(given), "train")
        raise SourceError(f"{shown}: found the splits {', '.join(given)}; expected one; {advice.format(split=first)}")
    return next(iter(given.items()))


def _library() -> Any:
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            "found no module 'datasets', which data sets of Hugging Face need; install it with pip install "
            '"vitscope[datasets]"'
        ) from error
    return datasets


def _image_column(rows: Any, shown: str) -> str:
    names = [name for name, feature in rows.features.items() if type(feature).__name__ == "Image"]
    if not names:
        found = ", ".join(f"{printable(name)} ({type(feature).__name__})" for name, feature in rows.features.items())
        raise SourceError(f"{shown}: found the columns {found}; expected one of type Image; cast it: cast_column")
    if len(names) == 1:
        return names[0]
    chosen = next((name for name in _IMAGES if name in names), None)
    if chosen is None:
        raise SourceError(
            f"{shown}: found the columns of images {', '.join(map(printable, names))}; expected one, or one named "
            "image; rename it: rename_column"
        )
    return chosen


def _undecoded(rows: Any, shown: str) -> Any:
    """Its images alone, as bytes or paths."""
    name = _image_column(rows, shown)
    return rows.select_columns([name]).with_format(None).cast_column(name, _library().Image(decode=False))


def _labels(rows: Any) -> Any:
    """A column of strings; null where there is no label, or none is known (−1)."""
    classes = [name for name, feature in rows.features.items() if type(feature).__name__ == "ClassLabel"]
    name = "label" if "label" in rows.features else next(iter(classes), None)
    if name is None:
        return pa.nulls(len(rows), pa.string())
    column: Any = rows.select_columns([name]).with_format("arrow")[:][name]
    if name not in classes:
        return strings(column, name)
    return class_names(column, rows.features[name].names)
