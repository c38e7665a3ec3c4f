"""From the tokens of one lattice to those of another, coarser or finer, by what each covers of the picture."""

import torch
from jaxtyping import Float
from torch import Tensor

from vitscope.layout import Layout


def spread(
    vectors: Float[Tensor, "*batch tokens"], source: Layout, target: Layout
) -> Float[Tensor, "*batch target_tokens"]:
    """Row vectors times the pooling matrix from `target` to `source`.

    In it, each source cell is the mean of the target cells whose centres it covers, or, where it is the
    finer one, the target cell nearest to it; prefix tokens are those of the same name. Its rows sum
    to 1, but for prefix tokens that the target has not: what these hold is left out.
    """
    if source == target:
        return vectors
    prefix, own = len(target.prefix), len(source.prefix)
    out = vectors.new_zeros(*vectors.shape[:-1], target.tokens)
    for i, name in enumerate(source.prefix):
        if name in target.prefix:
            out[..., target.prefix.index(name)] = vectors[..., i]
    if source.patches and target.patches:
        cells = vectors[..., own:].unflatten(-1, source.grid)  # (…, source rows, source columns)
        rows, columns = (_means(source, target, axis).to(vectors) for axis in range(2))
        out[..., prefix:] = (rows.mT @ cells @ columns).flatten(-2)
    return out


def _means(source: Layout, target: Layout, axis: int) -> Float[Tensor, "source target"]:
    """Along rows (0) or columns (1): each source cell as a mean of target cells."""
    count, size = source.grid[axis], source.patch_size[axis]
    centres = (torch.arange(target.grid[axis]) + 0.5) * target.patch_size[axis]
    own = (torch.arange(count) + 0.5) * size
    apart = (own[:, None] - centres).abs()  # (source, target)
    covered = (apart < size / 2 - 1e-9).double()
    nearest = torch.nn.functional.one_hot(apart.argmin(1), len(centres)).double()
    chosen = torch.where(covered.any(1, keepdim=True), covered, nearest)
    return chosen / chosen.sum(1, keepdim=True)
