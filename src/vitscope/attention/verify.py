"""The proof of a capture: recomputed attention times values must be what the model computed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Shaped
from torch import Tensor
from torch.linalg import vector_norm

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

    numbers: Shaped[Tensor, "3"]  # largest difference; of Σ A·|values| and |logit| the largest, or what is less
    keys: int
    found_in: torch.dtype
    softmax_in: torch.dtype  # of the model

    @cached_property
    def verification(self) -> Verification:
        """What the numbers come to, read when this is first asked for."""
        return self.of(self.numbers.tolist())

    def of(self, numbers: Sequence[float]) -> Verification:
        """What the numbers come to, read elsewhere."""
        difference, magnitude, logit = numbers
        growth = math.sqrt(self.keys) + logit
        output, softmax = torch.finfo(self.found_in), torch.finfo(self.softmax_in)
        # A float64 model may take its softmax in float32: then both are no better than that.
        sums = torch.finfo(torch.float32 if softmax.bits < 64 else self.numbers.dtype).eps
        allowed = 4 * (max(output.eps, softmax.eps) + sums * growth)
        if not magnitude:  # beside zeros nothing is small but zeros
            return Verification(math.inf if difference else 0.0, allowed)
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
    for some in _runs(images, call, rows):
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
    output: Shaped[Tensor, "images heads_or_1 rows features"],
    own: Shaped[Tensor, "images heads_or_1 rows features"],
) -> Comparison:
    """Compare rows of an output, computed from the call's operands, with what the model's own function gives for them.

    Nothing is recomputed, so of what `compare` allows only the least is: Σ_k A·|v| is no smaller than the
    output, nor a logit than 0. What passes here passes there, up to the rounding of the model's own output; what
    fails here may pass there.
    """
    difference = vector_norm(output.to(call.dtype) - own.to(call.dtype), math.inf)
    magnitude = vector_norm(own, math.inf, dtype=call.dtype)
    numbers = torch.stack([difference, magnitude, magnitude.new_zeros(())])
    return Comparison(numbers, call.key_count, own.dtype, event.softmax_dtype or own.dtype)


def recomputed(
    call: AttentionCall,
    event: AttentionEvent,
    values: Shaped[Tensor, "images heads keys dim"],
    images: range,
    rows: slice | Tensor,
) -> Shaped[Tensor, "some heads_or_1 rows features"]:
    """The chosen query rows of these images' output, computed from the call's operands."""
    parts: list[Tensor] = []
    for some in _runs(images, call, rows):
        part = call.run(some).weights(rows) @ values[some.start : some.stop].to(call.dtype)
        parts.append(part if event.projection is None else event.projection(part))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def indices(numbers: Sequence[int] | Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """An index on the device, which is not waited for."""
    return brought(torch.tensor(numbers, dtype=torch.long, device="cpu"), device)


def _runs(images: range, call: AttentionCall, rows: slice | Tensor) -> list[range]:
    """The images in runs that are computed at once: many where they are small windows."""
    entries = _ENTRIES.get(call.device.type, _OTHER_ENTRIES)
    count = call.query_count if isinstance(rows, slice) else len(rows)
    length = max(1, entries // (call.heads * count * call.key_count))
    return [images[first : first + length] for first in range(0, len(images), length)]


def _weights(call: AttentionCall, rows: slice | Tensor) -> tuple[Tensor, Tensor]:
    """(images, heads, rows, keys), and the largest logit, by absolute value, that they come from."""
    if call.probabilities is not None:
        weights = call.weights(rows)
        return weights, weights.new_zeros(())
    logits = call.logits(rows)
    finite = logits if call.bias is None else logits.masked_fill(logits.isinf(), 0)
    return torch.softmax(logits, -1), finite.abs().max()
