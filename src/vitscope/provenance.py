"""Where numbers come from: the settings that travel with every Look, ready for JSON."""

import platform
from importlib.metadata import version
from typing import Any

import torch

from vitscope.models.loaded import LoadedModel


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
