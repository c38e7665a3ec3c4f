"""Pictures of one grey each, by which tests of sources tell them apart."""

import io
import pickle

from PIL import Image

from vitscope.images.decode import open_picture


def png(grey: int) -> bytes:
    """A picture that `grey_of` tells from others."""
    stream = io.BytesIO()
    Image.new("L", (5, 3), grey).save(stream, format="PNG")
    return stream.getvalue()


def grey_of(source, row) -> int:
    return open_picture(source.read(row)).image.getpixel((0, 0))[0]


def greys(source) -> dict[str, tuple[str | None, int]]:
    """By id, its label and the grey of its picture."""
    source = pickle.loads(pickle.dumps(source))
    return {row["id"]: (row["label"], grey_of(source, row)) for row in source.index().to_pylist()}
