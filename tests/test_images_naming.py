"""Pictures have names that can be printed, whatever their files are called; the files are closed again."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from picture_files import COLOUR, HEIGHT, WIDTH, encoded, pixels
from vitscope.errors import ImageError
from vitscope.images.decode import open_picture
from vitscope.images.naming import printable


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b'it\'s a "dog".png', 'it\'s a "dog".png'),
        (b"two\nlines\t.png", "two\\nlines\\t.png"),
        (b"caf\xe9.png", "caf\\xe9.png"),
        ("naïve 猫.png".encode(), "naïve 猫.png"),
        ("a\u202egnp.exe.png".encode(), "a\\u202egnp.exe.png"),
    ],
)
def test_file_names(raw, shown, tmp_path):
    path = os.path.join(os.fsencode(tmp_path), raw)  # noqa: PTH118
    with open(path, "wb") as stream:  # noqa: PTH123
        stream.write(encoded(Image.fromarray(COLOUR)))
    picture = open_picture(Path(os.fsdecode(path)))
    assert picture.name == shown
    assert np.array_equal(pixels(picture), COLOUR)
    picture.name.encode("utf-8")


def test_names_given_are_made_printable():
    assert open_picture(COLOUR, name="a\nb").name == "a\\nb"
    with pytest.raises(ImageError, match=r"^a\\nb: empty"):
        open_picture(b"", name="a\nb")


@given(st.text(st.characters(exclude_categories=())))
def test_printable_names_are_one_line_of_utf_8(text):
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert printable(shown) == shown


def test_no_file_stays_open(tmp_path):
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "lime")]
    (tmp_path / "moving.gif").write_bytes(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    (tmp_path / "broken.png").write_bytes(encoded(Image.fromarray(COLOUR))[:200])
    before = len(list(Path("/proc/self/fd").iterdir()))
    open_picture(tmp_path / "moving.gif")
    with pytest.raises(ImageError):
        open_picture(tmp_path / "broken.png")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
