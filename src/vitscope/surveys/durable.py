"""Files and folders that outlast a crash: written under another name, synced, renamed.

`make_folder`, `write`, `sync` and `rename` are the only steps by which a run changes, so that tests can break each.
"""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

_NO_SYNC = (errno.EINVAL, errno.ENOTSUP)  # file systems that cannot sync a folder, and say so


def make_folder(path: Path) -> None:
    """A new folder."""
    path.mkdir()


def write(file: int, data: memoryview) -> int:
    """Write some of `data`; the number of bytes written."""
    return os.write(file, data)


def sync(file: int) -> None:
    """Return when the disk has what was written."""
    os.fsync(file)


def rename(draft: Path, path: Path) -> None:
    """`draft` becomes `path`, at once: nobody sees half of it."""
    draft.replace(path)


def write_file(path: Path, data: bytes | memoryview) -> None:
    """Write all of `data`, and sync it."""
    with _opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as file:
        left = memoryview(data)
        while left:
            left = left[write(file, left) :]
        sync(file)


def sync_folder(path: Path) -> None:
    """Return when the disk has the folder's names, where the file system can tell."""
    with _opened(path, os.O_RDONLY) as folder:
        try:
            sync(folder)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise


def put(draft: Path, path: Path) -> None:
    """`draft`, synced already, becomes `path` for good."""
    rename(draft, path)
    sync_folder(path.parent)


def put_file(path: Path, data: bytes | memoryview, *, draft: Path) -> None:
    """The file `path` with `data`, whole or not at all; `draft` is its name until then, in the same file system."""
    try:
        write_file(draft, data)
        put(draft, path)
    finally:
        with suppress(OSError):  # it is there no longer where all went well
            draft.unlink()


@contextmanager
def _opened(path: Path, flags: int) -> Generator[int]:
    file = os.open(path, flags | os.O_CLOEXEC, 0o666)
    try:
        yield file
    finally:
        os.close(file)
