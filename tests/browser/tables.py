"""The page's CSV, read back as maps."""

import csv
import io
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ShownMap:
    """One pane's numbers, as its CSV gives them."""

    picture: str
    model: str
    caption: str
    prefix: dict[str, float]  # weight by token
    patches: np.ndarray  # (rows, columns)
    times: np.ndarray  # (prefix tokens + patches,), times uniform

    @property
    def row(self) -> np.ndarray:
        """Prefix tokens and patches in token order, (tokens,)."""
        return np.concatenate([list(self.prefix.values()), self.patches.ravel()])


def parsed(text: str) -> list[ShownMap]:
    """The maps in a CSV, which follow one another."""
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    starts = [at for at, row in enumerate(rows) if at == 0 or _key(row) != _key(rows[at - 1])]
    return [_map(rows[start:end]) for start, end in zip(starts, [*starts[1:], len(rows)], strict=True)]


def _key(row: dict) -> tuple[str, ...]:
    return row["picture"], row["model"], row["map"]


def _map(rows: list[dict]) -> ShownMap:
    patches = [row for row in rows if row["token"] == "patch"]
    shape = (1 + int(patches[-1]["row"]), 1 + int(patches[-1]["column"]))
    weights = np.full(shape, np.nan)
    for row in patches:
        weights[int(row["row"]), int(row["column"])] = float(row["weight"])
    prefix = {row["token"]: float(row["weight"]) for row in rows if row["token"] != "patch"}
    return ShownMap(*_key(rows[0]), prefix, weights, np.array([float(row["times_uniform"]) for row in rows]))
