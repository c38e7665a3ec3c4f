"""An iterable that can be gone through once, kept on disk: all images in one growing file, and an index beside it.

Encoded bytes and paths are kept as they come, PIL images and uint8 arrays as PNG, upright and in RGB,
float tensors and arrays as .npy. Memory does not grow with the number of images.
"""

import io
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vitscope.errors import ArgumentError, ImageError, OutputError, SourceError
from vitscope.images.decode import open_picture
from vitscope.images.naming import printable
from vitscope.surveys.sources.ids import require_unique, system_reason, unreadable
from vitscope.surveys.sources.items import as_array, as_image, as_label, is_float, is_tensor, taken_apart
from vitscope.surveys.sources.presence import passing, require_there
from vitscope.surveys.sources.python import as_id
from vitscope.surveys.sources.temporary import remove, temporary_folder

_IMAGES, _INDEX = "spool.bin", "spool.parquet"
_ROWS = 4096  # of the index, held while the iterable is gone through
_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("label", pa.string()),
        pa.field("offset", pa.int64()),  # bytes from the start of the spool
        pa.field("size", pa.int64()),  # bytes
        pa.field("form", pa.string()),  # "encoded", "path", "npy"; "error": the reason why there is no image
    ]
)


@dataclass(frozen=True, eq=False)
class SpoolSource:
    """Images of an iterable, on disk. Made by `spooled`; what it holds is removed with it if nobody named a folder."""

    folder: str  # absolute
    name: str
    ordered: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """Kind; the ids say the rest."""
        return {"kind": "iterable"}

    def index(self) -> pa.Table:
        """`id`, by default the number, eight digits; `label`; `offset`, `size` and `form`. Raises SourceError."""
        file = Path(self.folder) / _INDEX
        try:
            table = pq.read_table(file, schema=_SCHEMA)
        except (OSError, pa.ArrowException) as error:
            raise SourceError(
                f"{printable(str(file))}: cannot be read ({system_reason(error)}); expected the index of a spool; go "
                "through the iterable again"
            ) from error
        require_unique(table, self.name)
        return table

    def require(self) -> None:
        """Raise SourceError where what the images are read from is gone."""
        require_there(self.folder)

    def read(self, row: Mapping[str, Any]) -> Any:
        """Encoded bytes, a path, or a float array."""
        file, size, form = Path(self.folder) / _IMAGES, row["size"], row["form"]
        try:
            with file.open("rb") as stream:
                stream.seek(row["offset"])
                data = stream.read(size)
        except OSError as error:
            raise unreadable(row["id"], f"{printable(str(file))}: {system_reason(error)}") from error
        if len(data) < size:
            raise unreadable(row["id"], f"{printable(str(file))} ends after {len(data):,} of its {size:,} bytes")
        if form == "error":
            raise ImageError(data.decode())
        if form == "path":
            return os.fsdecode(data)
        return np.load(io.BytesIO(data), allow_pickle=False) if form == "npy" else data


def spooled(
    images: Iterable[Any],
    *,
    ids: Sequence[str] | None = None,
    labels: Sequence[Any] | None = None,
    folder: Path | None = None,
) -> SpoolSource:
    """Go through `images` once and keep them in `folder`, by default a temporary one.

    Items that are no images stand in the index and fail when they are read. Raises SourceError where
    the iterable itself fails, and OutputError where nothing can be written.
    """
    try:
        source = _temporary(type(images).__name__) if folder is None else _kept(folder, type(images).__name__)
        _fill(Path(source.folder), _entries(images, ids, labels))
    except OSError as error:
        where = printable(str(folder or tempfile.gettempdir()))
        raise OutputError(
            f"cannot keep the images in {where}: {system_reason(error)}; make room there, or name another folder in "
            "the environment variable TMPDIR"
        ) from error
    return source


def _temporary(name: str) -> SpoolSource:
    place, descriptor = temporary_folder()
    source = SpoolSource(str(place), name)
    weakref.finalize(source, remove, source.folder, descriptor, os.getpid())
    return source


def _kept(folder: Path, name: str) -> SpoolSource:
    folder.mkdir(parents=True, exist_ok=True)
    return SpoolSource(str(folder.absolute()), name)


@dataclass(frozen=True)
class _Entry:
    """One image, ready to be written."""

    image_id: str
    label: str | None
    form: str
    data: bytes


def _entries(images: Iterable[Any], ids: Sequence[str] | None, labels: Sequence[Any] | None) -> Iterator[_Entry]:
    number = -1
    for number, given in enumerate(_guarded(images)):
        item = taken_apart(given)
        image_id = _beside(ids, number, "ids", item.image_id)
        image_id = f"{number:08d}" if image_id is None else as_id(image_id)
        label = as_label(_beside(labels, number, "labels", item.label))
        yield _Entry(image_id, label, *_written(item.image, image_id))
    for name, values in (("ids", ids), ("labels", labels)):
        if values is not None and len(values) != number + 1:
            raise ArgumentError(_wrong_number(name, values, f"{number + 1:,}"))


def _guarded(images: Iterable[Any]) -> Iterator[Any]:
    """The items; what their iterator raises becomes a SourceError."""
    count = 0
    try:
        for count, item in enumerate(images, start=1):  # noqa: B007 - the message below needs it
            yield item
    except Exception as error:  # the iterable may read from anywhere
        raise SourceError(
            f"{type(images).__name__}: failed after {count:,} images "
            f"({type(error).__name__}: {printable(str(error))}); expected it to go on to its end"
        ) from error


def _beside(values: Sequence[Any] | None, number: int, name: str, default: str | None) -> Any:
    if values is None:
        return default
    if number >= len(values):
        raise ArgumentError(_wrong_number(name, values, "more"))
    return values[number]


def _wrong_number(name: str, values: Sequence[Any], images: str) -> str:
    return f"found {len(values):,} {name} for {images} images; expected one for each"


def _written(image: Any, image_id: str) -> tuple[str, bytes]:
    """The form and the bytes to keep; the reason where it is no image. SourceError where it cannot be read for now."""
    try:
        plain = as_image(image, image_id)
        if isinstance(plain, str):
            return "path", os.fsencode(plain)
        if isinstance(plain, bytes):
            return "encoded", plain
        stream = io.BytesIO()
        if is_tensor(plain) or (isinstance(plain, np.ndarray) and is_float(plain)):
            np.save(stream, as_array(plain), allow_pickle=False)
            return "npy", stream.getvalue()
        open_picture(plain, name=image_id).image.save(stream, format="PNG", compress_level=1)
    except ImageError as error:
        if cause := passing(error):
            raise SourceError(
                f"{printable(image_id)} cannot be read for now ({printable(system_reason(cause))}), which is no fault "
                "of the picture; bring back what it is read from, and go through the iterable again"
            ) from error
        return "error", str(error).encode(errors="backslashreplace")
    return "encoded", stream.getvalue()


def _fill(folder: Path, entries: Iterator[_Entry]) -> None:
    """Both files, written under other names and renamed when they are whole."""
    draft = Path(tempfile.mkdtemp(prefix=".vitscope-", dir=folder))
    try:
        with (draft / _IMAGES).open("wb") as images, pq.ParquetWriter(draft / _INDEX, _SCHEMA) as index:
            rows: list[dict[str, Any]] = []
            for entry in entries:
                rows.append(_append(images, entry))
                if len(rows) == _ROWS:
                    index.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))
                    rows.clear()
            index.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))
        for name in (_IMAGES, _INDEX):
            (draft / name).replace(folder / name)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _append(images: BinaryIO, entry: _Entry) -> dict[str, Any]:
    offset = images.tell()
    images.write(entry.data)
    size = len(entry.data)
    return {"id": entry.image_id, "label": entry.label, "offset": offset, "size": size, "form": entry.form}
