"""The proof of a capture: recomputed attention times values must be what the model computed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.event import AttentionEvent
from vitscope.attention.moving import brought

_ENTRIES = {"cpu": 2**13}  # weights recomputed at once: joining images copies their keys, which lie in steps
_OTHER_ENTRIES = 2**24  # on a device on which every operation takes time to start


@dataclass(frozen=True)
class Verification:
    """Largest difference found and the one allowed, both as fractions of the largest Σ A·|values|, or of less."""

    error: float
    allowed: float

    @property
    def passed(self) -> bool:
        return self.error <= self.allowed  # False for NaN


@dataclass(frozen=True, eq=False)
class Comparison:
    """Recomputed rows beside those found, as numbers that are still on their device: reading them waits for it."""

    numbers: Shaped[Tensor, "3"]  # largest difference, Σ A·|values|, and logit by absolute value
    keys: int
    found_in: torch.dtype
    softmax_in: torch.dtype  # of the model

    def verification(self, numbers: Sequence[float] | None = None) -> Verification:
        """What the numbers, read now unless they are given, come to."""
        difference, magnitude, logit = self.numbers.tolist() if numbers is None else numbers
        growth = math.sqrt(self.keys) + logit
        output, softmax = torch.finfo(self.found_in), torch.finfo(self.softmax_in)
        # A float64 model may take its softmax in float32: then both are no better than that.
        sums = torch.finfo(torch.float32 if softmax.bits < 64 else self.numbers.dtype).eps
        allowed = 4 * (max(output.eps, softmax.eps) + sums * growth)
        if not magnitude:
            return Verification(difference, allowed)
        return Verification(difference / magnitude, allowed + 4 * output.smallest_normal * output.eps / magnitude)


def compare(
    call: AttentionCall,
    event: AttentionEvent,
    values: Shaped[Tensor, "images heads keys dim"],
    found: Shaped[Tensor, "ways some heads_or_1 rows features"],
    images: range,
    rows: slice | Tensor,
) -> Comparison:
    """Compare the chosen query rows of all heads, recomputed, with what was `found` for them, in these images.

    Two correct computations differ by rounding: of the sum over keys, in the precision of the
    output, by eps · Σ_k A·|v| (not |output|, in which values of opposite sign cancel); and, in the
    precision of sums, of a sum over K keys by about eps · √K and of a logit by eps · |logit|, which
    the softmax turns into a relative error of its weight. Four times all of these is allowed, and of
    the least number of the output's dtype: features as small as float16 holds are rounded to it.
    """
    numbers: list[Tensor] = []
    for some in _runs(images, call, found.shape[-2]):
        weights, logit = _weights(call.run(some), rows)
        own = values[some.start : some.stop].to(call.dtype)
        expected, bound = weights @ own, weights @ own.abs()  # (some, heads, rows, dim)
        if event.projection is not None:
            expected, bound = event.projection(expected), event.projection.magnitude()(bound)
        difference = (expected - found[:, some.start - images.start : some.stop - images.start].to(call.dtype)).abs()
        numbers.append(torch.stack([difference.max(), bound.max(), logit]))
    largest = numbers[0] if len(numbers) == 1 else torch.stack(numbers).amax(0)  # NaN where there is one
    return Comparison(largest, call.key_count, found.dtype, event.softmax_dtype or found.dtype)


def compare_outputs(
    call: AttentionCall,
    event: AttentionEvent,
    output: Shaped[Tensor, "images heads rows features"],
    own: Shaped[Tensor, "images heads rows features"],
) -> Comparison:
    """Compare rows of an output, computed from the call's operands, with what the model's own function gives for them.

    Nothing is recomputed, so of what `compare` allows only the least is: Σ_k A·|v| is no smaller than the
    output, nor a logit than 0. What passes here passes there, up to the rounding of the model's own output; what
    fails here may pass there. Beside an own output of zeros nothing is small but zeros.
    """
    difference = (output.to(call.dtype) - own.to(call.dtype)).abs().max()
    magnitude = own.abs().max().to(call.dtype)
    difference = torch.where((magnitude > 0) | (difference == 0), difference, torch.nan)
    numbers = torch.stack([difference, magnitude, torch.zeros_like(magnitude)])
    return Comparison(numbers, call.key_count, own.dtype, event.softmax_dtype or own.dtype)


def indices(numbers: Sequence[int], device: torch.device) -> Tensor:
    """An index on the device, which is not waited for."""
    return brought(torch.tensor(numbers, dtype=torch.long, device="cpu"), device)


def _runs(images: range, call: AttentionCall, rows: int) -> list[range]:
    """The images in runs that are computed at once: many where they are small windows."""
    entries = _ENTRIES.get(call.device.type, _OTHER_ENTRIES)
    length = max(1, entries // (call.heads * rows * call.key_count))
    return [images[first : first + length] for first in range(0, len(images), length)]


def _weights(call: AttentionCall, rows: slice | Tensor) -> tuple[Tensor, Tensor]:
    """(images, heads, rows, keys), and the largest logit, by absolute value, that they come from."""
    if call.probabilities is not None:
        weights = call.weights(rows)
        return weights, weights.new_zeros(())
    logits = call.logits(rows)
    finite = logits if call.bias is None else logits.masked_fill(logits.isinf(), 0)
    return torch.softmax(logits, -1), finite.abs().max()
