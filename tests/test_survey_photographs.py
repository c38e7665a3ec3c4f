"""Surveys of real photographs, where they are at hand: a folder, an iterable, a WebDataset."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

import vitscope

DATA = Path(__file__).parents[2] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the photographs are not here ({DATA})")


@pytest.fixture(scope="module")
def scope():
    return vitscope.load()


def test_a_folder_of_photographs(scope, tmp_path):
    """Portrait and landscape, three of them grey."""
    run = vitscope.survey(DATA / "photos" / "images", scope, tmp_path / "run", progress=False)
    images = run.table("images").to_pylist()
    assert len(images) == 62
    assert {image["status"] for image in images} == {"done"}
    assert {image["height"] < image["width"] for image in images} == {True, False}
    summary = run.summary(replicates=100)
    assert summary.images == 62
    distance = summary.columns["distance"]
    assert np.all(distance.heads.low <= distance.heads.mean)
    assert np.all(distance.heads.mean <= distance.heads.high)
    assert np.all((distance.heads.mean > 0) & (distance.heads.mean < np.hypot(64, 64)))


def photographs():
    """Id, encoded picture and class of each of the 10,000."""
    held = np.load(DATA / "tiny-imagenet" / "val.npz")
    names = [entry["name"] for entry in json.loads((DATA / "tiny-imagenet" / "classes.json").read_text())]
    jpeg, offsets = held["jpeg"], held["offsets"]
    for i, label in enumerate(held["label"]):
        yield f"val-{i:05d}", jpeg[offsets[i] : offsets[i + 1]].tobytes(), names[label]


def write_tars(folder, size=1000):
    every = list(photographs())
    for first in range(0, len(every), size):
        with tarfile.open(folder / f"val-{first // size:03d}.tar", "w") as tar:
            for image_id, data, label in every[first : first + size]:
                for suffix, content in (("jpg", data), ("cls", label.encode())):
                    member = tarfile.TarInfo(f"{image_id}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))


@pytest.mark.long
def test_ten_thousand_through_an_iterable_and_as_a_webdataset(scope, tmp_path):
    write_tars(tmp_path)
    options = {"measures": ["distance", "rollout"], "progress": False}
    items = ({"id": image_id, "image": data, "label": label} for image_id, data, label in photographs())
    iterated = vitscope.survey(items, scope, tmp_path / "iterated", **options)
    packed = vitscope.survey(f"{tmp_path}/val-{{000..009}}.tar", scope, tmp_path / "packed", **options)
    found = []
    for run in (iterated, packed):
        heads, images = run.table("heads").to_pydict(), run.table("images").to_pydict()
        assert images["status"] == ["done"] * 10_000
        names = [image_id.rpartition("/")[2] for image_id in heads["image_id"]]
        rows = zip(names, heads["layer"], heads["head"], heads["distance"], strict=True)
        labels = {
            name.rpartition("/")[2]: label for name, label in zip(images["image_id"], images["label"], strict=True)
        }
        found.append((sorted(rows), labels, run.states()))
    (ours, our_labels, our_states), (theirs, their_labels, their_states) = found
    assert our_labels == their_labels
    assert [row[:3] for row in ours] == [row[:3] for row in theirs]
    np.testing.assert_allclose([row[3] for row in ours], [row[3] for row in theirs], rtol=1e-5)
    for name, values in our_states.items():
        np.testing.assert_allclose(values, their_states[name], rtol=1e-5)
