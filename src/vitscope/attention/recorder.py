"""Keeps what a forward pass attended with, verified: queries and keys, never layers × heads × N × N."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from vitscope.attention.bias import Bias, compress
from vitscope.attention.call import AttentionCall
from vitscope.attention.event import AttentionEvent, Observer
from vitscope.attention.verify import verify
from vitscope.errors import CaptureError, NotFiniteError

_PREFIX_ROWS = 2
_PATCH_ROWS = 6


class Recorder(Observer):
    """Collects one AttentionCall for each attention of a forward pass over `images` images.

    `prefix` is the number of prefix tokens, some of whose rows are always verified; with `every_row`
    all rows are. On the patch `grid`, biases that repeat by offset are held as tables. Other biases
    and bare weights, which grow with N², are kept up to `limit_bytes` in all.
    """

    def __init__(
        self,
        images: int,
        *,
        prefix: int = 0,
        grid: tuple[int, int] = (0, 0),
        every_row: bool = False,
        limit_bytes: int = 2**30,
    ) -> None:
        self.calls: list[AttentionCall] = []
        self._images = images
        self._prefix = prefix
        self._grid = grid
        self._every_row = every_row
        self._limit_bytes = limit_bytes
        self._square_bytes = 0
        self._biases: list[Bias] = []
        self._random = torch.Generator().manual_seed(0)

    def after(self, event: AttentionEvent, output: Tensor) -> None:
        with torch.no_grad(), torch.autocast(event.values.device.type, enabled=False):
            self.calls.append(self._verified(event, output))

    def _verified(self, event: AttentionEvent, output: Tensor) -> AttentionCall:
        call = self._call(event)
        _require_finite(call, output)
        verification = verify(call, event, output, self._rows(event.query_count))
        refusal = None
        if not verification.passed:
            refusal = (
                f"layer {event.name!r}: recomputed attention differs from the model's own by "
                f"{verification.error:.2e} of the values' magnitude, at most {verification.allowed:.2e} is "
                "rounding; something that vitscope did not see changes this attention, so nothing is shown of it"
            )
        return replace(call, error=verification.error, refusal=refusal)

    def _call(self, event: AttentionEvent) -> AttentionCall:
        if event.queries is None or event.keys is None:
            assert event.probabilities is not None
            weights = event.by_image(event.probabilities, self._images)
            self._count(weights.nbytes, event, "attention weights")
            return AttentionCall(event.name, probabilities=weights.detach().clone())
        return AttentionCall(
            event.name,
            scale=event.scale,
            queries=_copy(event.by_image(event.queries, self._images)),
            keys=_copy(event.by_image(event.keys, self._images)),
            bias=None if event.bias is None else self._bias(event, event.bias),
            logits_dtype=event.logits_dtype,
        )

    def _bias(self, event: AttentionEvent, term: Tensor) -> Bias | None:
        """The bias as small as it can be held, and once where layers share it."""
        term = _without_repeats(event.by_image(term, self._images).detach())
        if not term.any():
            return None
        bias = compress(term, self._grid, self._prefix)
        for known in self._biases:
            if bias.equals(known):
                return known
        self._count(bias.nbytes, event, "a position bias or mask")
        self._biases.append(bias)
        return bias

    def _count(self, nbytes: int, event: AttentionEvent, what: str) -> None:
        self._square_bytes += nbytes
        if self._square_bytes > self._limit_bytes:
            raise CaptureError(
                f"layer {event.name!r} attends with {what} of {nbytes / 2**20:.0f} MiB, which takes what must be "
                f"kept to {self._square_bytes / 2**20:.0f} MiB; the limit is {self._limit_bytes / 2**20:.0f} MiB. "
                "Show fewer images at once or a smaller input, or raise limit_bytes"
            )

    def _rows(self, queries: int) -> slice | Tensor:
        """Random query rows, prefix rows among them."""
        if self._every_row or queries <= _PREFIX_ROWS + _PATCH_ROWS:
            return slice(None)
        prefix = torch.randperm(self._prefix, generator=self._random)[:_PREFIX_ROWS]
        patches = torch.randint(self._prefix, queries, (_PATCH_ROWS,), generator=self._random)
        return torch.cat([prefix, patches])


def _copy(tensor: Tensor) -> Tensor:
    """A compact copy: the model's own is often a view that would keep the values alive too."""
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def _without_repeats(tensor: Tensor) -> Tensor:
    """Axes along which an expanded tensor repeats itself, cut to length 1."""
    for axis in (0, 1, 2):
        if tensor.stride(axis) == 0:
            tensor = tensor.narrow(axis, 0, 1)
    return tensor


def _require_finite(call: AttentionCall, output: Tensor) -> None:
    """Raise NotFiniteError where NaN or infinity has reached this layer."""
    parts = {"queries": call.queries, "keys": call.keys, "weights": call.probabilities, "output": output}
    for part, tensor in parts.items():
        if tensor is not None and not math.isfinite(float(tensor.sum(dtype=torch.float64))):
            raise NotFiniteError(
                f"layer {call.name!r}: NaN or infinity in its {part}; expected finite numbers. Check the weights and "
                "the input; in float16, activations may overflow where bfloat16 or float32 do not"
            )
