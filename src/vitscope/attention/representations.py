"""What the layers' blocks give: the output of the largest module that holds a layer's attention and no other layer's.

Caught by a hook that PyTorch calls for every module, for the length of a forward pass and in one thread alone;
nothing is put on the user's own modules, and their outputs stay as they are.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.hooks import RemovableHandle

from vitscope.attention.finite import is_finite
from vitscope.errors import CaptureError, NotFiniteError


class BlockOutputs:
    """Inside the `with` block, keeps what the blocks around `layers` give, of a forward pass over `images` images."""

    def __init__(self, model: nn.Module, layers: Sequence[str], images: int) -> None:
        """`layers`: the names of the attentions' modules, in the order of the pass."""
        self._layers, self._images = tuple(layers), images
        self._holders = {layer: _holders(layer, self._layers) for layer in self._layers}  # the largest first
        known = {name for names in self._holders.values() for name in names}
        self._names = {id(module): name for name, module in model.named_modules() if name in known}
        self._outputs: dict[str, list[Any]] = defaultdict(list)
        self._thread: int | None = None
        self._hook: RemovableHandle | None = None

    def __enter__(self) -> "BlockOutputs":
        self._thread = threading.get_ident()
        self._hook = register_module_forward_hook(self._keep)
        return self

    def __exit__(self, *raised: Any) -> None:
        if self._hook is not None:
            self._hook.remove()

    def _keep(self, module: nn.Module, _arguments: Any, output: Any) -> None:
        """Keep a copy, as models may go on to change it in place, and forget those of modules inside this one."""
        if threading.get_ident() != self._thread or id(module) not in self._names:
            return
        name = self._names[id(module)]
        for holders in self._holders.values():
            if name in holders:
                for smaller in holders[holders.index(name) + 1 :]:
                    self._outputs.pop(smaller, None)
        tensor = first_tensor(output)
        self._outputs[name].append(tensor if tensor is None else tensor.detach().clone())

    def representations(self) -> tuple[Float[Tensor, "images features"], ...]:
        """Of each layer, tokens and features flattened, in float32 or better.

        CaptureError names a layer whose block gave none, or not with images where they should be; NotFiniteError one
        whose block gave NaN or infinity.
        """
        outputs = self._by_layer()
        agreed = {axes[0] for axes in map(self._axes, outputs) if len(axes) == 1}
        return tuple(self._flat(layer, output, agreed) for layer, output in zip(self._layers, outputs, strict=True))

    def _by_layer(self) -> list[Tensor | None]:
        """What each layer's block gave, in the order of the pass; a block that runs again gives another each time."""
        calls: dict[str, Iterator[Tensor | None]] = {}
        for layer in dict.fromkeys(self._layers):
            found = next((self._outputs[name] for name in self._holders[layer] if name in self._outputs), [])
            if len(found) != self._layers.count(layer):
                raise CaptureError(
                    f"layer {layer!r}: the module around it alone gave {len(found)} outputs in this pass, "
                    f"expected {self._layers.count(layer)}, one for each of its attentions; leave out the "
                    "measures that compare layers' outputs (LinearCKA)"
                )
            calls[layer] = iter(found)
        return [next(calls[layer]) for layer in self._layers]

    def _axes(self, output: Tensor | None) -> list[int]:
        """Which of the first two axes may be the images'."""
        if output is None or output.dim() < 2:
            return []
        axes = [axis for axis in (0, 1) if output.shape[axis] == self._images]
        return axes[:1] if self._images == 1 else axes  # one image's numbers are the same either way

    def _flat(self, layer: str, output: Tensor | None, agreed: set[int]) -> Float[Tensor, "images features"]:
        """`agreed`: where images lie in the outputs that leave no doubt, which settles the others."""
        axes = self._axes(output)
        if len(axes) == 2 and len(agreed) == 1:
            axes = [*agreed]
        if output is None or len(axes) != 1:
            shape = "no tensor" if output is None else f"an output of shape {tuple(output.shape)}"
            raise CaptureError(
                f"layer {layer!r}: found {shape} around it, expected {self._images} images on its first axis or its "
                "second, and not on both; show another number of images at once, or leave out the measures that "
                "compare layers' outputs (LinearCKA)"
            )
        flat = output.movedim(axes[0], 0).flatten(1)
        if not is_finite(flat):
            raise NotFiniteError(
                f"layer {layer!r}: NaN or infinity in the output of the block around it; expected finite numbers. "
                "Check the weights and the input; in float16, activations may overflow where bfloat16 or float32 do not"
            )
        return flat if flat.dtype == torch.float64 else flat.float()


def first_tensor(output: Any) -> Tensor | None:
    """The tensor itself, or the first in a tuple, list or mapping (a ModelOutput of transformers), however nested."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        output = tuple(cast(Mapping[Any, Any], output).values())
    if not isinstance(output, tuple | list):
        return None
    found = (first_tensor(part) for part in cast(Sequence[Any], output))
    return next((tensor for tensor in found if tensor is not None), None)


def _holders(layer: str, layers: Sequence[str]) -> list[str]:
    """The modules that hold this layer's attention and no other layer's, the largest first; never the whole model."""
    parts = layer.split(".")
    names = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    others = set(layers) - {layer}
    return [name for name in names if not any(other == name or _is_inside(other, name) for other in others)]


def _is_inside(name: str, holder: str) -> bool:
    return name.startswith(f"{holder}.")
