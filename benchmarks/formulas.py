"""The three measures on stored attention, as they are usually written, in PyTorch and in NumPy.

`stored` is one array a layer, (images, heads, tokens, tokens), the class token first. Each function
answers {measure: array} for the measures `wanted`: heatmaps (images, heads, patches), mean attention
distance in pixels (images, layers, heads), the class token's row of the rollout (images, patches).
"""

import numpy as np


def in_torch(stored, size, wanted):
    """The measures in PyTorch; the rollout as a product of matrices."""
    formulas = {
        "heatmaps": lambda: stored[-1][:, :, 0, 1:].float(),
        "mean_attention_distance": lambda: _torch_distance(stored, size),
        "rollout": lambda: _torch_rollout(stored),
    }
    return {name: formulas[name]().cpu().numpy() for name in wanted}


def in_torch_by_row(stored, size, wanted):
    """The same, but of the rollout only the class token's row is computed, from the last layer to the first."""
    values = in_torch(stored, size, [name for name in wanted if name != "rollout"])
    if "rollout" in wanted:
        values["rollout"] = _torch_rollout_row(stored).cpu().numpy()
    return values


def in_numpy(stored, size, wanted):
    """The measures in NumPy."""
    formulas = {
        "heatmaps": lambda: stored[-1][:, :, 0, 1:].copy(),
        "mean_attention_distance": lambda: _numpy_distance(stored, size),
        "rollout": lambda: _numpy_rollout(stored),
    }
    return {name: formulas[name]() for name in wanted}


def _torch_distance(stored, size):
    import torch

    y, x = torch.meshgrid(torch.arange(size.grid), torch.arange(size.grid), indexing="ij")
    places = torch.stack([y.flatten(), x.flatten()], 1) * float(size.patch)  # (patches, 2)
    apart = torch.cdist(places, places).to(stored[0].device)
    return torch.stack([(layer[:, :, 1:, 1:] * apart).sum(-1).mean(-1) for layer in stored], 1)


def _torch_factor(layer):
    """One layer's factor of the rollout, (images, tokens, tokens)."""
    import torch

    factor = layer.mean(1, dtype=torch.float32) + torch.eye(layer.shape[-1], device=layer.device)
    return factor / factor.sum(-1, keepdim=True)


def _torch_rollout(stored):
    product = _torch_factor(stored[0])
    for layer in stored[1:]:
        product = _torch_factor(layer) @ product
    return product[:, 0, 1:]


def _torch_rollout_row(stored):
    row = _torch_factor(stored[-1])[:, :1]  # (images, 1, tokens)
    for layer in stored[-2::-1]:
        row = row @ _torch_factor(layer)
    return row[:, 0, 1:]


def _numpy_distance(stored, size):
    places = np.stack(np.mgrid[: size.grid, : size.grid], -1).reshape(-1, 2) * float(size.patch)  # (patches, 2)
    apart = np.linalg.norm(places[:, None] - places, axis=-1).astype(np.float32)
    return np.stack([(layer[:, :, 1:, 1:] * apart).sum(-1).mean(-1) for layer in stored], 1)


def _numpy_rollout(stored):
    product = None
    for layer in stored:
        factor = layer.mean(1) + np.eye(layer.shape[-1], dtype=np.float32)  # (images, tokens, tokens)
        factor = factor / factor.sum(-1, keepdims=True)
        product = factor if product is None else factor @ product
    return product[:, 0, 1:]
