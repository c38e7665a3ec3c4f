"""Data sets of Hugging Face: from disk, by name, and loaded already."""

import sys

import pytest

from survey_pictures import greys, png
from vitscope.errors import ImageError, MissingLibraryError, SourceError
from vitscope.surveys.sources.opening import open_source


@pytest.fixture
def datasets():
    library = pytest.importorskip("datasets")
    library.disable_progress_bars()
    return library


def data_set(datasets, count, start=0, **columns):
    rows = [{"bytes": png(start + i), "path": "same.png"} for i in range(count)]
    features = {"pixels": datasets.Image(), "kind": datasets.ClassLabel(names=["cat", "dog"])}
    columns = {"pixels": rows, "kind": [(i % 3) - 1 for i in range(count)], **columns}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def test_data_sets_on_disk(datasets, tmp_path):
    data_set(datasets, 5).save_to_disk(tmp_path / "one")
    names = [None, "cat", "dog"]
    assert greys(open_source(tmp_path / "one")) == {f"all/{i:08d}": (names[i % 3], i) for i in range(5)}
    both = datasets.DatasetDict({"train": data_set(datasets, 2), "val": data_set(datasets, 3, start=50)})
    both.save_to_disk(tmp_path / "two")
    assert greys(open_source(f"{tmp_path}/two:val")) == {f"val/{i:08d}": (names[i], i + 50) for i in range(3)}
    with pytest.raises(SourceError, match=r"found the splits train, val; expected one; name one: .*two:train"):
        open_source(tmp_path / "two")
    with pytest.raises(SourceError, match=r"found no split 'test'; expected one of train, val"):
        open_source(f"{tmp_path}/two:test")


def test_data_sets_that_are_loaded(datasets, tmp_path):
    chosen = data_set(datasets, 7).select([5, 2, 3])
    assert greys(open_source(chosen)) == {f"all/{i:08d}": (label, grey) for i, (label, grey) in enumerate(
        [("dog", 5), ("dog", 2), (None, 3)])}  # fmt: skip
    with pytest.raises(SourceError, match="found the splits a, b"):
        open_source(datasets.DatasetDict({"a": chosen, "b": chosen}))
    with pytest.raises(SourceError, match=r"found the columns kind \(ClassLabel\); expected one of type Image"):
        open_source(chosen.remove_columns("pixels")).index()


def test_images_of_data_sets_are_not_decoded_there(datasets, tmp_path):
    rows = [{"bytes": b"no picture", "path": None}, {"bytes": None, "path": str(tmp_path / "gone.png")}, None]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    given = datasets.Dataset.from_dict({"image": rows, "label": ["x", "y", ""]}, features=features)
    source = open_source(given)
    index = source.index().to_pylist()
    assert [row["label"] for row in index] == ["x", "y", None]
    assert source.read(index[0]) == b"no picture"
    assert source.read(index[1]) == str(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="row 2 of Dataset holds no image"):
        source.read(index[2])


def test_data_sets_by_name(datasets, monkeypatch):
    asked = []

    def load_dataset(name, split=None):
        asked.append((name, split))
        both = datasets.DatasetDict({"train": data_set(datasets, 2), "val": data_set(datasets, 3)})
        return both if split is None else both[split]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    source = open_source("datasets:org/pets:val")
    assert list(greys(source)) == [f"val/{i:08d}" for i in range(3)]
    assert (source.name, asked[0]) == ("org/pets:val", ("org/pets", "val"))
    assert source.settings == {"kind": "datasets", "path": "org/pets", "split": "val"}
    with pytest.raises(SourceError, match="name one: org/cats:train"):
        open_source("datasets:org/cats")


def test_names_that_are_nowhere(datasets, monkeypatch):
    def load_dataset(name, split=None):
        raise ConnectionError("no\nnetwork")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(SourceError, match=r"org/gone: datasets cannot load it \(ConnectionError: no\\nnetwork\)"):
        open_source("datasets:org/gone")


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingLibraryError, match=r'pip install "vitscope\[datasets\]"'):
        open_source("datasets:org/missing")
