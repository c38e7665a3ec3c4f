"""What a model's attentions are and where their tokens stand, and what it reads its answer from."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from vitscope.arrangement import Arrangement
from vitscope.attention.axes import Axes
from vitscope.errors import LayoutError, NoAttentionError
from vitscope.layout import Layout, LayoutHints, ReadoutKind
from vitscope.trace.arrange import BETWEEN_PLACES, READS_OUT, Kind, Placed, askers
from vitscope.trace.general import place
from vitscope.trace.plain import PlainCall, prove_plain
from vitscope.trace.readout import find_answer, tokens_read
from vitscope.trace.run import Forward, Subject
from vitscope.trace.sides import IMAGES, Print, SwitchOff

_NOTHING_SEEN = (
    "the forward pass ended without an attention that PyTorch shows. Usual causes: flash-attn or xFormers kernels "
    "called directly (switch them off), TorchScript (load the plain model), linear attention or no attention at all "
    "(there is nothing to see)"
)


@dataclass(frozen=True, eq=False)
class TracedCall:
    """One attention of the model, in the order of the forward pass."""

    name: str
    kind: Kind
    heads: int
    width: int  # features of a head's queries and keys, 0 where only weights are seen
    replaceable: bool  # whether its output can be computed in the place of the model's own function
    axes: Axes
    arrangement: Arrangement | None  # None where it is not over places of the picture, or could not be placed
    refusal: str | None = None  # why it could not be placed
    reads_out: bool = False  # whether the answer is read through it, after the last layer

    @property
    def is_layer(self) -> bool:
        """Whether it is between places of the picture."""
        return self.kind in BETWEEN_PLACES

    @property
    def reading(self) -> tuple[Arrangement, Literal["pool", "class"]] | None:
        """Where its tokens stand and its kind, if the answer is read through it."""
        if not self.reads_out or self.arrangement is None:
            return None
        return self.arrangement, "class" if self.kind == "class" else "pool"


@dataclass(frozen=True, eq=False)
class Traced:
    """What the trace proved for one model and one input size."""

    layout: Layout  # of the first layer's finer side: the picture's own lattice
    calls: tuple[TracedCall, ...]
    readout: ReadoutKind
    plain: bool  # whether the plain layout was proven, and nothing else had to be looked for
    branching: str | None = None  # why the layers do not follow one another, if they don't


def trace(model: nn.Module, forward: Forward, image_size: tuple[int, int], hints: LayoutHints, like: Tensor) -> Traced:
    """Find and prove the layout of `model` for inputs of `image_size` (height, width) pixels.

    `like` gives the input's dtype and device. Raises NoAttentionError where nothing is seen, and
    LayoutError where no layer's tokens can be placed, naming the first.
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise NoAttentionError(_NOTHING_SEEN)  # it may also refuse other numbers of images than it was traced with
    subject = Subject(model, forward, image_size, like)
    plain = prove_plain(subject, hints)
    if plain is None:
        calls = tuple(_traced(call, one) for call, one in place(subject, hints))
    else:
        layout, found = plain
        calls = tuple(_plain_call(call, layout, is_layer=between) for call, between in found)
    if not calls:
        raise NoAttentionError(_NOTHING_SEEN)
    calls = _with_decoder(calls)
    placed = [call.arrangement for call in calls if call.is_layer and call.arrangement is not None]
    if not placed:
        refusals = [call.refusal for call in calls if call.refusal is not None]
        raise LayoutError(
            refusals[0]
            if refusals
            else "every attention found reads an answer out; none is between places of the picture"
        )
    traced = Traced(placed[0].finer, calls, "mean", plain is not None)
    _require_given(traced, hints)
    return _with_readout(subject, traced, hints)


def _require_given(traced: Traced, hints: LayoutHints) -> None:
    """Raise LayoutError where a layout that was given is not what was found."""
    found = traced.layout
    if hints.guessed:
        return
    if hints.patch_size not in (None, found.patch_size):
        height, width = hints.patch_size or (0, 0)
        raise LayoutError(f"the layout given has patches of {height} × {width} px; found {found.describe()}")
    if hints.prefix is not None and hints.prefix != found.prefix:
        given = ", ".join(hints.prefix) or "none"
        raise LayoutError(f"the layout given has {len(hints.prefix)} prefix tokens ({given}); found {found.describe()}")


def _traced(call: Print, placed: Placed) -> TracedCall:
    heads = call.entries // IMAGES // placed.axes.windows
    plain = placed.arrangement is not None and placed.arrangement.plain
    replaceable = call.replaceable and plain and placed.axes == Axes()
    return TracedCall(
        call.name, placed.kind, heads, call.width, replaceable, placed.axes, placed.arrangement, placed.refusal
    )


def _plain_call(call: PlainCall, layout: Layout, *, is_layer: bool) -> TracedCall:
    if is_layer:
        whole = Arrangement.whole(layout)
        return TracedCall(call.name, "global", call.heads, call.width, call.replaceable, Axes(), whole)
    keys = layout if call.keys.tokens == layout.tokens else replace(layout, prefix=())
    asking = askers(keys, call.queries.tokens)
    arrangement = Arrangement(asking, keys, *(np.arange(side.tokens)[None] for side in (asking, keys)))
    kind: Kind = "class" if "cls" in asking.prefix else "pool"
    return TracedCall(call.name, kind, call.heads, call.width, False, Axes(), arrangement)


def _with_decoder(calls: tuple[TracedCall, ...]) -> tuple[TracedCall, ...]:
    """Where queries that stand nowhere also attend to one another, they are a decoder's, and read nothing out."""
    if not any(call.kind == "self" for call in calls):
        return calls
    return tuple(replace(call, kind="cross") if call.kind == "pool" else call for call in calls)


def _with_readout(subject: Subject, traced: Traced, hints: LayoutHints) -> Traced:
    """Complete `traced` by what the answer follows."""
    last = max(i for i, call in enumerate(traced.calls) if call.is_layer)
    calls = tuple(
        replace(call, reads_out=True) if i > last and call.kind in READS_OUT else call
        for i, call in enumerate(traced.calls)
    )
    traced = replace(traced, calls=calls)
    if calls[-1].reads_out:
        return replace(traced, readout="cls" if calls[-1].kind == "class" else "pool")
    arrangement = traced.calls[last].arrangement
    if arrangement is None or not arrangement.queries.prefix:
        return traced
    answer = find_answer(subject.run(subject.blank(IMAGES), SwitchOff(lambda _, call: None)))
    read = tokens_read(subject, arrangement, last, answer)
    prefix = arrangement.queries.prefix
    if hints.prefix is None and read == ["prefix1"]:  # read alone: it is the class token
        traced, read = _renamed(traced), ["cls"]
    return replace(traced, readout="cls" if "cls" in (read or prefix) else "mean")


def _renamed(traced: Traced) -> Traced:
    """The same with the first prefix token called the class token."""

    def renamed(layout: Layout) -> Layout:
        return replace(layout, prefix=("cls", *layout.prefix[1:])) if layout.prefix else layout

    def call_renamed(call: TracedCall) -> TracedCall:
        if call.arrangement is None or not call.is_layer:
            return call
        sides = {"queries": renamed(call.arrangement.queries), "keys": renamed(call.arrangement.keys)}
        return replace(call, arrangement=replace(call.arrangement, **sides))

    return replace(traced, layout=renamed(traced.layout), calls=tuple(call_renamed(call) for call in traced.calls))
