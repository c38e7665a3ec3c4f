"""The payload's entries of numbers: what was encoded or measured, written into blocks."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from vitscope.attention.bias import Bias, DenseBias, RelativeBias
from vitscope.attention.kernels.statistics import RowStatistics
from vitscope.errors import VerificationError
from vitscope.look import Look
from vitscope.viewer.blocks import Blocks
from vitscope.viewer.decode import Product
from vitscope.viewer.encode import Encoded

STATISTICS = ("distance", "rescaled_distance", "entropy", "prefix_mass")


def attention_entry(encoded: Encoded, blocks: Blocks) -> dict[str, Any]:
    """The `Product` or `Weights` of one layer of one image, in a block of its own but for a shared bias."""
    block = blocks.new()
    decoded, fidelity = encoded.decoded, encoded.fidelity
    if isinstance(decoded, Product):
        parts: dict[str, Any] = {
            "form": "product",
            "queries": blocks.put(_array(decoded.queries), block),
            "keys": blocks.put(_array(decoded.keys), block),
            "steps": None if decoded.steps is None else blocks.put(_array(decoded.steps), block),
            "key_bias": blocks.put(_array(decoded.key_bias), block),
            "bias": None if decoded.bias is None else _bias_entry(decoded.bias, blocks),
        }
        assert fidelity.log_normaliser is not None
        parts["log_normaliser"] = blocks.put(_array(fidelity.log_normaliser), block)
    else:
        parts = {"form": "weights", "weights": blocks.put(_array(decoded.weights), block)}
    return parts | {
        "mean_row": blocks.put(_array(fidelity.mean_row), block),
        "error": fidelity.error,
        "probe": {
            "head": fidelity.head,
            "query": fidelity.query,
            "row": blocks.put(_array(fidelity.row), block),
        },
    }


def _bias_entry(bias: Bias, blocks: Blocks) -> dict[str, Any]:
    if isinstance(bias, RelativeBias):
        tables = {"table": bias.table, "from_prefix": bias.from_prefix, "to_prefix": bias.to_prefix}
        return {"form": "relative"} | {name: blocks.put_once(_array(part[0])) for name, part in tables.items()}
    assert isinstance(bias, DenseBias)
    return {"form": "dense", "term": blocks.put_once(_array(bias.term[0]))}


def statistics_entries(look: Look, image: int, blocks: Blocks) -> dict[str, Any]:
    """Distance, entropy and prefix mass of one image: (layers, heads, …), NaN for refused layers and missing heads."""
    return {name: blocks.put(_stacked(look, image, name)) for name in STATISTICS}


def _stacked(look: Look, image: int, name: str) -> np.ndarray:
    layers = look.attention_seen.layers
    heads = max(call.heads for call in layers)
    rest = (len(look.layout.prefix),) if name == "prefix_mass" else ()
    out = np.full((len(layers), heads, *rest), np.nan, np.float32)
    for index, call in enumerate(layers):
        if call.refusal is None:
            rows: RowStatistics = look.attention_seen.statistics(index)
            out[index, : call.heads] = getattr(rows, name)[image].cpu().numpy()
    return out


def rollout_entries(look: Look, blocks: Blocks) -> list[dict[str, Any]]:
    """For each image, the readout's row for every start layer, (layers, patches), or why there is none."""
    try:
        maps = look.rollout_by_start_layer()  # (images, layers, rows, columns)
    except VerificationError as error:
        return [{"rollout": None, "rollout_absent": str(error)} for _ in look.shown]
    flat = np.asarray(maps).reshape(*maps.shape[:2], -1)
    return [{"rollout": blocks.put(rows), "rollout_absent": None} for rows in flat]


def pool_entry(look: Look, image: int, blocks: Blocks) -> dict[str, Any] | None:
    """The pooling head's own row, (heads, keys); None where the model has none, or it was refused."""
    pooling = look.attention_seen.pooling
    if pooling is None or pooling.refusal is not None:
        return None
    return blocks.put(_array(pooling.image(image).weights(slice(None))[0].mean(1)))


def _array(tensor: Tensor) -> np.ndarray:
    kept = tensor.dtype in (torch.float16, torch.int16)
    return tensor.detach().to("cpu", tensor.dtype if kept else torch.float32).numpy()
