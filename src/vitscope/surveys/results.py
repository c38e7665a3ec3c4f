"""What a survey has of some images: tables with a row an image or a head, and sums over all of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

State = Mapping[str, np.ndarray]  # by name, float64; all are sums, so that states of different images add up


@dataclass(frozen=True)
class ShardResult:
    """One shard's part of every table, and of the states."""

    tables: Mapping[str, pa.Table] = field(default_factory=dict[str, pa.Table])
    states: State = field(default_factory=dict[str, np.ndarray])


def merged(states: Iterable[State]) -> dict[str, np.ndarray]:
    """The states of different images as one: sums add, and what one state lacks is 0 there."""
    out: dict[str, np.ndarray] = {}
    for state in states:
        for name, values in state.items():
            if name in out:
                out[name] += values
            else:
                out[name] = np.array(values, dtype=np.float64)  # a copy, and no scalar
    return out
