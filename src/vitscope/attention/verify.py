"""The proof of a capture: recomputed attention times values must be what the model computed."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.event import AttentionEvent

_ENTRIES = 2**20  # weights recomputed at once


@dataclass(frozen=True)
class Verification:
    """Largest difference found and the one allowed, both as fractions of the largest Σ A·|values|."""

    error: float
    allowed: float

    @property
    def passed(self) -> bool:
        return self.error <= self.allowed  # False for NaN


def verify(
    call: AttentionCall,
    event: AttentionEvent,
    values: Shaped[Tensor, "images heads keys dim"],
    found: Shaped[Tensor, "images heads_or_1 rows features"],
    images: list[int],
    rows: slice | Tensor,
) -> Verification:
    """Compare the chosen query rows of all heads, recomputed, with what was `found` for them, in the chosen images.

    Two correct computations differ by rounding: of the sum over keys, in the precision of the
    output, by eps · Σ_k A·|v| (not |output|, in which values of opposite sign cancel); and, in the
    precision of sums, of a sum over K keys by about eps · √K and of a logit by eps · |logit|, which
    the softmax turns into a relative error of its weight. Four times all of these is allowed, and of
    the least number of the output's dtype: features as small as float16 holds are rounded to it.
    """
    error, magnitude, logit = 0.0, 0.0, 0.0
    for some in _runs(images, call, found.shape[-2]):
        part = call.image(some[0]) if len(some) == 1 else call.picked(torch.tensor(some))
        weights, largest = _weights(part, rows)
        chosen = slice(some[0], some[0] + 1) if len(some) == 1 else some
        own = values[chosen].to(call.dtype)
        expected, bound = weights @ own, weights @ own.abs()  # (some, heads, rows, dim)
        if event.projection is not None:
            expected, bound = event.projection(expected), event.projection.magnitude()(bound)
        error = _max(error, (expected - found[chosen].to(call.dtype)).abs())
        magnitude = _max(magnitude, bound)
        logit = max(logit, largest)
    growth = math.sqrt(call.key_count) + logit
    softmax = event.softmax_dtype or found.dtype
    # A float64 model may take its softmax in float32: then both are no better than that.
    sums = torch.finfo(torch.float32 if torch.finfo(softmax).bits < 64 else call.dtype).eps
    output = torch.finfo(found.dtype)
    allowed = 4 * (max(output.eps, torch.finfo(softmax).eps) + sums * growth)
    if not magnitude:
        return Verification(error, allowed)
    return Verification(error / magnitude, allowed + 4 * output.smallest_normal * output.eps / magnitude)


def _runs(images: list[int], call: AttentionCall, rows: int) -> list[list[int]]:
    """The images in runs that are computed at once: many where they are small windows."""
    length = max(1, _ENTRIES // (call.heads * rows * call.key_count))
    return [images[first : first + length] for first in range(0, len(images), length)]


def _max(least: float, tensor: Tensor) -> float:
    """The largest of both; NaN where there is one."""
    largest = float(tensor.max())
    return largest if math.isnan(largest) else max(least, largest)


def _weights(call: AttentionCall, rows: slice | Tensor) -> tuple[Tensor, float]:
    """(images, heads, rows, keys), and the largest logit, by absolute value, that they come from."""
    if call.probabilities is not None:
        return call.weights(rows), 0.0
    logits = call.logits(rows)
    return torch.softmax(logits, -1), float(logits.masked_fill(logits.isinf(), 0).abs().max())
