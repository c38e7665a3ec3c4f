"""What every source of images offers a survey."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa


@runtime_checkable
class Source(Protocol):
    """Images that can be listed without being decoded, and read one by one, in any order, in any process.

    Picklable, so that worker processes can read; imports no torch.
    """

    @property
    def name(self) -> str:
        """For people: the folder, file or data set, on one line."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """JSON-ready: what tells this source from another, for the run's plan."""
        ...

    @property
    def ordered(self) -> bool:
        """Whether reading in the index's order is much quicker (shards in tar files); else any order will do."""
        ...

    def index(self) -> pa.Table:
        """A row an image: `id` (string, unique, the same each time), `label` (string or null), and what `read` needs.

        Raises SourceError where nothing can be listed.
        """
        ...

    def require(self) -> None:
        """Raise SourceError where what the images are read from is gone: asked after an image could not be read."""
        ...

    def read(self, row: Mapping[str, Any]) -> Any:
        """One image of the index, as `vitscope.open_picture` takes it, or a preprocessed float tensor.

        Raises ImageError where it cannot be read.
        """
        ...
