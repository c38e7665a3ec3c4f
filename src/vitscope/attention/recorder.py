"""Keeps what a forward pass attended with, verified: queries and keys, never layers × heads × N × N."""

import math
import random
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from vitscope.attention.axes import Axes
from vitscope.attention.bias import Bias, compress, without_repeats
from vitscope.attention.call import AttentionCall
from vitscope.attention.event import AttentionEvent, Observer
from vitscope.attention.finite import is_finite, total
from vitscope.attention.verify import Comparison, Verification, compare, compare_outputs, indices, recomputed
from vitscope.errors import CaptureError, LimitError, NotFiniteError

_PREFIX_ROWS = 2
_PATCH_ROWS = 6
_DRAWN_AT_ONCE = 12  # rows for so many layers: a list that goes to a device takes as long however short it is
_IMAGES = 2  # of each layer, as going through all values of a large batch would cost more than the measures


class Reducer:
    """What a Recorder asks of each attention while its operands are at hand. The base class keeps them all."""

    attends = False  # whether `attend` is to be asked

    def wants(self, number: int) -> bool:
        """Whether anything is computed or kept of this attention: what is of no use needs no proof."""
        return True

    def attend(self, number: int, call: AttentionCall, values: Tensor) -> Tensor | None:
        """The attention's output (images, heads, queries, features), to be used instead of the model's own, or None."""
        return None

    def take(self, number: int, call: AttentionCall, *, attended: bool) -> bool:
        """Compute what is wanted of a call that was verified, or refused; whether its operands must be kept.

        `attended` says whether the output of `attend` was found right and is used.
        """
        return True


@dataclass(frozen=True)
class Expected:
    """What is known of one attention before it happens."""

    axes: Axes = field(default_factory=Axes)
    prefix: int = 0  # tokens before the patches
    grid: tuple[int, int] = (0, 0)  # of the patches, if every token attends to every token
    kept: bool = True  # whether anything is computed of it afterwards


class Recorder(Observer):
    """Collects one AttentionCall for each attention of a forward pass over `images` images.

    In every layer that is of use some rows of all heads are verified, of the prefix tokens' rows some among them, on
    up to two images side by side, drawn anew for each layer, or on all where each has a mask or bias of its own.
    With `every_row` all rows of all images are. A `careful` one waits for what it finds of each attention before the
    next; otherwise the device runs on, and `settle` tells at the end whether anything was wrong, which a careful pass
    then names. Of other layers one row must be finite: NaN in keys or values shows in every row that sees them, and
    what shows in other rows alone is in the next layer's keys. On a grid, biases that repeat by offset are held as
    tables. Other biases and bare weights, which grow with N², are kept up to `limit_bytes` in all; `held_bytes` of
    these are taken already.
    """

    def __init__(
        self,
        images: int,
        expected: Sequence[Expected] = (),
        *,
        every_row: bool = False,
        careful: bool = True,
        limit_bytes: int = 2**30,
        held_bytes: int = 0,
        reducer: Reducer | None = None,
    ) -> None:
        self.calls: list[AttentionCall] = []
        self._careful = careful
        self._unread: dict[int, Comparison] = {}  # by call: what is to be settled
        self._unread_sums: list[Tensor] = []  # of outputs
        self._images = images
        self._expected = expected
        self._every_row = every_row
        self._limit_bytes = limit_bytes
        self._reducer = reducer or Reducer()
        self._square_bytes = held_bytes
        self._biases: list[Bias] = []
        self._hollow: dict[Any, AttentionCall] = {}  # by what tells their shapes
        self._random = random.Random(0)
        self._drawn: dict[Any, list[Tensor]] = {}  # rows for layers to come, by what they are drawn from

    def before(self, event: AttentionEvent) -> Tensor | None:
        """The reducer's output, if it offers one and it is what the model's own function gives for some rows."""
        if event.own_rows is None or not self._reducer.attends:
            return None
        event = self._placed(event)
        with torch.no_grad(), _without_autocast(event.values.device):
            call, values = self._call(event), event.by_image(event.values, self._images)
            output = self._reducer.attend(len(self.calls), call, values)
            if output is None or (self._careful and not is_finite(output)):
                return None
            rows = self._rows(event.query_count, call.device)
            asked = torch.arange(event.query_count, device=call.device)[rows] if isinstance(rows, slice) else rows
            images = self._verified_images(call)
            own = event.own_output(asked, images, self._images)
            ours = output[images.start : images.stop, :, rows].to(own.dtype)
            check = compare_outputs(call, event, ours, own)
            if self._careful and not check.verification.passed:
                check = compare(call, event, values, torch.stack([own, ours]), images, rows)
                if not check.verification.passed:
                    return None  # the model's own output is used, and recorded after it
            self._record(call, check, output, event, attended=True)
            return event.write_output(output.to(event.values.dtype), self._images)

    def after(self, event: AttentionEvent, output: Tensor) -> None:
        wanted = self._reducer.wants(len(self.calls))
        seen = output if wanted else event.one_row(output)
        if self._careful:
            _require_finite(event, seen)
        if wanted:
            self._take(self._placed(event), output)
            return
        if not self._careful:
            self._unread_sums.append(total(seen.detach()))
        self.calls.append(self._unused(event))

    def _take(self, event: AttentionEvent, output: Tensor) -> None:
        """Verify what the model itself computed, and record it."""
        with torch.no_grad(), _without_autocast(event.values.device):
            call = self._call(event)
            rows = self._rows(event.query_count, call.device)
            values = event.by_image(event.values, self._images)
            images = self._verified_images(call)
            own = event.read_output(output, self._images)[images.start : images.stop, :, rows]
            check = self._compared(call, event, values, own, images, rows)
            self._record(call, check, output, event, attended=False)

    def settle(self) -> bool:
        """Whether all was right that was not waited for; the calls then have their errors."""
        right = all(math.isfinite(each) for each in _read(self._unread_sums))
        for i, numbers in zip(self._unread, _read([check.numbers for check in self._unread.values()]), strict=True):
            check = self._unread[i].of(numbers)
            self.calls[i] = replace(self.calls[i], error=check.error)
            right &= check.passed
        return right

    @property
    def _now(self) -> Expected:
        """What is known of the attention that happens next."""
        number = len(self.calls)
        return self._expected[number] if number < len(self._expected) else Expected()

    def _placed(self, event: AttentionEvent) -> AttentionEvent:
        """The event with the axes that are expected of it."""
        return event if event.axes == self._now.axes else replace(event, axes=self._now.axes)

    def _compared(
        self,
        call: AttentionCall,
        event: AttentionEvent,
        values: Tensor,
        own: Tensor,
        images: range,
        rows: slice | Tensor,
    ) -> Comparison:
        """Rows of the model's own output beside those recomputed; Σ A·|values| is computed only where it is needed."""
        if self._careful:
            check = compare_outputs(call, event, recomputed(call, event, values, images, rows), own)
            if check.verification.passed:
                return check
        return compare(call, event, values, own[None], images, rows)

    def _record(
        self, call: AttentionCall, check: Comparison, output: Tensor, event: AttentionEvent, *, attended: bool
    ) -> None:
        if self._careful:
            verification = check.verification
            call = replace(call, error=verification.error, refusal=_refusal(call, verification))
        else:
            self._unread[len(self.calls)] = check
            self._unread_sums.append(total(output))
        kept = self._reducer.take(len(self.calls), call, attended=attended) and self._now.kept
        self.calls.append(self._kept(call, event) if kept else call.without_operands())

    def _call(self, event: AttentionEvent) -> AttentionCall:
        if event.queries is None or event.keys is None:
            assert event.probabilities is not None
            return AttentionCall(event.name, probabilities=event.by_image(event.probabilities, self._images).detach())
        return AttentionCall(
            event.name,
            scale=event.scale,
            queries=event.by_image(event.queries, self._images).detach(),
            keys=event.by_image(event.keys, self._images).detach(),
            bias=None if event.bias is None else self._bias(event, event.bias),
            logits_dtype=event.logits_dtype,
        )

    def _unused(self, event: AttentionEvent) -> AttentionCall:
        """The call of an attention of which nothing is computed: as one of the same shapes, which most layers share."""
        operands = (event.queries, event.keys, event.probabilities)
        shapes = [None if it is None else (it.shape, it.dtype, it.device) for it in operands]
        known = (self._now.axes, event.scale, event.logits_dtype, *shapes)
        if known not in self._hollow:
            call = self._call(replace(self._placed(event), bias=None))
            self._hollow[known] = replace(call.without_operands(), error=math.nan)
        return replace(self._hollow[known], name=event.name)

    def _kept(self, call: AttentionCall, event: AttentionEvent) -> AttentionCall:
        """The call with compact copies of its operands: views would keep the values alive too."""
        if call.probabilities is not None:
            self._count(call.probabilities.nbytes, event, "attention weights")
        if call.bias is not None and not any(call.bias is known for known in self._biases):
            self._count(call.bias.nbytes, event, "a position bias or mask")
            self._biases.append(call.bias)
        return call.map_operands(lambda operand: operand.clone(memory_format=torch.contiguous_format))

    def _bias(self, event: AttentionEvent, term: Tensor) -> Bias | None:
        """The bias as small as it can be held; the one that an earlier layer kept, where it is the same."""
        term = without_repeats(event.by_image(term, self._images).detach(), event.axes.windows)
        if not term.any():
            return None
        if torch.isneginf(term).all(-1).any():
            raise CaptureError(
                f"layer {event.name!r}: a mask hides every key from some queries, which then attend to nothing; "
                "expected each to see some key. Show images that fill the model's input, or mask keys only"
            )
        bias = compress(term, self._now.grid, self._now.prefix)
        return next((known for known in self._biases if bias.equals(known)), bias)

    def _count(self, nbytes: int, event: AttentionEvent, what: str) -> None:
        self._square_bytes += nbytes
        if self._square_bytes > self._limit_bytes:
            raise LimitError(
                f"layer {event.name!r} attends with {what} of {nbytes / 2**20:.0f} MiB, which takes what must be "
                f"kept to {self._square_bytes / 2**20:.0f} MiB; the limit is {self._limit_bytes / 2**20:.0f} MiB. "
                "Show fewer images at once or a smaller input, or raise limit_bytes"
            )

    def _verified_images(self, call: AttentionCall) -> range:
        """Successive entries of the call's axis of images: those of a few images drawn at random, or all."""
        per_image = call.bias is not None and call.bias.per_image
        if self._every_row or per_image or self._images <= _IMAGES:
            return range(call.images)
        windows = call.images // self._images
        first = self._random.randrange(self._images - _IMAGES + 1)
        return range(first * windows, (first + _IMAGES) * windows)

    def _rows(self, queries: int, device: torch.device) -> slice | Tensor:
        """Random query rows, prefix rows among them."""
        if self._every_row or queries <= _PREFIX_ROWS + _PATCH_ROWS:
            return slice(None)
        count = min(self._now.prefix, queries - 1)
        drawn = self._drawn.setdefault((queries, count, device), [])
        if not drawn:
            drawn += indices([self._draw(queries, count) for _ in range(_DRAWN_AT_ONCE)], device).unbind()
        return drawn.pop()

    def _draw(self, queries: int, prefix: int) -> list[int]:
        first = range(prefix) if prefix <= _PREFIX_ROWS else self._random.sample(range(prefix), _PREFIX_ROWS)
        return [*first, *self._random.choices(range(prefix, queries), k=_PATCH_ROWS)]


def _without_autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Computes in the operands' own precision; to enter autocast takes time, and is done only to switch it off."""
    return torch.autocast(device.type, enabled=False) if torch.is_autocast_enabled(device.type) else nullcontext()


def _read(tensors: Sequence[Tensor]) -> list[Any]:
    """The numbers of tensors of one shape, which may lie on several devices, waited for once."""
    return torch.stack([tensor.double().to(tensors[0].device) for tensor in tensors]).tolist() if tensors else []


def _refusal(call: AttentionCall, check: Verification) -> str | None:
    """Why the call must not be used, if it failed the check."""
    if check.passed:
        return None
    return (
        f"layer {call.name!r}: recomputed attention differs from the model's own by {check.error:.2e} of the values' "
        f"magnitude, at most {check.allowed:.2e} is rounding; something that vitscope did not see changes this "
        "attention, so nothing is shown of it"
    )


def _require_finite(event: AttentionEvent, output: Tensor) -> None:
    """Raise NotFiniteError where NaN or infinity shows in this layer's output."""
    if is_finite(output):
        return
    parts = {"queries": event.queries, "keys": event.keys, "weights": event.probabilities, "values": event.values}
    part = next((part for part, it in parts.items() if it is not None and not torch.isfinite(it).all()), "output")
    raise NotFiniteError(
        f"layer {event.name!r}: NaN or infinity in its {part}; expected finite numbers. Check the weights and "
        "the input; in float16, activations may overflow where bfloat16 or float32 do not"
    )
