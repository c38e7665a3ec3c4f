"""One forward pass under observation: as planned, recorded, and matched with what was traced."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import psutil
import torch
from torch import Tensor

from vitscope.attention.kernels.choice import installed, settle
from vitscope.attention.recorder import Recorder
from vitscope.attention.tap import Tap
from vitscope.errors import CaptureError
from vitscope.measures.needs import EVERYTHING, Needs
from vitscope.measures.plan import Facts, LayerFacts, Plan, plan
from vitscope.measures.reduction import Reduction
from vitscope.measures.seen import Seen
from vitscope.models.loaded import LoadedModel
from vitscope.trace import Traced


def plan_pass(traced: Traced, images: int, like: Tensor, measures: Iterable[Any] | None, limit_bytes: int) -> Plan:
    """The plan for a pass over so many images, in the precision and on the device of `like`.

    `measures` None: they are not known before. A measure that does not say what it needs gets everything.
    """
    layers = tuple(
        LayerFacts(call.name, call.heads, call.width, call.replaceable) for call in traced.calls if call.kind == "layer"
    )
    facts = Facts(images, traced.layout.tokens, layers, like.dtype, like.device.type)
    needs = None
    if measures is not None:
        needs = Needs()
        for measure in measures:
            needs |= getattr(measure, "needs", EVERYTHING)
    planned = plan(facts, needs, free_bytes=_free_bytes(like), limit_bytes=limit_bytes, installed=installed())
    settled = settle(planned.choice)
    return planned if settled is planned.choice else replace(planned, choice=settled, together=0)


def observe(
    loaded: LoadedModel, images: Tensor, traced: Traced, planned: Plan, *, every_row: bool, limit_bytes: int
) -> tuple[Seen, Any]:
    """What was seen of images (images, 3, height, width), and the model's output."""
    numbers = _layer_numbers(traced)
    reduction = Reduction(planned, traced.layout, numbers)
    recorder = Recorder(
        len(images),
        prefix=len(traced.layout.prefix),
        grid=traced.layout.grid,
        every_row=every_row,
        limit_bytes=limit_bytes,
        held_bytes=planned.facts.fused_bytes if planned.fusion else 0,
        reducer=reduction if planned.early else None,
    )
    with torch.no_grad(), Tap(loaded.model, recorder):
        output = loaded.forward(loaded.model, images)
    _require_as_traced(recorder, traced)
    layers = tuple(call for call, number in zip(recorder.calls, numbers, strict=True) if number is not None)
    pooling = next((call for call, number in zip(recorder.calls, numbers, strict=True) if number is None), None)
    seen = Seen(traced.layout, layers, traced.readout, pooling, planned.choice.name, reduction.computed)
    return seen, output


def _layer_numbers(traced: Traced) -> list[int | None]:
    """Each call's layer, in the order of the pass; None for a readout."""
    layers = [i for i, call in enumerate(traced.calls) if call.kind == "layer"]
    return [layers.index(i) if i in layers else None for i in range(len(traced.calls))]


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
