"""What a command line names as pictures: files, folders, globs, URLs, standard input. Decodes nothing."""

import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from vitscope.errors import ImageError
from vitscope.images.naming import is_url, missing, path_name, printable, shown_url, url_name

SUFFIXES = (
    *(".apng", ".avif", ".bmp", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pfm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".qoi", ".tif", ".tiff", ".webp"),
)
_MAX_STDIN_BYTES = 512 * 2**20


@runtime_checkable
class Readable(Protocol):
    """What standard input is used as: any binary stream."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Source:
    """One input, or the reason why there is none.

    Names are those of the files; where two would be the same, the paths as given or found, then
    numbered: no two inputs share one.
    """

    name: str  # for messages and outputs, on one line
    location: str | bytes  # path or URL; the bytes themselves from standard input
    error: ImageError | None = None  # set: nothing can be read there

    def read(self) -> str | bytes:
        """What `open_picture` takes. Raises the error, if there is one."""
        if self.error is not None:
            raise self.error
        return self.location


def expand(arguments: Sequence[str], *, stdin: Readable | None = None) -> list[Source]:
    """Every picture that the arguments name, in their order and each once.

    A folder stands for the pictures directly in it, by suffix and in natural order, hidden ones left
    out; `*`, `?`, `[…]` and `**` are expanded where no file has the literal name; "-" is standard
    input (`stdin`, else the process's own). What does not exist becomes a Source with an error.
    """
    unique: dict[str, Source] = {}
    for argument in arguments:
        for source in _expand_one(argument, stdin, again=argument in unique):
            unique.setdefault(_identity(argument, source), source)
    return _told_apart(list(unique.values()))


def _expand_one(argument: str, stdin: Readable | None, *, again: bool) -> Iterator[Source]:
    if argument == "-":
        if not again:
            yield _from_stdin(stdin or sys.stdin.buffer)
    elif is_url(argument):
        yield Source(url_name(argument), argument)
    elif os.path.isdir(argument):  # noqa: PTH112 - a Path raises on null characters in 3.11
        yield from _from_folder(argument)
    elif os.path.lexists(argument) or not glob.has_magic(argument):
        yield _from_file(argument)
    else:
        yield from _from_glob(argument)


def _from_stdin(stdin: Readable) -> Source:
    data = stdin.read(_MAX_STDIN_BYTES + 1)
    error = None
    if not data:
        error = ImageError("standard input: nothing in it; expected the bytes of one picture")
    elif len(data) > _MAX_STDIN_BYTES:
        error = ImageError(f"standard input: more than {_MAX_STDIN_BYTES:,} bytes; expected one picture below that")
    return Source("stdin", data if error is None else b"", error)


def _from_file(path: str) -> Source:
    exists = os.path.exists(path)  # noqa: PTH110 - a Path raises on null characters in 3.11
    return Source(path_name(path) or "(empty)", path, None if exists else ImageError(missing(path)))


def _from_folder(folder: str) -> Iterator[Source]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _is_picture(entry.name) and entry.is_file()]
    except OSError as error:
        yield _failed(folder, f"the folder cannot be read ({error.strerror})")
        return
    if not names:
        yield _failed(folder, f"a folder without pictures; expected files that end in {', '.join(SUFFIXES)}")
    for name in sorted(names, key=_natural):
        yield _from_file(os.path.join(folder, name))  # noqa: PTH118 - a Path would normalise "./"


def _from_glob(pattern: str) -> Iterator[Source]:
    paths = [path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path)]  # noqa: PTH113, PTH207
    if not paths:
        yield _failed(pattern, "no file matches this pattern; check it, or quote a name that holds *, ? or [")
    for path in sorted(paths, key=_natural):
        yield _from_file(path)


def _failed(location: str, reason: str) -> Source:
    return Source(path_name(location), location, ImageError(f"{printable(location)}: {reason}"))


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


def _natural(name: str) -> tuple[list[str | int], str]:
    """Sorts frame2 before frame10; at odd places stand the numbers."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def _identity(argument: str, source: Source) -> str:
    if argument == "-" or is_url(argument):
        return argument
    return os.path.abspath(os.fsdecode(source.location))  # noqa: PTH100 - Path.resolve follows links


def _told_apart(sources: list[Source]) -> list[Source]:
    counts = Counter(source.name for source in sources)
    longer = [source.name if counts[source.name] == 1 else _long_name(source) for source in sources]
    seen: Counter[str] = Counter()
    for i, name in enumerate(longer):
        seen[name] += 1
        longer[i] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return [replace(source, name=name) for source, name in zip(sources, longer, strict=True)]


def _long_name(source: Source) -> str:
    if isinstance(source.location, bytes):
        return source.name
    return shown_url(source.location) if is_url(source.location) else printable(source.location)
