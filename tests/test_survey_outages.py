"""What a survey does while its images cannot be read: it waits a little, then stops; and goes on from there."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vitscope
from survey_images import assert_same, by_image, pixels
from vitscope.errors import ImageError, SourceError
from vitscope.images import decode
from vitscope.surveys import loading
from vitscope.surveys.loading import read_image
from vitscope.surveys.sources.python import MappingSource

OPTIONS = {"measures": ["entropy", vitscope.LinearCKA(5)], "shard_size": 5, "workers": 0, "progress": False}
TRIES = 4


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch):
    monkeypatch.setattr(loading, "WAITS", (0.0,) * (TRIES - 1))


@dataclass(frozen=True, eq=False)
class Troubled(MappingSource):
    """Raises for one of its images, the first `times` times, in whatever process reads it."""

    marker: Path = Path()  # a file that grows by a byte a time
    trouble: str = ""
    error: Exception | None = None
    cause: Exception | None = None
    times: int = 1000

    def read(self, row):
        if row["id"] == self.trouble and self.tries() < self.times:
            with self.marker.open("a") as file:
                file.write("x")
            raise self.error from self.cause
        return super().read(row)

    def tries(self):
        return self.marker.stat().st_size if self.marker.exists() else 0


def images():
    return {f"{i}": pixels(i) for i in range(13)}


def troubled(tmp_path, error, cause=None, times=1000):
    return Troubled(images(), marker=tmp_path / "tries", trouble="7", error=error, cause=cause, times=times)


@pytest.fixture(scope="module")
def undisturbed(bundled, tmp_path_factory):
    return vitscope.survey(images(), bundled, tmp_path_factory.mktemp("undisturbed") / "run", **OPTIONS)


PASSING = [
    *(
        OSError(getattr(errno, name), os.strerror(getattr(errno, name)))
        for name in ("EIO", "EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EINTR", "ETIMEDOUT", "ESTALE", "ECONNRESET")
    ),
    *(
        OSError(getattr(errno, name), os.strerror(getattr(errno, name)))
        for name in ("ECONNREFUSED", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "ENOTCONN", "EBUSY", "ECONNABORTED")
    ),
    TimeoutError("the read timed out"),
    ConnectionError("closed without a word"),
    MemoryError(),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: f"{type(error).__name__}-{getattr(error, 'errno', '')}")
def test_what_may_pass_stops_instead_of_failing_the_image(tmp_path, error):
    source = troubled(tmp_path, error)
    with pytest.raises(SourceError, match=r"^7 cannot be read for now \(.+; tried 4 times\)") as told:
        read_image(source, {"id": "7", "label": None}, None)
    assert (getattr(error, "strerror", None) or str(error) or "MemoryError") in str(told.value)
    assert "finished shards are kept" in str(told.value)
    assert "give the same command again" in str(told.value)
    assert source.tries() == TRIES


def test_what_led_to_an_error_counts_however_far_back(tmp_path, bundled):
    middle = OSError("cannot decode")
    middle.__context__ = OSError(errno.EIO, "Input/output error")
    source = troubled(tmp_path, ImageError("7: damaged"), cause=middle)
    with pytest.raises(SourceError, match=r"^7 cannot be read for now \(Input/output error;"):
        read_image(source, {"id": "7", "label": None}, bundled.transform)


@pytest.mark.parametrize(
    "error",
    [
        OSError("broken data stream when reading image file"),  # as Pillow says it
        OSError(errno.ENOENT, "No such file or directory"),
        OSError(errno.EACCES, "Permission denied"),
        ValueError("can't allocate memory"),
        ImageError("7: empty"),
    ],
    ids=lambda error: f"{type(error).__name__}-{getattr(error, 'errno', '')}",
)
def test_what_is_the_picture_s_own_fails_it_at_once(tmp_path, error):
    source = troubled(tmp_path, error)
    read, tensor = read_image(source, {"id": "7", "label": "cat"}, None)
    assert tensor is None
    assert read.failure[0] == type(error).__name__
    assert (read.id, read.label, read.blake2b, source.tries()) == ("7", "cat", None, 1)


@pytest.mark.parametrize("workers", [0, 2])
def test_what_passes_is_as_if_it_had_not_been(bundled, tmp_path, undisturbed, workers):
    source = troubled(tmp_path, OSError(errno.ESTALE, "Stale file handle"), times=TRIES - 1)
    run = vitscope.survey(source, bundled, tmp_path / "run", **OPTIONS | {"workers": workers})
    assert run.table("failures").num_rows == 0
    assert_same(run, undisturbed, ["heads"])
    assert source.tries() == TRIES - 1


@pytest.mark.parametrize("workers", [0, 2])
def test_what_lasts_stops_the_survey_and_the_next_goes_on(bundled, tmp_path, undisturbed, workers):
    source = troubled(tmp_path, OSError(errno.EIO, "Input/output error"), times=TRIES)
    order = undisturbed.table("images")["image_id"].to_pylist()
    place = order.index("7")
    assert place >= 5  # so that a shard is finished before
    with pytest.raises(SourceError, match=r"^7 cannot be read for now \(Input/output error; tried 4 times\)"):
        vitscope.survey(source, bundled, tmp_path / "run", **OPTIONS | {"workers": workers})
    assert vitscope.open_run(tmp_path / "run").shards == tuple(range(place // 5))
    run = vitscope.survey(source, bundled, tmp_path / "run", **OPTIONS | {"workers": workers})
    assert run.table("failures").num_rows == 0
    assert_same(run, undisturbed, ["heads"])


def test_nothing_is_begun_while_the_first_image_cannot_be_read(bundled, tmp_path, undisturbed):
    first = undisturbed.table("images")["image_id"][0].as_py()
    source = Troubled(images(), marker=tmp_path / "tries", trouble=first, error=MemoryError())
    with pytest.raises(SourceError, match=rf"^{first} cannot be read for now \(MemoryError;"):
        vitscope.survey(source, bundled, tmp_path / "run", **OPTIONS)
    assert not (tmp_path / "run").exists()


def test_a_file_that_never_can_be_read_is_replaced_by_an_empty_one(bundled, tmp_path, monkeypatch, undisturbed):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(13):
        Image.fromarray(pixels(i)).save(folder / f"{i}.png")

    def broken(path, mode):
        if Path(path).name == "7.png" and Path(path).stat().st_size:
            raise OSError(errno.EIO, "Input/output error", path)
        return open(path, mode)  # noqa: PTH123

    monkeypatch.setattr(decode, "open", broken, raising=False)
    with pytest.raises(SourceError, match=r"^7\.png cannot be read for now.*put an empty one in its place"):
        vitscope.survey(folder, bundled, tmp_path / "run", **OPTIONS)
    (folder / "7.png").write_bytes(b"")
    run = vitscope.survey(folder, bundled, tmp_path / "run", **OPTIONS)
    (failure,) = run.table("failures").to_pylist()
    assert (failure["image_id"], failure["error"]) == ("7.png", "ImageError")
    heads = by_image(run)
    own = dict(zip(map(Path, heads["image_id"]), heads["entropy"], strict=True))
    theirs = by_image(undisturbed)
    expected = {Path(f"{name}.png"): value for name, value in zip(theirs["image_id"], theirs["entropy"], strict=True)}
    del expected[Path("7.png")]
    assert own == pytest.approx(expected)


def test_an_address_that_never_answers_is_a_failure_of_its_own(tmp_path, monkeypatch):
    source = MappingSource({"7": "http://127.0.0.1/7.png"})
    tried = []

    def refused(url):
        tried.append(url)
        raise ImageError(f"{url}: could not be fetched") from ConnectionRefusedError(errno.ECONNREFUSED, "refused")

    monkeypatch.setattr(decode, "download", refused)
    read, tensor = read_image(source, {"id": "7", "label": None}, None)
    assert tensor is None
    assert read.failure == ("ImageError", "http://127.0.0.1/7.png: could not be fetched")
    assert len(tried) == TRIES


def test_waits_grow_and_take_seconds_at_most(tmp_path, monkeypatch):
    monkeypatch.undo()
    waited = []
    monkeypatch.setattr(loading.time, "sleep", waited.append)
    with pytest.raises(SourceError):
        read_image(troubled(tmp_path, MemoryError()), {"id": "7", "label": None}, None)
    assert tuple(waited) == loading.WAITS
    assert np.all(np.diff(waited) > 0)
    assert 1 < sum(waited) < 3
