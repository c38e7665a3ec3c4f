"""The k-th smallest of more numbers than are ever held."""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor

_DIGIT_BITS = 16


def kth_smallest(runs: Callable[[], Iterable[Tensor]], rank: int, like: Tensor) -> Float[Tensor, ""]:
    """The number of `rank`, from 0, among all runs of numbers ≥ 0, of the dtype and on the device of `like`.

    Exact: bit patterns of numbers ≥ 0 are ordered as the numbers are, so the pattern is found 16 bits
    at a time from histograms. `runs` is asked for the same numbers again for each of these.
    """
    integers, bits = (torch.int64, 64) if like.dtype == torch.float64 else (torch.int32, 32)
    left = torch.tensor(rank, device=like.device)
    found = torch.zeros_like(left)  # the leading bits of the pattern sought
    for shift in range(bits - _DIGIT_BITS, -1, -_DIGIT_BITS):
        counts = torch.zeros(2**_DIGIT_BITS, dtype=torch.int64, device=like.device)
        for run in runs():
            # NaN may carry a sign
            patterns = run.abs().contiguous().view(integers).flatten() >> shift
            digits = patterns[patterns >> _DIGIT_BITS == found] & (2**_DIGIT_BITS - 1)
            counts += torch.bincount(digits, minlength=2**_DIGIT_BITS)
        below = counts.cumsum(0)
        digit = torch.searchsorted(below, left, right=True)
        left = left - (below[digit] - counts[digit])
        found = (found << _DIGIT_BITS) + digit
    return found.to(integers).view(like.dtype)
