"""The proof of a capture: recomputed attention times values must be what the model computed."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.event import AttentionEvent


@dataclass(frozen=True)
class Verification:
    """Largest difference found and the one allowed, both as fractions of the largest Σ A·|values|."""

    error: float
    allowed: float

    @property
    def passed(self) -> bool:
        return self.error <= self.allowed  # False for NaN


def verify(call: AttentionCall, event: AttentionEvent, output: Tensor, rows: slice | Tensor) -> Verification:
    """Compare the chosen query rows of all heads with the model's own `output`.

    Two correct computations differ by rounding: of the sum over keys, in the precision of the
    output, by eps · Σ_k A·|v| (not |output|, in which values of opposite sign cancel); and, in the
    precision of sums, of a sum over K keys by about eps · √K and of a logit by eps · |logit|, which
    the softmax turns into a relative error of its weight. Four times all of these is allowed.
    """
    weights = call.weights(rows)  # (images, heads, rows, keys)
    values = event.by_image(event.values, call.images).to(call.dtype)  # (images, heads, keys, dim)
    expected, magnitude = weights @ values, weights @ values.abs()
    if event.projection is not None:
        expected, magnitude = event.projection(expected), event.projection.magnitude()(magnitude)
    found = event.read_output(output, call.images)[:, :, rows].to(call.dtype)
    error = (expected - found).abs().max() / magnitude.max()
    growth = math.sqrt(call.key_count) + _largest_logit(call, rows)
    softmax = event.softmax_dtype or output.dtype
    # A float64 model may take its softmax in float32: then both are no better than that.
    sums = torch.finfo(torch.float32 if torch.finfo(softmax).bits < 64 else call.dtype).eps
    allowed = 4 * (max(torch.finfo(output.dtype).eps, torch.finfo(softmax).eps) + sums * growth)
    return Verification(float(error), allowed)


def _largest_logit(call: AttentionCall, rows: slice | Tensor) -> float:
    if call.probabilities is not None:
        return 0.0
    logits = call.logits(rows)
    return float(logits.masked_fill(logits.isinf(), 0).abs().max())
