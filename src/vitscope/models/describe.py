"""What a model says of itself: its tokens, how to call it, how it wants its pictures.

Reads attributes only, so it works for any torch module and imports no model library. It never changes
the model and never runs it; what it reads is a hint, which `trace` proves or refutes.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn

from vitscope.errors import ModelError
from vitscope.images.transform import Transform
from vitscope.layout import LayoutHints
from vitscope.models.loaded import Forward
from vitscope.models.preprocessing import from_open_clip, from_timm, pair

# Parameters that hold prefix tokens, by the last part of their names, in the order that models join them.
_PREFIX_PARAMETERS = {
    "cls": ("cls_token", "class_token", "class_embedding"),
    "dist": ("dist_token", "distillation_token"),
    "reg": ("reg_token", "reg_tokens", "register_token", "register_tokens", "storage_tokens"),
}


@dataclass(frozen=True)
class Description:
    """What was read from a model."""

    hints: LayoutHints
    forward: Forward
    transform: Transform | None  # None: the model says nothing of its pictures


def describe(model: nn.Module) -> Description:
    """Read a model's hints, the call that runs its vision part, and its own preprocessing."""
    tower = vision_tower(model)
    hints = LayoutHints(patch_size=patch_size(tower), prefix=prefix_names(tower), guessed=True)
    return Description(hints=hints, forward=forward_for(model), transform=_transform(tower))


def vision_tower(model: nn.Module) -> nn.Module:
    """The part of a two-tower model that sees pictures; any other model itself.

    A model with `encode_image` (CLIP, open_clip) or `get_image_features` (transformers) has two towers.
    """
    if hasattr(model, "encode_image") or hasattr(model, "get_image_features"):
        for name in ("visual", "vision_model"):
            tower = getattr(model, name, None)
            if isinstance(tower, nn.Module):
                return tower
    return model


# How to call a model: module-level functions, so that a LoadedModel can be pickled.


def forward_for(model: nn.Module) -> Forward:
    """The call for this model: its vision tower's, transformers' keyword, or plainly model(images)."""
    if vision_tower(model) is not model:
        return call_vision_tower
    return call_pixel_values if _is_transformers(model) else call_plainly


def call_plainly(model: nn.Module, images: Tensor) -> Any:
    """model(images); images are (images, 3, height, width)."""
    return model(images)


def call_pixel_values(model: nn.Module, images: Tensor) -> Any:
    """model(pixel_values=images), position embeddings interpolated where the size is not the model's own."""
    parameters = inspect.signature(model.forward).parameters
    if (
        "pixel_values" not in parameters
        and next(iter(parameters.values())).kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ):
        return model(images)
    takes_interpolation = "interpolate_pos_encoding" in parameters
    if takes_interpolation and tuple(images.shape[-2:]) != native_size(model):
        return model(pixel_values=images, interpolate_pos_encoding=True)
    return model(pixel_values=images)


def call_vision_tower(model: nn.Module, images: Tensor) -> Any:
    """The vision tower of a two-tower model, alone."""
    tower = vision_tower(model)
    if tower is model:
        raise ModelError(
            f"found no vision tower in {type(model).__name__}; expected a module named visual or "
            "vision_model; pass forward=… to wrap"
        )
    return forward_for(tower)(tower, images)


def native_size(model: nn.Module) -> tuple[int, int] | None:
    """(height, width) of the input that the model's position embeddings are made for, or None if unsaid."""
    size = getattr(getattr(model, "config", None), "image_size", None) or getattr(model, "image_size", None)
    if size is None:
        size = getattr(getattr(model, "patch_embed", None), "img_size", None)
    return pair(size) if isinstance(size, (int, tuple, list)) else None


def _is_transformers(model: nn.Module) -> bool:
    return hasattr(getattr(model, "config", None), "model_type") and (
        getattr(model, "main_input_name", "") == "pixel_values"
    )


# Patch size: the stride of the patch grid, in pixels of the input.


def patch_size(model: nn.Module) -> tuple[int, int] | None:
    """(height, width) of a patch in pixels, or None where nothing in the model tells it.

    Where patches overlap, or a stem of convolutions makes them, what a model calls its patch size is
    as often a kernel's as a step.
    """
    if _overlapping(model) and _ratio_of_patch_embed(model) is None:
        return None
    return (
        _ratio_of_patch_embed(model)
        or _as_pair(getattr(getattr(model, "config", None), "patch_size", None))
        or _patch_convolution(model)
        or _as_pair(getattr(getattr(model, "patch_embed", None), "patch_size", None))
        or _as_pair(getattr(model, "patch_size", None))
    )


def _ratio_of_patch_embed(model: nn.Module) -> tuple[int, int] | None:
    # timm's hybrids patch a feature map: their patch_size is in its cells, feat_ratio in pixels.
    for module in model.modules():
        ratio = getattr(module, "feat_ratio", None)
        if callable(ratio):
            return _as_pair(ratio(as_scalar=False))
    return None


def _patch_convolution(model: nn.Module) -> tuple[int, int] | None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == 3:
            kernel, stride = tuple(module.kernel_size), tuple(module.stride)
            return _as_pair(stride) if kernel == stride else None
    return None


def _overlapping(model: nn.Module) -> bool:
    """Whether the first convolution on the picture reaches beyond its step."""
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d) and m.in_channels == 3), None)
    return first is not None and tuple(first.kernel_size) != tuple(first.stride)


def _as_pair(size: Any) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    if isinstance(size, (tuple, list)) and len(cast("list[int]", size)) == 2:
        return pair(cast("list[int]", size))
    return None


# Prefix tokens.


def prefix_names(model: nn.Module) -> tuple[str, ...] | None:
    """Names of the tokens before the patches, in token order; () for none, None where the model says nothing."""
    names = tuple(name for kind in _PREFIX_PARAMETERS for name in _names_of_kind(model, kind))
    count = _stated_count(model)
    if count is None:
        known = names or _is_transformers(model)
        return names if known else None
    if count == len(names):
        return names
    return tuple(f"prefix{i + 1}" for i in range(count))


def _names_of_kind(model: nn.Module, kind: str) -> list[str]:
    found = [
        (name.count("."), _token_count(parameter))
        for name, parameter in model.named_parameters()
        if name.rpartition(".")[2] in _PREFIX_PARAMETERS[kind]
    ]
    count = min(found)[1] if found else 0  # the outermost: inner ones belong to heads and decoders
    if kind != "reg" and count == 1:
        return [kind]
    return [f"{kind}{i + 1}" for i in range(count)]


def _token_count(parameter: Tensor) -> int:
    return parameter.shape[-2] if parameter.ndim >= 2 else 1  # (…, tokens, width) or (width,)


def _stated_count(model: nn.Module) -> int | None:
    for module in model.modules():
        count = getattr(module, "num_prefix_tokens", None)
        if isinstance(count, int):
            return count
    return None


# Preprocessing, where a model carries it.


def _transform(tower: nn.Module) -> Transform | None:
    config = getattr(tower, "preprocess_cfg", None)
    if isinstance(config, Mapping):
        return from_open_clip(cast("Mapping[str, Any]", config))
    config = getattr(tower, "pretrained_cfg", None)
    if isinstance(config, Mapping) and "input_size" in config:
        settings = cast("Mapping[str, Any]", config)
        return from_timm(settings, native_size(tower))
    return None
