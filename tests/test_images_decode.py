"""Everything that is a picture is shown right."""

import io
import os
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from picture_files import COLOUR, GREY, HEIGHT, RNG, WIDTH, encoded, pixels, png
from vitscope.errors import ImageError
from vitscope.images.decode import Picture, open_picture


def over_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return colour * (alpha[..., None] / 255) + 255 * (1 - alpha[..., None] / 255)


# ---- ways to give a picture


def test_path_bytes_image_and_array_are_one_picture(tmp_path):
    path = tmp_path / "dog.png"
    path.write_bytes(encoded(Image.fromarray(COLOUR)))
    sources = [path, str(path), path.read_bytes(), bytearray(path.read_bytes()), Image.fromarray(COLOUR), COLOUR]
    opened = [open_picture(source) for source in sources]
    assert [picture.name for picture in opened] == ["dog.png", "dog.png", "image", "image", "image", "array"]
    for picture in opened:
        assert np.array_equal(pixels(picture), COLOUR)
        assert picture.size == (HEIGHT, WIDTH)
        assert picture.note == ""


def test_a_picture_is_taken_as_it_is_or_renamed():
    picture = open_picture(COLOUR, name="first")
    assert open_picture(picture) is picture
    assert open_picture(picture, name="second") == Picture("second", picture.image)


def test_a_named_pipe_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(encoded(Image.fromarray(COLOUR))))
    writer.start()
    assert np.array_equal(pixels(open_picture(tmp_path / "pipe")), COLOUR)
    writer.join()


def test_the_callers_image_is_not_touched():
    given_image = Image.fromarray(COLOUR)
    picture = open_picture(given_image)
    picture.image.putpixel((0, 0), (1, 2, 3))
    assert np.array_equal(np.asarray(given_image), COLOUR)


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 1)])
def test_grey_arrays(shape):
    assert np.array_equal(pixels(open_picture(GREY.reshape(shape))), np.stack([GREY] * 3, axis=-1))


def test_array_with_alpha_and_strides():
    array = np.dstack([COLOUR, GREY])
    picture = open_picture(np.asfortranarray(array)[::-1])
    np.testing.assert_allclose(pixels(picture), over_white(COLOUR, GREY)[::-1], atol=1)
    assert picture.note == "transparency laid over white"


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.full((5, 7, 3), 0.5), r"float64 .*array \* 255"),
        (np.full((5, 7, 3), np.nan, np.float32), "NaN or infinity"),
        (np.zeros((5, 7), np.uint16), "array / 257"),
        (np.zeros((5, 7), bool), r"astype\(np.uint8\) \* 255"),
        (np.zeros((3, 5, 7), np.uint8), "moveaxis"),
        (np.zeros((5, 7, 2), np.uint8), r"\(5, 7, 2\)"),
        (np.zeros((2, 5, 7, 3), np.uint8), "one at a time"),
        (np.zeros((0, 7, 3), np.uint8), "no pixels"),
        (np.zeros((5, 7), "U3"), "array: found <U3"),
    ],
)
def test_arrays_that_are_no_pictures(array, reason):
    with pytest.raises(ImageError, match=reason):
        open_picture(array)


# ---- modes


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "PPM", "QOI"])
def test_lossless_formats(format):  # noqa: A002
    if format == "QOI" and "QOI" not in Image.SAVE:
        pytest.skip("this Pillow does not write QOI")
    assert np.array_equal(pixels(open_picture(encoded(Image.fromarray(COLOUR), format))), COLOUR)


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF", "JPEG2000"])
def test_lossy_formats(format):  # noqa: A002
    flat = Image.new("RGB", (WIDTH, HEIGHT), (200, 80, 30))
    found = pixels(open_picture(encoded(flat, format)))
    assert found.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_allclose(found, np.broadcast_to((200, 80, 30), found.shape), atol=6)


def test_grey_and_one_bit():
    assert np.array_equal(pixels(open_picture(encoded(Image.fromarray(GREY))))[..., 1], GREY)
    bilevel = Image.fromarray(GREY > 99)
    assert bilevel.mode == "1"
    assert np.array_equal(pixels(open_picture(encoded(bilevel)))[..., 2], np.where(GREY > 99, 255, 0))


@pytest.mark.parametrize("format", ["TIFF", "JPEG"])
def test_cmyk(format):  # noqa: A002
    cyan = Image.new("CMYK", (WIDTH, HEIGHT), (255, 0, 0, 0))
    found = pixels(open_picture(encoded(cyan, format)))
    np.testing.assert_allclose(found, np.broadcast_to((0, 255, 255), found.shape), atol=3)


def test_palette():
    palette = Image.fromarray(GREY % 7).convert("P")
    palette.putpalette([value for i in range(7) for value in (i * 30, 255 - i * 30, i)])
    expected = np.stack([(GREY % 7) * 30, 255 - (GREY % 7) * 30, GREY % 7], axis=-1)
    assert np.array_equal(pixels(open_picture(encoded(palette))), expected)
    shown = open_picture(encoded(palette, transparency=3))
    expected[GREY % 7 == 3] = 255
    assert np.array_equal(pixels(shown), expected)
    assert shown.note == "transparency laid over white"
    levels = open_picture(encoded(palette, transparency=bytes([255, 255, 255, 0, 255, 255, 255])))
    assert np.array_equal(pixels(levels), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa", "La"])
def test_alpha_is_laid_over_white(mode):
    rgba = Image.fromarray(np.dstack([GREY, GREY, GREY, COLOUR[..., 0]]))
    converted = rgba.convert({"RGBa": "RGBA", "La": "LA"}.get(mode, mode)).convert(mode)
    shown = open_picture(converted)
    np.testing.assert_allclose(
        pixels(shown), over_white(np.dstack([GREY] * 3), COLOUR[..., 0]), atol=26 if mode == "PA" else 3
    )
    assert shown.note == "transparency laid over white"


def test_alpha_without_transparency_is_not_mentioned():
    opaque = Image.fromarray(COLOUR).convert("RGBA")
    assert open_picture(encoded(opaque)).note == ""
    assert np.array_equal(pixels(open_picture(encoded(opaque))), COLOUR)


def test_one_transparent_colour():
    image = Image.fromarray(COLOUR)
    image.putpixel((3, 2), (1, 2, 3))
    expected = np.array(image)
    expected[2, 3] = 255
    assert np.array_equal(pixels(open_picture(encoded(image, transparency=(1, 2, 3)))), expected)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey(format):  # noqa: A002
    values = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 291
    shown = open_picture(encoded(Image.fromarray(values), format))
    assert np.array_equal(pixels(shown)[..., 0], np.rint(values / 257))
    assert shown.note == "16-bit scaled to 8 (values 0 to 64020 of 65535)"


def test_16_bit_grey_with_one_transparent_level():
    values = np.array([[0, 500, 65535]], dtype=np.uint16)
    # Pillow's own writer has no tRNS for 16 bits: the chunk goes in front of IDAT by hand.
    data = encoded(Image.fromarray(values))
    chunk = b"tRNS" + struct.pack(">H", 500)
    chunk = struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk))
    at = data.index(b"IDAT") - 4
    shown = open_picture(data[:at] + chunk + data[at:])
    assert pixels(shown)[0, :, 0].tolist() == [0, 255, 255]
    assert "transparency" in shown.note


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_16_bit_images_in_memory(mode):
    values = np.array([[0, 257, 771], [65535, 32896, 1]], dtype=np.uint16)
    raw = values.astype(">u2" if mode == "I;16B" else "<u2").tobytes()
    shown = open_picture(Image.frombytes(mode, (3, 2), raw))
    assert pixels(shown)[..., 0].tolist() == [[0, 1, 3], [255, 128, 0]]


def test_32_bit_and_float_are_scaled_from_their_own_range():
    integers = open_picture(Image.fromarray(np.array([[-100, 0, 100]], dtype=np.int32)))
    assert pixels(integers)[0, :, 0].tolist() == [0, 128, 255]
    floats = open_picture(encoded(Image.fromarray(np.array([[0.25, 0.5, 1.25]], dtype=np.float32)), "TIFF"))
    assert pixels(floats)[0, :, 0].tolist() == [0, 64, 255]
    assert floats.note == "values 0.25 to 1.25 scaled to 0 to 255"
    flat = open_picture(Image.fromarray(np.full((2, 3), 9.5, np.float32)))
    assert not pixels(flat).any()


def test_float_image_with_nan():
    with pytest.raises(ImageError, match="image: pixels hold NaN"):
        open_picture(Image.fromarray(np.array([[0.0, np.nan]], dtype=np.float32)))


def test_16_bit_colour_is_said():
    values = RNG.integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    shown = open_picture(png((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")))
    assert np.array_equal(pixels(shown), values >> 8)
    assert shown.note == "16-bit colour reduced to 8"


# ---- orientation and frames


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_exif_orientation(orientation, format):  # noqa: A002
    exif = Image.Exif()
    exif[0x0112] = orientation
    blocks = np.kron(COLOUR[:2, :3], np.ones((16, 16, 1), np.uint8))  # large enough to survive JPEG
    data = encoded(Image.fromarray(blocks), format, exif=exif)
    with Image.open(io.BytesIO(data)) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    assert expected.shape[:2] == ((32, 48) if orientation < 5 else (48, 32))
    shown = open_picture(data)
    assert np.array_equal(pixels(shown), expected)
    assert np.array_equal(pixels(open_picture(shown.image)), expected)  # not turned twice


def test_orientation_by_hand():
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored first row is the right column
    shown = pixels(open_picture(encoded(Image.fromarray(COLOUR), exif=exif)))
    assert np.array_equal(shown[:, -1], COLOUR[0])


def test_unreadable_exif_costs_only_itself():
    shown = open_picture(encoded(Image.fromarray(COLOUR), exif=b"Exif\0\0no such thing"))
    assert np.array_equal(pixels(shown), COLOUR)
    assert shown.note == "EXIF unreadable, shown as stored"


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_of_several_frames(format):  # noqa: A002
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if format == "WEBP" else {}
    shown = open_picture(encoded(frames[0], format, save_all=True, append_images=frames[1:], **options))
    assert shown.note == "first of 3 frames"
    assert pixels(shown)[HEIGHT // 2, WIDTH // 2].tolist() == [255, 0, 0]


def test_an_image_set_to_a_later_frame():
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "lime", "blue")]
    with Image.open(io.BytesIO(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))) as image:
        image.seek(1)
        shown = open_picture(image)
    assert shown.note == "frame 2 of 3"
    assert pixels(shown)[0, 0].tolist() == [0, 255, 0]


def test_notes_are_joined():
    values = np.array([[0, 65535]], dtype=np.uint16)
    pages = Image.fromarray(values), Image.fromarray(values)
    shown = open_picture(encoded(pages[0], "TIFF", save_all=True, append_images=[pages[1]]))
    assert shown.note == "first of 2 frames, 16-bit scaled to 8 (values 0 to 65535 of 65535)"


@pytest.mark.parametrize("size", [(1, 1), (20_000, 1), (1, 20_000)])
def test_extreme_shapes(size):
    assert open_picture(encoded(Image.new("RGB", size, "red"))).size == (size[1], size[0])
