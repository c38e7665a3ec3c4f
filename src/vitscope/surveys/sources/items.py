"""What one item of a Python collection is: an image, with its id or its label beside it or not. Imports no torch."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from vitscope.errors import ImageError
from vitscope.images.naming import is_url, printable
from vitscope.images.sources import SUFFIXES
from vitscope.surveys.sources.ids import as_text

_EXPECTED = (
    "expected a path, encoded bytes, a PIL image, a uint8 array (height, width, 3), or a preprocessed float tensor "
    "(3, height, width)"
)


@dataclass(frozen=True, eq=False)
class Item:
    """An image, and what came with it."""

    image: Any
    image_id: str | None = None
    label: str | None = None


def taken_apart(item: Any) -> Item:
    """(id, image) where a string comes first and no label second; (image, label, …); {"image": …, "label": …, "id": …}.

    A label is a string or a whole number; anything else in its place counts as none. (string, string) is
    an id and a path, unless only the first of them looks like a path: it ends as pictures do, is a URL or there is
    such a file; then it is a path and a label.
    """
    if isinstance(item, Mapping) and "image" in item:
        return Item(item["image"], _id(item.get("id")), as_label(item.get("label")))
    if not isinstance(item, tuple) or len(item) < 2:
        return Item(item)
    first, second = item[0], item[1]
    if isinstance(first, str) and (as_label(second) is None or (isinstance(second, str) and _is_id(first, second))):
        return Item(second, as_text(first))
    return Item(first, None, as_label(second))


def _is_id(first: str, second: str) -> bool:
    """Whether the first of two strings is an id, as the second is a place, or neither is."""
    return _is_place(second) or not _is_place(first)


def _is_place(text: str) -> bool:
    """A folder is none: classes are often called as folders are."""
    if is_url(text) or text.lower().endswith(SUFFIXES):
        return True
    return os.path.lexists(text) and not os.path.isdir(text)  # noqa: PTH112 - a Path raises on null characters in 3.11


def as_label(value: Any) -> str | None:
    """A label as text: a string, or a whole number of any library."""
    if isinstance(value, str):
        return as_text(value) or None
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # NumPy's and torch's numbers
        value = value.item()
    return str(value) if isinstance(value, int) else None


def as_image(value: Any, image_id: str) -> Any:
    """The image as `open_picture` takes it, or a float tensor or array as it is. Raises ImageError.

    Tensors of uint8 (channels, height, width), as torchvision decodes them, become arrays with the
    channels last.
    """
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str | bytes | Image.Image):
        return value
    if is_tensor(value):
        return value if is_float(value) else _channels_last(value.detach().cpu().numpy())
    if isinstance(value, np.ndarray):
        return value
    raise ImageError(f"{printable(image_id)}: found {type(value).__name__}; {_EXPECTED}")


def is_tensor(value: Any) -> bool:
    """Whether this is a tensor of torch, which is not imported here."""
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach")


def is_float(value: Any) -> bool:
    """Whether an array or tensor is of floating point."""
    kind = str(value.dtype)
    return "float" in kind and "complex" not in kind


def as_array(value: Any) -> np.ndarray:
    """A float tensor or array in NumPy; bfloat16, which NumPy lacks, as float32."""
    if not is_tensor(value):
        return np.asarray(value)
    tensor = value.detach().cpu()
    return tensor.float().numpy() if str(tensor.dtype) == "torch.bfloat16" else tensor.numpy()


def _channels_last(array: np.ndarray) -> np.ndarray:
    return np.moveaxis(array, 0, -1) if array.ndim == 3 and array.shape[0] in (1, 3, 4) else array


def _id(value: Any) -> str | None:
    return as_text(value) if isinstance(value, str) else as_label(value)
