"""Where numbers come from: the settings that travel with every Look, ready for JSON."""

import platform
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn

from vitscope.models.loaded import LoadedModel

_SAMPLES = 4096  # of each tensor, to notice changes that PyTorch does not count


def settings_of(loaded: LoadedModel, sha256: str) -> dict[str, Any]:
    """Model, weights, preprocessing and versions."""
    parameter = next(loaded.model.parameters(), torch.zeros(()))
    return {
        "model": {
            "name": loaded.name,
            "class": f"{type(loaded.model).__module__}.{type(loaded.model).__qualname__}",
            "parameters": sum(p.numel() for p in loaded.model.parameters()),
            "dtype": str(parameter.dtype).removeprefix("torch."),
            "device": str(parameter.device),
            **loaded.provenance,
            "weights_sha256": sha256,
        },
        "preprocessing": None if loaded.transform is None else loaded.transform.settings(),
        "versions": {
            "vitscope": version("vitscope"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def state_of_weights(model: nn.Module) -> tuple[Any, ...]:
    """What changes with the weights, without reading them all.

    Where each tensor lies, PyTorch's count of changes in place, and, as changes through `.data` are
    not counted, the sum of some entries.
    """
    tensors = [tensor.detach() for tensor in (*model.parameters(), *model.buffers())]
    places = tuple((tensor.data_ptr(), tuple(tensor.shape), tensor.dtype, _version(tensor)) for tensor in tensors)
    sums = [_sampled(tensor).sum(dtype=torch.float64) for tensor in tensors if not tensor.is_complex()]
    return places, torch.stack([total.cpu() for total in sums]).numpy().tobytes() if sums else b""


def _sampled(tensor: Tensor) -> Tensor:
    flat = tensor.reshape(-1) if tensor.is_contiguous() else tensor.flatten()
    return flat[:: max(1, len(flat) // _SAMPLES)]


def _version(tensor: Tensor) -> int:
    """PyTorch's count of changes in place; inference tensors have none."""
    return 0 if tensor.is_inference() else tensor._version  # pyright: ignore[reportPrivateUsage]
