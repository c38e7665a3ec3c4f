"""Attention held in full, from any framework, as NumPy arrays of a checked shape."""

from typing import Any

import numpy as np
from jaxtyping import Float

from vitscope.errors import ArgumentError


def to_array(attention: Any) -> Float[np.ndarray, "..."]:
    """NumPy's view of an array from NumPy, PyTorch, or (by DLPack) JAX and others."""
    if isinstance(attention, np.ndarray):
        array = attention
    elif hasattr(attention, "detach"):  # PyTorch: NumPy has no bfloat16, and no view of a tensor with gradient
        tensor = attention.detach().cpu()
        array = (tensor if tensor.element_size() > 2 else tensor.float()).numpy()
    elif hasattr(attention, "__dlpack__"):
        array = np.from_dlpack(attention)
    else:
        array = np.asarray(attention)
    if not np.issubdtype(array.dtype, np.floating):
        raise ArgumentError(f"attention must be floating point numbers; found {array.dtype}")
    return array


def square(attention: Any) -> Float[np.ndarray, "*batch tokens tokens"]:
    """The array, its last two axes found equal and its rows found to be weights."""
    array = to_array(attention)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise ArgumentError(f"attention must be (…, tokens, tokens); found shape {array.shape}")
    if not np.isfinite(array).all() or (array < 0).any():
        raise ArgumentError("attention must be weights ≥ 0; found NaN, infinity or negative numbers (logits?)")
    return array


def on_grid(attention: Any, grid: tuple[int, int], prefix: int) -> Float[np.ndarray, "*batch tokens tokens"]:
    """The array, its tokens found to be `prefix` tokens and the grid's patches."""
    array = square(attention)
    expected = prefix + grid[0] * grid[1]
    if array.shape[-1] != expected:
        raise ArgumentError(
            f"attention over {array.shape[-1]} tokens does not fit {prefix} prefix tokens and a grid of "
            f"{grid[0]} × {grid[1]}, which are {expected}"
        )
    return array


def result_type(array: np.ndarray) -> np.dtype[Any]:
    """float64 for float64, float32 for everything narrower."""
    return np.result_type(array.dtype, np.float32)
