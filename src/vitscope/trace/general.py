"""The layout of any attention, found by experiment: nothing is assumed of axes, windows, lattices or order.

All that mixes places is switched off (`still`), attention is answered by zeros, and binary codes of the
picture's rows and columns are shown, two images a run (`spans`). What each query and key answers to
tells windows, heads and lattices (`arrange`).
"""

from dataclasses import replace

import torch
from torch import Tensor

from vitscope.arrangement import Arrangement
from vitscope.errors import LayoutError
from vitscope.layout import LayoutHints
from vitscope.trace.arrange import Picture, Placed, arrange, has_lattice
from vitscope.trace.run import Subject, noise
from vitscope.trace.sides import IMAGES, CallSides, Print, SwitchOff
from vitscope.trace.spans import Disturbance, disturbances
from vitscope.trace.still import Still

_LOUD = 10.0  # deviation of the noise: a tap of each of many convolutions lets little of it through
# (height, width) in pixels, where the model does not say its patch size, or something else: the finest lattice in use
_CELL = (4, 4)
_FINER = ((2, 2), (1, 1))


def place(subject: Subject, hints: LayoutHints) -> list[tuple[Print, Placed]]:
    """What every attention of the model is, in the order of the forward pass.

    Raises LayoutError where images cannot be told apart, or the model attends in some runs only.
    """
    best: list[tuple[Print, Placed]] | None = None
    for cell in dict.fromkeys([hints.patch_size or _CELL, _CELL, *_FINER]):
        if best is not None and (not _faults(best) or (cell in _FINER and not _crowded(best))):
            break  # finer cells tell tokens apart, they place nothing that mixes
        found = _Experiment(subject, Picture(subject.image_size, cell, hints)).placed()
        if best is None or _faults(found) < _faults(best):
            best = found
    assert best is not None
    return [(call, _refused_if_shared(call, one)) for call, one in best]


def _refused_if_shared(call: Print, placed: Placed) -> Placed:
    if placed.arrangement is None or not _shared(placed.arrangement):
        return placed
    reason = f"layer {call.name!r}: several tokens of a window stand on the same place, down to {min(_FINER)[0]} px"
    return Placed("unplaced", placed.axes, None, f"{reason}; vitscope shows no map that it cannot place")


def _faults(found: list[tuple[Print, Placed]]) -> int:
    """Calls that cannot be placed, or whose tokens share places."""
    return sum(one.kind == "unplaced" for _, one in found) + _crowded(found)


def _crowded(found: list[tuple[Print, Placed]]) -> int:
    """Calls in which two tokens of a window stand on the same place."""
    return sum(_shared(one.arrangement) for _, one in found if one.arrangement is not None)


def _shared(arrangement: Arrangement) -> bool:
    windows = [row[row >= 0] for side in (arrangement.query_tokens, arrangement.key_tokens) for row in side]
    return any(len(set(row.tolist())) < len(row) for row in windows)


class _Experiment:
    """All runs on one model with cells of one size."""

    def __init__(self, subject: Subject, picture: Picture) -> None:
        self._subject, self._picture = subject, picture
        self._pixels = _LOUD * noise((3, *subject.image_size), subject.like)
        self._before = -0.7 * self._pixels  # what is shown where nothing is disturbed: no token is then all zeros

    def placed(self) -> list[tuple[Print, Placed]]:
        """What each call is."""
        sides = self._gather()
        if not all(call.live for call in sides):  # without residual connection nothing passes a layer of zeros
            others = self._gather(passing=True)
            if sum(call.live for call in others) > sum(call.live for call in sides):
                sides = others
        found = [arrange(call, self._picture) for call in sides]
        if any(one.kind == "unplaced" for one in found):
            found = self._told_from_channels(found)
        return [(call.blank, one) for call, one in zip(sides, found, strict=True)]

    def _told_from_channels(self, found: list[Placed]) -> list[Placed]:
        """Those that cannot be placed are between channels if their features stand on places instead."""
        sides = self._gather(transposed=True)
        return [
            replace(one, kind="channel", refusal=None)
            if one.kind == "unplaced" and has_lattice(call, self._picture)
            else one
            for call, one in zip(sides, found, strict=True)
        ]

    def _gather(self, *, passing: bool = False, transposed: bool = False) -> list[CallSides]:
        """The spans of all tokens of all calls; `passing`: attention and enlargements pass on what they are given."""

        def run(images: Tensor) -> list[Print]:
            calls: list[Print] = []
            off = SwitchOff(lambda _, call: calls.append(call), pass_queries=passing, transposed=transposed)
            with Still(enlarge=passing) as still:
                self._subject.run(images, off)
            self._subject.samples |= still.sampled
            return calls

        blank = run(self._before.expand(IMAGES, -1, -1, -1))
        full = run(torch.stack([*[self._before] * (IMAGES - 1), self._pixels]))
        _require_same(blank, full)
        sides = [CallSides(before, now, self._picture.cells) for before, now in zip(blank, full, strict=True)]
        for pair in disturbances(self._picture.cells):
            calls = run(torch.stack([torch.where(self._mask(one), self._pixels, self._before) for one in pair]))
            _require_same(blank, calls)
            for side, call in zip(sides, calls, strict=True):
                side.note(call, pair)
        return sides

    def _mask(self, disturbance: Disturbance) -> Tensor:
        """Which pixels are disturbed, (height, width)."""
        axis, (height, width) = disturbance.axis, self._picture.size
        lines = torch.from_numpy(disturbance.mask(self._picture.cells[axis]))
        pixels = lines.repeat_interleave(self._picture.cell[axis])[: (height, width)[axis]]
        pixels = pixels.to(self._subject.like.device)
        return pixels[:, None].expand(height, width) if axis == 0 else pixels[None].expand(height, width)


def _require_same(blank: list[Print], calls: list[Print]) -> None:
    """Raise LayoutError unless both runs made the same calls."""
    for index in range(max(len(blank), len(calls))):
        if index >= len(blank) or index >= len(calls) or not calls[index].resembles(blank[index]):
            name = (calls if index < len(calls) else blank)[index].name
            raise LayoutError(f"layer {name!r} attends in some runs only; the model's path must not vary")
