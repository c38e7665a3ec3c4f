"""Ids of images, and the columns of an index. Opens nothing.

An id is a file's name under a folder, or a number, as valid UTF-8 text: Parquet holds nothing else.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa

from vitscope.errors import ImageError, SourceError
from vitscope.images.naming import printable

_ESCAPED = re.compile(r"\\(\\|x[0-9a-f]{2})")


def escaped(name: str) -> str:
    """The name as valid UTF-8, one to one: bytes that are not UTF-8 become `\\xff`, a backslash two.

    `name` is as Python decodes file names, with lone surrogates for such bytes (PEP 383).
    """
    if "\\" not in name and _is_utf8(name):
        return name
    return "".join(_escape(character) for character in name)


def as_text(value: str) -> str:
    """The value as it is where it is valid UTF-8, else escaped."""
    return value if _is_utf8(value) else escaped(value)


def unescaped(text: str) -> str:
    """The name that `escaped` made this of."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda match: _unescape(match[1]), text)


def numbered(count: int, prefix: str = "") -> list[str]:
    """Ids of images that have no name: their number, eight digits."""
    return [f"{prefix}{number:08d}" for number in range(count)]


def index_table(ids: Iterable[str], labels: Iterable[str | None], **columns: Any) -> pa.Table:
    """An index: `id` and `label` as strings, and what `read` needs."""
    texts = {"id": pa.array(ids, pa.string()), "label": pa.array(labels, pa.string())}
    return pa.table({**texts, **columns})


def require_unique(index: pa.Table, shown: str) -> None:
    """Raise SourceError where the index is empty, or an id is missing, empty or there twice.

    `shown` names the source in messages.
    """
    ids: Any = index["id"]
    if not len(ids):
        raise SourceError(f"{shown}: no image in it; expected at least one")
    empty = (ids.is_null().index(True) if ids.null_count else ids.index("")).as_py()
    if empty >= 0:
        raise SourceError(f"{shown}: image {empty} (from 0) has an empty id; expected an id for each image")
    if (repeated := _first_repeated(_codes(ids))) is not None:
        raise SourceError(
            f"{shown}: the id {printable(ids[repeated].as_py())!r} is there twice; expected an id of its own for each "
            "image; in Python give ids= (and classes as labels=), in a list a column id"
        )


def _codes(ids: Any) -> np.ndarray:
    """A number for each id, the same for the same id in all chunks."""
    encoded = ids.dictionary_encode()
    return np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])


def _first_repeated(codes: np.ndarray) -> int | None:
    """The first row whose value was there before, or None."""
    _, first = np.unique(codes, return_index=True)
    if len(first) == len(codes):
        return None
    seen_before = np.ones(len(codes), dtype=bool)
    seen_before[first] = False
    return int(np.argmax(seen_before))


def distinct_names(paths: Sequence[str]) -> list[str]:
    """What to call each of these files or folders in ids: its last part.

    Where that is there twice: the path from their common folder on.
    """
    lasts = [PurePath(path).name for path in paths]
    counts = Counter(lasts)
    common = os.path.commonpath([os.path.dirname(path) for path in paths])  # noqa: PTH120 - Path has none for several
    names = (
        last if counts[last] == 1 else PurePath(path).relative_to(common).as_posix()
        for last, path in zip(lasts, paths, strict=True)
    )
    return [escaped(name) for name in names]


def unreadable(image_id: str, reason: object, expected: str = "expected a readable picture") -> ImageError:
    """The error for an image of the index that cannot be read."""
    return ImageError(f"{printable(image_id)}: cannot be read ({reason}); {expected}")


def system_reason(error: Exception) -> str:
    """What the operating system says of it, without the path."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escape(character: str) -> str:
    if character == "\\":
        return "\\\\"
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return character if not 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"


def _unescape(what: str) -> str:
    return "\\" if what == "\\" else chr(0xDC00 + int(what[1:], 16))
