"""Pictures as data: URLs, small enough for a page."""

import base64
import io

from PIL import Image

_PNG_BYTES = 400_000  # a PNG above this becomes a JPEG
_ORIGINAL_SIDE = 1280  # pixels of the longer side


def seen_url(image: Image.Image) -> str:
    """The model's input: pixel for pixel where that is small."""
    png = _encoded(image, "PNG", optimize=True)
    return _url(png, "png") if len(png) <= _PNG_BYTES else _url(_encoded(image, "JPEG", quality=92), "jpeg")


def original_url(image: Image.Image) -> str:
    """The original, at fewer pixels where it has many."""
    scale = _ORIGINAL_SIDE / max(image.size)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _url(_encoded(image, "JPEG", quality=88), "jpeg")


def _encoded(image: Image.Image, kind: str, **options: bool | int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _url(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
