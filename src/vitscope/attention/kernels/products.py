"""Products of matrices on the CPU, by the quicker of the two libraries that PyTorch carries."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def _mkl_is_quick() -> bool:
    """MKL keeps its quickest paths for Intel's own processors. Where PyTorch can't tell the processor, it is none."""
    capabilities: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    return torch.backends.mkl.is_available() and str(capabilities().get("cpu_name", "")).startswith("Intel")


# PyTorch's float32 products go to MKL. On an AMD processor of benchmarks/results they took twice as long as those of
# oneDNN, which PyTorch carries too; on an Intel one oneDNN takes longer. This operator is the way in of torch.compile.
_MKL_IS_QUICK = _mkl_is_quick()
_ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None
_ONEDNN_PACK = None if _ONEDNN is None else getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)


def onednn_is_quicker() -> bool:
    """Whether `times_transposed`, one matrix at a time, is quicker than `logits_into` and `product_into` of many."""
    return _ONEDNN is not None and not _MKL_IS_QUICK


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor | None:
    """`torch.nn.functional.linear` where oneDNN is quicker; None where it is not, or cannot take these."""
    parts = [inputs, weight, *([] if bias is None else [bias])]
    plain = all(type(part) in (Tensor, torch.nn.Parameter) and part.dtype == torch.float32 for part in parts)
    plain &= all(part.device.type == "cpu" for part in parts)
    if not plain or inputs.dim() < 2 or not onednn_is_quicker():
        return None
    assert _ONEDNN is not None
    try:
        return _ONEDNN(inputs, weight, bias, "none", [], "")
    except RuntimeError:  # shapes and strides that it has no way to compute
        return None


def logits_into(
    out: Float[Tensor, "heads rows keys"],
    queries: Float[Tensor, "heads rows dim"],
    keys: Float[Tensor, "heads keys dim"],
    scale: float,
) -> None:
    """scale · queries · keysᵀ, written to `out`."""
    torch.baddbmm(out, queries, keys.transpose(-2, -1), beta=0, alpha=scale, out=out)


def product_into(
    out: Float[Tensor, "heads rows dim"],
    weights: Float[Tensor, "heads rows keys"],
    values: Float[Tensor, "heads keys dim"],
) -> None:
    """weights · values, written to `out`, which may lie in steps."""
    torch.bmm(weights, values, out=out)


def packed(keys: Float[Tensor, "keys dim"], rows: int) -> Tensor:
    """Float32 keys on the CPU, arranged once as `times_transposed` with `rows` at a time will read them."""
    return keys if _ONEDNN_PACK is None else _ONEDNN_PACK(keys, rows)


def times_transposed(rows: Float[Tensor, "rows dim"], keys: Float[Tensor, "keys dim"]) -> Float[Tensor, "rows keys"]:
    """rows · keysᵀ of float32 matrices on the CPU, in memory of its own; the keys may be `packed`."""
    if _ONEDNN is None:
        return rows @ keys.T
    return _ONEDNN(rows, keys, None, "none", [], "")
