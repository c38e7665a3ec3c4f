"""Files that are seen whole or not at all, and never written over what is someone else's."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from vitscope.errors import OutputError
from vitscope.images.naming import printable


def require_free_file(path: Path, *, force: bool) -> None:
    """Raise OutputError where the file `path` may not be written."""
    shown = printable(str(path))
    try:
        if path.is_symlink() or path.is_dir():
            raise OutputError(f"{shown} is a folder or a link; expected a file that does not exist yet")
        if not path.exists():
            nearest = next(parent for parent in path.absolute().parents if parent.exists())
            if not nearest.is_dir():
                raise OutputError(f"{printable(str(nearest))} is a file; expected a folder, to write {shown} into it")
            return
        if not path.is_file():
            raise OutputError(f"{shown} is no ordinary file; expected a file that does not exist yet")
    except OSError as error:
        raise OutputError(f"cannot write to {shown}: {error.strerror}; choose another file") from error
    if not force:
        raise OutputError(f"{shown} exists already; nothing was overwritten: give --force (force=True) or another name")


@contextmanager
def whole_file(path: Path, *, force: bool) -> Generator[IO[bytes]]:
    """A file to write into, which becomes `path` at the end of the block, or vanishes if that fails."""
    require_free_file(path, force=force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".vitscope-", dir=path.parent)
    except OSError as error:
        raise OutputError(
            f"cannot write to {printable(str(path.parent))}: {error.strerror}; choose another folder"
        ) from error
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        draft.chmod(0o666 & ~umask())
        draft.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {printable(str(path))}: {error.strerror}; nothing was written") from error
    finally:
        with suppress(OSError):  # it is there no longer where all went well
            draft.unlink()


def umask() -> int:
    """The permissions that this process denies to new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
