"""The layout proven by experiment: attention is switched off, and the image perturbed cell by cell.

With every attention answered by zeros, nothing mixes between tokens any more, so that each query
and key depends on its own pixels alone. Each cell of the patch grid is given a binary code; run b
perturbs the cells whose code has bit b. The runs in which a token changes spell out its cell, in
every layer and whatever happened to the tokens on the way. Prefix tokens never change.

Where a layer shows its weights only, the place of its values stands for queries and keys both.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from vitscope.attention.event import AttentionEvent, Observer
from vitscope.errors import LayoutError, NoAttentionError, NotFiniteError
from vitscope.layout import Layout, LayoutHints, ReadoutKind, fit_layout
from vitscope.trace.fingerprint import Fingerprint, fingerprint
from vitscope.trace.readout import find_answer, tokens_read
from vitscope.trace.run import Forward, Subject, noise

_IMAGES = 2  # in every run: enough to prove that images are the outermost axis, few enough for large grids
_NOTHING_SEEN = (
    "the forward pass ended without an attention that PyTorch shows. Usual causes: flash-attn or xFormers kernels "
    "called directly (switch them off), TorchScript (load the plain model), linear attention or no attention at all "
    "(there is nothing to see)"
)


@dataclass(frozen=True)
class TracedCall:
    """One attention of the model, in the order of the forward pass."""

    name: str
    kind: Literal["layer", "readout"]
    heads: int
    width: int  # features of a head's queries and keys, 0 where only weights are seen
    replaceable: bool  # whether its output can be computed in the place of the model's own function


@dataclass(frozen=True)
class Traced:
    """What the trace proved for one model and one input size."""

    layout: Layout
    calls: tuple[TracedCall, ...]
    readout: ReadoutKind


@dataclass(eq=False)
class _CallCodes:
    """What is known of one call: the cell code of each query and key, 0 where none changes it."""

    name: str
    queries: np.ndarray  # (queries,) int
    keys: np.ndarray  # (keys,) int


@dataclass(frozen=True, eq=False)
class _CallPrint:
    """One call in one run: a fingerprint of each query and key, to tell from run to run which ones change."""

    name: str
    heads: int
    width: int
    replaceable: bool
    queries: Fingerprint
    keys: Fingerprint

    def resembles(self, other: "_CallPrint") -> bool:
        """Whether it can be the same call of another run."""
        sizes, others = ((p.name, p.queries.tokens, p.keys.tokens) for p in (self, other))
        return sizes == others


class _SwitchOff(Observer):
    """Answers every attention with zeros, and hands on its number and fingerprint."""

    def __init__(self, note: Callable[[int, _CallPrint], None]) -> None:
        self._note = note
        self._seen = 0

    def before(self, event: AttentionEvent) -> Tensor:
        self._note(self._seen, _print_of(event))
        self._seen += 1
        return event.zeros(_IMAGES)


def _print_of(event: AttentionEvent) -> _CallPrint:
    if event.queries is not None and event.keys is not None:
        queries, keys = (fingerprint(event.by_image(t, _IMAGES)) for t in (event.queries, event.keys))
    else:
        keys = fingerprint(event.by_image(event.values, _IMAGES))
        queries = keys if event.query_count == event.key_count else keys.constant(event.query_count)
    if not (queries.finite and keys.finite):
        raise NotFiniteError(
            f"layer {event.name!r}: NaN or infinity in its queries or keys, on the trace's synthetic pictures. Check "
            "the weights; in float16, activations may overflow where bfloat16 or float32 do not"
        )
    heads = math.prod(event.leading) // _IMAGES
    width = 0 if event.keys is None else event.keys.shape[-1]
    return _CallPrint(event.name, heads, width, event.own_rows is not None, queries, keys)


def trace(model: nn.Module, forward: Forward, image_size: tuple[int, int], hints: LayoutHints, like: Tensor) -> Traced:
    """Find and prove the layout of `model` for inputs of `image_size` (height, width) pixels.

    `like` gives the input's dtype and device. Raises NoAttentionError where nothing is seen, and
    LayoutError where tokens do not stand on a plain grid, naming the layer and the token.
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise NoAttentionError(_NOTHING_SEEN)  # it may also refuse other numbers of images than it was traced with
    subject = Subject(model, forward, image_size, like)
    blank: list[_CallPrint] = []
    answer = find_answer(subject.run(subject.blank(_IMAGES), _SwitchOff(lambda _, call: blank.append(call))))
    if not blank:
        raise NoAttentionError(_NOTHING_SEEN)
    layout = fit_layout(blank[0].queries.tokens, image_size, hints)
    codes = _read_codes(subject, layout, blank)
    calls = tuple(
        TracedCall(call.name, _kind(call, layout), seen.heads, seen.width, seen.replaceable)
        for call, seen in zip(codes, blank, strict=True)
    )
    if not any(call.kind == "layer" for call in calls):
        raise LayoutError("every attention found reads an answer out; none is between places of the picture")
    if any(call.kind == "readout" for call in calls):
        return Traced(layout, calls, "pool")
    return _with_readout(Traced(layout, calls, "mean"), tokens_read(subject, layout, len(calls), answer), hints)


def _with_readout(traced: Traced, read: list[str], hints: LayoutHints) -> Traced:
    """Complete `traced` by the tokens that the answer follows; none: all features, or a head of zeros."""
    layout = traced.layout
    if hints.prefix is None and read == ["prefix1"]:  # read alone: it is the class token
        layout = replace(layout, prefix=("cls", *layout.prefix[1:]))
    kind: ReadoutKind = "cls" if "cls" in (read or layout.prefix) or layout != traced.layout else "mean"
    return replace(traced, layout=layout, readout=kind)


def _read_codes(subject: Subject, layout: Layout, blank: list[_CallPrint]) -> list[_CallCodes]:
    """The cell code of every token of every call; codes count cells from 1 in row-major order.

    `blank` is what the calls were without any perturbation. All runs have the same shape, so that a
    token which does not change is computed the same way to the last bit.
    """
    cells = np.arange(1, layout.patches + 1).reshape(layout.grid)
    pixels = noise((3, *subject.image_size), subject.like)
    found = [_CallCodes(call.name, *(np.zeros(p.tokens, int) for p in (call.queries, call.keys))) for call in blank]
    for first in range(0, int(layout.patches).bit_length(), _IMAGES):
        images = subject.blank(_IMAGES)
        for image in range(_IMAGES):
            images[image] = pixels * _enlarge(cells >> (first + image) & 1, layout.patch_size, subject)
        weights = 1 << np.arange(first, first + _IMAGES)

        def note(index: int, call: _CallPrint, weights: np.ndarray = weights) -> None:
            if index == len(found) or not call.resembles(blank[index]):
                raise LayoutError(f"layer {call.name!r} attends in some runs only; the model's path must not vary")
            found[index].queries += weights @ call.queries.differs(blank[index].queries)
            found[index].keys += weights @ call.keys.differs(blank[index].keys)

        subject.run(images, _SwitchOff(note))
    return found


def _kind(call: _CallCodes, layout: Layout) -> Literal["layer", "readout"]:
    """Whether a call is between places or reads an answer out; LayoutError where it is neither."""
    prefix = len(layout.prefix)
    expected = np.concatenate([np.zeros(prefix, int), np.arange(1, layout.patches + 1)])
    keys_stand = len(call.keys) == len(expected) and np.array_equal(call.keys, expected)
    if keys_stand and len(call.queries) == len(expected) and np.array_equal(call.queries, expected):
        return "layer"
    if (keys_stand or np.array_equal(call.keys, expected[prefix:])) and not call.queries.any():
        return "readout"
    raise LayoutError(_explain(call, expected, layout))


def _explain(call: _CallCodes, expected: np.ndarray, layout: Layout) -> str:
    where = f"layer {call.name!r}"
    if not len(call.queries) == len(call.keys) == len(expected):
        return (
            f"{where} attends from {len(call.queries)} queries to {len(call.keys)} keys; expected "
            f"{layout.tokens} of each ({layout.describe()}). Models that attend in windows, pool, merge or drop "
            "tokens are not supported yet; a plain ViT (ViT, DeiT, DINO, DINOv2, DINOv3, BEiT, CLIP, SigLIP, "
            "EVA-02) is"
        )
    side, codes = ("query", call.queries) if not np.array_equal(call.queries, expected) else ("key", call.keys)
    token = int(np.flatnonzero(codes != expected)[0])
    return (
        f"{where}: {side} token {token} should stand for {_cell(int(expected[token]), layout)} but the picture "
        f"shows that it answers to {_cell(int(codes[token]), layout)} ({layout.describe()}). The tokens are "
        "permuted, overlap or mix outside attention; vitscope shows no map that it cannot place"
    )


def _cell(code: int, layout: Layout) -> str:
    if code == 0:
        return "no patch (a prefix token)"
    if code > layout.patches:
        return "several patches"
    row, column = divmod(code - 1, layout.grid[1])
    return f"patch (row {row}, column {column})"


def _enlarge(bits: np.ndarray, patch: tuple[int, int], subject: Subject) -> Tensor:
    """(rows, columns) of 0 and 1 → (height, width), zero where the grid does not reach."""
    mask = torch.zeros(subject.image_size, dtype=subject.like.dtype, device=subject.like.device)
    pixels = torch.from_numpy(np.kron(bits, np.ones(patch, int)))
    mask[: pixels.shape[0], : pixels.shape[1]] = pixels.to(mask)
    return mask
