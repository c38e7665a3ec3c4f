"""What stands around a model, or in its place: compilers, replicas, adapters, exported programs."""

import sys
from typing import cast

import torch
from torch import fx, nn

from vitscope.errors import CaptureError


def inside(model: nn.Module) -> nn.Module:
    """The model within `torch.compile`, DataParallel, DistributedDataParallel and PEFT's adapters.

    It computes the same: adapters are modules of it, and what is compiled in place stays as it is.
    """
    while True:
        within = getattr(model, "_orig_mod", None)  # of torch.compile
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            within = model.module
        if _is_adapted(model):
            within = cast(nn.Module, model.get_base_model())  # pyright: ignore[reportCallIssue]
        if not isinstance(within, nn.Module) or within is model:
            return model
        model = within


def _is_adapted(model: nn.Module) -> bool:
    peft = sys.modules.get("peft")
    return peft is not None and isinstance(model, peft.PeftModel)


def require_open(model: nn.Module) -> None:
    """Raise CaptureError for programs that call no function of PyTorch's, and for models without weights."""
    if isinstance(model, torch.jit.ScriptModule):
        raise CaptureError(
            "the model is TorchScript, which runs without showing its attention; wrap the model that it was made from"
        )
    if isinstance(model, fx.GraphModule) and _is_exported(model):
        raise CaptureError(
            "the model is an exported program (torch.export), whose operators show no attention; wrap the model that "
            "it was exported from"
        )
    for name, parameter in model.named_parameters():
        if parameter.is_meta:
            raise CaptureError(
                f"parameter {name} is on the meta device and holds no values; load the weights onto one device, "
                "without device_map or offloading"
            )


def _is_exported(model: fx.GraphModule) -> bool:
    return any(isinstance(node.target, torch._ops.OpOverload) for node in model.graph.nodes)  # pyright: ignore[reportPrivateUsage]
