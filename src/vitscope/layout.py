"""Where each token stands: prefix tokens by name, then a grid of patches.

Knows nothing of any model: `models` reads hints from one, `trace` proves them by experiment.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

from vitscope.errors import LayoutError

ReadoutKind = Literal["cls", "pool", "mean"]  # class token; a pooling head's query; mean over the patches


@dataclass(frozen=True)
class LayoutHints:
    """What a model says of its own tokens; None where it says nothing."""

    patch_size: tuple[int, int] | None = None  # (height, width), pixels of the input
    prefix: tuple[str, ...] | None = None  # names, in token order: "cls", "dist", "reg1", …
    # from the model\'s attributes, which may mean something else; what is given must be so
    guessed: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Layout:
    """Prefix tokens first, then grid height × grid width patches in row-major order."""

    grid: tuple[int, int]  # (rows, columns) of patches
    patch_size: tuple[float, float]  # (height, width), pixels of the model's input; whole but for odd strides
    prefix: tuple[str, ...]  # names of the prefix tokens, in token order

    @property
    def patches(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def tokens(self) -> int:
        return len(self.prefix) + self.patches

    @property
    def image_size(self) -> tuple[float, float]:
        """(height, width) of the model's input that the grid covers, in pixels."""
        return self.grid[0] * self.patch_size[0], self.grid[1] * self.patch_size[1]

    def centres(self) -> Float[np.ndarray, "patches 2"]:
        """Each patch's centre as (y, x), in pixels of the model's input, in token order."""
        (rows, columns), (height, width) = self.grid, self.patch_size
        y, x = np.mgrid[0:rows, 0:columns].reshape(2, -1)  # (patches,) each
        return np.stack([(y + 0.5) * height, (x + 0.5) * width], axis=1)

    def unit_square(self) -> Float[np.ndarray, "patches 2"]:
        """Each patch's centre as (y, x) on a square whose axes run from 0 to 1 over the centres."""
        rows, columns = self.grid
        y, x = np.mgrid[0:rows, 0:columns].reshape(2, -1)  # (patches,) each
        return np.stack([y / max(rows - 1, 1), x / max(columns - 1, 1)], axis=1)

    def describe(self) -> str:
        prefix = f"prefix tokens {', '.join(self.prefix)}" if self.prefix else "no prefix token"
        (rows, columns), (height, width) = self.grid, self.patch_size
        return f"{rows} × {columns} patches of {height} × {width} px, {prefix}"


def fit_layout(tokens: int, image_size: tuple[int, int], hints: LayoutHints) -> Layout:
    """The layout that `tokens` tokens of an input of `image_size` (height, width) must have.

    Raises LayoutError where no grid of whole patches leaves room for the prefix tokens, naming
    the numbers that do not fit together.
    """
    if hints.patch_size is None:
        raise LayoutError(
            f"found {tokens} tokens for an input of {_size(image_size)} px, and nothing in the model "
            "that tells its patch size; pass layout=LayoutHints(patch_size=(height, width)) to wrap"
        )
    (height, width), (patch_height, patch_width) = image_size, hints.patch_size
    # Strided convolution leaves out a remainder narrower than a patch.
    grid = (height // patch_height, width // patch_width)
    prefix_count = tokens - grid[0] * grid[1]
    expected = None if hints.prefix is None else len(hints.prefix)
    if prefix_count < 0 or (expected is not None and expected != prefix_count):
        raise LayoutError(
            f"found {tokens} tokens; expected {grid[0]} × {grid[1]} patches of "
            f"{_size(hints.patch_size)} px for an input of {_size(image_size)} px"
            + (f" and {expected} prefix tokens {hints.prefix}" if expected is not None else "")
            + "; models whose tokens are windows, merged or dropped patches are not supported yet; "
            "for another plain layout pass layout=LayoutHints(patch_size=…, prefix=…) to wrap"
        )
    names = hints.prefix
    if names is None:
        names = tuple(f"prefix{i + 1}" for i in range(prefix_count))
    return Layout(grid=grid, patch_size=hints.patch_size, prefix=names)


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"
