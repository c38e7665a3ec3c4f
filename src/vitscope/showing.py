"""From what a user gives as images to the model's input, with what is needed to draw on it later."""

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vitscope.attention.finite import is_finite
from vitscope.errors import ArgumentError, ImageError
from vitscope.images.decode import Picture, open_picture
from vitscope.images.transform import Transform
from vitscope.look import Shown


def show(images: Any, transform: Transform | None) -> tuple[Tensor, tuple[Shown, ...]]:
    """The input (images, 3, height, width) in float and, for each image, what it was and what is seen of it.

    A path, URL, PIL image, uint8 array, encoded bytes, or a list of them goes through `transform`;
    a float tensor or array (images, 3, height, width) is taken as already preprocessed.
    """
    tensor = preprocessed(images)
    if tensor is not None:
        return tensor, _shown_tensor(tensor, transform)
    pictures = _pictures(images)
    if transform is None:
        raise ArgumentError(
            "this model says nothing of its preprocessing, so it can only be shown float tensors "
            "(images, 3, height, width); for pictures pass transform=vitscope.Transform(…) to wrap"
        )
    tensors = [transform(picture) for picture in pictures]
    sizes = {tuple(tensor.shape[-2:]) for tensor in tensors}
    if len(sizes) > 1:
        listed = ", ".join(f"{height} × {width}" for height, width in sorted(sizes))
        raise ImageError(
            f"these pictures come to {len(sizes)} input sizes ({listed}), and a look holds one; look at them one "
            'at a time, use scope.measure, or fit="crop"'
        )
    return torch.stack(tensors), tuple(_shown_picture(picture, transform) for picture in pictures)


def preprocessed(images: Any, *, waits: bool = False) -> Tensor | None:
    """The images as a float tensor, if they were given as one.

    Raises ImageError for NaN, if need be `waits` for a device to tell; what its first layer computes shows them too.
    """
    if isinstance(images, np.ndarray) and np.issubdtype(images.dtype, np.floating) and images.ndim >= 3:
        images = torch.from_numpy(np.ascontiguousarray(images))
    if not isinstance(images, Tensor):
        return None
    if not images.is_floating_point():
        raise ImageError(
            f"a tensor of {images.dtype} was given; expected a preprocessed float tensor (images, 3, height, width), "
            "or a picture as a uint8 NumPy array (height, width, 3)"
        )
    if images.dim() == 3:
        images = images[None]
    if images.dim() != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise ImageError(
            f"found floats of shape {tuple(images.shape)}; expected preprocessed ones (images, 3, height, width), or a "
            "picture as a uint8 NumPy array (height, width, 3)"
        )
    if (waits or images.device.type == "cpu") and not is_finite(images):
        raise ImageError("the tensor holds NaN or infinity; expected preprocessed pixels")
    return images


def _pictures(images: Any) -> list[Picture]:
    if not isinstance(images, list | tuple):
        return [open_picture(images)]
    if not images:
        raise ArgumentError("an empty list of images was given; expected at least one")
    many = cast(Sequence[Any], images)
    arrays = sum(isinstance(image, np.ndarray | Image.Image) for image in many) > 1
    return [
        open_picture(image, name=f"image {i + 1}" if arrays and isinstance(image, np.ndarray | Image.Image) else None)
        for i, image in enumerate(many)
    ]


def _shown_picture(picture: Picture, transform: Transform) -> Shown:
    place = transform.place(picture.size)
    return Shown(picture.name, partial(transform.render, picture), picture, place, picture.note)


def _shown_tensor(tensor: Tensor, transform: Transform | None) -> tuple[Shown, ...]:
    """Pictures of preprocessed tensors: normalisation undone where it is known, else each scaled to its own range."""
    note = "drawn from a preprocessed tensor" + ("" if transform else ", scaled to its own range")
    own = tensor.detach().clone()  # the caller may change theirs before the picture is drawn
    return tuple(
        Shown(f"tensor {i + 1}" if len(own) > 1 else "tensor", partial(_render, image, transform), note=note)
        for i, image in enumerate(own)
    )


def _render(image: Tensor, transform: Transform | None) -> Image.Image:
    """The picture of one preprocessed tensor (3, height, width)."""
    pixels = image.float().cpu()
    if transform is not None:
        mean, std = (torch.tensor(value).view(3, 1, 1) for value in (transform.mean, transform.std))
        pixels = pixels * std + mean
    else:
        low, high = pixels.min(), pixels.max()
        pixels = (pixels - low) / (high - low).clamp_min(1e-12)
    return Image.fromarray((pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy())
