"""Logits of attention, followed from the product of queries and keys through what is done to them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from vitscope.attention.fused import additive, expand_bias

Function = Callable[..., Any]

_TIMES: set[Function] = {torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__, Tensor.mul_, Tensor.__imul__}
_OVER: set[Function] = {torch.div, Tensor.div, Tensor.__truediv__, Tensor.div_, Tensor.__itruediv__}
_PLUS: set[Function] = {torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__, Tensor.add_, Tensor.__iadd__}
_MASK: set[Function] = {torch.masked_fill, Tensor.masked_fill, Tensor.masked_fill_}
_FULLY_HIDDEN = -1e4  # a mask this low leaves no weight in any precision


@dataclass(frozen=True, eq=False)
class Logits:
    """scale · queries · keysᵀ + bias, as far as they have been followed."""

    queries: Tensor
    keys: Tensor
    dtype: torch.dtype  # of the model's own logits
    scale: float = 1.0
    bias: Tensor | None = None
    changed: bool = False  # the bias is what the softmax is taken of, less scale · queries · keysᵀ

    def with_bias_of(self, final: Tensor) -> "Logits":
        """The same with the bias that makes them `final`, which the softmax is taken of."""
        if not self.changed:
            return self
        products = (self.queries * self.scale) @ self.keys.transpose(-2, -1)
        return replace(self, bias=final - products.reshape(final.shape), changed=False)


def reshaped(logits: Logits, result: Tensor) -> Logits:
    """Of the same matrices on other leading axes, such as windows told from images."""
    if logits.bias is None or logits.bias.shape == result.shape:
        return logits
    return replace(logits, bias=logits.bias.reshape(result.shape))


def follow_logits(
    func: Function, args: tuple[Any, ...], kwargs: dict[str, Any], logits: Logits, result: Tensor
) -> Logits | None:
    """Logits after one arithmetic step, or None where the step is not one that is followed."""
    if func in _MASK:
        mask, value = (*args[1:], *kwargs.values())
        return _masked(logits, mask, value, result)
    if func not in _TIMES | _OVER | _PLUS or len(args) != 2 or kwargs:
        return None
    other = args[1] if result.shape == getattr(args[0], "shape", None) else args[0]
    if func in _PLUS:
        return _plus(logits, other, result)
    return _times(logits, other, inverse=func in _OVER)


def _times(logits: Logits, factor: Any, *, inverse: bool) -> Logits | None:
    if not isinstance(factor, Tensor) or factor.numel() == 1:
        number = float(factor)
        number = 1 / number if inverse else number
        if logits.bias is not None:
            logits = replace(logits, bias=logits.bias * number)
        return replace(logits, scale=logits.scale * number)
    if logits.bias is None and factor.dim() >= 2 and factor.shape[-1] == 1:  # one factor a head or a query
        return replace(logits, queries=logits.queries / factor if inverse else logits.queries * factor)
    return None


def _plus(logits: Logits, term: Any, result: Tensor) -> Logits:
    if not isinstance(term, Tensor) or term.numel() == 1:
        return logits  # softmax does not see a constant
    bias = expand_bias(term, tuple(result.shape))
    if logits.bias is not None and bias is not None:
        bias = logits.bias + bias
    return replace(logits, bias=bias)


def _masked(logits: Logits, mask: Tensor, value: Any, result: Tensor) -> Logits | None:
    if float(value) > _FULLY_HIDDEN:
        return None
    return _plus(logits, additive(~mask, logits.dtype), result)
