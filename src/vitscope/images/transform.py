"""From a picture to the model's input, pixel for pixel as the model's own library does it.

timm, torchvision, open_clip and the PIL backend of transformers all resize with Pillow and take the
centre; they differ in how they round, which `aspect` and `centring` say. Not reproduced: the
torchvision backend of transformers, which resizes tensors and differs by about one grey level.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from vitscope.errors import ArgumentError
from vitscope.images.decode import Picture
from vitscope.images.placement import Placement
from vitscope.images.sizes import Aspect, Centring, Resize, centre_offset, resized_size, whole_size

__all__ = ["Placement", "Transform"]

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
_FILTERS: dict[Interpolation, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_LARGE = 30_000_000  # pixels of a resized picture, 90 MB, above which only the crop is made


@dataclass(frozen=True, kw_only=True)
class Transform:
    """Resize, take the centre, normalise: or, with fit="whole", show the whole picture."""

    size: tuple[int, int]  # (height, width) of the model's input
    resize: int | tuple[int, int]
    """An int: the short side becomes this, aspect kept. (height, width): as `aspect` says."""
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, float, float]  # of red, green, blue on a scale from 0 to 1
    std: tuple[float, float, float]
    fit: Literal["crop", "whole"] = "crop"
    multiple: tuple[int, int] = (1, 1)  # (height, width) of a patch: what the sides of "whole" are rounded to
    aspect: Aspect = "squash"
    """What `resize=(height, width)` means: exactly these sides; or aspect kept, large enough to
    cover them, or small enough to lie within them."""
    centring: Centring = "round"
    """Where the crop lies when an odd number of pixels is left over, see `sizes.centre_offset`."""
    fill: tuple[int, int, int] = (0, 0, 0)  # red, green, blue 0 … 255, where the crop reaches outside

    def __post_init__(self) -> None:
        sides = (*self.size, *self.multiple, *((self.resize,) if isinstance(self.resize, int) else self.resize))
        if min(sides) < 1:
            raise ArgumentError(f"sides must be at least 1 pixel; found {self}")
        if len(self.mean) != 3 or len(self.std) != 3 or 0 in self.std:
            raise ArgumentError(f"expected three means and three deviations that are not 0; found {self}")
        options = {"interpolation": tuple(_FILTERS), "fit": ("crop", "whole")}
        options |= {"aspect": ("squash", "cover", "contain"), "centring": ("round", "floor", "truncate")}
        for name, known in options.items():
            if getattr(self, name) not in known:
                raise ArgumentError(f"found {name}={getattr(self, name)!r}; expected one of {', '.join(known)}")

    def whole(self, multiple: tuple[int, int]) -> "Transform":
        """The same, showing the whole picture, with sides that are multiples of (height, width)."""
        return replace(self, fit="whole", multiple=multiple)

    def with_size(self, size: tuple[int, int]) -> "Transform":
        """The same for an input of (height, width), cropping the same proportion.

        timm computes `resize` from the crop proportion and rounds down; where that must be matched
        to the pixel, give `resize` yourself.
        """
        if not isinstance(self.resize, int):
            height, width = (max(1, round(self.resize[i] * size[i] / self.size[i])) for i in (0, 1))
            return replace(self, size=size, resize=(height, width))
        factor = self.resize / min(self.size)
        if size[0] == size[1]:
            return replace(self, size=size, resize=max(1, round(factor * size[0])))
        height, width = (max(1, round(factor * side)) for side in size)
        return replace(self, size=size, resize=(height, width), aspect="cover")

    def place(self, original: tuple[int, int]) -> Placement:
        """Where the input lies on a picture of (height, width)."""
        height, width = original
        if self.fit == "whole":
            return Placement(original, whole_size(original, self.size, self.multiple), (0.0, 0.0, width, height))
        (resized_height, resized_width), (top, left) = self._resized(original)
        y, x = height / resized_height, width / resized_width  # pixels of the original per resized pixel
        box = (left * x, top * y, (left + self.size[1]) * x, (top + self.size[0]) * y)
        return Placement(original, self.size, box)

    def render(self, picture: Picture) -> Image.Image:
        """What the model sees, before normalisation: RGB, 8 bit, at the input's size."""
        image, resample = picture.image, _FILTERS[self.interpolation]
        if self.fit == "whole":
            return image.resize(_pillow(whole_size(picture.size, self.size, self.multiple)), resample)
        (height, width), (top, left) = self._resized(picture.size)
        bottom, right = top + self.size[0], left + self.size[1]
        # The part of the resized picture that the crop covers.
        part = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if height * width > _LARGE:
            seen = _resize_part(image, (height, width), part, resample)
        else:
            seen = image.resize((width, height), resample).crop(part)
        if seen.size == _pillow(self.size):
            return seen
        canvas = Image.new("RGB", _pillow(self.size), self.fill)
        canvas.paste(seen, (max(-left, 0), max(-top, 0)))
        return canvas

    def __call__(self, picture: Picture) -> Float[Tensor, "3 height width"]:
        """The model's input in float32: (render / 255 − mean) / std."""
        pixels = torch.from_numpy(np.array(self.render(picture)))  # (height, width, 3) in uint8
        mean, std = (torch.tensor(value, dtype=torch.float32).view(3, 1, 1) for value in (self.mean, self.std))
        return (pixels.permute(2, 0, 1).contiguous().float() / 255 - mean) / std

    def describe(self) -> str:
        """One line for people."""
        numbers = (", ".join(f"{value:.4g}" for value in values) for values in (self.mean, self.std))
        return ", ".join((*self._steps(), *(f"{n} {v}" for n, v in zip(("mean", "std"), numbers, strict=True))))

    def settings(self) -> dict[str, object]:
        """Every field, ready for JSON."""
        fields: dict[str, Any] = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    def _steps(self) -> tuple[str, ...]:
        area = f"{self.size[0]} × {self.size[1]}"
        if self.fit == "whole":
            sides = f"sides multiples of {self.multiple[0]} × {self.multiple[1]}"
            return (f"whole picture, aspect kept, area of about {area} ({self.interpolation})", sides)
        if isinstance(self.resize, int):
            resize = f"short side to {self.resize}"
        else:
            words = {"squash": "squashed to", "cover": "aspect kept, to cover", "contain": "aspect kept, to fit within"}
            resize = f"{words[self.aspect]} {self.resize[0]} × {self.resize[1]}"
        if self.resize == self.size and self.aspect == "squash":
            return (f"{resize} ({self.interpolation})",)
        return f"{resize} ({self.interpolation})", f"centre crop {area}"

    def _resized(self, original: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """(height, width) after resizing, and (top, left) of the crop on it."""
        size = resized_size(original, Resize(self.resize, self.aspect))
        top, left = (centre_offset(size[i] - self.size[i], self.centring) for i in (0, 1))
        return size, (top, left)


def _pillow(size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) → Pillow's (width, height)."""
    return size[1], size[0]


def _resize_part(
    image: Image.Image, size: tuple[int, int], part: tuple[int, int, int, int], resample: Image.Resampling
) -> Image.Image:
    """One part (left, top, right, bottom) of the picture resized to (height, width), made alone.

    A picture of 20,000 × 1 would become 4,480,000 × 224. Pillow's filters reach across the box
    into its surroundings, so pixels are within two grey levels of the crop's; more only where a
    filter overshoots black or white, as Pillow may then clip rows before columns.
    """
    left, top, right, bottom = part
    x, y = image.width / size[1], image.height / size[0]
    box = (left * x, top * y, min(right * x, image.width), min(bottom * y, image.height))
    return image.resize((right - left, bottom - top), resample, box=box)
