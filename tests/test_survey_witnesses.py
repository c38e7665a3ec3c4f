"""Broken images are told from a source that has gone: by images that were read well before."""

import pytest
import torch
from PIL import Image

import vitscope
from survey_images import assert_same, pictures, pixels, tensors, toy_survey
from toys import ToyViT
from vitscope.errors import SourceError
from vitscope.surveys import loading
from vitscope.surveys.planning import plan_survey
from vitscope.surveys.sources.opening import open_source
from vitscope.surveys.witnesses import Witnesses

OPTIONS = {"measures": ["entropy"], "shard_size": 5, "workers": 0, "progress": False}


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch):
    monkeypatch.setattr(loading, "WAITS", ())


def write_pictures(folder, numbers):
    folder.mkdir()
    for i in numbers:
        Image.fromarray(pixels(i)).save(folder / f"{i}.png")


def empty(folder, elsewhere):
    """As when what is mounted there goes: the folder itself stays."""
    elsewhere.mkdir()
    for path in [*folder.iterdir()]:
        path.rename(elsewhere / path.name)


@pytest.fixture
def before_image(monkeypatch):
    """Let something happen before the n-th image of a survey's shards is read, the images looked at first left out."""
    read = loading.Chunks.__getitem__

    def disturb(number, act):
        done = []

        def disturbed(chunks, key):
            shard, start, stop = key
            if shard * 5 + start <= number < shard * 5 + stop and not done:
                done.append(True)
                act()
            return read(chunks, key)

        monkeypatch.setattr(loading.Chunks, "__getitem__", disturbed)

    return disturb


def test_a_folder_emptied_in_the_middle_of_a_shard_stops_the_survey(bundled, tmp_path, before_image):
    folder = tmp_path / "photos"
    write_pictures(folder, range(13))
    whole = vitscope.survey(folder, bundled, tmp_path / "whole", **OPTIONS)
    before_image(7, lambda: empty(folder, tmp_path / "elsewhere"))  # the third of shard 1
    with pytest.raises(
        SourceError, match=r"^3 of the images of shard 1 could not be read, and \d+\.png, which was read"
    ) as told:
        vitscope.survey(folder, bundled, tmp_path / "run", batch_size=1, **OPTIONS)
    assert "no longer can" in str(told.value)
    assert "no such file" in str(told.value)
    assert "nothing was recorded of this shard, finished ones are kept. Check that photos is all there" in str(
        told.value
    )
    assert vitscope.open_run(tmp_path / "run").shards == (0,)
    (folder).rmdir()
    (tmp_path / "elsewhere").rename(folder)
    run = vitscope.survey(folder, bundled, tmp_path / "run", **OPTIONS)
    assert run.complete
    assert run.table("failures").num_rows == 0
    assert_same(run, whole, ["heads", "images"])


def test_one_of_two_folders_emptied_stops_the_survey(bundled, tmp_path, before_image):
    one, two = tmp_path / "one", tmp_path / "two"
    write_pictures(one, range(7))
    write_pictures(two, range(7, 13))
    rows = plan_survey(open_source([one, two]), shard_size=5)
    assert set(rows.rows(0)["part"].to_pylist()) == set(rows.rows(1)["part"].to_pylist()) == {0, 1}
    before_image(5, lambda: empty(two, tmp_path / "elsewhere"))  # the first of shard 1
    with pytest.raises(SourceError, match=r"of shard 1 could not be read, and two/\d+\.png, which was read before"):
        vitscope.survey([one, two], bundled, tmp_path / "run", **OPTIONS)
    assert vitscope.open_run(tmp_path / "run").shards == (0,)


def test_a_folder_that_is_gone_is_said_to_be(bundled, tmp_path, before_image):
    folder = tmp_path / "photos"
    write_pictures(folder, range(13))
    before_image(7, lambda: folder.rename(tmp_path / "elsewhere"))
    with pytest.raises(SourceError, match=rf"^{folder} cannot be reached \(No such file .*finished shards are kept"):
        vitscope.survey(folder, bundled, tmp_path / "run", batch_size=1, **OPTIONS)
    assert vitscope.open_run(tmp_path / "run").shards == (0,)
    (tmp_path / "elsewhere").rename(folder)
    run = vitscope.survey(folder, bundled, tmp_path / "run", **OPTIONS)
    assert run.complete
    assert run.table("failures").num_rows == 0


@pytest.mark.parametrize("shard", [1, 4])
def test_a_shard_of_broken_images_alone_is_counted(bundled, tmp_path, shard):
    planned = plan_survey(open_source(pictures()), shard_size=5)
    broken = planned.rows(shard)["id"].to_pylist()
    images = pictures() | dict.fromkeys(broken, b"no picture")
    run = vitscope.survey(images, bundled, tmp_path / "run", **OPTIONS)
    assert run.complete
    assert run.table("failures")["image_id"].to_pylist() == broken
    assert len(broken) == (5 if shard == 1 else 3)
    assert set(run.table("heads")["image_id"].to_pylist()) == set(images) - set(broken)


def test_a_part_of_broken_images_alone_is_counted(bundled, tmp_path):
    """Nothing was read before in this process."""
    planned = plan_survey(open_source(pictures()), shard_size=5)
    broken = planned.rows(4)["id"].to_pylist()
    images = pictures() | dict.fromkeys(broken, b"no picture")
    vitscope.survey(images, bundled, tmp_path / "run", part=(5, 5), **OPTIONS)
    assert vitscope.open_run(tmp_path / "run").table("failures")["image_id"].to_pylist() == broken


def test_where_nothing_was_read_before_images_all_over_are_tried():
    names, good, tried = [f"{i}" for i in range(301)], set(), []

    class Watched(dict):
        def __getitem__(self, name):
            tried.append(name)
            return pixels(3) if name in good else b"no picture"

    scope = vitscope.load(device="cpu")
    source = open_source(Watched.fromkeys(names))
    plan = plan_survey(source, shard_size=7)
    order = plan.index["id"].to_pylist()
    with pytest.raises(
        SourceError, match=r"^2 of the images of shard 3 could not be read, nor could any of 64 images"
    ) as told:
        Witnesses(source, plan, scope.transform).require(3, [0, 5])
    assert f"the first because: {order[0]}: no picture" in str(told.value)
    assert tried[0] == order[0]
    assert tried[-1] == order[-1]
    assert len(tried) == 64
    good.add(order[round(300 * 2 / 63)])
    tried.clear()
    Witnesses(source, plan, scope.transform).require(3, [0, 5])
    assert len(tried) == 3


def test_images_that_the_model_gives_no_numbers_of_are_no_matter_of_the_source(tmp_path, monkeypatch):
    class Blind(ToyViT):
        def forward(self, images):
            return super().forward(torch.where(images[:, :1, :1, :1] == 9, torch.nan, images))

    monkeypatch.setattr(Witnesses, "require", None)
    images = tensors()
    blind = plan_survey(open_source(images), shard_size=10).rows(1)["id"].to_pylist()
    images |= {name: torch.full((3, 8, 12), 9.0) for name in blind}
    run = toy_survey(Blind(), tmp_path / "run", images)
    failures = run.table("failures").to_pylist()
    assert [failure["image_id"] for failure in failures] == blind
    assert {failure["error"] for failure in failures} == {"NotFiniteError"}
    assert not any("could not be read" in failure["reason"] for failure in failures)
