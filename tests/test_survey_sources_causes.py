"""What the system refuses for a while is told apart from broken pictures, whatever the pictures are read from."""

import errno
import io
import os
import resource
import tarfile
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from survey_pictures import png
from vitscope.errors import ImageError, SourceError
from vitscope.images.decode import open_picture
from vitscope.surveys.sources import hub, parquet
from vitscope.surveys.sources.opening import open_source
from vitscope.surveys.sources.presence import passing

TOO_MANY = errno.EMFILE


@contextmanager
def no_file_can_be_opened():
    """What is open stays open; every further file is one too many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def saved(tmp_path, rows):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    given = datasets.Dataset.from_dict({"image": rows}, features=datasets.Features({"image": datasets.Image()}))
    given.save_to_disk(tmp_path / "saved")
    return open_source(tmp_path / "saved")


def source_of(kind, folder):
    """A source of two pictures."""
    (folder / "val").mkdir()
    files = [folder / "val" / f"{grey}.png" for grey in (3, 5)]
    for file, grey in zip(files, (3, 5), strict=True):
        file.write_bytes(png(grey))
    held = [file.read_bytes() for file in files]
    if kind == "tar":
        with tarfile.open(folder / "s.tar", "w") as archive:
            for file in files:
                archive.add(file, file.name)
    if kind.startswith("parquet"):
        images = {"image": held} if kind == "parquet" else {"path": [f"val/{file.name}" for file in files]}
        pq.write_table(pa.table(images), folder / "t.parquet", row_group_size=1)
    (folder / "list.csv").write_text("path\nval/3.png\nval/5.png\n")
    given = {
        "folder": folder / "val",
        "list": folder / "list.csv",
        "paths": [str(file) for file in files],
        "joined": [folder / "val", folder / "list.csv"],
        "tar": folder / "s.tar",
        "parquet": folder / "t.parquet",
        "parquet of paths": folder / "t.parquet",
        "mapping": dict(zip("ab", map(str, files), strict=True)),
        "sequence": [(str(file), 7) for file in files],
        "iterable": iter(held),
        "iterable of paths": iter(files),
    }
    if kind == "data set":
        return saved(folder, [{"bytes": data, "path": None} for data in held])
    if kind == "data set of paths":
        return saved(folder, [{"bytes": None, "path": str(file)} for file in files])
    return open_source(given[kind])


KINDS = ["folder", "list", "paths", "joined", "tar", "parquet", "parquet of paths", "mapping", "sequence", "iterable"]
KINDS += ["iterable of paths", "data set", "data set of paths"]


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_open_files_are_no_fault_of_the_picture(kind, tmp_path):
    source = source_of(kind, tmp_path)
    first, second = source.index().to_pylist()[:2]
    assert open_picture(source.read(second)).image.getpixel((0, 0))[0] == 5  # what is imported then, is there
    for cache in (parquet._group, hub._load, hub._load_images):
        cache.cache_clear()
    with no_file_can_be_opened(), pytest.raises(ImageError) as told:
        open_picture(source.read(first))
    assert passing(told.value).errno == TOO_MANY
    assert open_picture(source.read(first)).image.getpixel((0, 0))[0] == 3  # nobody kept the refusal


@pytest.mark.parametrize("error", [OSError(errno.EIO, os.strerror(errno.EIO)), MemoryError()])
def test_what_images_in_python_raise_is_kept_beside_what_is_said(error):
    class Broken(dict):
        def __getitem__(self, key):
            raise error

    class Items:
        def __len__(self):
            return 1

        __getitem__ = Broken.__getitem__

    for given in (Broken(a=None), Items()):
        source = open_source(given)
        with pytest.raises(ImageError) as told:
            source.read(source.index().to_pylist()[0])
        assert passing(told.value) is error


@pytest.mark.parametrize(
    "refused", [OSError(errno.EIO, "Error reading bytes from file"), pa.ArrowMemoryError("malloc failed")]
)
def test_what_arrow_cannot_read_for_now(tmp_path, monkeypatch, refused):
    source = source_of("parquet", tmp_path)
    row = source.index().to_pylist()[0]
    parquet._group.cache_clear()

    def fail(*given, **options):
        raise refused

    monkeypatch.setattr(parquet.pq.ParquetFile, "read_row_group", fail)
    with pytest.raises(ImageError) as told:
        source.read(row)
    assert passing(told.value) is refused
    monkeypatch.undo()
    assert source.read(row) == png(3)


def test_an_iterable_stops_where_a_picture_cannot_be_read_for_now(tmp_path, monkeypatch):
    def fail():
        raise OSError(errno.ESTALE, "Stale file handle")

    with Image.open(io.BytesIO(png(3))) as image:
        monkeypatch.setattr(image, "load", fail)
        with pytest.raises(SourceError, match=r"^00000000 cannot be read for now \(Stale file handle\).*again"):
            open_source(iter([image]), spool=tmp_path / "spool")
    assert list((tmp_path / "spool").iterdir()) == []


def test_an_iterable_goes_on_where_a_picture_is_broken_for_good():
    with Image.open(io.BytesIO(png(5)[:47])) as image:
        source = open_source(iter([image, png(7)]))
    broken, whole = source.index().to_pylist()
    with pytest.raises(ImageError, match="00000000"):
        source.read(broken)
    assert source.read(whole) == png(7)
