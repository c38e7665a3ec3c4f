"""What a model's attentions are and where their tokens stand, and what it reads its answer from."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from vitscope.arrangement import Arrangement
from vitscope.attention.axes import Axes
from vitscope.errors import CaptureError, LayoutError, NoAttentionError
from vitscope.layout import Layout, LayoutHints, ReadoutKind
from vitscope.trace.arrange import BETWEEN_PLACES, READS_OUT, Kind, Placed, askers
from vitscope.trace.branches import Link, find_branch
from vitscope.trace.general import place
from vitscope.trace.outputs import Answered, find_astray
from vitscope.trace.own import name_own
from vitscope.trace.plain import PlainCall, prove_plain
from vitscope.trace.readout import Call, all_patches_read, find_answer, gives_features, is_read, tokens_read
from vitscope.trace.run import Forward, Subject, noise
from vitscope.trace.sides import IMAGES, Print, SwitchOff

_NOTHING_SEEN = (
    "the forward pass ended without an attention that PyTorch shows. Usual causes: flash-attn or xFormers kernels "
    "called directly (switch them off), TorchScript (load the plain model), linear attention or no attention at all "
    "(there is nothing to see)"
)
_READ_ELSEWHERE = (
    "the answer is read from some patches and not from others: tokens were moved after it, or the model reads no more "
    "of them, so that no row is known to be the answer's; vitscope shows no map that it cannot place. If the model is "
    "meant so, pass a forward that gives all tokens' features, and name the query"
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
    tokens: tuple[int, int] = (0, 0)  # queries and keys of a window
    reads_out: bool = False  # whether the answer is read through it, after the last layer
    is_only: bool = False  # it reads from the places, and the model has no layer between them

    @property
    def is_layer(self) -> bool:
        """Whether it is between places of the picture, or reads from them in a model that has nothing else."""
        return self.is_only or self.kind in BETWEEN_PLACES

    @property
    def reading(self) -> tuple[Arrangement, Literal["pool", "class"]] | None:
        """Where its tokens stand and its kind, if the answer is read through it."""
        if not self.reads_out or self.arrangement is None:
            return None
        return self.arrangement, "class" if self.kind == "class" else "pool"

    @property
    def crossing(self) -> Arrangement | None:
        """Where its tokens stand, if it is a decoder's attention over the places."""
        return self.arrangement if self.kind == "cross" and not self.is_only else None


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
        _require_same_each_time(subject)
        calls = tuple(_traced(call, one) for call, one in name_own(subject, place(subject, hints), hints))
    else:
        calls = tuple(_plain_call(call, plain.layout, is_layer=between) for call, between in plain.calls)
    if not calls:
        raise NoAttentionError(_NOTHING_SEEN)
    calls = _named_by_all(calls)
    if subject.samples:
        calls = _without_decoder(calls)
    placed = [call.arrangement for call in calls if call.is_layer and call.arrangement is not None]
    if not placed:
        refusals = [call.refusal for call in calls if call.refusal is not None]
        raise LayoutError(
            refusals[0]
            if refusals
            else f"no attention is between places of the picture, or reads from them; found {_counted(calls)}"
        )
    traced = Traced(placed[0].finer, calls, "mean", plain is not None)
    _require_given(traced, hints)
    links = [Link(call.axes, call.is_layer, call.kind in (*READS_OUT, "cross")) for call in calls]
    traced = replace(traced, branching=find_branch(subject, links, plain))
    if not traced.plain:
        traced = replace(traced, calls=_without_astray(subject, calls))
    return _with_readout(subject, traced, hints, None if plain is None else plain.blank)


def _counted(calls: tuple[TracedCall, ...]) -> str:
    """ "3 between channels": how many attentions of which kinds."""
    words = {"channel": "between channels", "self": "between tokens without a place", "linear": "weights of no query"}
    kinds = [call.kind for call in calls]
    return ", ".join(f"{kinds.count(kind)} {words.get(kind, kind)}" for kind in dict.fromkeys(kinds))


def _require_same_each_time(subject: Subject) -> None:
    """Raise CaptureError if what is attended to is drawn at random in each forward pass."""
    runs: list[list[Print]] = [[], []]
    for seed, found in enumerate(runs):
        pictures = noise((IMAGES, 3, *subject.image_size), subject.like)
        subject.run(pictures, SwitchOff(lambda _, call, found=found: found.append(call)), seed)
    for one, other in zip(*runs, strict=False):
        sides = zip(one.sides, other.sides, strict=True)
        if not one.resembles(other) or any(a is not None and b is not None and a.differs(b).any() for a, b in sides):
            raise CaptureError(
                f"layer {one.name!r}: its tokens change from one forward pass to the next, with nothing else changed: "
                "the model drops or shuffles patches at random, so that no map could be placed. Switch that off (in a "
                "masked autoencoder, pass a forward that hands it its noise or order)"
            )


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
        call.name,
        placed.kind,
        heads,
        call.width,
        replaceable,
        placed.axes,
        placed.arrangement,
        placed.refusal,
        (call.query_count, call.keys.tokens),
    )


def _plain_call(call: PlainCall, layout: Layout, *, is_layer: bool) -> TracedCall:
    if is_layer:
        whole = Arrangement.whole(layout)
        return TracedCall(call.name, "global", call.heads, call.width, call.replaceable, Axes(), whole)
    keys = layout if call.keys.tokens == layout.tokens else replace(layout, prefix=())
    asking = askers(keys, call.queries.tokens, LayoutHints(prefix=()))
    arrangement = Arrangement(asking, keys, *(np.arange(side.tokens)[None] for side in (asking, keys)))
    kind: Kind = "class" if "cls" in asking.prefix else "pool"
    return TracedCall(call.name, kind, call.heads, call.width, False, Axes(), arrangement)


def _named_by_all(calls: tuple[TracedCall, ...]) -> tuple[TracedCall, ...]:
    """The calls whose kind takes the others to tell.

    Queries that stand nowhere and attend to one another before they read are a decoder's. The mean of the
    places that asks at the end pools, though the places may ask with it. Where layers have a class token
    of their own, a single query at the end is another's. A model without a layer between places is read
    through what there is.
    """
    among = [i for i, call in enumerate(calls) if call.kind == "self"]
    pools = [i for i, call in enumerate(calls) if call.kind == "pool"]
    if among and pools and among[0] < pools[-1]:
        calls = tuple(replace(call, kind="cross") if call.kind == "pool" else call for call in calls)
    if calls[-1].kind == "global" and (last := calls[-1].arrangement) and last.queries.prefix == ("pool",):
        calls = (*calls[:-1], replace(calls[-1], kind="pool", is_only=True))
    layers = [i for i, call in enumerate(calls) if call.is_layer and call.arrangement is not None]
    asking = [i for i, call in enumerate(calls) if call.kind == "class"]
    owned = any("cls" in arrangement.queries.prefix for i in layers if (arrangement := calls[i].arrangement))
    if layers and len(asking) == 1 and asking[0] > layers[-1] and owned:
        calls = tuple(replace(call, kind="pool") if call.kind == "class" else call for call in calls)
    if not layers:
        reading = (*READS_OUT, "cross")
        calls = tuple(
            replace(call, is_only=True) if call.kind in reading and call.arrangement is not None else call
            for call in calls
        )
    return calls


def _without_decoder(calls: tuple[TracedCall, ...]) -> tuple[TracedCall, ...]:
    """In a model with deformable attention, what comes after the last placed layer, of other tokens, is a decoder's."""
    placed = [i for i, call in enumerate(calls) if call.is_layer and call.arrangement is not None]
    if not placed:
        return calls
    counts = {calls[i].tokens for i in placed}
    return tuple(
        replace(call, kind="self") if i > placed[-1] and call.kind == "unplaced" and call.tokens not in counts else call
        for i, call in enumerate(calls)
    )


def _without_astray(subject: Subject, calls: tuple[TracedCall, ...]) -> tuple[TracedCall, ...]:
    """The calls, refused where what they give goes to other tokens than asked for it."""
    layers = {
        number: Answered(call.axes, call.arrangement)
        for number, call in enumerate(calls)
        if call.kind in BETWEEN_PLACES and call.arrangement is not None and call.refusal is None
    }
    astray = find_astray(subject, layers)
    return tuple(replace(call, refusal=astray.get(number, call.refusal)) for number, call in enumerate(calls))


def _with_readout(subject: Subject, traced: Traced, hints: LayoutHints, blank: Any) -> Traced:
    """Complete `traced` by what the answer follows; `blank` is the output for blank pictures, where it is known."""
    last = max(i for i, call in enumerate(traced.calls) if call.is_layer)
    calls = tuple(
        replace(call, reads_out=True) if i > last and call.kind in READS_OUT else call
        for i, call in enumerate(traced.calls)
    )
    if calls[last].is_only:
        return replace(traced, readout="cls" if calls[last].kind == "class" else "pool")
    output = subject.run(subject.blank(IMAGES), SwitchOff(lambda _, call: None)) if blank is None else blank
    answer = find_answer(output)
    reads = [i for i, call in enumerate(calls) if call.reads_out]
    reading = _placed(calls, reads[-1]) if reads else None
    if reading is not None and is_read(subject, reading, answer):
        return replace(traced, calls=calls, readout="cls" if calls[reading.number].kind == "class" else "pool")
    call = _placed(calls, last)
    if call is None or call.arrangement.overlapping:
        return traced
    prefix = call.arrangement.queries.prefix
    if not prefix and gives_features(output):  # a pooled output beside them may be the first patch (Janus)
        return traced
    read = tokens_read(subject, call, answer)
    if answer is not None and "patches" in read and not all_patches_read(subject, call, answer):
        name = traced.calls[last].name
        refused = replace(traced.calls[last], refusal=f"layer {name!r}: {_READ_ELSEWHERE}")
        traced = replace(traced, calls=(*traced.calls[:last], refused, *traced.calls[last + 1 :]))
    if not prefix:
        return traced
    if read and not (hints.prefix and prefix == hints.prefix) and "patches" not in read:  # read alone: class tokens
        traced, read = _renamed(traced, read), ["cls"]
    named = [name for name in (read or prefix) if name.startswith("cls")]
    return replace(traced, readout="cls" if named else "mean")


def _placed(calls: tuple[TracedCall, ...], number: int) -> Call | None:
    """The call of that number, if it is known where its tokens stand."""
    arrangement = calls[number].arrangement
    return None if arrangement is None else Call(number, calls[number].axes, arrangement)


def _renamed(traced: Traced, read: list[str]) -> Traced:
    """The same with the prefix tokens that are read called class tokens."""
    names = {name: "cls" if len(read) == 1 else f"cls{i + 1}" for i, name in enumerate(read)}

    def renamed(layout: Layout) -> Layout:
        return replace(layout, prefix=tuple(names.get(name, name) for name in layout.prefix))

    def call_renamed(call: TracedCall) -> TracedCall:
        if call.arrangement is None or not call.is_layer:
            return call
        sides = {"queries": renamed(call.arrangement.queries), "keys": renamed(call.arrangement.keys)}
        return replace(call, arrangement=replace(call.arrangement, **sides))

    return replace(traced, layout=renamed(traced.layout), calls=tuple(call_renamed(call) for call in traced.calls))
