"""From each library's own description of its preprocessing to a Transform.

Works on plain values only, so it imports no library. Where a description asks for something that
a Transform cannot do (no resizing, another filter, channels other than three), the answer is None: the model
then takes tensors only, and nothing is shown that the model was never meant to see.
"""

import math
from collections.abc import Mapping
from typing import Any, cast, get_args

from vitscope.images.sizes import Aspect, Centring
from vitscope.images.transform import Interpolation, Transform

Triple = tuple[float, float, float]

_INTERPOLATIONS = get_args(Interpolation)
_TIMM_MODES: dict[str, Aspect] = {"center": "cover", "squash": "squash", "border": "contain"}
_OPEN_CLIP_MODES: dict[str, Aspect] = {"shortest": "cover", "squash": "squash", "longest": "contain"}

_PIL_FILTERS: dict[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}


def pair(size: int | tuple[int, ...] | list[int]) -> tuple[int, int]:
    """(height, width) of a size given as one side or as two."""
    if isinstance(size, int):
        return size, size
    return int(size[0]), int(size[-1])


def from_timm(config: Mapping[str, Any], size: tuple[int, int] | None = None) -> Transform | None:
    """The evaluation transform of timm's data config, at `size` (height, width) if given.

    Reads input_size, crop_pct, crop_mode, interpolation, mean and std, as timm.data resolves them.
    """
    height, width = size or pair(tuple(config["input_size"])[1:])
    portion = config.get("crop_pct") or 0.875  # timm.data.constants.DEFAULT_CROP_PCT
    scaled = math.floor(height / portion), math.floor(width / portion)
    aspect = _TIMM_MODES.get(config.get("crop_mode") or "center")
    fill = tuple(round(255 * value) for value in config.get("mean") or ())
    return _build((height, width), scaled, config, aspect=aspect, fill=fill)


def from_open_clip(config: Mapping[str, Any]) -> Transform | None:
    """The evaluation transform of open_clip's preprocess_cfg: size, resize_mode, mean, std, interpolation."""
    size = pair(config["size"])
    aspect = _OPEN_CLIP_MODES.get(config.get("resize_mode") or "shortest")
    return _build(size, size, config, aspect=aspect, fill=(int(config.get("fill_color") or 0),) * 3)


def from_processor(settings: Mapping[str, Any], centring: Centring = "floor") -> Transform | None:
    """The transform of a transformers image processor's settings, in the names of its JSON file.

    `centring`: where its backend puts a crop, see vitscope.images.sizes.centre_offset.
    """
    resize = _resize(settings.get("size"))
    if resize is None or not settings.get("do_resize", True):
        return None
    size = pair(resize)
    if settings.get("do_center_crop") and settings.get("crop_size"):
        crop = _resize(settings["crop_size"])
        size = size if crop is None else pair(crop)
    mean, std = _normalisation(settings)
    filtered = _PIL_FILTERS.get(int(settings.get("resample") or 0))
    config = {"mean": mean, "std": std, "interpolation": filtered}
    return _build(size, resize, config, centring=centring)


def _resize(size: Any) -> int | tuple[int, int] | None:
    if size is None or isinstance(size, int):
        return size
    if isinstance(size, (tuple, list)):
        return pair(cast("tuple[int, ...]", tuple(size)))
    if size.get("height") and size.get("width"):
        return int(size["height"]), int(size["width"])
    return int(size["shortest_edge"]) if size.get("shortest_edge") else None


def _normalisation(settings: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Mean and deviation for pixels in 0…1, whatever range the processor rescales them to."""
    normalise = settings.get("do_normalize", True)
    mean = settings.get("image_mean") if normalise else (0.0, 0.0, 0.0)
    std = settings.get("image_std") if normalise else (1.0, 1.0, 1.0)
    factor = settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
    top = 255 * factor  # what a white pixel becomes before it is normalised
    return [value / top for value in mean or ()], [value / top for value in std or ()]


def _build(
    size: tuple[int, int],
    resize: int | tuple[int, int],
    config: Mapping[str, Any],
    *,
    aspect: Aspect | None = "squash",
    centring: Centring = "round",
    fill: tuple[int, ...] = (0, 0, 0),
) -> Transform | None:
    """A Transform with the mean, std and interpolation of `config`; None where it has no such mean, filter or mode."""
    mean, std = tuple(config.get("mean") or ()), tuple(config.get("std") or ())
    interpolation = config.get("interpolation")
    if len(mean) != 3 or len(std) != 3 or aspect is None or interpolation not in _INTERPOLATIONS:
        return None
    if aspect == "cover" and isinstance(resize, tuple) and resize[0] == resize[1]:
        # The libraries resize by the short side here, which rounds the long one otherwise.
        resize, aspect = resize[0], "squash"
    return Transform(
        size=size,
        resize=resize,
        mean=cast("Triple", mean),
        std=cast("Triple", std),
        interpolation=cast("Interpolation", interpolation),
        aspect=aspect,
        centring=centring,
        fill=cast("tuple[int, int, int]", fill),
    )
