"""Products of matrices on the CPU, by the quickest library that PyTorch carries."""

import torch
from jaxtyping import Float
from torch import Tensor

# PyTorch's float32 products go to MKL, which took twice as long as oneDNN, which PyTorch carries too, on the AMD
# processor of benchmarks/results. This operator is the way in that torch.compile takes.
_ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None
_ONEDNN_PACK = None if _ONEDNN is None else getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor | None:
    """`torch.nn.functional.linear` of what oneDNN can take; None for what it cannot."""
    parts = [inputs, weight, *([] if bias is None else [bias])]
    plain = all(type(part) in (Tensor, torch.nn.Parameter) and part.dtype == torch.float32 for part in parts)
    if _ONEDNN is None or not plain or any(part.device.type != "cpu" for part in parts) or inputs.dim() < 2:
        return None
    try:
        return _ONEDNN(inputs, weight, bias, "none", [], "")
    except RuntimeError:  # shapes and strides that it has no way to compute
        return None


def packed(keys: Float[Tensor, "keys dim"], rows: int) -> Tensor:
    """Float32 keys on the CPU, arranged once as `times_transposed` with `rows` at a time will read them."""
    return keys if _ONEDNN_PACK is None else _ONEDNN_PACK(keys, rows)


def times_transposed(rows: Float[Tensor, "rows dim"], keys: Float[Tensor, "keys dim"]) -> Float[Tensor, "rows keys"]:
    """rows · keysᵀ of float32 matrices on the CPU, in memory of its own; the keys may be `packed`."""
    if _ONEDNN is None:
        return rows @ keys.T
    return _ONEDNN(rows, keys, None, "none", [], "")
