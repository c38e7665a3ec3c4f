"""Images in Python: mappings, sequences, iterables on disk."""

import gc
import io
import os
import pickle
import tracemalloc
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from PIL import Image

from vitscope.errors import ArgumentError, ImageError, OutputError, SourceError
from vitscope.images.decode import open_picture
from vitscope.surveys.sources import spool
from vitscope.surveys.sources.items import taken_apart
from vitscope.surveys.sources.opening import open_source
from vitscope.surveys.sources.python import as_id


def array(grey: int) -> np.ndarray:
    return np.full((3, 5, 3), grey, dtype=np.uint8)


def encoded(grey: int, form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array(grey)).save(stream, format=form)
    return stream.getvalue()


def found(source) -> dict[str, tuple[str | None, int]]:
    """By id, the label and the grey of the picture."""
    out = {}
    for row in source.index().to_pylist():
        out[row["id"]] = (row["label"], open_picture(source.read(row)).image.getpixel((4, 2))[0])
    return out


class Squares:
    """As torch's data sets are: a length and items, and no more."""

    def __init__(self, length=3):
        self.length, self.asked = length, []

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        self.asked.append(i)
        if i == 2:
            raise OSError("disk on fire")
        return Image.fromarray(array(i * i)), i


def test_a_mapping():
    source = open_source({"a/b": array(7), "c": encoded(11)}, labels=["x", 3])
    assert found(pickle.loads(pickle.dumps(source))) == {"a/b": ("x", 7), "c": ("3", 11)}
    assert found(open_source(MappingProxyType({"\udcff": array(2)}))) == {r"\xff": (None, 2)}
    with pytest.raises(ImageError, match="d: cannot be read"):
        source.read({"id": "d"})
    with pytest.raises(SourceError, match=r"found the key 3 \(int\); expected strings"):
        open_source({3: array(1)}).index()
    with pytest.raises(ArgumentError, match="found 1 labels for 2 images"):
        open_source({"a": array(1), "b": array(2)}, labels=["x"])


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_what_stands_beside_an_image(kind):
    items = [
        array(2),
        ("name", array(3)),
        (encoded(5, "JPEG"), "cat"),
        (Image.fromarray(array(7)), np.int64(41)),
        (torch.full((3, 3, 5), 11, dtype=torch.uint8), torch.tensor(43), "more"),
        {"image": array(13), "label": 47, "id": "own"},
        (array(17), {"boxes": []}),
        bytearray(encoded(19)),
    ]
    source = open_source(kind(items))
    assert found(pickle.loads(pickle.dumps(source))) == {
        "00000000": (None, 2),
        "name": (None, 3),
        "00000002": ("cat", 5),
        "00000003": ("41", 7),
        "00000004": ("43", 11),
        "own": ("47", 13),
        "00000006": (None, 17),
        "00000007": (None, 19),
    }
    given = open_source(kind(items), ids=list("abcdefgh"), labels=range(8))
    assert {name: label for name, (label, _) in found(given).items()} == {c: str(i) for i, c in enumerate("abcdefgh")}


def test_a_string_first_is_an_id_or_a_path():
    assert taken_apart(("a", "b.png")).image == "b.png"
    assert taken_apart(("a.png", 3)).image == "a.png"
    assert (taken_apart((Path("a.png"), "cat")).image, taken_apart((Path("a.png"), "cat")).label) == (
        Path("a.png"),
        "cat",
    )


def test_two_strings_are_an_id_and_a_path_or_a_path_and_a_label(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(encoded(7))
    assert found(open_source([(str(file), "cat")])) == {"00000000": ("cat", 7)}
    assert found(open_source([("cat", str(file))])) == {"cat": (None, 7)}
    assert taken_apart((str(file), str(file))).image_id == str(file)
    assert taken_apart(("https://vitscope.org/a.png", "cat")).label == "cat"
    assert taken_apart(("cat", "https://vitscope.org/a.png")).image_id == "cat"


def test_a_label_may_be_called_as_a_folder_is_and_a_picture_may_be_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1").write_bytes(encoded(7))
    source = open_source([("cat/1", "cat"), ("cat/2.PNG", "cat"), ("dog", "cat/1"), ("a", "b")])
    rows = source.index().to_pylist()
    assert [(row["id"], row["label"]) for row in rows] == [
        ("00000000", "cat"),
        ("00000001", "cat"),
        ("dog", None),
        ("a", None),
    ]
    assert [source.read(row) for row in rows] == ["cat/1", "cat/2.PNG", "cat/1", "b"]


def test_labels_in_the_place_of_ids_are_pointed_at():
    with pytest.raises(SourceError, match=r"'cat' is there twice.*in Python give ids= \(and classes as labels=\)"):
        open_source([("cat", array(2)), ("cat", array(3))]).index()


def test_listing_a_sequence_decodes_nothing():
    images = Squares()
    source = open_source(images)
    rows = source.index().to_pylist()
    assert images.asked == []
    assert [(row["id"], row["label"]) for row in rows] == [(f"{i:08d}", None) for i in range(3)]
    assert open_picture(source.read(rows[1])).image.getpixel((0, 0)) == (1, 1, 1)
    with pytest.raises(ImageError, match=r"00000002: cannot be read \(OSError: disk on fire\)"):
        source.read(rows[2])
    named = open_source(Squares(2), ids=["p", "q"], labels=["x", None])
    assert found(named) == {"p": ("x", 0), "q": (None, 1)}


def test_torch_data_sets():
    images = torch.rand(3, 3, 7, 5)
    source = open_source(torch.utils.data.TensorDataset(images, torch.arange(3)))
    row = source.index().to_pylist()[2]
    assert torch.equal(source.read(row), images[2])

    class Once(torch.utils.data.IterableDataset):
        def __iter__(self):
            yield from ((array(i), i) for i in range(3))

        def __len__(self):
            return 3

    assert found(open_source(Once())) == {f"{i:08d}": (str(i), i) for i in range(3)}


def test_one_array_of_images():
    stack = np.stack([array(2), array(3)])
    assert found(open_source(stack)) == {"00000000": (None, 2), "00000001": (None, 3)}


@pytest.mark.parametrize("kind", [list, iter])
@pytest.mark.parametrize(
    "bad", [None, 3.5, object(), ["nested"], np.zeros((2, 2), dtype=np.int32), torch.zeros(3).int()]
)
def test_a_bad_item_is_in_the_index_and_fails_on_read(kind, bad):
    source = open_source(kind([array(2), bad, array(3)]))
    rows = source.index().to_pylist()
    assert [row["id"] for row in rows] == [f"{i:08d}" for i in range(3)]
    with pytest.raises(ImageError, match="found"):
        open_picture(source.read(rows[1]))
    assert open_picture(source.read(rows[2])).image.getpixel((0, 0)) == (3, 3, 3)


def test_an_iterable_is_kept_as_it_comes(tmp_path):
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90°
    Image.fromarray(array(5)).save(turned, format="JPEG", exif=exif)
    floats = [torch.rand(3, 2, 2), np.random.default_rng(7).random((3, 2, 2)), torch.rand(3, 2, 2).bfloat16()]
    items = ["gone.png", turned.getvalue(), Image.open(turned), Image.new("CMYK", (2, 2)), *floats]
    source = open_source(iter(items), spool=tmp_path / "new" / "spool")
    rows = source.index().to_pylist()
    assert [row["form"] for row in rows] == ["path", "encoded", "encoded", "encoded", "npy", "npy", "npy"]
    assert sorted(path.name for path in (tmp_path / "new" / "spool").iterdir()) == ["spool.bin", "spool.parquet"]
    read = [source.read(row) for row in rows]
    assert read[:2] == ["gone.png", turned.getvalue()]
    assert read[2].startswith(b"\x89PNG")
    assert open_picture(read[1]).size == open_picture(read[2]).size == (5, 3)
    assert open_picture(read[3]).image.getpixel((0, 0)) == (255, 255, 255)
    for value, kept in zip(floats, read[4:], strict=True):
        expected = value.float().numpy() if isinstance(value, torch.Tensor) else value
        np.testing.assert_array_equal(kept, expected, strict=True)


def test_a_temporary_spool_goes_with_its_source():
    source = open_source(iter([array(2)]))
    folder = Path(source.folder)
    copy = pickle.loads(pickle.dumps(source))
    row = copy.index().to_pylist()[0]
    del copy
    gc.collect()
    child = os.fork()
    if child == 0:
        del source
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    assert folder.is_dir()
    assert open_picture(source.read(row)).size == (3, 5)
    del source
    gc.collect()
    assert not folder.exists()


def test_memory_does_not_grow_with_an_iterable(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "_ROWS", 101)

    def peak(count: int) -> int:
        tracemalloc.start()
        open_source((bytes(20_000) for _ in range(count)), spool=tmp_path / str(count))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(211)  # what is imported on the way
    assert peak(1_511) < peak(503) + 50_000  # of 20 MB; an entry of the index takes 500 bytes


def test_iterables_that_fail_leave_nothing(tmp_path):
    def images():
        yield array(2)
        raise ValueError("line\none")

    with pytest.raises(SourceError, match=r"generator: failed after 1 images \(ValueError: line\\none\)"):
        open_source(images(), spool=tmp_path)
    for ids in (["a"], ["a", "b", "c"]):
        with pytest.raises(ArgumentError, match=rf"found {len(ids)} ids for (2|more) images"):
            open_source(iter([array(2), array(3)]), ids=ids, spool=tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SourceError, match="the id 'a' is there twice"):
        open_source(iter([array(2), array(3)]), ids=["a", "a"]).index()
    with pytest.raises(SourceError, match="no image in it"):
        open_source(iter([])).index()


def test_a_spool_that_cannot_be_written_or_read(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot keep the images in .*/file.*the environment variable TMPDIR"):
        open_source(iter([array(2)]), spool=tmp_path / "file" / "spool")
    source = open_source(iter([array(2)]), spool=tmp_path / "spool")
    (row,) = source.index().to_pylist()
    with (tmp_path / "spool" / "spool.bin").open("r+b") as stream:
        stream.truncate(7)
    with pytest.raises(ImageError, match=r"00000000: .*ends after 7 of its"):
        source.read(row)
    (tmp_path / "spool" / "spool.bin").unlink()
    with pytest.raises(ImageError, match="00000000: cannot be read"):
        source.read(row)


def test_ids_are_strings():
    with pytest.raises(ArgumentError, match=r"found the id 3 \(int\); expected strings"):
        as_id(3)
