"""Pictures by name: a list in a file of text, CSV or TSV, or paths given one by one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import pyarrow as pa
from pyarrow import csv

from vitscope.errors import SourceError
from vitscope.images.naming import is_url, path_name, printable
from vitscope.surveys.sources.columns import IDS, LABELS, PATHS, find_column, located, path_id, require_some, strings
from vitscope.surveys.sources.ids import as_text, index_table, require_unique, system_reason
from vitscope.surveys.sources.presence import require_there

SUFFIXES = (".txt", ".csv", ".tsv")


@dataclass(frozen=True)
class ListSource:
    """The pictures that a file names, a line each, relative to the file's own folder; URLs too.

    `.txt`: a path a line, then, if there is one, a tab and the label; blank lines and those that begin
    with # are left out. `.csv`, `.tsv`: columns `path` (or `image`, `file`, `filename`) and, if they are
    there, `id` and `label` (or `class`). The id is the path as written where there is no column for it.
    """

    file: str  # absolute
    ordered: bool = False

    @property
    def name(self) -> str:
        """The file's last part."""
        return path_name(self.file)

    @property
    def settings(self) -> dict[str, Any]:
        """Kind and file."""
        return {"kind": "list", "path": printable(self.file)}

    def index(self) -> pa.Table:
        """`id`, `label` and `path`, in the file's order. Raises SourceError."""
        shown = printable(self.file)
        try:
            table = self._text() if self.file.lower().endswith(".txt") else self._table()
        except (OSError, pa.ArrowException) as error:
            raise SourceError(
                f"{shown}: cannot be read as a list ({system_reason(error)}); expected a row a picture, in UTF-8"
            ) from error
        require_unique(table, shown)
        require_some(table["path"].slice(0, 64).to_pylist(), self._folder, shown)
        return table

    def require(self) -> None:
        """Raise SourceError where what the images are read from is gone."""
        require_there(self.file)

    def read(self, row: Mapping[str, Any]) -> str:
        """The picture's path or URL."""
        return located(row["path"], self._folder)

    @property
    def _folder(self) -> str:
        return str(PurePath(self.file).parent)

    def _text(self) -> pa.Table:
        text = Path(self.file).read_bytes().removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")
        lines = (line.rstrip("\r") for line in text.split("\n"))
        rows = [line.partition("\t") for line in lines if line.strip() and not line.startswith("#")]
        paths = [path_id(path) for path, _, _ in rows]
        return index_table(paths, (as_text(label.strip()) or None for _, _, label in rows), path=paths)

    def _table(self) -> pa.Table:
        table = self._cells()
        path = find_column(table.column_names, PATHS)
        if path is None:
            raise SourceError(
                f"{printable(self.file)}: found the columns {', '.join(map(printable, table.column_names))}; expected "
                f"one named {', '.join(PATHS[:-1])} or {PATHS[-1]}"
            )
        written = [path_id(text or "") for text in table[path].to_pylist()]
        label, own_id = find_column(table.column_names, LABELS), find_column(table.column_names, IDS)
        ids = table[own_id] if own_id else pa.array(written, pa.string())
        labels = strings(table[label], label) if label else pa.nulls(len(table), pa.string())
        return pa.table({"id": ids, "label": labels, "path": pa.array(written, pa.string())})

    def _cells(self) -> pa.Table:
        """Every cell as text: "NA" is a class like any other, and 007 keeps its zeros."""
        parse = csv.ParseOptions(delimiter="\t" if self.file.lower().endswith(".tsv") else ",", newlines_in_values=True)
        with csv.open_csv(self.file, parse_options=parse) as head:
            names = head.schema.names
        if len(set(names)) < len(names):
            raise SourceError(f"{printable(self.file)}: two columns have one name; expected names of their own")
        convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
        return csv.read_csv(self.file, parse_options=parse, convert_options=convert)


@dataclass(frozen=True)
class PathsSource:
    """Paths or URLs given one by one; the id is each as it was written."""

    written: tuple[str, ...]
    labels: tuple[str | None, ...] | None = None
    ids: tuple[str, ...] | None = None
    folder: str = ""  # absolute: what relative paths start from
    ordered: bool = False

    @property
    def name(self) -> str:
        """The first of them, and how many more there are."""
        first = printable(PurePath(self.written[0]).name or self.written[0])
        return first if len(self.written) == 1 else f"{first} and {len(self.written) - 1} more"

    @property
    def settings(self) -> dict[str, Any]:
        """Kind, and the folder where a path starts from it; the ids say the rest."""
        relative = not all(is_url(path) or os.path.isabs(path) for path in self.written)  # noqa: PTH117 - takes any text
        return {"kind": "paths"} | ({"path": printable(self.folder)} if relative else {})

    def index(self) -> pa.Table:
        """`id`, `label` and `path`. Raises SourceError where a path is there twice."""
        paths = [path_id(path) for path in self.written]
        table = index_table(self.ids or paths, self.labels or [None] * len(paths), path=paths)
        require_unique(table, self.name)
        return table

    def require(self) -> None:
        """Nothing but the pictures themselves can be gone."""

    def read(self, row: Mapping[str, Any]) -> str:
        """The picture's path or URL."""
        return located(row["path"], self.folder)


def paths_source(
    paths: Sequence[Any], *, ids: Sequence[str] | None = None, labels: Sequence[str | None] | None = None
) -> PathsSource:
    """Strings and path objects as a source; relative ones start from the process's folder."""
    written = tuple(os.fsdecode(path) for path in paths)
    return PathsSource(
        written,
        None if labels is None else tuple(labels),
        None if ids is None else tuple(ids),
        str(Path.cwd()),
    )
