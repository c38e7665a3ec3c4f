"""The arithmetic of resizing and cropping, each rule as the library that it comes from rounds it."""

import math
from typing import Literal, NamedTuple

Aspect = Literal["squash", "cover", "contain"]
Centring = Literal["round", "floor", "truncate"]
_MOST_AREA = 1.25  # of "whole", over the area asked for


class Resize(NamedTuple):
    target: int | tuple[int, int]  # the short side, or (height, width)
    aspect: Aspect  # what (height, width) means


def resized_size(original: tuple[int, int], resize: Resize) -> tuple[int, int]:
    """(height, width) that a picture of (height, width) is resized to."""
    height, width = original
    target = resize.target
    if isinstance(target, int):
        # torchvision (and transformers' PIL backend) multiplies first, divides, then truncates.
        long = int(target * max(original) / min(original))
        return (long, target) if width <= height else (target, long)
    if resize.aspect == "squash":
        return target
    # timm's and open_clip's ResizeKeepRatio; where it comes to 0 pixels, 1.
    ratios = height / target[0], width / target[1]
    ratio = max(ratios) if resize.aspect == "contain" else min(ratios)
    return max(1, round(height / ratio)), max(1, round(width / ratio))


def centre_offset(left_over: int, centring: Centring) -> int:
    """Where a centred crop begins along one axis, given how many pixels it leaves over.

    Negative where the picture is the smaller. Half a pixel goes: "round", to the even number, and
    towards zero in padding (torchvision, timm, open_clip); "floor", down (transformers' PIL
    backend); "truncate", towards zero (transformers' torchvision backend).
    """
    if centring == "floor":
        return left_over // 2
    if centring == "truncate" or left_over < 0:
        return math.trunc(left_over / 2)
    return round(left_over / 2)


def whole_size(original: tuple[int, int], size: tuple[int, int], multiple: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of an input that shows a whole picture in about the area of `size`.

    Aspect kept up to rounding each side to a `multiple`, at least one of each. Where a picture is so
    oblong that this would take over 1.25 of the area, its longer side is cut to that, so the aspect
    gives way.
    """
    area, aspect = size[0] * size[1], original[0] / original[1]
    ideal = math.sqrt(area * aspect), math.sqrt(area / aspect)
    sides = [max(1, round(side / step)) * step for side, step in zip(ideal, multiple, strict=True)]
    longer = 0 if sides[0] > sides[1] else 1
    most = int(_MOST_AREA * area / sides[1 - longer] / multiple[longer])  # in multiples
    sides[longer] = min(sides[longer], max(1, most) * multiple[longer])
    return sides[0], sides[1]
