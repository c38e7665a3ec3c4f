"""Attention whose softmax stands in the open, followed from the product of queries and keys.

Each tensor of logits is remembered, as long as it lives, with the product that made it and what
was done to it since: scaled, biased, masked. A softmax turns logits into weights; a product of
weights with values is an attention. Where a step cannot be followed, the weights themselves, the
left operand of the product with the values, are what is reported.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.weak import WeakIdKeyDictionary

from vitscope.attention import products
from vitscope.attention.event import AttentionEvent
from vitscope.attention.fused import additive, expand_bias

Report = Callable[[AttentionEvent, Callable[[], Tensor]], Tensor]
Function = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Logits:
    """scale · queries · keysᵀ + bias, as far as they have been followed."""

    queries: Tensor
    keys: Tensor
    dtype: torch.dtype  # of the model's own logits
    scale: float = 1.0
    bias: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Weights:
    """A softmax over keys; `logits` is None where they could not be followed."""

    layer: str
    dtype: torch.dtype  # that the softmax was taken in
    logits: Logits | None


_SOFTMAX: set[Function] = {torch.softmax, F.softmax, Tensor.softmax, torch.special.softmax}
_TIMES: set[Function] = {torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__, Tensor.mul_, Tensor.__imul__}
_OVER: set[Function] = {torch.div, Tensor.div, Tensor.__truediv__, Tensor.div_, Tensor.__itruediv__}
_PLUS: set[Function] = {torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__, Tensor.add_, Tensor.__iadd__}
_MASK: set[Function] = {torch.masked_fill, Tensor.masked_fill, Tensor.masked_fill_}
_SAME: set[Function] = {
    F.dropout, torch.dropout, torch.clone, Tensor.clone, Tensor.contiguous, Tensor.detach, torch.detach,
    Tensor.to, Tensor.type, Tensor.type_as, Tensor.float, Tensor.double, Tensor.half, Tensor.bfloat16,
    Tensor.view, Tensor.reshape, torch.reshape, Tensor.flatten, torch.flatten, Tensor.unflatten,
    Tensor.nan_to_num, torch.nan_to_num,
}  # fmt: skip
_FULLY_HIDDEN = -1e4  # a mask this low leaves no weight in any precision


class SoftmaxFollower:
    """Follows logits and weights through a forward pass, and reports products of weights with values."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._followed: WeakIdKeyDictionary = WeakIdKeyDictionary()  # tensor → Logits | Weights
        self.unused: Counter[str] = Counter()  # by layer: softmaxes over keys less products with values

    def __call__(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any], layer: Callable[[], str]) -> Any:
        if func in products.FUNCTIONS:
            return self._product(func, args, kwargs, layer)
        source = self._source(args, kwargs)
        result = func(*args, **kwargs)
        if isinstance(result, Tensor):
            if func in _SOFTMAX:
                self._softmax(args, kwargs, source, result, layer)
            else:
                self._note(result, self._follow(func, args, kwargs, source, result))
        return result

    def _softmax(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        source: Logits | Weights | None,
        result: Tensor,
        layer: Callable[[], str],
    ) -> None:
        """Note weights, if the softmax is over the last axis of a stack of matrices."""
        if result.dim() >= 3 and _over_last_axis(args, kwargs, result.dim()):
            weights = Weights(layer(), result.dtype, source if isinstance(source, Logits) else None)
            self.unused[weights.layer] += 1
            self._followed[result] = weights

    def _product(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any], layer: Callable[[], str]) -> Any:
        product = products.read_product(func, args, kwargs)
        if product is None:
            return func(*args, **kwargs)
        weights = self._weights_of(args)
        if weights is not None:
            self.unused[weights.layer] -= 1
            event = _event(layer(), weights, product)
            return self._report(event, lambda: func(*args, **kwargs))
        result: Tensor = func(*args, **kwargs)
        if product.axes is None or product.axes[-1] == len(product.axes) - 1:
            logits = Logits(product.left, product.right.transpose(-2, -1), result.dtype)
            self._followed[result] = logits
        return result

    def _weights_of(self, args: tuple[Any, ...]) -> Weights | None:
        """The left operand's record, if a softmax over keys made it."""
        operands = args[1:] if isinstance(args[0], str) else args
        left = operands[0][0] if isinstance(operands[0], list | tuple) else operands[0]
        record = self._followed.get(left)
        return record if isinstance(record, Weights) else None

    def _source(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Logits | Weights | None:
        """The record of the first followed tensor among the arguments."""
        if not self._followed:
            return None
        for value in (*args, *kwargs.values()):
            if isinstance(value, Tensor) and value in self._followed:
                return self._followed[value]
        return None

    def _follow(
        self,
        func: Function,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        source: Logits | Weights | None,
        result: Tensor,
    ) -> Logits | Weights | None:
        if source is None:
            return None
        if func in _SAME:
            return source if _same_matrix(args[0], result) else None
        if isinstance(source, Weights):  # changed after the softmax: only the weights themselves are known
            return replace(source, logits=None) if _same_matrix(args[0], result) else None
        return _follow_logits(func, args, kwargs, source, result)

    def _note(self, result: Tensor, record: Logits | Weights | None) -> None:
        if record is not None:
            self._followed[result] = record
        elif result in self._followed and not isinstance(result, torch.nn.Parameter):
            del self._followed[result]  # changed in place by a step that is not followed


def _follow_logits(
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


def _event(name: str, weights: Weights, product: products.Product) -> AttentionEvent:
    """The attention that a product of weights (left) with values (right) is."""
    logits = weights.logits
    if logits is None:
        return AttentionEvent(
            name, product.right, probabilities=product.left, softmax_dtype=weights.dtype, output_axes=product.axes
        )
    return AttentionEvent(
        name,
        product.right,
        logits.queries.to(logits.dtype),  # under autocast the product itself ran in this precision
        logits.keys.to(logits.dtype),
        scale=logits.scale,
        bias=logits.bias,
        softmax_dtype=weights.dtype,
        logits_dtype=logits.dtype if torch.finfo(logits.dtype).bits < 32 else None,
        output_axes=product.axes,
    )


def _over_last_axis(args: tuple[Any, ...], kwargs: dict[str, Any], axes: int) -> bool:
    dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
    return dim in (-1, axes - 1)


def _same_matrix(before: Any, after: Tensor) -> bool:
    """Whether the last two axes, queries and keys, are still the same."""
    return (
        isinstance(before, Tensor)
        and before.shape[-2:] == after.shape[-2:]
        and math.prod(before.shape) == math.prod(after.shape)
    )
