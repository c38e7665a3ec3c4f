"""Whether what a layer gives goes to the tokens that asked for it, found by experiment.

Attention stays off, but for noise on the rows of queries that stand where a binary code of places has a
bit. Where outputs are added to the tokens that their queries came from, no others change.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from vitscope.arrangement import NOWHERE, Arrangement
from vitscope.attention.axes import Axes
from vitscope.attention.event import AttentionEvent, Observer
from vitscope.layout import Layout
from vitscope.trace.run import Subject, given
from vitscope.trace.sides import IMAGES, Print, print_of
from vitscope.trace.spans import Axis
from vitscope.trace.still import Still

_LOUD = 10.0  # deviation of the noise: scaled layers let little of it through


@dataclass(frozen=True, eq=False)
class Answered:
    """A layer whose tokens are placed, and how its leading axes are split."""

    axes: Axes
    arrangement: Arrangement


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of queries of one call, and how its leading axes are split."""

    axes: Axes
    chosen: Bool[np.ndarray, "sets queries"]  # images · windows


@dataclass(frozen=True)
class _Places:
    """Some places of the picture: every other band of so many pixels along an axis; or one prefix token."""

    lattices: tuple[Layout, ...]  # on which they can be told
    axis: Axis = 0
    band: float = 0.0  # in pixels
    prefix: int | None = None  # number of the token

    def among(self, layout: Layout) -> Bool[np.ndarray, " tokens"] | None:
        """Which tokens stand there; None on a lattice whose cells do not fit into the bands. The last is NOWHERE."""
        if layout not in self.lattices:
            return None
        if self.prefix is not None:
            return np.arange(layout.tokens + 1) == self.prefix
        if self.band % layout.patch_size[self.axis]:
            return None
        inside = layout.centres()[:, self.axis] // self.band % 2 == 1
        return np.concatenate([np.zeros(len(layout.prefix), bool), inside, [False]])


def find_astray(subject: Subject, layers: Mapping[int, Answered]) -> dict[int, str]:
    """Why layers, by the numbers of their calls, give to other tokens than asked; those that do not are left out."""
    layers = {number: one for number, one in layers.items() if not _asks_everywhere(one.arrangement)}
    lattices = tuple(dict.fromkeys(one.arrangement.queries for one in layers.values()))
    codes = list(_codes(lattices, subject.image_size)) if len(layers) > 1 else []
    blank = _run(subject, {}) if codes else []
    astray: dict[int, str] = {}
    for first in range(0, len(codes), IMAGES):
        pair = [codes[min(first + i, len(codes) - 1)] for i in range(IMAGES)]
        giver = _giver(subject, layers, blank, pair)
        if giver is not None:
            astray.setdefault(giver[0], _words(*(blank[number].name for number in giver)))
    return astray


def _giver(
    subject: Subject, layers: Mapping[int, Answered], blank: list[Print], pair: list[_Places]
) -> tuple[int, int] | None:
    """The first layer that gives to others than asked, in one run, and the one after it, where that shows."""
    now = _run(subject, {number: _rows(one, pair) for number, one in layers.items()})
    before: int | None = None
    for number, one in layers.items():
        moved = [_others_change(now[number], blank[number], one, image, pair[image]) for image in range(IMAGES)]
        if before is not None and any(moved):
            return before, number
        before = number
    return None


def _words(layer: str, after: str) -> str:
    return (
        f"layer {layer!r}: what its queries gather is given to tokens of other places, as {after!r} after it shows; "
        "vitscope shows no map that it cannot place"
    )


def _asks_everywhere(arrangement: Arrangement) -> bool:
    """Whether the same queries ask in every window: they stand elsewhere than the tokens that they answer."""
    return arrangement.windows > 1 and bool((arrangement.query_tokens == arrangement.query_tokens[0]).all())


def _codes(layouts: Sequence[Layout], image_size: tuple[int, int]) -> Iterator[_Places]:
    """Bands that tell all places of all lattices apart, and each prefix token.

    Lattices of whole cells from the picture's first pixel on, the last of them perhaps partly beyond it, lie within
    one another; others are told by themselves alone.
    """
    nested = tuple(layout for layout in layouts if _covers(layout, image_size))
    axes: tuple[Axis, ...] = (0, 1)
    for group in filter(None, [nested, *((layout,) for layout in layouts if layout not in nested)]):
        for axis in axes:
            bands = {
                layout.patch_size[axis] * 2**bit
                for layout in group
                for bit in range((layout.grid[axis] - 1).bit_length())
            }
            yield from (_Places(group, axis, band) for band in sorted(bands))
    for prefix in dict.fromkeys(layout.prefix for layout in layouts):
        alike = tuple(layout for layout in layouts if layout.prefix == prefix)
        yield from (_Places(alike, prefix=number) for number in range(len(prefix)))


def _covers(layout: Layout, image_size: tuple[int, int]) -> bool:
    """Whether a lattice begins and ends where the picture does, up to a part of its last row and column."""
    sides = zip(layout.image_size, image_size, layout.patch_size, strict=True)
    return all(0 <= covered - side < step for covered, side, step in sides)


def _rows(one: Answered, pair: list[_Places]) -> Rows:
    """The rows of queries that stand at the places of each image; none where the lattice does not fit them."""
    tokens = one.arrangement.query_tokens
    among = [places.among(one.arrangement.queries) for places in pair]
    chosen = [np.zeros(tokens.shape, bool) if some is None else some[tokens] for some in among]
    return Rows(one.axes, np.concatenate(chosen))


def _others_change(now: Print, blank: Print, one: Answered, image: int, places: _Places) -> bool:
    """Whether some token that stands elsewhere changed."""
    sides = (
        (one.arrangement.queries, one.arrangement.query_tokens),
        (one.arrangement.keys, one.arrangement.key_tokens),
    )
    for (layout, tokens), after, before in zip(sides, now.sides, blank.sides, strict=True):
        among = places.among(layout)
        if among is None or after is None or before is None:
            continue
        changed = torch.from_numpy(after.differs(before))[..., None]  # (entries, tokens, 1)
        split = one.axes.split(changed, IMAGES).numpy()[..., 0]  # (images · windows, heads, tokens)
        windows = len(tokens)
        answers = split[image * windows : (image + 1) * windows].any(1)  # (windows, tokens)
        if (answers & ~among[tokens] & (tokens != NOWHERE)).any():
            return True
    return False


class Give(Observer):
    """Gives noise on the rows of some calls, by number, and zeros elsewhere; keeps the print of every call."""

    def __init__(self, rows: Mapping[int, Rows]) -> None:
        self._rows = rows
        self.prints: list[Print] = []

    def before(self, event: AttentionEvent) -> Tensor:
        number = len(self.prints)
        self.prints.append(print_of(event))
        if number not in self._rows:
            return event.zero_output()
        rows = self._rows[number]
        return given(replace(event, axes=rows.axes), rows.chosen, IMAGES, _LOUD)


def _run(subject: Subject, rows: Mapping[int, Rows]) -> list[Print]:
    observer = Give(rows)
    with Still(enlarge=False):
        subject.run(subject.blank(IMAGES), observer)
    return observer.prints
