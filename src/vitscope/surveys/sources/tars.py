"""WebDataset shards: tar files in which the members of one sample share a name up to its first dot.

Only headers, and the small members that hold labels, are read to list them.
"""

import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import pyarrow as pa

from vitscope.errors import SourceError
from vitscope.images.naming import path_name, printable
from vitscope.images.sources import SUFFIXES
from vitscope.surveys.sources.ids import distinct_names, escaped, require_unique, system_reason, unreadable
from vitscope.surveys.sources.presence import require_there

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_SIGNATURES = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")  # gzip, bzip2, xz, zstd
_LABELS = (".cls", ".json")
_LABEL_BYTES = 2**20
_BLOCK = 512  # bytes of a header, POSIX.1-1988 ustar
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_SHARDS = 1_000_000


@dataclass(frozen=True)
class TarSource:
    """The pictures in one or several tar files. The id is the tar's name, "/", and the sample's key.

    The picture is the member whose suffix is one of a picture; the label is the text of `.cls`, else
    `label` or `cls` in `.json`, else null. Samples without a picture are left out. Keys are paths
    inside the tar up to the first dot of the last part; hidden members are left out.
    """

    tars: tuple[str, ...]  # absolute
    ordered: bool = True

    @property
    def name(self) -> str:
        """The tar's last part, and how many more there are."""
        first = path_name(self.tars[0])
        return first if len(self.tars) == 1 else f"{first} and {len(self.tars) - 1} more"

    @property
    def settings(self) -> dict[str, Any]:
        """Kind and tar files."""
        return {"kind": "webdataset", "paths": [printable(tar) for tar in self.tars]}

    def index(self) -> pa.Table:
        """`id`, `label`, `tar` (its number), `offset` and `size` in bytes, in the order of the tars.

        Raises SourceError for a tar that is compressed, cut off or damaged, and where no picture is.
        """
        names = distinct_names(self.tars)
        table = pa.concat_tables(
            [_indexed(tar, name, i) for i, (tar, name) in enumerate(zip(self.tars, names, strict=True))]
        )
        if not len(table):
            raise SourceError(f"{self.name}: no picture in it; expected members that end in {', '.join(SUFFIXES)}")
        require_unique(table, self.name)
        return table

    def require(self) -> None:
        """Raise SourceError where what the images are read from is gone."""
        require_there(*self.tars)

    def read(self, row: Mapping[str, Any]) -> bytes:
        """The encoded picture."""
        tar, size = self.tars[row["tar"]], row["size"]
        if size < 0:
            raise unreadable(row["id"], f"a link inside {printable(tar)}", "expected the picture itself; pack it anew")
        try:
            with open(tar, "rb") as stream:  # noqa: PTH123 - a Path would normalise the caller's name
                stream.seek(row["offset"])
                data = stream.read(size)
        except OSError as error:
            raise unreadable(row["id"], f"{printable(tar)}: {system_reason(error)}") from error
        if len(data) < size:
            raise unreadable(row["id"], f"{printable(tar)} ends after {len(data):,} of its {size:,} bytes")
        return data


def braced(pattern: str) -> tuple[str, ...]:
    """`shard-{000..011}.tar` as twelve names; digits as wide as the first number; several ranges are nested."""
    match = _RANGE.search(pattern)
    if match is None:
        return (pattern,)
    first, last, width = int(match[1]), int(match[2]), len(match[1])
    rests = braced(pattern[match.end() :])
    if not 0 <= last - first < _MOST_SHARDS // len(rests):
        raise SourceError(
            f"{printable(pattern)}: the range {match[0]} has no end, or too many files; expected the lower number first"
        )
    start = pattern[: match.start()]
    return tuple(f"{start}{number:0{width}d}{rest}" for number in range(first, last + 1) for rest in rests)


def has_range(pattern: str) -> bool:
    """Whether a name holds a range for `braced`."""
    return _RANGE.search(pattern) is not None


class _Header(tarfile.TarInfo):
    """Of a plain header what an index needs: tarfile spends half of its time on owners, times and modes."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        """A member, or the header of an extended one; anything else, damaged headers too, is left to tarfile."""
        kind = bytes(buf[156:157])
        if len(buf) != _BLOCK or kind not in (tarfile.REGTYPE, tarfile.XHDTYPE):
            return super().frombuf(buf, encoding, errors)
        name, size, checksum, prefix = (
            _up_to_null(buf[a:b]) for a, b in ((0, 100), (124, 136), (148, 156), (345, 500))
        )
        try:
            member_size, total = int(size, 8), int(checksum, 8)
        except ValueError:  # a size of more than 8 GiB, say
            return super().frombuf(buf, encoding, errors)
        if total != sum(buf) - sum(buf[148:156]) + 8 * ord(" "):  # the sum's own bytes count as spaces
            return super().frombuf(buf, encoding, errors)
        path = b"/".join((prefix, name)) if prefix else name
        header = cls(path.decode(encoding, errors))
        header.size, header.type, header.chksum = member_size, kind, total
        return header


def _up_to_null(field: bytes | bytearray) -> bytes:
    return bytes(field).partition(b"\0")[0]


@dataclass
class _Sample:
    """What the headers tell of one sample."""

    offset: int = -1
    size: int = -1
    suffix: str = ""  # of the picture; "" while there is none
    label: str | None = None
    labelled_by: str = ""

    def add(self, suffix: str, member: tarfile.TarInfo, stream: BinaryIO) -> None:
        """Note one member, if it is the picture or the label; of two the better, then the first."""
        if suffix.endswith(SUFFIXES) and (not self.suffix or (self.suffix not in SUFFIXES and suffix in SUFFIXES)):
            self.suffix = suffix
            self.offset, self.size = (member.offset_data, member.size) if _is_plain(member) else (-1, -1)
        elif suffix in _LABELS and self.labelled_by != ".cls" and _is_plain(member):
            self.label, self.labelled_by = _label(suffix, member, stream), suffix


def _indexed(tar: str, name: str, number: int) -> pa.Table:
    samples = {key: sample for key, sample in _samples(tar).items() if sample.suffix}
    count = len(samples)
    return pa.table(
        {
            "id": pa.array((f"{name}/{key}" for key in samples), pa.string()),
            "label": pa.array((sample.label for sample in samples.values()), pa.string()),
            "tar": pa.array([number] * count, pa.int32()),
            "offset": pa.array((sample.offset for sample in samples.values()), pa.int64()),
            "size": pa.array((sample.size for sample in samples.values()), pa.int64()),
        }
    )


def _samples(tar: str) -> dict[str, _Sample]:
    """By key, in the order of their first members."""
    samples: dict[str, _Sample] = {}
    try:
        with open(tar, "rb") as stream, open(tar, "rb") as beside:  # noqa: PTH123 - a Path would normalise the name
            for member in _members(tar, stream):
                folder, slash, last = member.name.removeprefix("./").rpartition("/")
                key, dot, suffix = last.partition(".")
                if key:
                    sample = samples.setdefault(escaped(f"{folder}{slash}{key}"), _Sample())
                    sample.add(f"{dot}{suffix}".lower(), member, beside)
    except OSError as error:
        raise SourceError(
            f"{printable(tar)}: cannot be read ({system_reason(error)}); expected a readable tar file"
        ) from error
    return samples


def _members(tar: str, stream: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """Every member that is a file or a link to one."""
    shown, length = printable(tar), os.fstat(stream.fileno()).st_size
    if stream.read(8).startswith(_SIGNATURES):
        raise SourceError(compressed(tar))
    stream.seek(0)
    at = 0
    try:
        with tarfile.open(fileobj=stream, mode="r:", tarinfo=_Header) as archive:
            while (member := archive.next()) is not None:
                at = member.offset
                if member.isreg() and member.offset_data + member.size > length:
                    raise tarfile.ReadError("unexpected end of data")
                if not member.isdir():
                    yield member
                at = min(archive.offset, length)
                cast(Any, archive).members.clear()  # tarfile keeps them all
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise SourceError(_damaged(shown, at, length, error)) from error
    stream.seek(at)
    if stream.read(_BLOCK).strip(b"\0"):  # tarfile takes a damaged header for the end
        raise SourceError(_damaged(shown, at, length, "no header of a tar's member"))


def _damaged(shown: str, at: int, length: int, reason: object) -> str:
    return (
        f"{shown}: cut off or damaged at byte {at:,} of {length:,} ({reason}); expected a whole tar file; copy or "
        "download it anew"
    )


def compressed(tar: str) -> str:
    """The message for a tar file that is compressed."""
    return (
        f"{printable(tar)}: a compressed tar file, in which nothing can be found without unpacking all before it; "
        "unpack it to a plain .tar (gunzip, bunzip2, unxz or unzstd); pictures are compressed as they are"
    )


def _is_plain(member: tarfile.TarInfo) -> bool:
    return member.isreg() and not member.issparse()


def _label(suffix: str, member: tarfile.TarInfo, stream: BinaryIO) -> str | None:
    """The text of `.cls`; `label` or `cls` of `.json`; None where there is neither."""
    if member.size > _LABEL_BYTES:
        return None
    stream.seek(member.offset_data)
    text = stream.read(member.size).decode(errors="replace").strip()
    if suffix == ".cls":
        return text or None
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found = [fields[name] for name in ("label", "cls") if name in fields] if isinstance(fields, dict) else []
    return str(found[0]) if found and isinstance(found[0], str | int) else None


def tar_source(tars: Sequence[str]) -> TarSource:
    """Absolute paths of these tar files, each checked not to be named as compressed."""
    for tar in tars:
        if tar.lower().endswith(COMPRESSED):
            raise SourceError(compressed(tar))
    return TarSource(tuple(os.path.abspath(tar) for tar in tars))  # noqa: PTH100 - follows no links
