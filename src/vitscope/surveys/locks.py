"""One run, one writer, or the parts of one job array side by side: locks that end with their process.

flock (POSIX systems) on files held open. `.lock` is the run's: a whole run holds it alone, parts share it, and
it names their number; `.lock-2-of-3` is a part's own. Who takes or gives way does so inside `gate`.
"""

import errno
import json
import os
import socket
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vitscope.errors import RunError
from vitscope.images.naming import printable
from vitscope.surveys.layout import LOCK

if sys.platform != "win32":
    import fcntl

Part = tuple[int, int]  # number from 1, of how many; (1, 1) is a whole run

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
_held: set[int] = set()  # descriptors of this process
_fork_is_watched = False


def require_locks() -> None:
    """Raise RunError where the system has no such locks."""
    if sys.platform == "win32":
        raise RunError(
            "a survey cannot be written on Windows, which has no flock; use Linux, macOS or WSL (reading works)"
        )


@contextmanager
def gate(run: Path) -> Generator[None]:
    """One process at a time, for a moment: others wait."""
    with _waited_for(run / f"{LOCK}-gate"):
        yield


@contextmanager
def finishing(run: Path) -> Generator[None]:
    """One process at a time merges: others wait, and then find it done."""
    with _waited_for(run / f"{LOCK}-finish"):
        yield


@contextmanager
def _waited_for(path: Path) -> Generator[None]:
    with _opened(path) as file:
        _flock(file, path, alone=True, wait=True)
        yield


def take(run: Path, part: Part, held: ExitStack) -> bool:
    """Hold the run until `held` ends; whether nobody else holds a part of it. Call it inside `gate`.

    Raises RunError, telling who, where another process is in the way.
    """
    path = run / LOCK
    file = held.enter_context(_opened(path))
    alone = _flock(file, path, alone=True)
    if alone:
        _sign(file, part)
    elif part[1] == 1 or not _flock(file, path, alone=False) or _signature(file).get("part", (0, 0))[1] != part[1]:
        raise _refusal(run, _holder(run, file))
    if part[1] > 1:
        if alone:
            _flock(file, path, alone=False)  # the other parts may come
        _take_part(run, part, held)
    return alone


def _take_part(run: Path, part: Part, held: ExitStack) -> None:
    path = _part_file(run, part)
    own = held.enter_context(_opened(path))
    if not _flock(own, path, alone=True):
        raise _refusal(run, _signature(own))
    _sign(own, part)


def remove_locks(run: Path) -> None:
    """Remove the files of a run that nobody has to lock any more."""
    for path in run.glob(f"{LOCK}*"):
        with suppress(OSError):
            path.unlink()


def _part_file(run: Path, part: Part) -> Path:
    return run / f"{LOCK}-{part[0]}-of-{part[1]}"


@contextmanager
def _opened(path: Path) -> Generator[int]:
    """A descriptor that no child process keeps: a lock would outlive its process with it."""
    _watch_forks()
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    _held.add(file)
    try:
        yield file
    finally:
        if file in _held:
            _held.discard(file)
            os.close(file)


def _watch_forks() -> None:
    global _fork_is_watched
    if not _fork_is_watched:
        os.register_at_fork(after_in_child=_let_go)
        _fork_is_watched = True


def _let_go() -> None:
    while _held:
        os.close(_held.pop())


def _flock(file: int, path: Path, *, alone: bool, wait: bool = False) -> bool:
    """Lock the file, or change its lock; False where another process has it."""
    kind = (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB)
    try:
        fcntl.flock(file, kind)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise RunError(
            f"the file system of {printable(str(path.parent))} has no file locks ({error.strerror}), without which two "
            "processes could mix in one run; survey into a folder on another, such as a local disk"
        ) from error
    return True


def _sign(file: int, part: Part) -> None:
    since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    words = {"host": socket.gethostname(), "pid": os.getpid(), "since": since, "part": part}
    os.ftruncate(file, 0)
    os.pwrite(file, json.dumps(words).encode(), 0)


def _signature(file: int) -> dict[str, Any]:
    """Who signed the file; empty where it cannot be told."""
    try:
        return json.loads(os.pread(file, 65536, 0))
    except ValueError:
        return {}


def _holder(run: Path, file: int) -> dict[str, Any]:
    """Who holds the run: the first part that is held, as the file of all parts names one that may have ended."""
    for path in sorted(run.glob(f"{LOCK}-*-of-*")):
        with _opened(path) as own:
            if not _flock(own, path, alone=False):
                return _signature(own)
    return _signature(file)


def _refusal(run: Path, holder: dict[str, Any]) -> RunError:
    number, of = holder.get("part", (1, 1))
    work = "all of it" if of == 1 else f"part {number} of {of}"
    who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}, since {holder.get('since', '?')}"
    advice = "" if of == 1 else f"compute another of the {of} parts, "
    return RunError(
        f"{printable(str(run))} is being written by {who} ({work}); nothing was done: {advice}wait until it ends, or "
        "survey into another folder"
    )
