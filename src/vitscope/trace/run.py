"""Forward passes for experiments: on synthetic images, with attention answered by the experimenter."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from vitscope.attention.event import AttentionEvent, Observer
from vitscope.attention.kernels.products import linear
from vitscope.attention.tap import Tap
from vitscope.errors import CaptureError

Forward = Callable[[nn.Module, Tensor], Any]
_SEED = 20260211


@dataclass(eq=False)
class Subject:
    """The model under experiment, how it is called, and for which input."""

    model: nn.Module
    forward: Forward
    image_size: tuple[int, int]  # (height, width) in pixels
    like: Tensor  # of the input's dtype and device
    samples: bool = False  # whether it was seen to sample places at computed points: deformable attention

    def blank(self, images: int) -> Tensor:
        """(images, 3, height, width) of zeros."""
        return self.like.new_zeros(images, 3, *self.image_size)

    def run(self, images: Tensor, observer: Observer, seed: int = _SEED) -> Any:
        """The model's output under observation; CaptureError where the model or the tap cannot follow.

        The random state is fixed, by `seed`, for the run and afterwards as it was before.
        """
        tap = Tap(self.model, observer)
        with torch.random.fork_rng(devices=[]), torch.no_grad(), _QuickProducts(), tap:
            torch.manual_seed(seed)
            output = self._forward(images)
        if tap.lost:
            raise CaptureError(
                f"layer {tap.lost[0]!r} takes a softmax whose way to its values cannot be followed "
                f"({len(tap.lost)} layers in all); its attention would be missing, so nothing is shown"
            )
        return output

    def _forward(self, images: Tensor) -> Any:
        try:
            return self.forward(self.model, images)
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            height, width = self.image_size
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise CaptureError(
                f"the model refused an input of {height} × {width} px: {reason}. If it takes one size only, load it "
                "with that image_size; if it is called otherwise than model(images), pass forward= to wrap"
            ) from error


class _QuickProducts(TorchFunctionMode):
    """Linear maps by another library: an experiment tells where tokens stand, and its numbers are not kept.

    They are nearly all that a run costs, as attention is switched off.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.linear and len(args) in (2, 3) and not kwargs and not torch.is_autocast_enabled("cpu"):
            result = linear(args[0], args[1], args[2] if len(args) == 3 else None)
            if result is not None:
                return result
        return func(*args, **kwargs)


def noise(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """The same normal noise every time, in the dtype and on the device of `like`."""
    generator = torch.Generator().manual_seed(_SEED)
    return torch.randn(shape, generator=generator).to(like.device, like.dtype)


def given(event: AttentionEvent, rows: Bool[np.ndarray, "sets queries"], images: int, loud: float = 1.0) -> Tensor:
    """An output of zeros, but for the same noise on chosen rows of all heads; sets are images · windows."""
    output = event.zero_output()
    if not rows.any():
        return output
    answer = event.read_output(output, images).clone()  # (images · windows, heads or 1, queries, dim)
    chosen = torch.from_numpy(rows).to(answer)[:, None, :, None]
    return event.write_output(answer + chosen * loud * noise((1, 1, 1, answer.shape[-1]), answer), images)
