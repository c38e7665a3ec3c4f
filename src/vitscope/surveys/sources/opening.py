"""What a user gives as the images of a survey → the source that reads them."""

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from vitscope.errors import ArgumentError, SourceError
from vitscope.images.naming import is_url, missing, printable
from vitscope.images.sources import SUFFIXES
from vitscope.surveys.sources import hub, lists
from vitscope.surveys.sources.base import Source
from vitscope.surveys.sources.folder import FolderSource, glob_source
from vitscope.surveys.sources.ids import distinct_names
from vitscope.surveys.sources.items import as_label
from vitscope.surveys.sources.joined import joined_source
from vitscope.surveys.sources.parquet import parquet_source
from vitscope.surveys.sources.python import as_id, checked, mapping_source, sequence_source
from vitscope.surveys.sources.spool import spooled
from vitscope.surveys.sources.tars import COMPRESSED, braced, compressed, has_range, tar_source

_MANY = (".tar", ".parquet")  # of these, several files are one source
_EXPECTED = (
    "expected a folder of pictures, a pattern, a list (.txt, .csv, .tsv, .parquet), WebDataset shards (.tar), a data "
    "set of Hugging Face (a folder, or datasets:org/name), or images in Python (a mapping, a sequence, an iterable)"
)


def open_source(
    given: Any,
    *,
    ids: Sequence[str] | None = None,
    labels: Sequence[Any] | None = None,
    spool: Path | None = None,
) -> Source:
    """The source that `given` names or is.

    A string or path: a folder; a pattern with `*`, `?`, `[…]`, `**`; a list in a .txt, .csv, .tsv or
    .parquet file; one .tar, a pattern or a range of them (`shard-{000..011}.tar`); a folder that
    Hugging Face's `save_to_disk` wrote, `folder:split`, or `datasets:org/name[:split]`. Several of these
    in a list are joined. In Python: a mapping from ids to images, a sequence, an iterable, which is
    gone through once and put on disk in the folder `spool`; `ids` and `labels`, one an image, go with
    these. A label is a string or a whole number.

    Raises SourceError where `given` is none of these or cannot be opened, ArgumentError for `ids`,
    `labels` or `spool` where they have no meaning, MissingLibraryError where `datasets` is needed and
    not installed. What can only be found out by listing, `Source.index` raises.
    """
    if isinstance(given, str | os.PathLike):
        _require_none(given, ids=ids, labels=labels, spool=spool)
        return _from_path(os.fsdecode(given))
    if hub.is_loaded(given):
        _require_none(given, ids=ids, labels=labels, spool=spool)
        return hub.loaded_source(given)
    _require_several(given)
    if _is_paths(given):
        _require_none(given, spool=spool)
        return _from_paths([os.fsdecode(path) for path in given], ids, labels)
    if isinstance(given, Mapping):
        _require_none(given, ids=ids, spool=spool)
        return mapping_source(given, labels)
    if _is_sequence(given):
        _require_none(given, spool=spool)
        return sequence_source(given, ids, labels)
    if isinstance(given, Iterable):
        return spooled(given, ids=ids, labels=labels, folder=spool)
    raise SourceError(f"found {type(given).__name__}; {_EXPECTED}")


def _from_path(given: str) -> Source:
    if given.startswith(hub.PREFIX):
        return hub.named_source(given)
    if is_url(given):
        return lists.paths_source([given])
    if os.path.isdir(given):  # noqa: PTH112 - a Path raises on null characters in 3.11
        return hub.saved_source(given) if hub.is_saved(given) else FolderSource(_absolute(given))
    if os.path.exists(given):  # noqa: PTH110
        return _from_file(given)
    if has_range(given):
        return _from_files(given, braced(given))
    if glob.has_magic(given):
        return _from_pattern(given)
    folder, colon, split = given.rpartition(":")
    if colon and os.path.isdir(folder) and hub.is_saved(folder):  # noqa: PTH112
        return hub.saved_source(folder, split)
    raise SourceError(missing(given, "pictures"))


def _from_file(path: str) -> Source:
    name = path.lower()
    if name.endswith(".tar"):
        return tar_source([path])
    if name.endswith(".parquet"):
        return parquet_source([path])
    if name.endswith(lists.SUFFIXES):
        return lists.ListSource(_absolute(path))
    if name.endswith(SUFFIXES):
        return lists.paths_source([path])
    if name.endswith(COMPRESSED):
        raise SourceError(compressed(path))
    raise SourceError(f"{printable(path)}: a file of a kind that no survey reads; {_EXPECTED}")


def _from_pattern(pattern: str) -> Source:
    """Tar and Parquet files that match are one source; all else are pictures."""
    if not pattern.lower().endswith((*_MANY, *COMPRESSED)):
        return glob_source(pattern)
    files = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - a Path has no absolute patterns
    if not files:
        raise SourceError(f"{printable(pattern)}: no file matches this pattern; check it, or quote it in a shell")
    return _from_files(pattern, files)


def _from_files(given: str, files: Sequence[str]) -> Source:
    """Tar or Parquet files, all of which must be there."""
    for file in files:
        if not os.path.exists(file):  # noqa: PTH110
            raise SourceError(f"{printable(given)}: {missing(file)}")
    return _one_kind(files) or lists.paths_source(files)


def _from_paths(given: Sequence[str], ids: Sequence[str] | None, labels: Sequence[Any] | None) -> Source:
    """Tar or Parquet files; pictures one by one; or folders, lists and data sets, which are joined."""
    if len(given) == 1 and ids is None and labels is None:
        return _from_path(given[0])
    if all(_is_one_picture(path) for path in given):
        own_ids, own_labels = checked(ids, len(given), "ids", as_id), checked(labels, len(given), "labels", as_label)
        return lists.paths_source(given, ids=own_ids, labels=own_labels)
    _require_none(given, ids=ids, labels=labels)
    if files := _one_kind(given):
        return files
    return joined_source([_from_path(path) for path in given], distinct_names([_absolute(path) for path in given]))


def _one_kind(files: Sequence[str]) -> Source | None:
    """One source of all these files, where they are all tar or all Parquet files."""
    if not all(os.path.isfile(file) for file in files):  # noqa: PTH113
        return None
    if all(file.lower().endswith((".tar", *COMPRESSED)) for file in files):
        return tar_source(files)
    if all(file.lower().endswith(".parquet") for file in files):
        return parquet_source(files)
    return None


def _is_one_picture(path: str) -> bool:
    """A picture's path or URL, there or not: not being there is that picture's own failure."""
    return is_url(path) or (path.lower().endswith(SUFFIXES) and not os.path.isdir(path) and not glob.has_magic(path))  # noqa: PTH112


def _is_paths(given: Any) -> bool:
    return (
        isinstance(given, list | tuple)
        and all(isinstance(item, str | os.PathLike) for item in given)
        and len(given) > 0
    )


def _is_sequence(given: Any) -> bool:
    """Whether items can be read by number; torch's IterableDataset only inherits the method for it."""
    once = any(kind.__name__ == "IterableDataset" for kind in type(given).__mro__)
    return hasattr(given, "__len__") and hasattr(given, "__getitem__") and not once


def _require_several(given: Any) -> None:
    """One picture is no collection, though arrays and bytes have a length."""
    shape = getattr(given, "shape", None)
    if isinstance(given, bytes | bytearray | memoryview | Image.Image) or (shape is not None and len(shape) < 4):
        what = f"{type(given).__name__}{'' if shape is None else f' of shape {tuple(shape)}'}"
        raise SourceError(f"found {what}, which is one image or none; expected several: give a list, [image]")


def _require_none(given: Any, **arguments: Any) -> None:
    """Raise ArgumentError for arguments that are of no use with what was given."""
    for name, value in arguments.items():
        if value is not None:
            raise ArgumentError(
                f"found {name}= with {type(given).__name__}, where it has no meaning; expected ids= and labels= with "
                "images in a sequence or an iterable, labels= with a mapping, spool= with an iterable; leave it out"
            )


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - Path.resolve follows links
