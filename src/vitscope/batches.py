"""Many images made ready, in runs that fit into one forward pass."""

from collections.abc import Callable, Iterable, Iterator
from os import PathLike, fsdecode
from typing import Any, cast

import numpy as np
from PIL import Image
from torch import Tensor

from vitscope.errors import ImageError, VitscopeError
from vitscope.images.decode import Picture
from vitscope.images.naming import path_name
from vitscope.images.transform import Transform
from vitscope.showing import preprocessed, show

OnFailure = Callable[[str, VitscopeError], None]


def batches(
    images: Iterable[Any], transform: Transform | None, batch_size: int, on_failure: OnFailure | None
) -> Iterator[list[tuple[str, Tensor]]]:
    """Runs of up to `batch_size` consecutive images of one input size: (image id, (3, height, width))."""
    batch: list[tuple[str, Tensor]] = []
    for index, item in enumerate(images):
        image_id, image = _identified(item)
        try:
            tensor, name = preprocessed(image, waits=on_failure is not None), "tensor"
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
        if batch and (len(batch) == batch_size or batch[-1][1].shape != tensor.shape[1:]):
            yield batch
            batch = []
        batch.append((image_id or name, tensor[0]))
    if batch:
        yield batch


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
