"""A temporary folder that goes with its process: what a killed one left behind, the next one removes."""

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

PREFIX = "vitscope-spool-"
_ALIVE = ".alive"  # locked as long as the folder's process, or a child of it, is there


def temporary_folder() -> tuple[Path, int]:
    """A new folder, and the descriptor that keeps it; give both to `remove`. Raises OSError."""
    for other in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{_ALIVE}"):
        with suppress(OSError):  # another user's, or gone by now
            _remove_abandoned(other)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    draft = folder / f"{_ALIVE}-draft"
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with suppress(OSError):  # a file system without locks: the folder is then removed by its own process alone
        _lock(descriptor)
        draft.rename(folder / _ALIVE)  # locked before anyone can find it
    return folder, descriptor


def remove(folder: str, descriptor: int, process: int) -> None:
    """Remove the folder, in the process that made it; a forked worker has only a copy of what keeps it."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _remove_abandoned(alive: Path) -> None:
    descriptor = os.open(alive, os.O_RDWR | os.O_CLOEXEC)
    try:
        _lock(descriptor)
        shutil.rmtree(alive.parent, ignore_errors=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Raise OSError where another process has the lock, or there are none."""
    if sys.platform == "win32":
        raise OSError("no flock")
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
