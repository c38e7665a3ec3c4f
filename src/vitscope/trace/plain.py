"""The plain layout proven, for the cost of few runs: prefix tokens, then all patches in row-major order.

With no attention answered by its own output, nothing mixes between tokens any more, so that each query
and key depends on its own pixels alone. Each cell of the patch grid is given a binary code; run b
perturbs the cells whose code has bit b, and the same rows of every attention's output, which is
else zeros. The runs in which a token changes spell out its cell, in every layer and whatever
happened to tokens or outputs on the way. Prefix tokens have codes as rows alone.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from vitscope.attention.event import AttentionEvent, Observer
from vitscope.errors import LayoutError
from vitscope.layout import Layout, LayoutHints, fit_layout
from vitscope.trace.fingerprint import Fingerprint, fingerprint
from vitscope.trace.run import Subject, given, noise
from vitscope.trace.sides import IMAGES, require_finite

_LOUD = 10.0  # deviation of the noise on outputs: scaled layers let little of it through


@dataclass(frozen=True, eq=False)
class PlainCall:
    """One call in one run: a fingerprint of each query and key of each image, to tell from run to run which change."""

    name: str
    heads: int
    width: int
    replaceable: bool
    queries: Fingerprint
    keys: Fingerprint

    @property
    def sides(self) -> tuple[Fingerprint, Fingerprint]:
        return self.queries, self.keys

    def resembles(self, other: "PlainCall") -> bool:
        """Whether it can be the same call of another run."""
        sizes, others = ((p.name, p.queries.tokens, p.keys.tokens) for p in (self, other))
        return sizes == others


@dataclass(frozen=True, eq=False)
class PlainModel:
    """What was proven of a model whose layout is plain."""

    layout: Layout
    calls: list[tuple[PlainCall, bool]]  # each, and whether it is between places or else reads out
    blank: Any  # its output for blank pictures, with attention off


@dataclass(frozen=True, eq=False)
class _Codes:
    """The cell code of each query and key of a call, 0 where none changes it."""

    queries: np.ndarray  # (queries,) int
    keys: np.ndarray  # (keys,) int


class _UnlikeError(Exception):
    """The model is not plain."""


class _Answer(Observer):
    """Answers every attention with zeros but on some rows, and hands on its number and fingerprint."""

    def __init__(self, note: Callable[[int, PlainCall], None], rows: Bool[np.ndarray, "images tokens"]) -> None:
        """`rows`: of attention between all tokens, which are answered by noise."""
        self._note = note
        self._rows = rows
        self._seen = 0

    def before(self, event: AttentionEvent) -> Tensor:
        self._note(self._seen, plain_call(event))
        self._seen += 1
        asks = event.query_count == self._rows.shape[1]
        return given(event, self._rows, IMAGES, _LOUD) if asks else event.zero_output()


def plain_call(event: AttentionEvent) -> PlainCall:
    """The call that an event is, of a model that mixes tokens by attention alone."""
    try:
        keys = fingerprint(event.by_image(event.values, IMAGES))
        if event.queries is not None and event.keys is not None:
            queries, own = (fingerprint(event.by_image(t, IMAGES)) for t in (event.queries, event.keys))
            keys = keys.beside(own)
        else:
            queries = keys if event.query_count == event.key_count else keys.constant(event.query_count)
    except LayoutError as error:
        raise _UnlikeError from error
    require_finite(event.name, queries, keys)
    width = 0 if event.keys is None else event.keys.shape[-1]
    heads = math.prod(event.leading) // IMAGES
    return PlainCall(event.name, heads, width, event.own_rows is not None, queries, keys)


def prove_plain(subject: Subject, hints: LayoutHints) -> PlainModel | None:
    """What is proven of the model; None if it is not plain."""
    blank: list[PlainCall] = []
    try:
        nothing = np.zeros((IMAGES, 0), bool)
        output = subject.run(subject.blank(IMAGES), _Answer(lambda _, call: blank.append(call), nothing))
        if not blank:
            return None
        layout = fit_layout(blank[0].queries.tokens, subject.image_size, hints)
        codes = _read_codes(subject, layout, blank)
        calls = [(call, _between(found, layout)) for call, found in zip(blank, codes, strict=True)]
        return PlainModel(layout, calls, output)
    except (_UnlikeError, LayoutError):
        return None


def _read_codes(subject: Subject, layout: Layout, blank: list[PlainCall]) -> list[_Codes]:
    """The code of every token of every call: cells count from 1 in row-major order, prefix tokens from there.

    `blank` is what the calls were without any perturbation. All runs have the same shape, so that a
    token which does not change is computed the same way to the last bit.
    """
    cells = np.arange(1, layout.patches + 1).reshape(layout.grid)
    tokens = np.concatenate([_prefix_codes(layout), cells.ravel()])
    pixels = noise((3, *subject.image_size), subject.like)
    found = [_Codes(*(np.zeros(p.tokens, int) for p in (call.queries, call.keys))) for call in blank]
    for first in range(0, layout.tokens.bit_length(), IMAGES):
        images = subject.blank(IMAGES)
        rows = np.stack([tokens >> (first + image) & 1 == 1 for image in range(IMAGES)])
        for image in range(IMAGES):
            images[image] = pixels * _enlarge(cells >> (first + image) & 1, layout, subject)
        weights = 1 << np.arange(first, first + IMAGES)

        def note(index: int, call: PlainCall, weights: np.ndarray = weights) -> None:
            if index == len(found) or not call.resembles(blank[index]):
                raise _UnlikeError
            found[index].queries[:] += weights @ call.queries.differs(blank[index].queries)
            found[index].keys[:] += weights @ call.keys.differs(blank[index].keys)

        subject.run(images, _Answer(note, rows), seed=1 + first)  # what is drawn at random then spells no cells
    return found


def _between(call: _Codes, layout: Layout) -> bool:
    """Whether a call is between places, or else reads an answer out; _UnlikeError where it is neither."""
    keys_stand = _stand(call.keys, layout)
    if keys_stand and _stand(call.queries, layout):
        return True
    if (keys_stand or _stand(call.keys, replace(layout, prefix=()))) and not call.queries.any():
        return False
    raise _UnlikeError


def _prefix_codes(layout: Layout) -> np.ndarray:
    return np.arange(layout.patches + 1, layout.tokens + 1)


def _stand(codes: np.ndarray, layout: Layout) -> bool:
    """Whether tokens answer to their own cells and rows alone; prefix tokens to nothing, or to their own rows."""
    prefix = len(layout.prefix)
    if len(codes) != layout.tokens or not np.array_equal(codes[prefix:], np.arange(1, layout.patches + 1)):
        return False
    return all(code in (0, own) for code, own in zip(codes, _prefix_codes(layout), strict=False))


def _enlarge(bits: np.ndarray, layout: Layout, subject: Subject) -> Tensor:
    """(rows, columns) of 0 and 1 → (height, width), zero where the grid does not reach."""
    mask = torch.zeros(subject.image_size, dtype=subject.like.dtype, device=subject.like.device)
    height, width = (int(side) for side in layout.patch_size)
    pixels = torch.from_numpy(np.kron(bits, np.ones((height, width), int)))
    mask[: pixels.shape[0], : pixels.shape[1]] = pixels.to(mask)
    return mask
