"""What each attention of a model holds, worked out from the libraries' own partitions of a map of cell numbers.

Cells are numbered from 1 where a library partitions the map, as it pads with zeros; `cells` takes that back.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class Side:
    """The queries or the keys of one attention: their lattice, and the cell of each token of each window."""

    grid: tuple[int, int]
    patch_size: tuple[float, float]
    tokens: np.ndarray  # (windows, tokens), −1 for padding


@dataclass(frozen=True, eq=False)
class Known:
    """One attention as it must be found."""

    heads: int
    queries: Side
    keys: Side

    @property
    def kind(self):
        if len(self.queries.tokens) > 1:
            return "window"
        return "global" if self.queries.grid == self.keys.grid else "reduced"


def alike(heads, side):
    """An attention whose queries and keys are the same tokens."""
    return Known(heads, side, side)


def numbered(grid):
    """(1, rows, columns, 1) of cell numbers from 1."""
    return torch.arange(1, grid[0] * grid[1] + 1).view(1, *grid, 1)


def cells(windows):
    """(windows, …) of numbers from 1, 0 for padding → (windows, tokens) from 0, −1 for padding."""
    return windows.reshape(len(windows), -1).numpy() - 1


def every(grid, patch_size):
    """The only window, of all cells in order."""
    return Side(grid, patch_size, np.arange(grid[0] * grid[1])[None])


def padded(numbers, window):
    """Zeros below and to the right, up to whole windows."""
    below, right = (-extent % side for extent, side in zip(numbers.shape[1:3], window, strict=True))
    return F.pad(numbers, (0, 0, 0, right, 0, below))


def shifted(numbers, shift):
    return torch.roll(numbers, (-shift[0], -shift[1]), (1, 2))


def halved(size, times):
    """Sides of a lattice with a step of 4 px, halved so often; an odd row or column is kept."""
    grid = tuple(ceil(side / 4) for side in size)
    for _ in range(times):
        grid = tuple(ceil(side / 2) for side in grid)
    return grid


def square(side):
    return (side, side)


def timm_swin(model, size):
    """Shifted, then padded, then cut by the library's own function."""
    from timm.models import swin_transformer, swin_transformer_v2

    library = swin_transformer if isinstance(model, swin_transformer.SwinTransformer) else swin_transformer_v2
    for stage, layer in enumerate(model.layers):
        grid = halved(size, stage)
        for block in layer.blocks:
            moved = padded(shifted(numbered(grid), block.shift_size), block.window_size)
            windows = library.window_partition(moved, block.window_size)
            yield alike(block.attn.num_heads, Side(grid, square(4 * 2**stage), cells(windows)))


def torchvision_swin(model, size):
    """Padded, then shifted along the axes on which there are several windows; blocks in row-major order."""
    from torchvision.models.swin_transformer import SwinTransformerBlock

    for block in (module for module in model.modules() if isinstance(module, SwinTransformerBlock)):
        attention, stage = block.attn, int(np.log2(block.norm1.normalized_shape[0] / model.features[0][0].out_channels))
        grid, (height, width) = halved(size, stage), attention.window_size
        numbers = padded(numbered(grid), (height, width))
        rows, columns = numbers.shape[1] // height, numbers.shape[2] // width
        shift = [s if count > 1 else 0 for s, count in zip(attention.shift_size, (rows, columns), strict=True)]
        blocks = shifted(numbers, shift).view(rows, height, columns, width).transpose(1, 2).reshape(rows * columns, -1)
        yield alike(attention.num_heads, Side(grid, square(4 * 2**stage), cells(blocks)))


def transformers_swin(model, size):
    """Padded, then shifted, then cut by the library's own function; windows no larger than the lattice."""
    from transformers.models.swin.modeling_swin import window_partition

    for stage, layer in enumerate(model.encoder.layers):
        grid = halved(size, stage)
        side = min(model.config.window_size, *grid)
        for index in range(len(layer.blocks)):
            shift = side // 2 if index % 2 and min(grid) > side else 0
            windows = window_partition(shifted(padded(numbered(grid), square(side)), square(shift)), side)
            yield alike(model.config.num_heads[stage], Side(grid, square(4 * 2**stage), cells(windows)))


def maxvit(model, size):
    """In every block windows, then a grid of cells far apart, each cut by the library's own function."""
    from timm.models.maxxvit import grid_partition, window_partition

    for stage, layer in enumerate(model.stages):
        grid = halved(size, stage)
        for block in layer.blocks:
            for part, partition in ((block.attn_block, window_partition), (block.attn_grid, grid_partition)):
                windows = partition(numbered(grid), part.partition_size)
                yield alike(part.attn.num_heads, Side(grid, square(4 * 2**stage), cells(windows)))


def hiera(model, size):
    """The library's own order of tokens; a window is every so many-th of them, and each q-pooling takes quarters."""
    grid = halved(size, 0)
    order = model.unroll(numbered(grid).reshape(1, -1, 1)).flatten() - 1  # the cell of each token
    step = 4
    for block in model.blocks:
        attention = block.attn
        windows = len(order) // (attention.q_stride * attention.window_size) if attention.use_mask_unit_attn else 1
        keys = Side(grid, square(step), order.view(-1, windows).T.numpy())
        queries = keys
        if attention.q_stride > 1:
            rows, columns = order // grid[1], order % grid[1]
            grid, step = (grid[0] // 2, grid[1] // 2), step * 2
            quarters = (rows // 2 * grid[1] + columns // 2).view(attention.q_stride, -1)
            assert (quarters == quarters[0]).all()
            order = quarters[0]
            queries = Side(grid, square(step), order.view(-1, windows).T.numpy())
        yield Known(attention.heads, queries, keys)


def nest(model, size):
    """Blocks of the library's own function, heads before them."""
    from timm.models.nest import blockify

    for index, level in enumerate(model.levels):
        grid = halved(size, index)
        blocks = blockify(numbered(grid), level.block_size)[0]
        for layer in level.transformer_encoder:
            yield alike(layer.attn.num_heads, Side(grid, square(4 * 2**index), cells(blocks)))


def whole_steps(grid, ratio):
    """A lattice of kernels as wide as their stride: what is left over is left out."""
    return grid[0] // ratio, grid[1] // ratio


def twins(model, size):
    """By turns padded windows, and keys of patches of patches."""
    grid, step = tuple(side // 4 for side in size), 4
    for stage, blocks in enumerate(model.blocks):
        if stage:
            grid, step = whole_steps(grid, 2), step * 2
        queries = every(grid, square(step))
        for block in blocks:
            side = getattr(block.attn, "ws", None)
            if side is None:
                ratio = block.attn.sr_ratio
                yield Known(block.attn.num_heads, queries, every(whole_steps(grid, ratio), square(step * ratio)))
                continue
            numbers = padded(numbered(grid), square(side))[0, ..., 0]
            bands = [band for rows in numbers.split(side) for band in rows.split(side, 1)]
            yield alike(block.attn.num_heads, Side(grid, square(step), cells(torch.stack(bands))))


def pvt_v2(model, size):
    """Overlapping patches at even steps; keys of patches of patches."""
    for index, stage in enumerate(model.stages):
        grid, step = halved(size, index), 4 * 2**index
        for block in stage.blocks:
            ratio = 1 if block.attn.sr is None else block.attn.sr.stride[0]
            keys = every(whole_steps(grid, ratio), square(step * ratio))
            yield Known(block.attn.num_heads, every(grid, square(step)), keys)


def mvit_v2(model, size):
    """Lattices one in so many cells of that before, for queries and keys."""

    def pooled(pool):
        stride = 1 if pool is None else pool.stride[0]
        return every(tuple(ceil(side / stride) for side in grid), square(step * stride))

    grid, step = halved(size, 0), 4
    for stage in model.stages:
        for block in stage.blocks:
            known = Known(block.attn.num_heads, pooled(block.attn.pool_q), pooled(block.attn.pool_k))
            yield known
            grid, step = known.queries.grid, known.queries.patch_size[0]


def sam(model, size):
    """Windows of the library's own function, padded, but in its global blocks."""
    from timm.models.vision_transformer_sam import window_partition

    grid = (size[0] // 16, size[1] // 16)
    for block in model.blocks:
        side = every(grid, square(16))
        if block.window_size:
            side = Side(grid, square(16), cells(window_partition(numbered(grid), block.window_size)[0]))
        yield alike(block.attn.num_heads, side)


def cut(grid, window, shift=(0, 0)):
    """Windows of a lattice, (windows, tokens)."""
    from timm.models.swin_transformer import window_partition

    return cells(window_partition(shifted(numbered(grid), shift), window))


def close(found, expected, dtype=torch.float64):
    tolerance = {torch.float64: 1e-10, torch.float32: 3e-5}[dtype]
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max(initial=0))
