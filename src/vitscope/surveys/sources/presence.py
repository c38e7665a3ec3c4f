"""Whether what images are read from is still there, in the middle of a survey."""

import errno
from collections.abc import Iterator
from pathlib import Path

from vitscope.errors import SourceError
from vitscope.images.naming import printable
from vitscope.surveys.sources.ids import system_reason

_PASSING = (  # what a disk, a network or a machine short of something says of any file; not all are known everywhere
    *("EAGAIN", "EBUSY", "EINTR", "EIO", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EREMOTEIO", "ESTALE", "ETIMEDOUT"),
    *("ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETRESET"),
    *("ENETUNREACH", "ENOTCONN", "ESHUTDOWN"),
)
_NUMBERS = frozenset(getattr(errno, name) for name in _PASSING if hasattr(errno, name))


def require_there(*paths: str) -> None:
    """Raise SourceError for the first of these folders and files that is gone, or cannot be reached."""
    for path in paths:
        try:
            Path(path).stat()
        except OSError as error:
            raise SourceError(
                f"{printable(path)} cannot be reached ({system_reason(error)}), so that its images cannot be read; "
                "finished shards are kept: bring it back, and give the same command again"
            ) from error


def passing(error: Exception) -> Exception | None:
    """What led to this error and may pass: the system's refusal, or a lack of memory. None where the picture is broken.

    Pillow's own OSErrors on damaged files have no number.
    """
    return next((cause for cause in _causes(error) if _may_pass(cause)), None)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, MemoryError | TimeoutError | ConnectionError):
        return True
    return isinstance(error, OSError) and error.errno in _NUMBERS


def _causes(error: BaseException | None) -> Iterator[Exception]:
    """The error, what it was raised from, and so on."""
    known: set[int] = set()
    while isinstance(error, Exception) and id(error) not in known:
        known.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
