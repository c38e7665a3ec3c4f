"""Looks as a page: one HTML file that opens offline, anywhere."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from vitscope.errors import ArgumentError
from vitscope.images.naming import printable
from vitscope.look import Look
from vitscope.viewer.html import html_parts, to_html
from vitscope.viewer.notebook import mime_bundle
from vitscope.viewer.payload import LIMIT_BYTES, Payload, build
from vitscope.writing import whole_file

SUFFIXES = (".html", ".htm")


@dataclass(frozen=True, eq=False)
class Page:
    """A page ready to be written. Made by `vitscope.page`."""

    payload: Payload

    def html(self) -> str:
        """The whole document; `save` takes less memory."""
        return to_html(self.payload)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the page whole into a new file, or with `force` over an earlier one; the file's path."""
        path = require_page_name(Path(path))
        with whole_file(path, force=force) as file:
            self.write(file)
        return path

    def write(self, file: IO[bytes]) -> None:
        """Write the document into an open file, piece by piece."""
        for part in html_parts(self.payload):
            file.write(part.encode("utf-8"))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return mime_bundle(lambda: self.payload, _png(self.payload.header["looks"][0]["images"][0]["seen"]), repr(self))

    def __repr__(self) -> str:
        header = self.payload.header
        return f"Page({header['title']!r}, looks={len(header['looks'])}, bytes={sum(header['blocks']):,})"


def page(
    looks: Look | Sequence[Look],
    *,
    layers: Sequence[int | str] | None = None,
    limit_bytes: int = LIMIT_BYTES,
    title: str | None = None,
    compare: bool | None = None,
) -> Page:
    """A page of one look or of several: `vitscope.page([look_a, look_b]).save("both.html")`.

    It carries queries and keys, and computes attention rows in the browser. `layers` are those to
    carry; None is all, or, where the file would be larger than about `limit_bytes`, the last, the
    first and some between, which the page says. `compare` opens it with two pictures side by side;
    by default it does for two looks or more.
    """
    return Page(build(looks, layers=layers, limit_bytes=limit_bytes, title=title, compare=compare))


def _png(address: str) -> bytes:
    """The bytes of a PNG's data: URL; none of any other."""
    kind, _, data = address.partition(",")
    return base64.b64decode(data) if kind == "data:image/png;base64" else b""


def require_page_name(path: Path) -> Path:
    """The path, if it is named as an HTML file is."""
    if path.suffix.lower() not in SUFFIXES:
        raise ArgumentError(f"a page is one HTML file; found {printable(str(path))!r}, expected a name ending in .html")
    return path
