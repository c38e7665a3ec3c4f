"""A source that kills whoever reads one of its images, the first time; importable by actors."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from vitscope.errors import ImageError


@dataclass(frozen=True)
class Lossy:
    """Pictures of noise, by number."""

    images: int
    deadly: str | None = None  # the id of the image
    marker: Path | None = None  # a file that says that it has killed already
    broken: frozenset[str] = frozenset()  # ids of images that cannot be read
    name: str = "noise"
    ordered: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        return {"name": self.name, "kind": "noise"}

    def index(self) -> pa.Table:
        ids = [f"{i}" for i in range(self.images)]
        return pa.table({"id": ids, "label": pa.nulls(self.images, pa.string())})

    def require(self) -> None:
        """It cannot be gone."""

    def read(self, row: Mapping[str, Any]) -> np.ndarray:
        if row["id"] == self.deadly and self.marker is not None and not self.marker.exists():
            self.marker.write_text(f"{os.getpid()}")
            os.kill(os.getpid(), signal.SIGKILL)
        if row["id"] in self.broken:
            raise ImageError(f"{row['id']}: no picture")
        return np.random.default_rng(int(row["id"])).integers(0, 256, (64, 64, 3), dtype=np.uint8)
