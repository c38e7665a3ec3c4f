"""Pictures in Parquet files: by their paths, or encoded in the table itself."""

import json
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vitscope.errors import SourceError
from vitscope.images.naming import path_name, printable
from vitscope.surveys.sources.columns import (
    IDS,
    LABELS,
    PATHS,
    class_names,
    find_column,
    located,
    path_id,
    require_some,
    strings,
)
from vitscope.surveys.sources.ids import distinct_names, numbered, require_unique, system_reason, unreadable
from vitscope.surveys.sources.presence import require_there

_ENCODED = ("image", "bytes", "jpg", "png")
_GROUPS = 2  # row groups kept in memory: the one that is read, and the one before


@dataclass(frozen=True)
class ParquetSource:
    """The pictures that one or several Parquet files hold or name.

    Held: a binary column `image` or `bytes`, or one of structs with `bytes` and `path`, as Hugging Face
    writes it. Named: a column of strings `path` (or `image`, `file`, `filename`), relative to the file's
    folder. Beside it may stand `id` and `label` (or `class`); numbers that Hugging Face's own note in the
    file has names for become these. The id is else the path, and for pictures held the file's name and
    the row, eight digits.

    Pictures that are held are read a row group at a time.
    """

    files: tuple[str, ...]  # absolute
    ordered: bool  # whether pictures are held

    @property
    def name(self) -> str:
        """The file's last part, and how many more there are."""
        first = path_name(self.files[0])
        return first if len(self.files) == 1 else f"{first} and {len(self.files) - 1} more"

    @property
    def settings(self) -> dict[str, Any]:
        """Kind and files."""
        return {"kind": "parquet", "paths": [printable(file) for file in self.files]}

    def index(self) -> pa.Table:
        """`id`, `label`, `file` (its number) and `path`, or `group` and `row` in it. Raises SourceError."""
        names = distinct_names(self.files)
        tables = [self._indexed(number, name) for number, name in enumerate(names)]
        table = pa.concat_tables(tables, promote_options="default")
        require_unique(table, self.name)
        return table

    def require(self) -> None:
        """Raise SourceError where what the images are read from is gone."""
        require_there(*self.files)

    def read(self, row: Mapping[str, Any]) -> bytes | str:
        """The encoded picture, or its path or URL."""
        file = self.files[row["file"]]
        if row.get("path") is not None:
            return located(row["path"], str(PurePath(file).parent))
        try:
            held = _group(file, Path(file).stat().st_mtime_ns, row["group"])[row["row"]].as_py()
        except (OSError, pa.ArrowException, IndexError) as error:
            raise unreadable(row["id"], f"{printable(file)}: {system_reason(error)}") from error
        if isinstance(held, bytes) and held:
            return held
        if isinstance(held, dict) and held.get("bytes"):
            return held["bytes"]
        if isinstance(held, dict) and held.get("path"):
            return located(path_id(held["path"]), str(PurePath(file).parent))
        raise unreadable(row["id"], f"null or empty in {printable(file)}", "expected the bytes of a picture")

    def _indexed(self, number: int, name: str) -> pa.Table:
        file = self.files[number]
        with _opened(file) as opened:
            table = _Listing(file, name, opened).table()
        return table.append_column("file", pa.array(np.full(len(table), number, dtype=np.int32)))


def parquet_source(files: Sequence[str]) -> ParquetSource:
    """These files, the first of which tells whether pictures are held. Raises SourceError."""
    paths = tuple(os.path.abspath(file) for file in files)  # noqa: PTH100 - Path.resolve follows links
    with _opened(paths[0]) as file:
        return ParquetSource(paths, _is_encoded(file.schema_arrow, paths[0]))


@dataclass(frozen=True)
class _Listing:
    """One file's part of an index."""

    file: str
    name: str
    opened: pq.ParquetFile

    def table(self) -> pa.Table:
        schema = self.opened.schema_arrow
        label, own_id, path = (find_column(schema.names, wanted) for wanted in (LABELS, IDS, PATHS))
        encoded = _is_encoded(schema, self.file)
        path = _text_column(schema, PATHS) if encoded else path
        cells = self.opened.read(columns=[column for column in (label, own_id, path) if column])
        paths = None if path is None else [path_id(text or "") for text in strings(cells[path], path).to_pylist()]
        columns = {
            "id": strings(cells[own_id], own_id) if own_id else self._ids(paths),
            "label": _labels(cells[label], label, schema) if label else pa.nulls(len(cells), pa.string()),
        }
        if encoded:
            return pa.table({**columns, **self._places()})
        require_some(paths or [], str(PurePath(self.file).parent), printable(self.file))
        return pa.table({**columns, "path": pa.array(paths, pa.string())})

    def _ids(self, paths: list[str] | None) -> Any:
        ids = numbered(self.opened.metadata.num_rows, f"{self.name}/") if paths is None else paths
        return pa.array(ids, pa.string())

    def _places(self) -> dict[str, Any]:
        metadata = self.opened.metadata
        counts = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        rows = [np.arange(count, dtype=np.int32) for count in counts]
        groups = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        return {"group": pa.array(groups), "row": pa.array(np.concatenate(rows) if rows else groups)}


@contextmanager
def _opened(file: str) -> Generator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(file) as opened:
            yield opened
    except (OSError, pa.ArrowException) as error:
        raise SourceError(
            f"{printable(file)}: cannot be read as Parquet ({system_reason(error)}); expected a whole Parquet file"
        ) from error


@lru_cache(maxsize=_GROUPS)
def _group(file: str, modified: int, group: int) -> Any:
    """The pictures of one row group; `modified` keeps a file that was written anew apart."""
    with pq.ParquetFile(file) as opened:
        column = _encoded_column(opened.schema_arrow)
        return opened.read_row_group(group, columns=[column]).column(0)


def _is_encoded(schema: pa.Schema, file: str) -> bool:
    if _encoded_column(schema) is not None:
        return True
    if _text_column(schema, PATHS) is not None:
        return False
    found = ", ".join(f"{printable(field.name)} ({field.type})" for field in schema)
    raise SourceError(
        f"{printable(file)}: found the columns {found}; expected paths ({', '.join(PATHS)}) or encoded pictures (image "
        "or bytes, binary, or structs with bytes and path)"
    )


def _encoded_column(schema: pa.Schema) -> str | None:
    names = [field.name for field in schema if _holds_bytes(field.type)]
    return find_column(names, _ENCODED)


def _text_column(schema: pa.Schema, wanted: tuple[str, ...]) -> str | None:
    return find_column([field.name for field in schema if _holds_text(field.type)], wanted)


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)


def _holds_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _holds_text(kind.value_type)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _labels(column: Any, name: str, schema: pa.Schema) -> Any:
    """Labels as strings; by name where Hugging Face's note in the schema names the classes."""
    names = _noted_names(name, schema)
    if not names or not pa.types.is_integer(column.type):
        return strings(column, name)
    return class_names(column, names)


def _noted_names(column: str, schema: pa.Schema) -> list[str]:
    try:
        note = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        return list(map(str, note["info"]["features"][column]["names"]))
    except (ValueError, KeyError, TypeError):
        return []
