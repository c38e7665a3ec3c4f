"""Whether numbers are finite, as their sum tells: quicker than looking at each, of which copies are made."""

import math

import torch
from torch import Tensor


def is_finite(tensor: Tensor) -> bool:
    """Whether there is neither NaN nor infinity among the numbers, whose device is waited for."""
    return math.isfinite(total(tensor).item()) or math.isfinite(tensor.sum(dtype=torch.float64).item())


def total(tensor: Tensor) -> Tensor:
    """The sum, still on its device: not finite where a number is not, or where float32 overflows."""
    return tensor.sum() if tensor.dtype.itemsize >= 4 else tensor.sum(dtype=torch.float32)  # given a dtype it is slower
