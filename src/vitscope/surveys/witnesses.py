"""Images that were read well, read again where others could not be: are those broken, or has the source gone?

Folders stay where they are when what was mounted there goes, and so do lists; so that they exist says little.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from vitscope.errors import SourceError
from vitscope.images.naming import printable
from vitscope.images.transform import Transform
from vitscope.surveys.loading import read_image
from vitscope.surveys.planning import SurveyPlan
from vitscope.surveys.sources.base import Source
from vitscope.surveys.sources.joined import JoinedSource

_TRIED = 64  # images all over the plan, where none was read yet


class Witnesses:
    """The last image that was read well; of sources that are joined, one of each, as each may go by itself."""

    def __init__(self, source: Source, plan: SurveyPlan, transform: Transform | None) -> None:
        self._source, self._plan, self._transform = source, plan, transform
        self._last: dict[int, tuple[int, int]] = {}  # by the part of a joined source: shard, number in it

    def saw(self, shard: int, number: int) -> None:
        """This image of a shard was read well."""
        self._last[self._part(shard, number)] = (shard, number)

    def require(self, shard: int, unread: Sequence[int]) -> None:
        """Raise SourceError where no witness can be read beside these images of a shard, which could not."""
        by_part: dict[int, int] = defaultdict(int)
        for number in unread:
            by_part[self._part(shard, number)] += 1
        for part, count in by_part.items():
            if problem := self._problem(part):
                raise SourceError(
                    f"{count} of the images of shard {shard} could not be read, {problem}; nothing was recorded of "
                    f"this shard, finished ones are kept. Check that {self._source.name} is all there, and give the "
                    "same command again"
                )

    def _problem(self, part: int) -> str | None:
        if part in self._last:
            shard, number = self._last[part]
            row = self._plan.rows(shard).slice(number, 1).to_pylist()[0]
            reason = self._refused(row)
            return reason and f"and {printable(row['id'])}, which was read before, no longer can: {reason}"
        rows = self._spread(part)
        reasons: list[str] = []
        for row in rows.to_pylist():
            if (reason := self._refused(row)) is None:
                return None
            reasons.append(reason)
        return f"nor could any of {len(reasons)} images from first to last, the first because: {reasons[0]}"

    def _refused(self, row: Mapping[str, Any]) -> str | None:
        """Why this image cannot be read; None where it can."""
        failure = read_image(self._source, row, self._transform)[0].failure
        return failure and f"{failure[1]} ({failure[0]})"

    def _spread(self, part: int) -> pa.Table:
        rows = self._plan.index
        if isinstance(self._source, JoinedSource):
            rows = rows.filter(rows["part"].to_numpy() == part)
        places = np.linspace(0, len(rows) - 1, min(len(rows), _TRIED)).round().astype(np.int64)
        return rows.take(pa.array(places))

    def _part(self, shard: int, number: int) -> int:
        if not isinstance(self._source, JoinedSource):
            return 0
        return self._plan.rows(shard)["part"][number].as_py()
