"""What a command line names: each picture once, in order, and each failure by name."""

import io
import os
import subprocess
import sys

import pytest

from vitscope.errors import ImageError
from vitscope.images.sources import expand


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Files of three bytes; nothing here is decoded."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "frame10.png",
        "frame2.PNG",
        "Frame1.jpg",
        "notes.txt",
        ".hidden.png",
        "deep/inner.webp",
        "bare/x.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"abc")
    return tmp_path


def names(sources) -> list[str]:
    assert all(source.error is None for source in sources)
    return [source.name for source in sources]


def test_files_keep_the_order_given(folder):
    assert names(expand(["frame2.PNG", "notes.txt", "Frame1.jpg"])) == ["frame2.PNG", "notes.txt", "Frame1.jpg"]


def test_a_folder_gives_its_pictures_in_natural_order(folder):
    sources = expand([str(folder)])
    assert names(sources) == ["Frame1.jpg", "frame2.PNG", "frame10.png"]
    assert [os.path.exists(source.read()) for source in sources] == [True] * 3  # noqa: PTH110


def test_globs_with_folders_below(folder):
    assert names(expand(["frame*"])) == ["frame2.PNG", "frame10.png"]
    (folder / "deep" / "er").mkdir()
    (folder / "deep" / "er" / "most.webp").write_bytes(b"abc")
    assert names(expand(["**/*.webp"])) == ["most.webp", "inner.webp"]
    assert names(expand(["*.[jt][px][gt]"])) == ["Frame1.jpg", "notes.txt"]


def test_a_literal_name_comes_before_a_pattern(folder):
    (folder / "frame[2].png").write_bytes(b"abc")
    assert names(expand(["frame[2].png"])) == ["frame[2].png"]
    (folder / "frame[2].png").unlink()
    (folder / "frame2.png").write_bytes(b"abc")
    assert names(expand(["frame[2].png"])) == ["frame2.png"]


def test_duplicates_are_taken_once(folder):
    sources = expand(["frame10.png", "./frame10.png", str(folder / "frame10.png"), ".", "frame*", "deep/../frame2.PNG"])
    assert names(sources) == ["frame10.png", "Frame1.jpg", "frame2.PNG"]


def test_urls_are_passed_on_and_taken_once():
    urls = ["https://host/a/dog.jpg?size=9", "HTTP://host/b%20c.png", "https://host/a/dog.jpg?size=9", "http://host"]
    sources = expand(urls)
    assert names(sources) == ["dog.jpg", "b c.png", "host"]
    assert [source.location for source in sources] == [urls[0], urls[1], urls[3]]


class Once:
    """A terminal would ask again."""

    reads = 0

    def read(self, size, /):
        self.reads += 1
        return b"bytes of a picture"[:size]


def test_standard_input_is_read_once():
    stream = Once()
    sources = expand(["-", "-"], stdin=stream)
    assert names(sources) == ["stdin"]
    assert sources[0].read() == b"bytes of a picture"
    assert stream.reads == 1
    (empty,) = expand(["-"], stdin=io.BytesIO())
    with pytest.raises(ImageError, match="standard input: nothing"):
        empty.read()


def test_endless_standard_input_is_refused(monkeypatch):
    monkeypatch.setattr("vitscope.images.sources._MAX_STDIN_BYTES", 7)
    (source,) = expand(["-"], stdin=io.BytesIO(bytes(8)))
    with pytest.raises(ImageError, match="more than 7 bytes"):
        source.read()
    assert expand(["-"], stdin=io.BytesIO(bytes(7)))[0].read() == bytes(7)


def test_one_missing_among_several_is_a_named_failure(folder):
    good, missing, pattern, bare, empty, last = expand(["frame10.png", "frame11.png", "x*.png", "bare", "", "deep"])
    assert names([good, last]) == ["frame10.png", "inner.webp"]
    for source, name, reason in (
        (missing, "frame11.png", "frame11.png: no such file; did you mean frame10.png?"),
        (pattern, "x*.png", "x*.png: no file matches this pattern"),
        (bare, "bare", "bare: a folder without pictures; expected files that end in .apng, "),
        (empty, "(empty)", "an empty path"),
    ):
        assert source.name == name
        assert str(source.error).startswith(reason)
        with pytest.raises(ImageError):
            source.read()


def test_a_dangling_link_is_missing(folder):
    (folder / "link.png").symlink_to("gone.png")
    (source,) = expand(["link.png"])
    assert "link.png: no such file" in str(source.error)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_an_unreadable_folder_is_a_named_failure(folder):
    (folder / "deep").chmod(0)
    (source,) = expand(["deep"])
    (folder / "deep").chmod(0o700)
    assert "Permission denied" in str(source.error)


def test_equal_names_are_told_apart(folder):
    (folder / "deep" / "frame10.png").write_bytes(b"abc")
    assert names(expand(["frame10.png", "Frame1.jpg", "deep/frame10.png"])) == [
        "frame10.png",
        "Frame1.jpg",
        "deep/frame10.png",
    ]
    assert names(expand(["http://h/p?key=1", "http://h/p?key=2"])) == ["http://h/p", "http://h/p (2)"]


def test_names_that_are_hard_to_print(folder):
    raw = [b"two\nlines.png", b"caf\xe9.png", b'it\'s "so".png']
    for name in raw:
        (folder / os.fsdecode(name)).write_bytes(b"abc")
    sources = expand([os.fsdecode(name) for name in raw] + ["a\0b.png"])
    assert names(sources[:3]) == ["two\\nlines.png", "caf\\xe9.png", 'it\'s "so".png']
    assert "a\\x00b.png: no such file" in str(sources[3].error)
    assert names(expand([str(folder)])) == [
        'it\'s "so".png' if name.startswith("it") else name
        for name in ["caf\\xe9.png", "Frame1.jpg", "frame2.PNG", "frame10.png", "it", "two\\nlines.png"]
    ]


def test_naming_pictures_imports_no_library():
    code = "import sys, vitscope.images.sources; print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


def test_decoding_imports_no_torch():
    # jaxtyping asks which frameworks are loaded and loads none.
    code = "import sys, vitscope.images.decode; print('torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "False"
