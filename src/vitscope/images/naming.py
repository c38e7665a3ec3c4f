"""Names of pictures, fit for messages and captions. Opens nothing, imports next to nothing."""

import difflib
import os
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

_JOINERS = "\u200c\u200d"  # no glyphs of their own, but part of Persian words and of composed emoji


def printable(name: str | bytes) -> str:
    """The name on one line, whatever the file system held.

    Line ends, control and bidirectional characters become escapes (`\\n`, `\\u202e`); bytes that are
    not UTF-8 become `\\xff`.
    """
    text = os.fsdecode(name)
    return "".join(c if c.isprintable() or c in _JOINERS else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape, PEP 383: the low byte is what the file system had
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def path_name(path: str) -> str:
    """The last part of a path, printable."""
    return printable(Path(path).name or path)


def is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def shown_url(url: str) -> str:
    """The URL without credentials and query, which may hold secrets; for messages."""
    parts = _split(url)
    return printable(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")


def url_name(url: str) -> str:
    """What a picture from this URL is called: the last part of its path, else the host."""
    parts = _split(url)
    return printable(unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.netloc.rpartition("@")[2])


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a malformed host: all before the query counts as the host
        scheme, _, rest = url.partition("://")
        return SplitResult(scheme, rest.partition("?")[0], "", "", "")


def missing(path: str, expected: str = "a picture") -> str:
    """The message for a path that does not exist: what is near it, and what to do."""
    if not path:
        return "an empty path was given; expected a picture's path or URL"
    parent = Path(path).parent
    if _is_link(Path(path)):
        advice = "it is a link to what is not there; check where it leads"
    elif not _is_folder(parent):
        advice = f"nor is there a folder {printable(str(parent))}; check the path"
    elif near := difflib.get_close_matches(Path(path).name, _entries(parent), n=1):
        advice = f"did you mean {printable(str(parent / near[0]))}?"
    else:
        advice = f"expected {expected} in {printable(str(parent.absolute()))}; check the path"
    return f"{printable(path)}: no such file; {advice}"


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except (OSError, ValueError):  # a name too long, or with a null character
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name too long, or with a null character
        return False


def _entries(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []
