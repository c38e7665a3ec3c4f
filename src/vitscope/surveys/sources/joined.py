"""Several sources as one, each image under its source's name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from vitscope.surveys.sources.base import Source
from vitscope.surveys.sources.ids import require_unique


@dataclass(frozen=True)
class JoinedSource:
    """Several sources, one after the other. The id is the source's name, "/", and the id there."""

    parts: tuple[Source, ...]
    names: tuple[str, ...]  # of the parts, no two alike

    @property
    def name(self) -> str:
        """Their names."""
        return ", ".join(part.name for part in self.parts)

    @property
    def ordered(self) -> bool:
        """Whether one of them is."""
        return any(part.ordered for part in self.parts)

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the parts."""
        return {"kind": "joined", "parts": [part.settings for part in self.parts]}

    def index(self) -> pa.Table:
        """`id`, `label`, `part` (its number), and the columns of all parts, null where a part has none."""
        tables = [self._indexed(number) for number in range(len(self.parts))]
        table = pa.concat_tables(tables, promote_options="default")
        require_unique(table, self.name)
        return table

    def require(self) -> None:
        """Raise SourceError where what the images are read from is gone."""
        for part in self.parts:
            part.require()

    def read(self, row: Mapping[str, Any]) -> Any:
        """What the part gives."""
        number = row["part"]
        return self.parts[number].read({**row, "id": row["id"][len(self.names[number]) + 1 :]})

    def _indexed(self, number: int) -> pa.Table:
        table = self.parts[number].index()
        ids = pa.array((f"{self.names[number]}/{image_id}" for image_id in table["id"].to_pylist()), pa.string())
        numbers = pa.array(np.full(len(table), number, dtype=np.int32))
        return table.set_column(0, "id", ids).append_column("part", numbers)


def joined_source(parts: Sequence[Source], names: Sequence[str]) -> JoinedSource:
    """Sources under names of their own."""
    return JoinedSource(tuple(parts), tuple(names))
