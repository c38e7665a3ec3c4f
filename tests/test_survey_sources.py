"""Folders, patterns and lists: which pictures they name, under which ids and labels."""

import os
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vitscope.errors import ArgumentError, ImageError, SourceError
from vitscope.images.decode import open_picture
from vitscope.summaries import _source_name
from vitscope.surveys.sources.ids import escaped, unescaped
from vitscope.surveys.sources.opening import open_source


def rows(source) -> list[dict]:
    return source.index().to_pylist()


def labels(source) -> dict[str, str | None]:
    """By id."""
    return {row["id"]: row["label"] for row in rows(source)}


def picture(path, size=(5, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "teal").save(path)


@pytest.fixture
def folder(tmp_path):
    """Three classes' worth of files, two of them pictures of 3 × 5 pixels, and what does not belong."""
    for name in ("cat/a.png", "dog/deep/b.PNG"):
        picture(tmp_path / "val" / name)
    for name in ("c.jpg", "cat/notes.txt", "cat/.hidden.png", ".cache/d.png", "fish.png/readme"):
        path = tmp_path / "val" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"abc")
    return tmp_path / "val"


def test_a_folder_gives_every_picture_below_it_with_its_class(folder):
    source = pickle.loads(pickle.dumps(open_source(folder)))
    assert labels(source) == {"c.jpg": None, "cat/a.png": "cat", "dog/deep/b.PNG": "dog"}
    assert [row["id"] for row in rows(source)] == ["c.jpg", "cat/a.png", "dog/deep/b.PNG"]
    assert [open_picture(source.read(row)).size for row in rows(source)[1:]] == [(3, 5)] * 2
    with pytest.raises(ImageError):
        open_picture(source.read(rows(source)[0]))
    assert source.name == "val"
    assert source.settings == {"kind": "folder", "path": str(folder)}
    assert not source.ordered


def test_a_folder_is_the_same_from_wherever_it_is_named(folder, monkeypatch):
    monkeypatch.chdir(folder)
    here = open_source(".")
    monkeypatch.chdir("/")
    assert here == open_source(str(folder) + "/")
    assert here.index() == open_source(folder).index()


def test_links_are_followed_but_not_in_circles(folder, tmp_path):
    picture(tmp_path / "elsewhere" / "e.png")
    (folder / "bird").symlink_to(tmp_path / "elsewhere")
    (folder / "cat" / "again").symlink_to(folder)
    (folder / "gone.png").symlink_to(tmp_path / "nothing")
    (folder / "self.png").symlink_to(folder / "self.png")
    source = open_source(folder)
    found = labels(source)
    assert set(found) == {"bird/e.png", "c.jpg", "cat/a.png", "dog/deep/b.PNG", "gone.png", "self.png"}
    for name in ("gone.png", "self.png"):
        with pytest.raises(ImageError):
            open_picture(source.read({"id": name}))


def test_pipes_are_left_out(folder):
    os.mkfifo(folder / "pipe.png")
    assert "pipe.png" not in labels(open_source(folder))


@pytest.mark.parametrize("name", [b"f\xff.png", rb"f\xff.png", b"line\nend.png", "žluťoučký.png".encode()])
def test_any_name_has_an_id_and_can_be_read(tmp_path, name):
    os.mkdir(tmp_path / "val")  # noqa: PTH102
    picture(tmp_path / "plain.png")
    os.rename(tmp_path / "plain.png", os.fsencode(tmp_path / "val") + b"/" + name)  # noqa: PTH104
    source = open_source(tmp_path / "val")
    (row,) = rows(source)
    assert open_picture(source.read(row)).size == (3, 5)
    assert row["id"] == {b"f\xff.png": r"f\xff.png", rb"f\xff.png": r"f\\xff.png"}.get(
        name, name.decode(errors="ignore")
    )


@given(st.binary(min_size=1))
def test_escapes_are_one_to_one(name):
    text = os.fsdecode(name)
    assert unescaped(escaped(text)) == text
    escaped(text).encode()


def test_folders_without_pictures_say_what_they_hold(tmp_path):
    with pytest.raises(SourceError, match=r"without pictures; expected files that end in .*\.jpeg"):
        open_source(tmp_path).index()
    (tmp_path / "shard-0.tar").touch()
    with pytest.raises(SourceError, match=r"but with \.tar files; give .*/\*\.tar"):
        open_source(tmp_path).index()


def test_patterns_begin_at_the_last_folder_without_one(folder, monkeypatch):
    picture(folder / "cat" / "deep" / "b.png")
    assert labels(open_source(f"{folder}/*/a.png")) == {"cat/a.png": "cat"}
    assert labels(open_source(f"{folder}/cat/*.p[mn]?")) == {"a.png": None}
    assert labels(open_source(f"{folder}/*/*/b.*")) == {"cat/deep/b.png": "cat", "dog/deep/b.PNG": "dog"}
    assert labels(open_source(f"{folder}/**/?.png")) == {"cat/a.png": "cat", "cat/deep/b.png": "cat"}
    assert set(labels(open_source(f"{folder}/cat/**"))) == {"a.png", "deep/b.png", "notes.txt"}
    monkeypatch.chdir(folder / "cat")
    source = open_source("*.png")
    monkeypatch.chdir("/")
    assert open_picture(source.read(rows(source)[0])).size == (3, 5)
    assert source.settings == {"kind": "glob", "path": str(folder / "cat"), "pattern": "*.png"}


def test_a_literal_name_comes_before_a_pattern(tmp_path):
    picture(tmp_path / "v[1]" / "a.png")
    assert labels(open_source(tmp_path / "v[1]")) == {"a.png": None}
    with pytest.raises(SourceError, match="no file matches this pattern"):
        open_source(tmp_path / "v[1]" / "*.jpg").index()
    with pytest.raises(SourceError, match=r"there is no folder .*/nothing"):
        open_source(tmp_path / "nothing" / "*.jpg")


def test_text_lists(folder):
    lines = "\ufeff# path, label\r\n\r\ncat/a.png\tcat\r\n  \ndog/deep/b.PNG\r\nhttps://host/x.png\t7\nnothing.png"
    (folder / "list.txt").write_bytes(lines.encode())
    source = pickle.loads(pickle.dumps(open_source(folder / "list.txt")))
    assert labels(source) == {
        "cat/a.png": "cat",
        "dog/deep/b.PNG": None,
        "https://host/x.png": "7",
        "nothing.png": None,
    }
    read = [source.read(row) for row in rows(source)]
    assert [open_picture(path).size for path in read[:2]] == [(3, 5)] * 2
    assert read[2:] == ["https://host/x.png", str(folder / "nothing.png")]


@pytest.mark.parametrize(("suffix", "comma"), [("csv", ","), ("tsv", "\t"), ("CSV", ",")])
def test_tables(folder, suffix, comma):
    cells = [["Class", "note", "file", "ID"], ["NA", '"two\nlines"', "cat/a.png", "007"], ["", "", "c.jpg", "8"]]
    (folder / f"list.{suffix}").write_text("\n".join(comma.join(row) for row in cells))
    source = open_source(folder / f"list.{suffix}")
    assert labels(source) == {"007": "NA", "8": None}
    assert open_picture(source.read(rows(source)[0])).size == (3, 5)


def test_a_table_takes_path_before_other_names(folder):
    (folder / "list.csv").write_text("image,path\nc.jpg,cat/a.png\n")
    assert labels(open_source(folder / "list.csv")) == {"cat/a.png": None}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.txt", "a.png\nb.png\na.png\nb.png\n", "the id 'a.png' is there twice"),
        ("l.txt", "# nothing\n", "no image in it"),
        ("l.txt", "x.png\ny.png\n", r"none of its first 2 paths exists .*relative to the list's own folder"),
        ("l.csv", "id,path\n1,a.png\n,b.png\n", "image 1 .* has an empty id"),
        (
            "l.csv",
            "name,label\na,b\n",
            "found the columns name, label; expected one named path, image, file or filename",
        ),
        ("l.csv", "path,path\na,b\n", "two columns have one name"),
        ("l.csv", "", "cannot be read as a list"),
        ("l.csv", "path,label\na.png\n", "cannot be read as a list"),
        ("l.tsv", "path\n\xff.png\n", "in UTF-8"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, name, text, message):
    (tmp_path / "a.png").touch()
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    if "none of" in message:
        (tmp_path / "a.png").unlink()
    with pytest.raises(SourceError, match=message):
        open_source(tmp_path / name).index()


def test_paths_one_by_one(folder, monkeypatch):
    monkeypatch.chdir(folder)
    source = open_source(["cat/a.png", folder / "dog" / "deep" / "b.PNG", "gone.png"], labels=[2, "dog", None])
    monkeypatch.chdir("/")
    first, second, third = rows(source)
    assert [first["id"], second["id"], third["id"]] == ["cat/a.png", str(folder / "dog/deep/b.PNG"), "gone.png"]
    assert list(labels(source).values()) == ["2", "dog", None]
    assert [open_picture(source.read(row)).size for row in (first, second)] == [(3, 5)] * 2
    assert rows(open_source(["a.png", "b.png"], ids=["x", "y"]))[1]["id"] == "y"
    assert labels(open_source(folder / "cat" / "a.png")) == {str(folder / "cat" / "a.png"): None}
    with pytest.raises(ArgumentError, match="found 3 ids for 2 images"):
        open_source(["a.png", "b.png"], ids=["x", "y", "z"])
    with pytest.raises(SourceError, match=r"'a\.png' is there twice"):
        open_source(["a.png", "b.png", "a.png"]).index()


@pytest.mark.parametrize("relative", [False, True])
def test_the_folder_of_the_process_counts_only_where_a_path_starts_from_it(folder, monkeypatch, relative):
    given = [str(folder / "cat" / "a.png"), "https://host/x.png", *(["gone.png"] if relative else [])]
    sources = []
    for place in (folder, folder / "cat"):
        monkeypatch.chdir(place)
        sources.append(open_source(given))
    assert sources[0].index() == sources[1].index()
    assert (sources[0].settings == sources[1].settings) is not relative
    assert sources[0].settings == {"kind": "paths"} | ({"path": str(folder)} if relative else {})
    assert _source_name(sources[0].settings, str) == (str(folder) if relative else "pictures by their paths")


@settings(max_examples=30)
@given(st.lists(st.sampled_from("abcdefg"), min_size=2, max_size=11))
def test_the_first_repeated_path_is_named(names):
    source = open_source([f"{name}.png" for name in names])
    repeated = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if repeated is None:
        assert len(source.index()) == len(names)
    else:
        with pytest.raises(SourceError, match=rf"'{repeated}\.png' is there twice"):
            source.index()
