"""Small pictures for the tests of decoding, and their files."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from vitscope.images.decode import Picture

HEIGHT, WIDTH = 13, 17
RNG = np.random.default_rng(5)
COLOUR = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)


def encoded(image: Image.Image, format="PNG", **options) -> bytes:  # noqa: A002 - Pillow's own word
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def pixels(picture: Picture) -> np.ndarray:
    assert picture.image.mode == "RGB"
    assert picture.size == (picture.image.height, picture.image.width)
    return np.asarray(picture.image)


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    packed = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)
