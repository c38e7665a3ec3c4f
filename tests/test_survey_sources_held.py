"""Pictures inside other files: WebDataset shards and Parquet."""

import io
import json
import tarfile
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from survey_pictures import grey_of, greys, png
from vitscope.errors import ImageError, SourceError
from vitscope.surveys.sources import parquet
from vitscope.surveys.sources.opening import open_source


def pack(path, members, **options):
    with tarfile.open(path, "w", **options) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture
def shard(tmp_path):
    members = {"./x/a.b/001.jpg": png(11), "./x/a.b/001.cls": b" 7\n", "._junk.png": b"", "readme.md": b"#"}
    members |= {"002.json": b'{"cls": 3}', "002.seg.png": png(0), "002.PNG": png(13), "003.txt": b"no picture"}
    members |= {"004.png": png(17), "004.json": b"[1", "x/a.b/001.json": b'{"label": "late"}'}
    members |= {
        "l" * 150 + ".png": png(19),
        "005.png": png(23),
        "005.jpg": png(0),
        "005.json": b'{"label": "\xc3\xa9"}',
    }
    return pack(tmp_path / "s-08.tar", members)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_members_that_share_a_name_are_a_sample(shard, form):
    with tarfile.open(shard) as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive.getmembers()}
    pack(shard, members, format=form)
    assert greys(open_source(shard)) == {
        "s-08.tar/x/a.b/001": ("7", 11),
        "s-08.tar/002": ("3", 13),
        "s-08.tar/004": (None, 17),
        f"s-08.tar/{'l' * 150}": (None, 19),
        "s-08.tar/005": ("é", 23),
    }
    assert open_source(shard).ordered


def test_several_shards(tmp_path):
    for number in (8, 9, 10, 11):
        pack(tmp_path / f"s-{number:03d}.tar", {"1.png": png(number), "2.png": png(number + 100)})
    expected = {f"s-{n:03d}.tar/{k}": (None, n + 100 * (k == 2)) for n in (8, 9, 10, 11) for k in (1, 2)}
    for given in (f"{tmp_path}/s-{{008..011}}.tar", f"{tmp_path}/*.tar", sorted(map(str, tmp_path.iterdir()))):
        source = open_source(given)
        assert greys(source) == expected
        assert source.name == "s-008.tar and 3 more"
    with pytest.raises(SourceError, match=r"s-012.tar: no such file; did you mean .*s-011.tar"):
        open_source(f"{tmp_path}/s-{{008..012}}.tar")
    with pytest.raises(SourceError, match="lower number first"):
        open_source(f"{tmp_path}/s-{{011..008}}.tar")


def test_shards_of_one_name_keep_their_folders(tmp_path):
    for folder, grey in (("train", 3), ("val", 5)):
        (tmp_path / folder).mkdir()
        pack(tmp_path / folder / "0.tar", {"a.png": png(grey)})
    assert greys(open_source(f"{tmp_path}/*/0.tar")) == {"train/0.tar/a": (None, 3), "val/0.tar/a": (None, 5)}


def test_a_linked_member_is_in_the_index_and_fails(tmp_path):
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        member = tarfile.TarInfo("a.png")
        member.type, member.linkname = tarfile.LNKTYPE, "b.png"
        archive.addfile(member)
    source = open_source(tmp_path / "s.tar")
    with pytest.raises(ImageError, match=r"s.tar/a: .*a link inside"):
        source.read(source.index().to_pylist()[0])


def test_shards_cut_off_anywhere_are_refused(tmp_path):
    whole = pack(tmp_path / "s.tar", {f"{i}.png": png(i) for i in range(3)}).read_bytes()
    for length in range(1, 3 * 1024, 31):  # a header and a block each
        start, inside = length - length % 1024, length % 1024
        if inside == 0:
            continue  # the end of a member: nothing tells that others came after
        (tmp_path / "s.tar").write_bytes(whole[:length])
        in_padding = inside >= 512 + len(png(start // 1024))
        at = length if in_padding else start
        with pytest.raises(SourceError, match=rf"s\.tar: .* byte {at:,} of {length:,} "):
            open_source(tmp_path / "s.tar").index()


def test_a_damaged_header_is_no_end(tmp_path):
    whole = bytearray(pack(tmp_path / "s.tar", {f"{i}.png": png(i) for i in range(3)}).read_bytes())
    whole[1024 + 150] ^= 0xFF  # the second member's checksum
    (tmp_path / "s.tar").write_bytes(whole)
    with pytest.raises(SourceError, match="damaged at byte 1,024 of"):
        open_source(tmp_path / "s.tar").index()


def test_a_shard_that_shrank_fails_on_read(shard):
    source = open_source(shard)
    row = source.index().to_pylist()[0]
    shard.write_bytes(shard.read_bytes()[: row["offset"] + 7])
    with pytest.raises(ImageError, match=r"s-08.tar/x/a.b/001: .* ends after 7 of its"):
        source.read(row)
    shard.unlink()
    with pytest.raises(ImageError, match=r"s-08.tar/x/a.b/001: .*No such file"):
        source.read(row)


@pytest.mark.parametrize("name", ["s.tar.gz", "s.tgz", "s.tar"])
def test_compressed_shards_are_refused(tmp_path, name):
    with tarfile.open(tmp_path / name, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.png"))
    with pytest.raises(SourceError, match=r"unpack it to a plain \.tar"):
        open_source(tmp_path / name).index()


def test_shards_without_pictures(tmp_path):
    pack(tmp_path / "s.tar", {"a.txt": b"abc"})
    with pytest.raises(SourceError, match="no picture in it"):
        open_source(tmp_path / "s.tar").index()
    (tmp_path / "s.tar").write_bytes(b"abc" * 1000)
    with pytest.raises(SourceError, match="damaged at byte 0 of 3,000"):
        open_source(tmp_path / "s.tar").index()


NOTE = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}


def hugging_face_table(count: int, start: int = 0) -> pa.Table:
    rows = [{"bytes": png(start + i), "path": None} for i in range(count)]
    table = pa.table({"image": rows, "label": [(i % 3) - 1 for i in range(count)]})
    return table.replace_schema_metadata({"huggingface": json.dumps(NOTE)})


def test_parquet_as_hugging_face_writes_it(tmp_path):
    pq.write_table(hugging_face_table(7), tmp_path / "t-0.parquet", row_group_size=3)
    pq.write_table(hugging_face_table(5, start=50), tmp_path / "t-1.parquet", row_group_size=2)
    names = [None, "cat", "dog"]
    first = {f"t-0.parquet/{i:08d}": (names[i % 3], i) for i in range(7)}
    second = {f"t-1.parquet/{i:08d}": (names[i % 3], i + 50) for i in range(5)}
    assert greys(open_source(tmp_path / "t-0.parquet")) == first
    source = open_source(f"{tmp_path}/t-*.parquet")
    assert greys(source) == first | second
    assert source.ordered


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_parquet_of_bytes_with_ids(tmp_path, kind):
    table = {"id": ["x", "y", "z"], "class": ["cat", "", None], "bytes": pa.array([png(2), None, b""], kind)}
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    source = open_source(tmp_path / "t.parquet")
    x, y, z = source.index().to_pylist()
    assert [row["label"] for row in (x, y, z)] == ["cat", None, None]
    assert grey_of(source, x) == 2
    for row in (y, z):
        with pytest.raises(ImageError, match=f"{row['id']}: cannot be read \\(null or empty"):
            source.read(row)


def test_parquet_of_paths(tmp_path):
    (tmp_path / "a.png").write_bytes(png(29))
    paths = pa.array(["a.png", "b.png"]).dictionary_encode()
    pq.write_table(pa.table({"filename": paths, "label": [3, 5]}), tmp_path / "t.parquet")
    source = open_source(tmp_path / "t.parquet")
    first, second = source.index().to_pylist()
    assert (first["id"], first["label"], grey_of(source, first)) == ("a.png", "3", 29)
    assert (second["id"], source.read(second)) == ("b.png", str(tmp_path / "b.png"))
    assert not source.ordered


def test_parquet_is_read_a_row_group_at_a_time(tmp_path):
    noise = np.random.default_rng(7).bytes
    table = pa.table({"image": [noise(1_000_000) for _ in range(24)]})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2, compression="none")
    del table
    source = open_source(tmp_path / "t.parquet")
    rows = source.index().to_pylist()
    parquet._group.cache_clear()
    before, most = pa.total_allocated_bytes(), 0
    tracemalloc.start()
    for row in rows:
        assert len(source.read(row)) == 1_000_000
        most = max(most, pa.total_allocated_bytes() - before)
    own = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 12_000_000  # of 24: groups kept, and the one that is read
    assert own < 4_000_000
    assert parquet._group.cache_info().misses == 12


def test_parquet_that_cannot_be_used(tmp_path):
    pq.write_table(pa.table({"text": ["a"], "number": [3]}), tmp_path / "t.parquet")
    with pytest.raises(SourceError, match=r"found the columns text \(string\), number \(int64\); expected paths"):
        open_source(tmp_path / "t.parquet").index()
    (tmp_path / "u.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match=r"u.parquet: cannot be read as Parquet"):
        open_source(tmp_path / "u.parquet").index()
    for name, nested in (("label", [["cat"]]), ("id", [{"number": 3}])):
        pq.write_table(pa.table({"path": ["a.png"], name: nested}), tmp_path / "v.parquet")
        with pytest.raises(SourceError, match=rf"the column {name} is of (list|struct).*expected strings or numbers"):
            open_source(tmp_path / "v.parquet").index()
