"""One forward pass under observation: as planned, recorded, and matched with what was traced."""

import sys
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any, NamedTuple

import psutil
import torch
from torch import Tensor

from vitscope.arrangement import Arrangement
from vitscope.attention.kernels.choice import installed, settle
from vitscope.attention.recorder import Expected, Recorder
from vitscope.attention.representations import BlockOutputs
from vitscope.attention.tap import Tap
from vitscope.errors import CaptureError
from vitscope.measures.needs import EVERYTHING, Needs
from vitscope.measures.plan import Facts, LayerFacts, Plan, plan
from vitscope.measures.reduction import Reduction
from vitscope.measures.seen import Crossing, Reading, Seen
from vitscope.models.loaded import LoadedModel
from vitscope.trace import Traced, TracedCall

# Devices that compute behind what asks them: waiting for each layer's verification would leave them idle.
_ASYNCHRONOUS = ("cuda",)


def plan_pass(
    traced: Traced,
    images: int,
    like: Tensor,
    measures: Iterable[Any] | None,
    limit_bytes: int,
    image_bytes: int | None = None,
) -> Plan:
    """The plan for a pass over so many images, in the precision and on the device of `like`.

    `measures` None: they are not known before. A measure that does not say what it needs gets everything.
    `image_bytes`: what the fused heads of one image may take to be stored, whatever the number of images and
    the free memory; stored in 16 bits they differ a little from streamed ones.
    """
    layers = tuple(_facts_of(call) for call in traced.calls if call.is_layer)
    facts = Facts(images, layers, like.dtype, like.device.type)
    needs = None
    if measures is not None:
        needs = Needs()
        for measure in measures:
            needs |= getattr(measure, "needs", EVERYTHING)
    free_bytes = _free_bytes(like)
    if image_bytes is not None:
        free_bytes, limit_bytes = sys.maxsize, image_bytes * images
    planned = plan(facts, needs, free_bytes=free_bytes, limit_bytes=limit_bytes, installed=installed())
    settled = settle(planned.choice)
    return planned if settled is planned.choice else replace(planned, choice=settled, together=0)


def observe(
    loaded: LoadedModel,
    images: Tensor,
    traced: Traced,
    planned: Plan,
    *,
    every_row: bool,
    limit_bytes: int,
    doubted: set[tuple[int, int]] | None = None,
) -> tuple[Seen, Any]:
    """What was seen of images (images, 3, height, width), and the model's output.

    On a device that computes behind what asks it, what verifies the layers is read at the end. Where anything was
    wrong, the model runs once more, carefully: to name what was, or to compute that layer by its own function.
    Sizes at which that had to be are added to `doubted`, and are looked at carefully from the start.
    """
    doubted = set() if doubted is None else doubted
    size = (images.shape[-2], images.shape[-1])
    passing = partial(_pass, loaded, images, traced, planned, every_row=every_row, limit_bytes=limit_bytes)
    hasty = images.device.type in _ASYNCHRONOUS and not every_row and size not in doubted
    passed = passing(careful=not hasty)
    if not passed.recorder.settle():
        del passed  # and what it keeps
        passed = passing(careful=True)
        doubted.add(size)
    recorder, reduction, blocks, output = passed
    _require_as_traced(recorder, traced)
    both = list(zip(recorder.calls, traced.calls, strict=True))
    seen = Seen(
        traced.layout,
        tuple(replace(call, refusal=known.refusal or call.refusal) for call, known in both if known.is_layer),
        traced.readout,
        tuple(Reading(call, *known.reading) for call, known in both if known.reading is not None),
        planned.choice.name,
        reduction.computed,
        tuple(known.arrangement for _, known in both if known.is_layer),
        traced.branching,
        tuple(
            Crossing(call, known.crossing) for call, known in both if known.crossing is not None and not planned.early
        ),
        () if blocks is None else blocks.representations(),
    )
    return seen, output


class _Passed(NamedTuple):
    """What watched one forward pass, and the model's output."""

    recorder: Recorder
    reduction: Reduction
    blocks: BlockOutputs | None
    output: Any


def _pass(
    loaded: LoadedModel,
    images: Tensor,
    traced: Traced,
    planned: Plan,
    *,
    careful: bool,
    every_row: bool,
    limit_bytes: int,
) -> _Passed:
    reduction = Reduction(planned, _layers_of(traced))
    recorder = Recorder(
        len(images),
        [_expected(call, crossings=not planned.early) for call in traced.calls],
        every_row=every_row,
        careful=careful,
        limit_bytes=limit_bytes,
        held_bytes=replace(planned.facts, images=len(images)).fused_bytes if planned.fusion else 0,
        reducer=reduction if planned.early else None,
    )
    names = [call.name for call in traced.calls if call.is_layer]
    blocks = BlockOutputs(loaded.model, names, len(images)) if planned.representations else None
    with torch.no_grad(), Tap(loaded.model, recorder), blocks or nullcontext():
        output = loaded.forward(loaded.model, images)
    return _Passed(recorder, reduction, blocks, output)


def _facts_of(call: TracedCall) -> LayerFacts:
    arrangement = call.arrangement
    if arrangement is None:  # it will be refused
        return LayerFacts(call.name, call.heads, call.width, 0, 0, replaceable=False, plain=False)
    queries, keys = arrangement.query_tokens.shape[1], arrangement.key_tokens.shape[1]
    replaceable = call.replaceable and arrangement.plain
    windows, plain = arrangement.windows, arrangement.plain
    return LayerFacts(call.name, call.heads, call.width, queries, keys, windows, replaceable, plain)


def _expected(call: TracedCall, *, crossings: bool) -> Expected:
    kept = call.arrangement is not None and (call.is_layer or call.reads_out)
    kept |= crossings and call.crossing is not None
    if call.arrangement is None:
        return Expected(call.axes, kept=kept)
    queries = call.arrangement.queries
    return Expected(call.axes, len(queries.prefix), queries.grid if call.arrangement.plain else (0, 0), kept)


def _layers_of(traced: Traced) -> list[tuple[int, Arrangement] | None]:
    """Of each call in the order of the pass, its layer and where its tokens stand; None where nothing is computed."""
    numbers = count()
    indices = [next(numbers) if call.is_layer else None for call in traced.calls]
    return [
        None if index is None or call.arrangement is None else (index, call.arrangement)
        for index, call in zip(indices, traced.calls, strict=True)
    ]


def _require_as_traced(recorder: Recorder, traced: Traced) -> None:
    """Raise CaptureError unless the recorded calls are, one by one, those that were traced."""
    found, expected = [call.name for call in recorder.calls], [call.name for call in traced.calls]
    if found != expected:
        raise CaptureError(
            f"the model attended otherwise than when its layout was traced: found {len(found)} attention calls "
            f"({', '.join(found[:3])} …), expected {len(expected)} ({', '.join(expected[:3])} …); its path must not "
            "depend on the picture"
        )


def _free_bytes(like: Tensor) -> int:
    if like.device.type == "cuda":
        return torch.cuda.mem_get_info(like.device)[0]
    return psutil.virtual_memory().available
