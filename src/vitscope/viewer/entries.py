"""The payload's entries of numbers: what was encoded or measured, written into blocks."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from vitscope.attention.bias import Bias, DenseBias, RelativeBias
from vitscope.attention.kernels.statistics import RowStatistics
from vitscope.errors import QueryError, VerificationError
from vitscope.look import Look
from vitscope.viewer.blocks import Blocks
from vitscope.viewer.decode import Product
from vitscope.viewer.encode import Encoded
from vitscope.viewer.windows import WindowsBias, lattice_entry

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
        "mean_row": blocks.put(_array(encoded.mean_row), block),
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
    if isinstance(bias, WindowsBias):
        kinds = bias.kinds.cpu().numpy().astype(np.int16)
        return {"form": "windows", "term": blocks.put_once(_array(bias.term)), "kinds": blocks.put_once(kinds)}
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
            found = getattr(rows, name)[image].cpu().numpy()
            if rest and found.shape[1] != rest[0]:  # tokens that the layer has not
                continue
            out[index, : call.heads] = found
    return out


def rollout_entries(look: Look, blocks: Blocks) -> list[dict[str, Any]]:
    """For each image, the readout's row for every start layer, (layers, patches), or why there is none."""
    try:
        maps = look.rollout_by_start_layer()  # (images, layers, rows, columns)
    except (VerificationError, QueryError) as error:
        return [{"rollout": None, "rollout_absent": str(error)} for _ in look.shown]
    flat = np.asarray(maps).reshape(*maps.shape[:2], -1)
    return [{"rollout": blocks.put(rows), "rollout_absent": None} for rows in flat]


def reading_entry(look: Look) -> dict[str, Any] | None:
    """What the answer is read through at the end, a pooling head or class attention; None for neither, or refused."""
    readings = look.attention_seen.readings
    if not readings or readings[-1].call.refusal is not None:
        return None
    name = {"pool": "pool", "class": "cls"}[readings[-1].kind]
    known = look.attention_seen.arrangements
    last = known[-1] if known else look.attention_seen.arrangement(-1)
    if last is None or name in last.queries.prefix:  # which the last layer's token is called, too
        return None
    return {"query": name, "keys": lattice_entry(readings[-1].arrangement.keys)}


def pool_entry(look: Look, image: int, blocks: Blocks) -> dict[str, Any] | None:
    """That attention's own row, (heads, keys)."""
    reading = reading_entry(look)
    return None if reading is None else blocks.put(np.asarray(look.attention(-1, reading["query"]))[image])


def _array(tensor: Tensor) -> np.ndarray:
    kept = tensor.dtype in (torch.float16, torch.int16)
    return tensor.detach().to("cpu", tensor.dtype if kept else torch.float32).numpy()
