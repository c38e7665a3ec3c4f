"""Whether what images are read from is still there, in the middle of a survey."""

from pathlib import Path

from vitscope.errors import SourceError
from vitscope.images.naming import printable


def require_there(*paths: str) -> None:
    """Raise SourceError for the first of these folders and files that is gone, or cannot be reached."""
    for path in paths:
        try:
            Path(path).stat()
        except OSError as error:
            raise SourceError(
                f"{printable(path)} cannot be reached ({error.strerror}), so that its images cannot be read; finished "
                "shards are kept: bring it back, and give the same command again"
            ) from error
