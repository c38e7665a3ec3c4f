"""How images, windows and heads share the leading axes of an attention's operands."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vitscope.errors import LayoutError


@dataclass(frozen=True)
class Axes:
    """The leading axes, flattened, are (before, images, after), and before · after is (heads, windows, heads).

    `windows` share an image; what is left are heads, some before the windows, some after them. The
    trace finds them; by default images come first, and all the rest are heads.
    """

    before: int = 1
    windows: int = 1
    heads_before: int = 1  # before the windows

    def split(self, tensor: Tensor, images: int) -> Tensor:
        """(…, rows, columns) → (images · windows, heads, rows, columns), the windows of an image side by side."""
        leading = tensor.shape[:-2].numel()
        if leading % (images * self.before * self.windows * self.heads_before):
            raise LayoutError(
                f"attention over {leading} leading entries (shape {tuple(tensor.shape)}) cannot be split among "
                f"{images} images of {self.windows} windows"
            )
        matrix = tensor.shape[-2:]
        if self.before == 1 and self.heads_before == 1:
            return tensor.reshape(images * self.windows, -1, *matrix)
        by_image = tensor.reshape(self.before, images, -1, *matrix).transpose(0, 1)  # (images, before, after, …)
        parts = by_image.reshape(images, self.heads_before, self.windows, -1, *matrix)
        return parts.transpose(1, 2).reshape(images * self.windows, -1, *matrix)

    def join(self, tensor: Tensor, images: int, leading: torch.Size) -> Tensor:
        """The inverse of `split`, with these leading axes."""
        matrix = tensor.shape[-2:]
        if self.before == 1 and self.heads_before == 1:
            return tensor.reshape(*leading, *matrix)
        parts = tensor.reshape(images, self.windows, self.heads_before, -1, *matrix).transpose(1, 2)
        by_image = parts.reshape(images, self.before, -1, *matrix)
        return by_image.transpose(0, 1).reshape(*leading, *matrix)


def stretched(tensor: Tensor, leading: torch.Size) -> Tensor:
    """(…, rows, columns) seen with these leading axes: one head of keys may serve many of queries."""
    return tensor.expand(*leading, *tensor.shape[-2:])
