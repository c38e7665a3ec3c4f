"""Files that are seen whole or not at all, and never written over what is someone else's."""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from safetensors import SafetensorError

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


def require_free_folder(folder: Path, *, force: bool, own: Callable[[str], bool]) -> None:
    """Raise OutputError where `folder` may not be written.

    With `force` it may, if all that it holds is vitscope's `own`, by name.
    """
    shown = printable(str(folder))
    try:
        if not folder.is_symlink() and not folder.exists():
            nearest = next(parent for parent in folder.absolute().parents if parent.exists())
            if not nearest.is_dir():
                raise OutputError(f"{printable(str(nearest))} is a file; expected a folder, to write {shown} into it")
            return
        if folder.is_symlink() or not folder.is_dir():
            raise OutputError(f"{shown} is a file or a link; expected a folder that does not exist yet")
        if not force:
            raise OutputError(
                f"{shown} exists already; nothing was overwritten: give --force (force=True) or another folder"
            )
        strangers = sorted(entry.name for entry in folder.iterdir() if not own(entry.name))
    except OSError as error:
        raise OutputError(f"cannot write to {shown}: {error.strerror}; choose another folder") from error
    if strangers:
        raise OutputError(
            f"{shown} holds what vitscope did not write ({printable(strangers[0])}), so it is not replaced; choose "
            "another folder"
        )


@contextmanager
def whole_folder(folder: Path, *, force: bool, own: Callable[[str], bool]) -> Generator[Path]:
    """A draft to write into, which becomes `folder` at the end of the block, or vanishes if that fails."""
    require_free_folder(folder, force=force, own=own)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".vitscope-", dir=folder.parent))
    except OSError as error:
        raise OutputError(
            f"cannot write to {printable(str(folder.parent))}: {error.strerror}; choose another folder"
        ) from error
    try:
        yield draft
        draft.chmod(0o777 & ~umask())
        _put_in_place(draft, folder)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"cannot write {printable(str(folder))}: {reason}; nothing was written") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _put_in_place(draft: Path, folder: Path) -> None:
    if not folder.exists():
        draft.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=".vitscope-old-", dir=folder.parent))
    folder.rename(old / "replaced")
    try:
        draft.rename(folder)
    except OSError:
        (old / "replaced").rename(folder)
        old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)


def umask() -> int:
    """The permissions that this process denies to new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
