"""Which body of the kernels computes: a pure choice from what is known before, with its reason."""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import torch

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels import library

BodyName = Literal["tiled", "compiled", "triton"]

_LEAST_TRITON = (3, 3)


@dataclass(frozen=True)
class Choice:
    """A body, and why it was chosen."""

    name: BodyName
    reason: str


def choose(device: str, dtype: torch.dtype, installed: frozenset[BodyName]) -> Choice:
    """The body for calls on `device` ("cpu", "cuda" …) in a model of `dtype`, of those that are `installed`."""
    if dtype == torch.float64:
        return Choice("tiled", "tiles in PyTorch, as the model computes in float64")
    if device == "cuda" and "triton" in installed:
        return Choice("triton", "fused Triton kernels, on CUDA")
    if device != "cpu":
        missing = "; Triton is not installed" if device == "cuda" else ""
        return Choice("tiled", f"tiles in PyTorch, on {device}{missing}")
    if "compiled" not in installed:
        return Choice("tiled", "tiles in PyTorch, as the loops were not compiled for this machine")
    return Choice("compiled", "compiled loops, on the CPU")


@cache
def installed() -> frozenset[BodyName]:
    """Which bodies this machine has beside the tiled one."""
    found: dict[BodyName, bool] = {"compiled": library.find() is not None, "triton": _triton_version() >= _LEAST_TRITON}
    return frozenset(name for name, here in found.items() if here)


def _triton_version() -> tuple[int, ...]:
    """Major and minor version; empty where it is not installed."""
    try:
        return tuple(int(part) for part in version("triton").split(".")[:2])
    except PackageNotFoundError:
        return ()


def settle(choice: Choice) -> Choice:
    """The choice, or the tiled body where what was chosen is installed but does not load."""
    trouble = _trouble_of(choice.name)
    if trouble is None:
        return choice
    return Choice("tiled", f"tiles in PyTorch, as the {choice.name} kernels do not load here: {trouble}")


@cache
def _trouble_of(name: BodyName) -> str | None:
    """Why a body cannot be imported, if it cannot: compilers fail in many ways beside others' versions."""
    try:
        import_module(f"vitscope.attention.kernels.{name}")
    except Exception as error:
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return None


def body_for(call: AttentionCall, name: BodyName) -> Any:
    """The module of that body's kernels, or the tiled one where it cannot take this call."""
    if name == "compiled":
        module = import_module("vitscope.attention.kernels.compiled")
        if module.supports(call):
            return module
    elif name == "triton":
        module = import_module("vitscope.attention.kernels.triton")
        if module.supports(call):
            return module
    return import_module("vitscope.attention.kernels.tiled")
