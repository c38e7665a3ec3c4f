"""Arrays that say what they mean."""

from typing import Any

import numpy as np
from torch import Tensor


class Measured(np.ndarray[Any, np.dtype[Any]]):
    """A NumPy array with a `convention`: what its numbers mean, in words.

    Only the array that a measure gave back carries it; arrays derived from it are another matter
    and say nothing.
    """

    convention: str = ""

    def __array_finalize__(self, obj: Any) -> None:
        self.convention = ""


def measured(values: Tensor | np.ndarray, convention: str) -> Measured:
    """The array in float32 (float64 stays) with its convention."""
    array = values.cpu().numpy() if isinstance(values, Tensor) else values
    result = array.view(Measured)
    result.convention = convention
    return result
