"""Headers of tar files, read in half of the time: what tarfile reads of them, and what it refuses."""

import io
import tarfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitscope.surveys.sources.opening import open_source
from vitscope.surveys.sources.tars import _Header

KINDS = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)
FORMS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
READ = (*range(100), *range(124, 136), 156, *range(345, 500))  # bytes of a header that say what and where
names = st.one_of(
    st.text("abé/.", min_size=1, max_size=7),
    st.integers(90, 300).map(lambda length: "/".join(["folder"] * (length // 7)) + "x" * (length % 7) + ".png"),
)


@st.composite
def infos(draw):
    info = tarfile.TarInfo(draw(names))
    info.type = draw(st.sampled_from(KINDS))
    info.mtime = draw(st.sampled_from([0, 1_700_000_000, 1.25]))  # a fraction takes an extended header
    info.linkname = draw(st.sampled_from(["", "b.png"]))
    info.size = draw(st.integers(0, 1_537)) if info.isreg() else 0
    return info


def read(kind, block):
    """What this class makes of a header, or what it raises."""
    try:
        header = kind.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        return type(error), str(error)
    return header.name, header.size, header.type, header.chksum, header.isreg(), header.isdir()


def listed(data, kind):
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", tarinfo=kind) as archive:
        return [
            (member.name, member.size, member.type, member.offset, member.offset_data, member.issparse())
            for member in archive.getmembers()
        ]


@given(st.lists(infos(), max_size=5), st.sampled_from(FORMS))
def test_archives_are_listed_as_tarfile_lists_them(members, form):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for info in members:
            with suppress(ValueError):  # a name too long for this form
                archive.addfile(info, io.BytesIO(bytes(info.size)))
    expected = listed(stream.getvalue(), tarfile.TarInfo)
    assert listed(stream.getvalue(), _Header) == expected


def summed(block):
    """The header with a checksum that is right."""
    total = sum(block) - sum(block[148:156]) + 8 * 32
    return block[:148] + b"%06o\0 " % total + block[156:]


@given(st.data(), infos(), st.integers(0, 255), st.booleans())
@settings(max_examples=300)
def test_damaged_headers_are_read_or_refused_as_tarfile_does(data, info, byte, repaired):
    if info.isreg():
        info.size = data.draw(st.sampled_from([info.size, 2**33 - 1, 2**33, 2**40]))  # of 8 GiB on not as digits
    block = info.tobuf(tarfile.GNU_FORMAT)[-512:]
    place = data.draw(st.sampled_from(READ) if repaired else st.integers(0, 511))
    block = block[:place] + bytes([byte]) + block[place + 1 :]
    block = summed(block) if repaired else block
    assert read(_Header, block) == read(tarfile.TarInfo, block)


@pytest.mark.parametrize("length", [0, 157, 511])
def test_a_header_cut_off_is_refused_as_tarfile_does(length):
    block = tarfile.TarInfo("x.png").tobuf(tarfile.USTAR_FORMAT)[:length]
    assert read(_Header, block) == read(tarfile.TarInfo, block)
    assert read(_Header, block)[0] in (tarfile.EmptyHeaderError, tarfile.TruncatedHeaderError)


def test_plain_and_extended_headers_are_not_left_to_tarfile(tmp_path, monkeypatch):
    info = tarfile.TarInfo("x.png")
    info.size, info.mtime = 7, 1.25
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        archive.addfile(info, io.BytesIO(b"1234567"))
    left = []
    own = tarfile.TarInfo.frombuf.__func__
    monkeypatch.setattr(tarfile.TarInfo, "frombuf", classmethod(lambda *given: left.append(given[1]) or own(*given)))
    (row,) = open_source(tmp_path / "s.tar").index().to_pylist()
    assert (row["id"], row["offset"], row["size"]) == ("s.tar/x", 3 * 512, 7)
    assert [block.strip(b"\0") for block in left] == [b""]  # the end alone
