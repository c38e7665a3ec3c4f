"""What is no picture, or too large a one, is refused with a reason."""

import contextlib
import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from picture_files import COLOUR, GREY, HEIGHT, RNG, WIDTH, encoded, pixels, png
from vitscope.errors import ImageError
from vitscope.images.decode import MAX_PIXELS, open_picture


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, I am text", "begins with b'hello"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\x93NUMPY\x01\x00", "np.load"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC"),
        (b"\x89PNG\r\n\x1a\n", "header"),
        (b"GIF89a", "header"),
        (b"P6 5 " + b"7" * 40, "damaged or cut off"),
    ],
)
def test_not_a_picture(data, reason, tmp_path):
    path = tmp_path / "thing.png"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=f"thing.png: .*{reason}"):
        open_picture(path)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "QOI"])
def test_cut_off_files(format):  # noqa: A002
    if format not in Image.SAVE and format == "QOI":
        pytest.skip("this Pillow does not write QOI")
    large = Image.fromarray(RNG.integers(0, 256, (97, 131, 3), dtype=np.uint8))
    data = encoded(large, format)
    for kept in (0.1, 0.5, 0.9):
        with pytest.raises(ImageError, match=r"damaged or cut off|no picture"):
            open_picture(data[: int(len(data) * kept)])


@given(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"]), st.data())
@settings(max_examples=120)
def test_damaged_files_never_raise_anything_else(format, data):  # noqa: A002
    damaged = bytearray(encoded(Image.fromarray(COLOUR), format))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ImageError):
        assert open_picture(bytes(damaged)).image.mode == "RGB"


def test_missing_files(tmp_path):
    (tmp_path / "dog.jpg").touch()
    with pytest.raises(ImageError, match=r"did you mean .*dog\.jpg"):
        open_picture(tmp_path / "dgo.jpg")
    with pytest.raises(ImageError, match="nor is there a folder"):
        open_picture(tmp_path / "none" / "dog.jpg")
    with pytest.raises(ImageError, match="empty path"):
        open_picture("")
    with pytest.raises(ImageError, match=r"a\\x00b"):
        open_picture("a\0b")
    with pytest.raises(ImageError, match="too long"):
        open_picture("x" * 5000)


def test_folders_and_other_things(tmp_path):
    with pytest.raises(ImageError, match="a folder"):
        open_picture(tmp_path)
    with pytest.raises(ImageError, match="0 × 5 pixels"):
        open_picture(Image.new("RGB", (5, 0)))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable_file(tmp_path):
    path = tmp_path / "secret.png"
    path.touch(mode=0)
    with pytest.raises(ImageError, match="Permission denied"):
        open_picture(path)


def bomb(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b""))


def test_decompression_bombs_are_refused_by_their_header():
    assert MAX_PIXELS == 200_000_000
    with pytest.raises(ImageError, match="200,020,000 pixels; expected at most 200,000,000"):
        open_picture(bomb(20_000, 10_001))
    with pytest.raises(ImageError, match="2,147,483,647 × 2,147,483,647"):
        open_picture(bomb(2**31 - 1, 2**31 - 1))
    with pytest.raises(ImageError, match="cut off"):  # below the limit: decoded, and found short
        open_picture(bomb(20_000, 10))


def test_a_bomb_that_was_opened_by_the_caller():
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(io.BytesIO(bomb(20_000, 10_001))) as image, pytest.raises(ImageError, match="bomb"):
            open_picture(image)
    finally:
        Image.MAX_IMAGE_PIXELS = limit


@pytest.mark.parametrize("format", ["PNG", "TIFF", "GIF"])
def test_large_pictures_below_the_limit_give_no_warning(format, monkeypatch):  # noqa: A002
    data = encoded(Image.fromarray(GREY), format)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", HEIGHT * WIDTH - 1)  # Pillow warns from here on
    assert np.array_equal(pixels(open_picture(data))[..., 0], GREY)
    assert Image.MAX_IMAGE_PIXELS == HEIGHT * WIDTH - 1


def test_turned_large_tiff(monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 8
    data = encoded(Image.fromarray(GREY), "TIFF", exif=exif, compression="tiff_deflate")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", HEIGHT * WIDTH - 1)
    assert np.array_equal(pixels(open_picture(data))[..., 0], np.rot90(GREY))


def test_pillows_own_bomb_error_is_translated(monkeypatch):
    data = encoded(Image.fromarray(COLOUR), "WEBP")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(ImageError, match=r"image: .*bomb DOS attack; shrink it first"):
        open_picture(data)
