"""A layer's heads fused into one N × N matrix and kept, where it saves computing it again."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int16
from torch import Tensor

from vitscope.attention.call import AttentionCall

LEVELS = 2**15 - 1  # steps from 0 to a row's largest weight


@dataclass(frozen=True, eq=False)
class FusedMatrix:
    """Fused weights in 16 bits: each row in steps of its largest weight / 32,767.

    Near its row's largest weight, float16 would be 16 times coarser for the same bytes. Filled tile
    by tile.
    """

    levels: Int16[Tensor, "images queries keys"]
    steps: Float[Tensor, "images queries"]
    sums: Float[Tensor, "images queries"]  # of each row

    @staticmethod
    def nbytes(images: int, queries: int, keys: int) -> int:
        """What such a matrix holds."""
        return images * queries * (2 * keys + 8)

    @staticmethod
    def empty(call: AttentionCall) -> "FusedMatrix":
        """Room for a layer's fused weights."""
        images, queries = call.images, call.query_count
        levels = torch.empty(images, queries, call.key_count, dtype=torch.int16, device=call.device)
        steps, sums = torch.empty(2, images, queries, dtype=torch.float32, device=call.device)
        return FusedMatrix(levels, steps, sums)

    def write(self, image: int, rows: slice, tile: Float[Tensor, "rows keys"]) -> None:
        """Keep some rows."""
        step = tile.amax(-1) / LEVELS
        self.levels[image, rows] = (tile / step[:, None]).round_().to(torch.int16)
        self.steps[image, rows] = step
        self.sums[image, rows] = tile.sum(-1)
