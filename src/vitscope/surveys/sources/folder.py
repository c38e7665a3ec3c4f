"""A folder of pictures, or those below it that a pattern names. The class is the first sub-folder."""

import fnmatch
import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import pyarrow as pa

from vitscope.errors import SourceError
from vitscope.images.naming import printable
from vitscope.images.sources import SUFFIXES
from vitscope.surveys.sources.ids import escaped, index_table, system_reason, unescaped
from vitscope.surveys.sources.presence import require_there

_OTHERS = (".tar", ".parquet")  # what a folder may hold in place of pictures


@dataclass(frozen=True)
class FolderSource:
    """Every picture below a folder. The id is the path from the folder on, with "/", see `ids.escaped`.

    Hidden files and folders are left out; links are followed, but not in circles. What cannot be
    read is in the index all the same, and fails when it is read.
    """

    folder: str  # absolute
    pattern: str = ""  # with "/", from the folder on; "": all pictures, by their suffixes
    ordered: bool = False

    @property
    def name(self) -> str:
        """The folder's last part, and the pattern."""
        folder = printable(PurePath(self.folder).name or self.folder)
        return f"{folder}/{printable(self.pattern)}" if self.pattern else folder

    @property
    def settings(self) -> dict[str, Any]:
        """Kind, folder and pattern."""
        folder = {"kind": "glob" if self.pattern else "folder", "path": printable(self.folder)}
        return folder | ({"pattern": printable(self.pattern)} if self.pattern else {})

    def index(self) -> pa.Table:
        """`id` and `label`, sorted by id; the label is null for pictures directly in the folder.

        Raises SourceError where there is none, or a folder cannot be listed.
        """
        parts = tuple(self.pattern.split("/")) if self.pattern else ()
        depth = len(parts) if parts and "**" not in parts else None
        chosen = [name for name in _files(self.folder, depth) if _is_chosen(name, parts)]
        if not chosen:
            raise SourceError(self._nothing())
        ids = sorted(escaped(name) for name in chosen)
        return index_table(ids, (first if rest else None for first, _, rest in (name.partition("/") for name in ids)))

    def require(self) -> None:
        """Raise SourceError where what the images are read from is gone."""
        require_there(self.folder)

    def read(self, row: Mapping[str, Any]) -> str:
        """The picture's path."""
        return str(Path(self.folder) / unescaped(row["id"]))

    def _nothing(self) -> str:
        shown = printable(self.folder)
        if self.pattern:
            return f"{shown}/{printable(self.pattern)}: no file matches this pattern; check it, or quote it in a shell"
        others = [name for name in _files(self.folder, 1) if name.lower().endswith(_OTHERS)]
        if others:
            suffix = PurePath(others[0]).suffix
            return f"{shown}: a folder without pictures, but with {suffix} files; give {shown}/*{suffix}"
        return f"{shown}: a folder without pictures; expected files that end in {', '.join(SUFFIXES)}"


def glob_source(pattern: str) -> FolderSource:
    """The files that a pattern with `*`, `?`, `[…]` or `**` names, from its last folder without these on."""
    parts = pattern.replace(os.sep, "/").split("/")
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    folder = os.path.abspath("/".join(parts[:first]) or ("/" if first else "."))  # noqa: PTH100 - follows no links
    if not os.path.isdir(folder):  # noqa: PTH112 - a Path raises on null characters in 3.11
        raise SourceError(f"{printable(pattern)}: there is no folder {printable(folder)}; check the path")
    return FolderSource(folder, "/".join(part for part in parts[first:] if part))


def _files(folder: str, depth: int | None) -> Iterator[str]:
    """All files below, by their paths with "/" from the folder on; `depth` 1: those directly in it."""
    waiting: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", ())]  # a folder, and which it lies in
    while waiting:
        prefix, above = waiting.pop()
        path = f"{folder}/{prefix}"
        try:
            status = os.stat(path)  # noqa: PTH116 - this is the inner loop
            identity = (status.st_dev, status.st_ino)
            entries = [] if identity in above else sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            raise SourceError(
                f"{printable(path)}: the folder cannot be listed ({system_reason(error)}); expected a readable folder; "
                "make it readable, or name the others with a pattern"
            ) from error
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not _is_folder(entry):
                yield from (prefix + entry.name,) if _is_file(entry) else ()
            elif depth is None or prefix.count("/") + 1 < depth:
                waiting.append((f"{prefix}{entry.name}/", (*above, identity)))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Files, and links that lead nowhere; no pipes, which would wait for someone to write."""
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:
        return True


def _is_chosen(name: str, pattern: Sequence[str]) -> bool:
    return _matches(name.split("/"), pattern) if pattern else name.lower().endswith(SUFFIXES)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[i:], pattern[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatch(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])
