"""Everything but attention that mixes places, switched off for an experiment.

A convolution keeps its middle tap, pooling too, the transpose of a convolution one tap for each of the
places that it makes; a change of size takes the nearest; the picture's mean or norm is taken for zero;
normalisation over places, or by what was seen in training, divides each place by its own features'
size, as a tap of each of many convolutions would else let nothing through. What is left of the model
moves tokens about without mixing them, so that each depends on the pixels of its own place alone,
however wide its receptive field is.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_Pair = tuple[int, int]
_Function = Callable[..., Any]
# What reduces places to a number, and the position of its axes among the arguments.
_REDUCING = {torch.mean: 1, Tensor.mean: 1, torch.norm: 2, Tensor.norm: 2, torch.linalg.vector_norm: 2}
_ENLARGING = {F.interpolate, F.conv_transpose2d, F.adaptive_avg_pool2d}
_LEAST_SQUARE = 1e-30


class Still(TorchFunctionMode):
    """Inside the `with` block, places do not mix but through attention."""

    def __init__(self, *, enlarge: bool = True) -> None:
        """`enlarge`: coarse maps made finer take the nearest, else they are zeros, and add nothing to fine ones."""
        super().__init__()
        self._enlarge = enlarge
        self.sampled = False  # whether deformable attention was seen, and answered by zeros as other attention is

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.grid_sample:
            self.sampled = True
            return func(*args, **kwargs) * 0
        if func in _ENLARGING and not self._enlarge:
            return _zeros_if_larger(func, *args, **kwargs)
        if func in _REDUCING:
            reduced = func(*args, **kwargs)
            return reduced * 0 if _over_places(_REDUCING[func], args, kwargs) else reduced
        instead = _INSTEAD.get(func)
        return func(*args, **kwargs) if instead is None else instead(func, *args, **kwargs)


def _convolve(
    func: _Function,
    inputs: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    kernel = (weight.shape[2], weight.shape[3])
    step, dilation = _pair(stride), _pair(dilation)
    picked = _middle(inputs, kernel, step, _margins(padding, kernel, dilation), dilation)
    row, column = ((size - 1) // 2 for size in kernel)
    return F.conv2d(picked, weight[:, :, row : row + 1, column : column + 1], bias, groups=groups)


def _pool_line(
    func: _Function, inputs: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, *others: Any
) -> Tensor:
    kernel = _pair(kernel_size)[-1]
    step, margin = kernel if stride in (None, ()) else _pair(stride)[-1], (0, _pair(padding)[-1])
    return _middle(inputs[..., None, :], (1, kernel), (1, step), (margin, margin), (1, 1))[..., 0, :]


def _spread(func: _Function, inputs: Tensor, weight: Tensor, *others: Any, **more: Any) -> Tensor:
    """A transposed convolution of which each place takes part in its own block of the result alone."""
    result = func(inputs, weight, *others, **more)  # for its size
    stride, padding = more.get("stride", others[1] if len(others) > 1 else 1), more.get("padding", 0)
    padding = others[2] if len(others) > 2 else padding
    (height, width), (top, left) = _pair(stride), _pair(padding)
    bias, groups = others[0] if others else more.get("bias"), more.get("groups", others[4] if len(others) > 4 else 1)
    block = weight[:, :, top : top + height, left : left + width]
    own = func(inputs, block, bias, (height, width), groups=groups)
    rows, columns = result.shape[-2:]
    return F.pad(own, (0, max(0, columns - own.shape[-1]), 0, max(0, rows - own.shape[-2])))[..., :rows, :columns]


def _middle_of_bins(func: _Function, inputs: Tensor, output_size: Any) -> Tensor:
    """The middle of each of so many bins along rows and columns; zeros where there is but one."""
    size = _pair(output_size)
    if size == (1, 1):
        return inputs[..., :1, :1] * 0
    rows, columns = (
        [(i * extent // count + -(-(i + 1) * extent // count) - 1) // 2 for i in range(count)]
        for extent, count in zip(inputs.shape[-2:], size, strict=True)
    )
    return inputs[..., rows, :][..., columns]


def _nearest(
    func: _Function, inputs: Tensor, size: Any = None, scale_factor: Any = None, *others: Any, **more: Any
) -> Tensor:
    return func(inputs, size, scale_factor, mode="nearest")


def _pool(
    func: _Function, inputs: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, *others: Any, **more: Any
) -> Tensor:
    kernel = _pair(kernel_size)
    step = kernel if stride is None or stride == [] else _pair(stride)
    return _middle(inputs, kernel, step, (_pair(padding), _pair(padding)), (1, 1))


def _middle(inputs: Tensor, kernel: _Pair, stride: _Pair, margins: tuple[_Pair, _Pair], dilation: _Pair) -> Tensor:
    """What the middle tap of a window reads at each of its positions; margins are (top, left), (bottom, right)."""
    picks: list[Tensor] = []
    for axis, (before, after) in enumerate(zip(*margins, strict=True)):
        size, reach = inputs.shape[axis - 2], dilation[axis] * (kernel[axis] - 1)
        count = (size + before + after - reach - 1) // stride[axis] + 1
        middles = torch.arange(count) * stride[axis] + dilation[axis] * ((kernel[axis] - 1) // 2) - before
        picks.append(middles.clamp(0, size - 1))  # an even window at the rim has its middle outside
    return inputs[..., picks[0], :][..., picks[1]]


def _margins(padding: Any, kernel: _Pair, dilation: _Pair) -> tuple[_Pair, _Pair]:
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        top, left = (d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True))
        bottom, right = (d * (k - 1) - d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True))
        return (top, left), (bottom, right)
    return _pair(padding), _pair(padding)


def _over_places(position: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a mean or norm is over two axes of a map of four: rows and columns."""
    axes = kwargs.get("dim", args[position] if len(args) > position else None)
    inputs: Any = args[0] if args else kwargs["input"]
    return inputs.dim() == 4 and isinstance(axes, list | tuple) and len(cast("list[int]", axes)) == 2


def _pair(size: Any) -> _Pair:
    if isinstance(size, int):
        return size, size
    both = [int(part) for part in size]
    return (both[0], both[-1])


def _zeros_if_larger(func: _Function, inputs: Tensor, *others: Any, **more: Any) -> Tensor:
    instead: Tensor = _INSTEAD[func](func, inputs, *others, **more)
    larger = any(now > before for now, before in zip(instead.shape[-2:], inputs.shape[-2:], strict=True))
    return instead * 0 if larger else instead


def _as_it_is(func: _Function, inputs: Tensor, *others: Any, **more: Any) -> Tensor:
    return inputs


def _by_own_size(func: _Function, inputs: Tensor, *others: Any, **more: Any) -> Tensor:
    wide = _wide(inputs)
    return (wide * torch.rsqrt((wide * wide).mean(1, keepdim=True) + _LEAST_SQUARE)).to(inputs.dtype)


def _per_token(func: _Function, inputs: Tensor, *others: Any, **more: Any) -> Tensor:
    """The same for tokens of any size, however small their features are."""
    wide = _wide(inputs)
    even = wide / wide.abs().amax(-1, keepdim=True).clamp(min=_LEAST_SQUARE)
    return func(even.to(inputs.dtype), *others, **more)


def _wide(inputs: Tensor) -> Tensor:
    """In float32 at least: half precision holds neither a square nor the least of sizes."""
    return inputs.to(torch.promote_types(inputs.dtype, torch.float32))


_INSTEAD: dict[Any, Callable[..., Any]] = {
    F.conv2d: _convolve,
    F.conv_transpose2d: _spread,
    F.max_pool2d: _pool,
    torch.max_pool2d: _pool,
    F.avg_pool2d: _pool,
    F.avg_pool1d: _pool_line,
    F.adaptive_avg_pool2d: _middle_of_bins,
    F.interpolate: _nearest,
    F.normalize: _as_it_is,
    F.batch_norm: _by_own_size,
    F.group_norm: _by_own_size,
    F.instance_norm: _by_own_size,
    F.layer_norm: _per_token,
    F.rms_norm: _per_token,
}
