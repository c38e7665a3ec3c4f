"""Many images made ready, in runs that fit into one forward pass."""

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from os import PathLike, fsdecode
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vitscope.errors import ImageError, VitscopeError
from vitscope.images.decode import Picture
from vitscope.images.naming import path_name
from vitscope.images.transform import Transform
from vitscope.showing import preprocessed, show

OnFailure = Callable[[str, VitscopeError], None]
Batch = tuple[list[str], Tensor]
"""The images' ids, and the images (images, 3, height, width)."""
_TENSOR = "tensor"  # the id of an image that was given as one


def batches(
    images: Iterable[Any], transform: Transform | None, batch_size: int, on_failure: OnFailure | None
) -> Iterator[Batch]:
    """Runs of up to `batch_size` consecutive images of one input size."""
    if not isinstance(images, Tensor) or images.dim() != 4:
        yield from _gathered(enumerate(images), transform, batch_size, on_failure)
        return
    for first, part in zip(count(0, batch_size), images.split(batch_size), strict=False):
        if _is_ready(part, waits=on_failure is not None):
            yield [_TENSOR] * len(part), part.contiguous()  # in place, unless its numbers lie in steps
        else:  # which of them it is, is told there
            yield from _gathered(enumerate(part, first), transform, batch_size, on_failure)


def _is_ready(images: Tensor, *, waits: bool) -> bool:
    try:
        preprocessed(images, waits=waits)
    except ImageError:
        return False
    return True


def _gathered(
    items: Iterable[tuple[int, Any]], transform: Transform | None, batch_size: int, on_failure: OnFailure | None
) -> Iterator[Batch]:
    """Numbered images, one by one."""
    names: list[str] = []
    tensors: list[Tensor] = []
    for index, item in items:
        image_id, image = _identified(item)
        try:
            tensor, name = preprocessed(image, waits=on_failure is not None), _TENSOR
            if tensor is None:
                tensor, shown = show(image, transform)
                name = shown[0].name
            if len(tensor) != 1:
                raise ImageError(f"found {len(tensor)} images in one; expected images one by one: list(tensor)")
        except VitscopeError as error:
            if on_failure is None:
                raise
            on_failure(image_id or _name_of(image) or f"image {index + 1}", error)
            continue
        if tensors and (len(tensors) == batch_size or tensors[-1].shape != tensor.shape):
            yield names, _joined(tensors)
            names, tensors = [], []
        names.append(image_id or name)
        tensors.append(tensor)
    if tensors:
        yield names, _joined(tensors)


def _joined(tensors: list[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)


def is_many(images: Any) -> bool:
    """False for what is one image and would be taken apart by iterating over it."""
    if isinstance(images, np.ndarray | Tensor):
        return images.ndim in (1, 4)  # of paths or objects; of pictures
    return not isinstance(images, str | bytes | bytearray | PathLike | Image.Image | Picture)


def _identified(item: Any) -> tuple[str | None, Any]:
    if isinstance(item, tuple) and len(cast(tuple[Any, ...], item)) == 2 and isinstance(item[0], str):
        return cast(tuple[str, Any], item)
    return None, item


def _name_of(image: Any) -> str | None:
    """What to call an image that could not be read."""
    if isinstance(image, Picture):
        return image.name
    return path_name(fsdecode(image)) if isinstance(image, str | PathLike) else None
