"""Write docs/supported.md anew, every family listed for the conformance suite as found here: `make supported`."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import torch

import vitscope
from conformance.checks import found_kinds
from conformance.families import LIBRARIES, Family, families
from vitscope.errors import VitscopeError
from vitscope.trace import Traced, TracedCall

OUT = Path(__file__).with_name("supported.md")
DISTRIBUTIONS = ("torch", "timm", "torchvision", "open_clip_torch", "transformers")
HEAD = """# Supported families

{works} of {all} families with attention between places, or through which an answer is read from places, can be looked
at as they are. {nothing} more have nothing to be seen (linear, channel or deformable attention, none at all).

Written by `make supported`, which traces one small member of each family with random weights and looks at two random
pictures; what is expected of each, written from the libraries' source, is in
[families.toml](../tests/conformance/families.toml), and `make test-long` compares. With {versions}.

- **found**: attention calls in the order of the forward pass. *global*: all places to all; *h × w*: in windows of so
  many places; *reduced*: queries or keys on a coarser grid; *local*: overlapping neighbourhoods; *class*, *pool*: by
  which the answer is read; *cross*, *self*: a decoder's, or among tokens that are no places; *channel*, *linear*: no
  weights between places. (Calls that PyTorch does not show, deformable ones among them, are missing.)
- **grids**: of the queries' places, where they change.
- **error**: the largest verification error, as a fraction of the values' magnitude.
- **layout**: *plain* if every patch in row-major order was proven at once, else *traced*, by experiment; and how many
  seconds it took on one core.
"""


@dataclass(frozen=True)
class Row:
    """What was found of one family."""

    family: Family
    traced: Traced | None
    seconds: float
    error: float  # of the verification
    reason: str  # why nothing is shown, or not all; "" if nothing is amiss

    @property
    def seen(self) -> bool:
        return self.traced is not None and not self.reason

    def cells(self) -> list[str]:
        name = f"`{self.family.family}`"
        if self.traced is None:
            return [name, self.reason.replace("|", "\\|"), "", "", "", ""]
        found = "; ".join(part for part in (words(self.traced.calls), self.reason) if part)
        layout = f"{'plain' if self.traced.plain else 'traced'}, {self.seconds:.1f} s"
        return [name, found, grids(self.traced.calls), self.traced.readout, f"{self.error:.0e}", layout]


def main() -> None:
    """Write docs/supported.md."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(1)
    rows = [row_of(family) for family in families()]
    expected = [row for row in rows if row.family.expect == "works"]
    nothing = len(rows) - len(expected)
    versions = ", ".join(f"{name} {version(name)}" for name in DISTRIBUTIONS)
    works = sum(row.seen for row in expected)
    parts = [HEAD.format(works=works, all=len(expected), nothing=nothing, versions=versions)]
    for library in LIBRARIES:
        own = [row for row in rows if row.family.library == library]
        parts += [f"## {library}\n", table(own)]
    OUT.write_text("\n".join(parts), encoding="utf-8")
    print(f"{works} of {len(expected)}: {OUT}")


def row_of(family: Family) -> Row:
    """One family, traced and looked at."""
    scope = vitscope.wrap(family.build(), forward=family.forward)
    before = time.perf_counter()
    try:
        traced = scope.trace(family.input)
        seconds = time.perf_counter() - before
        look = scope.look(family.images())
    except VitscopeError as error:
        listed = f" ({family.reason})" if family.expect == "nothing" and family.reason else ""
        return Row(family, None, 0.0, 0.0, f"nothing: {str(error).split(';')[0].split('. ')[0]}{listed}")
    refused = [layer.refusal for layer in look.layers if layer.refusal is not None]
    reason = "" if found_kinds(family, traced) == family.kinds else "not as listed"
    if refused:
        reason = f"{len(refused)} refused: {refused[0].split(';')[0]}"
    return Row(family, traced, seconds, look.verification_error, reason)


def words(calls: Sequence[TracedCall]) -> str:
    """Calls in order, runs of equal ones, and of equal pairs, as one with its count."""
    each = [call_words(call) for call in calls]
    parts: list[str] = []
    start = 0
    while start < len(each):
        length, count = max(((n, repeats(each, start, n)) for n in (1, 2)), key=lambda it: (it[0] * it[1], -it[0]))
        if length == 2 and count == 1:
            length, count = 1, repeats(each, start, 1)
        run = each[start : start + length]
        unit = run[0] if length == 1 else f"({', '.join(run)})"
        parts.append(unit if count == 1 else f"{unit} ×{count}")
        start += length * count
    return ", ".join(parts)


def repeats(each: list[str], start: int, length: int) -> int:
    """How often so many words come one after another, from `start` on."""
    run, count = each[start : start + length], 0
    while each[start + count * length : start + (count + 1) * length] == run and len(run) == length:
        count += 1
    return max(count, 1)


def call_words(call: TracedCall) -> str:
    """ "global", "7 × 7 shifted" …"""
    arrangement = call.arrangement
    if arrangement is None or call.kind not in ("window", "local"):
        return call.kind
    rows, columns = arrangement.window_shape()
    described = arrangement.describe()
    how = " shifted" if "shifted" in described else " overlapping" if "overlapping" in described else ""
    how = " apart" if ", one in" in described else how
    reduced = " reduced" if arrangement.queries.grid != arrangement.keys.grid else ""
    kind = "local " if call.kind == "local" else ""
    return f"{kind}{rows} × {columns}{how}{reduced}"


def grids(calls: Sequence[TracedCall]) -> str:
    """Of the layers' queries, each once where it changes."""
    layers = [call.arrangement for call in calls if call.is_layer and call.arrangement is not None]
    each = [f"{rows} × {columns}" for rows, columns in (one.queries.grid for one in layers if one.queries.patches)]
    return ", ".join(grid for grid, _ in groupby(each))


def table(rows: list[Row]) -> str:
    head = ("family", "found", "grids", "readout", "error", "layout")
    lines = [head, ["---"] * len(head), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
