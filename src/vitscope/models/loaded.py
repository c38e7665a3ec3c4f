"""What every model source gives back: a model, how to feed it, and what it says of itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from vitscope.images.transform import Transform
from vitscope.layout import LayoutHints

Forward = Callable[[nn.Module, Tensor], Any]  # (model, images (images, 3, height, width)) → output


@dataclass(frozen=True)
class LoadedModel:
    """A model in eval mode with everything needed to show it pictures."""

    name: str  # as a user would write it to load the model again
    model: nn.Module
    forward: Forward
    hints: LayoutHints
    transform: Transform | None = None  # None: the model says nothing, so tensors only
    provenance: dict[str, str] = field(default_factory=dict[str, str])  # library, weights, sha256 …
