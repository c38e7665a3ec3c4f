"""The plain layout proven, for the cost of few runs: prefix tokens, then all patches in row-major order.

With every attention answered by zeros, nothing mixes between tokens any more, so that each query
and key depends on its own pixels alone. Each cell of the patch grid is given a binary code; run b
perturbs the cells whose code has bit b. The runs in which a token changes spell out its cell, in
every layer and whatever happened to the tokens on the way. Prefix tokens never change.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vitscope.attention.event import AttentionEvent, Observer
from vitscope.errors import LayoutError
from vitscope.layout import Layout, LayoutHints, fit_layout
from vitscope.trace.fingerprint import Fingerprint, fingerprint
from vitscope.trace.run import Subject, noise
from vitscope.trace.sides import IMAGES, require_finite


@dataclass(frozen=True, eq=False)
class PlainCall:
    """One call in one run: a fingerprint of each query and key of each image, to tell from run to run which change."""

    name: str
    heads: int
    width: int
    replaceable: bool
    queries: Fingerprint
    keys: Fingerprint

    def resembles(self, other: "PlainCall") -> bool:
        """Whether it can be the same call of another run."""
        sizes, others = ((p.name, p.queries.tokens, p.keys.tokens) for p in (self, other))
        return sizes == others


@dataclass(frozen=True, eq=False)
class _Codes:
    """The cell code of each query and key of a call, 0 where none changes it."""

    queries: np.ndarray  # (queries,) int
    keys: np.ndarray  # (keys,) int


class _UnlikeError(Exception):
    """The model is not plain."""


class _SwitchOff(Observer):
    """Answers every attention with zeros, and hands on its number and fingerprint."""

    def __init__(self, note: Callable[[int, PlainCall], None]) -> None:
        self._note = note
        self._seen = 0

    def before(self, event: AttentionEvent) -> Tensor:
        self._note(self._seen, _print_of(event))
        self._seen += 1
        return event.zero_output()


def _print_of(event: AttentionEvent) -> PlainCall:
    try:
        if event.queries is not None and event.keys is not None:
            queries, keys = (fingerprint(event.by_image(t, IMAGES)) for t in (event.queries, event.keys))
        else:
            keys = fingerprint(event.by_image(event.values, IMAGES))
            queries = keys if event.query_count == event.key_count else keys.constant(event.query_count)
    except LayoutError as error:
        raise _UnlikeError from error
    require_finite(event.name, queries, keys)
    width = 0 if event.keys is None else event.keys.shape[-1]
    heads = math.prod(event.leading) // IMAGES
    return PlainCall(event.name, heads, width, event.own_rows is not None, queries, keys)


def prove_plain(subject: Subject, hints: LayoutHints) -> tuple[Layout, list[tuple[PlainCall, bool]]] | None:
    """The layout, and of each call whether it is between places or else reads out; None if the model is not plain.

    Raises LayoutError where the model attends in some runs only.
    """
    blank: list[PlainCall] = []
    try:
        subject.run(subject.blank(IMAGES), _SwitchOff(lambda _, call: blank.append(call)))
        if not blank:
            return None
        layout = fit_layout(blank[0].queries.tokens, subject.image_size, hints)
        codes = _read_codes(subject, layout, blank)
        return layout, [(call, _between(found, layout)) for call, found in zip(blank, codes, strict=True)]
    except (_UnlikeError, LayoutError):
        return None


def _read_codes(subject: Subject, layout: Layout, blank: list[PlainCall]) -> list[_Codes]:
    """The cell code of every token of every call; codes count cells from 1 in row-major order.

    `blank` is what the calls were without any perturbation. All runs have the same shape, so that a
    token which does not change is computed the same way to the last bit.
    """
    cells = np.arange(1, layout.patches + 1).reshape(layout.grid)
    pixels = noise((3, *subject.image_size), subject.like)
    found = [_Codes(*(np.zeros(p.tokens, int) for p in (call.queries, call.keys))) for call in blank]
    for first in range(0, int(layout.patches).bit_length(), IMAGES):
        images = subject.blank(IMAGES)
        for image in range(IMAGES):
            images[image] = pixels * _enlarge(cells >> (first + image) & 1, layout, subject)
        weights = 1 << np.arange(first, first + IMAGES)

        def note(index: int, call: PlainCall, weights: np.ndarray = weights) -> None:
            if index == len(found) or not call.resembles(blank[index]):
                raise _UnlikeError
            found[index].queries[:] += weights @ call.queries.differs(blank[index].queries)
            found[index].keys[:] += weights @ call.keys.differs(blank[index].keys)

        subject.run(images, _SwitchOff(note))
    return found


def _between(call: _Codes, layout: Layout) -> bool:
    """Whether a call is between places, or else reads an answer out; _UnlikeError where it is neither."""
    prefix = len(layout.prefix)
    expected = np.concatenate([np.zeros(prefix, int), np.arange(1, layout.patches + 1)])
    keys_stand = np.array_equal(call.keys, expected)
    if keys_stand and np.array_equal(call.queries, expected):
        return True
    if (keys_stand or np.array_equal(call.keys, expected[prefix:])) and not call.queries.any():
        return False
    raise _UnlikeError


def _enlarge(bits: np.ndarray, layout: Layout, subject: Subject) -> Tensor:
    """(rows, columns) of 0 and 1 → (height, width), zero where the grid does not reach."""
    mask = torch.zeros(subject.image_size, dtype=subject.like.dtype, device=subject.like.device)
    height, width = (int(side) for side in layout.patch_size)
    pixels = torch.from_numpy(np.kron(bits, np.ones((height, width), int)))
    mask[: pixels.shape[0], : pixels.shape[1]] = pixels.to(mask)
    return mask
