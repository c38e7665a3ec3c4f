"""From whatever a user calls a picture to RGB, 8 bit, upright; or an ImageError that says what to do.

Files are hostile until decoded: formats come from a list (none that runs a program, as EPS does),
the pixel count is checked before anything is decoded, and every failure of a decoder becomes an
ImageError. No file stays open. Video is not read here.
"""

import io
import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

from vitscope.errors import ImageError
from vitscope.images.download import MAX_BYTES, download
from vitscope.images.naming import is_url, missing, path_name, printable, shown_url, url_name
from vitscope.images.pixels import plain

MAX_PIXELS = 200_000_000  # of one encoded picture, width × height: 600 MB in RGB

# HEIF is there once the caller has registered pillow-heif's plugin.
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000", "QOI", "HEIF")
_SIGNATURES = (  # what is often taken for a picture: leading bytes, what it is, what to do
    (b"version https://git-lfs", "a Git LFS pointer", "fetch the picture with `git lfs pull`"),
    (b"<svg", "an SVG drawing", "save it as PNG"),
    (b"<?xml", "an XML file", "if it is an SVG drawing, save it as PNG"),
    (b"<!doctype html", "a web page", "use the picture's own address"),
    (b"<html", "a web page", "use the picture's own address"),
    (b"%pdf", "a PDF", "save the page as PNG"),
    (b"%!ps", "PostScript", "save it as PNG"),
    (b"\x93numpy", "a NumPy array", "load it with np.load and pass it as a uint8 array"),
)


_Stream = io.BytesIO | io.BufferedReader


@dataclass(frozen=True)
class Picture:
    """One picture as vitscope shows it. Made by `open_picture`."""

    name: str  # what it is called in outputs and messages, on one line
    image: Image.Image  # RGB, 8 bit, upright
    note: str = ""  # what a reader must know of its decoding; "" if nothing

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.height, self.image.width


def open_picture(
    source: str | os.PathLike[Any] | Image.Image | np.ndarray | bytes | bytearray | memoryview | Picture,
    *,
    name: str | None = None,
) -> Picture:
    """Decode one picture: a path, an http(s) URL, a PIL image, a uint8 array (height, width) or
    (height, width, 1 | 3 | 4), or the bytes of an encoded file.

    `name` is what to call it; by default the file's name, or "array", "image". Turned upright by its
    EXIF orientation; of several frames the first, transparency over white, 16 bit scaled to 8, each
    said in `note`; ICC profiles are ignored. Raises ImageError.
    """
    if isinstance(source, Picture):
        return source if name is None else replace(source, name=printable(name))
    shown, default = _names(source) if name is None else (printable(name), printable(name))
    if isinstance(source, np.ndarray):
        source = _from_array(source, shown)
    if isinstance(source, Image.Image):
        if isinstance(source, ImageFile.ImageFile):  # may not be decoded yet
            _require_pixels(source.size, shown)
        return Picture(default, *_decoded(source, shown))
    if isinstance(source, bytes | bytearray | memoryview):
        return Picture(default, *_from_stream(io.BytesIO(source), shown))
    path = os.fsdecode(source)
    if is_url(path):
        return Picture(default, *_from_stream(io.BytesIO(download(path)), shown))
    return Picture(default, *_from_path(path, shown))


def _names(source: Any) -> tuple[str, str]:
    """What to call it in messages and in outputs."""
    if isinstance(source, np.ndarray):
        return "array", "array"
    if isinstance(source, Image.Image):
        filename = getattr(source, "filename", "") or "image"
        return printable(filename), path_name(os.fsdecode(filename))
    if isinstance(source, bytes | bytearray | memoryview):
        return "image", "image"
    if not isinstance(source, str | os.PathLike):
        raise ImageError(
            f"found {type(source).__name__}; expected a path, a URL, a PIL image, a uint8 NumPy array "
            "(height, width, 3) or encoded bytes"
        )
    path = os.fsdecode(source)
    return (shown_url(path), url_name(path)) if is_url(path) else (printable(path), path_name(path))


def _from_array(array: np.ndarray, shown: str) -> Image.Image:
    expected = "expected a uint8 array (height, width), or (height, width, 1, 3 or 4 channels)"
    found = f"{shown}: found {array.dtype} of shape {array.shape}"
    if array.dtype != np.uint8:
        raise ImageError(f"{found}{_not_finite(array)}; {expected}; {_advice(array.dtype)}")
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        raise ImageError(f"{found}; {expected}; put the channels last: np.moveaxis(array, 0, -1)")
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (3,), (4,)):
        raise ImageError(f"{found}; {expected}; pass pictures one at a time, or in a list")
    if 0 in array.shape:
        raise ImageError(f"{found}, which holds no pixels; {expected}")
    return Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2:] == (1,) else array))


def _not_finite(array: np.ndarray) -> str:
    is_float = np.issubdtype(array.dtype, np.inexact)
    return ", with NaN or infinity in it" if is_float and not np.isfinite(array).all() else ""


def _advice(dtype: np.dtype[Any]) -> str:
    if np.issubdtype(dtype, np.floating):
        return "for values from 0 to 1 pass (array * 255).round().astype(np.uint8)"
    if dtype == np.uint16:
        return "for values from 0 to 65535 pass (array / 257).round().astype(np.uint8)"
    if dtype == np.bool_:
        return "pass array.astype(np.uint8) * 255"
    return "scale the values to 0 … 255 and pass array.astype(np.uint8)"


def _from_path(path: str, shown: str) -> tuple[Image.Image, str]:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - a Path would normalise the caller's name
            return _from_stream(stream if stream.seekable() else _buffered(stream, shown), shown)
    except IsADirectoryError as error:
        raise ImageError(f"{shown}: a folder; expected a picture; pass the files in it one by one") from error
    except FileNotFoundError as error:
        raise ImageError(missing(path)) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{shown}: cannot be read ({reason}); expected a readable picture file") from error


def _buffered(stream: io.BufferedReader, shown: str) -> io.BytesIO:
    """A pipe, read whole."""
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImageError(f"{shown}: more than {MAX_BYTES:,} bytes; expected a picture below that")
    return io.BytesIO(data)


def _from_stream(stream: _Stream, shown: str) -> tuple[Image.Image, str]:
    head = stream.read(256)
    if not head:
        raise ImageError(f"{shown}: empty (0 bytes); expected a picture; was it fully copied or downloaded?")
    image = _identify(stream, head, shown)
    _require_pixels(image.size, shown)
    return _decoded(image, shown)


def _identify(stream: _Stream, head: bytes, shown: str) -> ImageFile.ImageFile:
    """The image with its header read, by the plugins of Pillow themselves.

    `Image.open` would warn from 89 million pixels on and raise from 179 million; the global that
    moves this limit, and the filters that hide the warning, belong to all threads.
    """
    Image.init()
    failures: list[str] = []
    for name in _FORMATS:
        factory, accepts = Image.OPEN.get(name, (None, None))
        if factory is None or accepts is None:
            continue
        accepted = accepts(head[:16])
        if isinstance(accepted, str):  # Pillow was built without this decoder
            failures.append(accepted)
        elif accepted:
            stream.seek(0)
            try:
                return factory(stream, "")
            except Image.DecompressionBombError as error:
                raise _bomb(error, shown) from error
            except Exception as error:  # decoders raise almost anything on damaged files
                failures.append(f"{name}: {error}")
    raise ImageError(f"{shown}: {_what(head, failures)}")


def _what(head: bytes, failures: list[str]) -> str:
    if failures:
        return f"damaged or cut off in its header ({'; '.join(failures)}); expected a whole picture; copy it anew"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for signature, what, advice in _SIGNATURES:
        if start.startswith(signature):
            return f"{what}, no picture; {advice}"
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"msf1"):
        return "a HEIC picture, which Pillow does not read; save it as JPEG or PNG, or register pillow-heif"
    known = ", ".join(name for name in _FORMATS if name in Image.OPEN)
    return f"no picture that vitscope knows (it begins with {head[:16]!r}); expected one of {known}"


def _require_pixels(size: tuple[int, int], shown: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{shown}: {height:,} × {width:,} = {width * height:,} pixels; expected at most {MAX_PIXELS:,}, above "
            "which a file counts as a decompression bomb; if you trust it, shrink it, or decode it yourself and pass "
            "a uint8 array"
        )


def _bomb(error: Image.DecompressionBombError, shown: str) -> ImageError:
    """Pillow's own refusal, where a plugin checks before the size is known here."""
    return ImageError(f"{shown}: {str(error).rstrip('.')}; shrink it first")


def _decoded(image: Image.Image, shown: str) -> tuple[Image.Image, str]:
    if 0 in image.size:
        raise ImageError(f"{shown}: {image.height} × {image.width} pixels; expected at least one")
    try:
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            _allocate(image)
        return plain(image)
    except ImageError as error:
        raise ImageError(f"{shown}: {error}") from error
    except Image.DecompressionBombError as error:
        raise _bomb(error, shown) from error
    except Exception as error:  # decoders raise almost anything on damaged files
        raise ImageError(
            f"{shown}: damaged or cut off ({error or type(error).__name__}); expected a whole picture; copy or "
            "download it anew"
        ) from error


def _allocate(image: TiffImagePlugin.TiffImageFile) -> None:
    """Give a TIFF its canvas, as Pillow's plugin warns of bombs once more when it makes one of its own."""
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or MAX_PIXELS):
        stored = (image.tag_v2[TiffImagePlugin.IMAGEWIDTH], image.tag_v2[TiffImagePlugin.IMAGELENGTH])
        image.im = Image.new(image.mode, stored).im
