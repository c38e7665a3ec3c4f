"""Attention whose softmax stands in the open, followed from the product of queries and keys.

Each tensor of logits is remembered, as long as it lives, with the product that made it and what
was done to it since: scaled, biased, masked. A softmax turns logits into weights; a product of
weights with values is an attention, whatever was done to the weights before: mixed between heads,
added to others. Where a step cannot be followed, the weights themselves, as they meet the values, are
what is reported.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.weak import WeakIdKeyDictionary

from vitscope.attention import products
from vitscope.attention.event import AttentionEvent
from vitscope.attention.logits import Function, Logits, follow_logits, reshaped

Report = Callable[[AttentionEvent, Callable[[], Tensor]], Tensor]


@dataclass(frozen=True, eq=False)
class Weights:
    """What came of one softmax over keys, or several; `logits` is None where they could not be followed."""

    origins: frozenset[int]  # numbers of the softmaxes
    dtype: torch.dtype  # that the softmax was taken in
    logits: Logits | None
    rows: int = -2  # the axis of queries
    columns: int = -1  # the axis of keys


_SOFTMAX: set[Function] = {torch.softmax, F.softmax, Tensor.softmax, torch.special.softmax}
_SAME: set[Function] = {
    F.dropout, torch.dropout, torch.clone, Tensor.clone, Tensor.contiguous, Tensor.detach, torch.detach,
    Tensor.to, Tensor.type, Tensor.type_as, Tensor.float, Tensor.double, Tensor.half, Tensor.bfloat16,
    Tensor.view, Tensor.reshape, torch.reshape, Tensor.flatten, torch.flatten, Tensor.unflatten,
    Tensor.nan_to_num, torch.nan_to_num,
}  # fmt: skip
_LEAST_PLACES = 9  # of square weights whose logits are not known: fewer are points or kinds of something
_TRANSPOSE: set[Function] = {torch.transpose, Tensor.transpose, torch.swapaxes, Tensor.swapaxes}
_PERMUTE: set[Function] = {torch.permute, Tensor.permute}
_MATRIX_TRANSPOSE: Function = Tensor.mT.__get__  # pyright: ignore[reportAttributeAccessIssue]


@dataclass
class _Softmax:
    """A softmax whose product with values has not been seen."""

    layer: str
    attends: bool  # it is of a product of queries and keys, or of square matrices
    used: bool = False


class SoftmaxFollower:
    """Follows logits and weights through a forward pass, and reports products of weights with values."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._followed: WeakIdKeyDictionary = WeakIdKeyDictionary()  # tensor → Logits | Weights
        self._count = 0
        self._unread: dict[int, _Softmax] = {}  # by number: those whose product with values was not seen (yet)

    @property
    def lost(self) -> list[str]:
        """Layers with an attention's softmax that was used, but whose product with values was not seen."""
        return [softmax.layer for softmax in self._unread.values() if softmax.used and softmax.attends]

    def __call__(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any], layer: Callable[[], str]) -> Any:
        if func in products.FUNCTIONS:
            return self._product(func, args, kwargs, layer)
        if not self._followed.data and func not in _SOFTMAX:  # as throughout a model with fused attention
            return func(*args, **kwargs)
        if func is Tensor.__setitem__:
            return self._change(func, args)
        sources = self._sources(args, kwargs)
        result = func(*args, **kwargs)
        if isinstance(result, Tensor):
            if func in _SOFTMAX:
                self._softmax(args, kwargs, sources, result, layer)
            else:
                self._note(result, self._follow(func, args, kwargs, sources, result))
        return result

    def _change(self, func: Function, args: tuple[Any, ...]) -> Any:
        """An assignment to a part of a tensor, after which its logits are not known any more."""
        record = self._followed.get(args[0])
        if isinstance(record, Weights):
            self._followed[args[0]] = replace(record, logits=None)
        elif record is not None:
            self._followed[args[0]] = replace(record, bias=None, changed=True)
        return func(*args)

    def _softmax(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        sources: list[tuple[Tensor, Logits | Weights]],
        result: Tensor,
        layer: Callable[[], str],
    ) -> None:
        """Note weights, if the softmax is over the last axis of a stack of matrices."""
        if result.dim() >= 3 and _over_last_axis(args, kwargs, result.dim()):
            logits = next((record for _, record in sources if isinstance(record, Logits)), None)
            self._count += 1
            attends = logits is not None or result.shape[-1] == result.shape[-2] >= _LEAST_PLACES
            self._unread[self._count] = _Softmax(layer(), attends)
            logits = None if logits is None else logits.with_bias_of(args[0] if args else kwargs["input"])
            self._followed[result] = Weights(frozenset({self._count}), result.dtype, logits)

    def _product(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any], layer: Callable[[], str]) -> Any:
        product = products.read_product(func, args, kwargs)
        if product is None:
            return func(*args, **kwargs)
        weights = self._weights_of(args, kwargs)
        if weights is not None:
            for origin in weights.origins:
                self._unread.pop(origin, None)
            event = _event(layer(), weights, product)
            return self._report(event, lambda: func(*args, **kwargs))
        result: Tensor = func(*args, **kwargs)
        if product.axes is None or product.axes[-1] == len(product.axes) - 1:
            logits = Logits(product.left, product.right.transpose(-2, -1), result.dtype)
            self._followed[result] = logits
        return result

    def _weights_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Weights | None:
        """The record of weights that meet values: on the left, rows first, or on the right, columns first."""
        operands = args[1:] if isinstance(args[0], str) else (*args, *kwargs.values())
        if operands and isinstance(operands[0], list | tuple):
            operands = operands[0]
        for operand, axes in zip(operands[:2], ((-2, -1), (-1, -2)), strict=False):
            record = self._followed.get(operand)
            if isinstance(record, Weights) and (record.rows, record.columns) == axes:
                return record
        return None

    def _sources(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[Tensor, Logits | Weights]]:
        """The followed tensors among the arguments, with their records."""
        if not self._followed:
            return []
        values = (value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
        return [(value, self._followed[value]) for value in values if value in self._followed]

    def _follow(
        self,
        func: Function,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        sources: list[tuple[Tensor, Logits | Weights]],
        result: Tensor,
    ) -> Logits | Weights | None:
        if not sources:
            return None
        tensor, source = sources[0]
        if isinstance(source, Weights):
            weights = [record for _, record in sources if isinstance(record, Weights)]
            return self._follow_weights(func, args, kwargs, tensor, weights, result)
        if func in _SAME:
            return reshaped(source, result) if _same_matrix(tensor, result) else None
        return follow_logits(func, args, kwargs, source, result)

    def _follow_weights(
        self,
        func: Function,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        tensor: Tensor,
        weights: list[Weights],
        result: Tensor,
    ) -> Weights | None:
        """Weights after a step; what is more than a change of shape leaves only the weights themselves known."""
        first = weights[0]
        moved = _moved(func, args, kwargs, tensor.dim())
        if moved is not None:
            rows, columns = (moved.index(axis % tensor.dim()) - tensor.dim() for axis in (first.rows, first.columns))
            return replace(first, rows=rows, columns=columns)
        kept = _same_matrix(tensor, result) and (first.rows, first.columns) in ((-2, -1), (-1, -2))
        if func in _SAME and kept:
            return first
        for origin in frozenset[int]().union(*(one.origins for one in weights)):
            if origin in self._unread:
                self._unread[origin].used = True
        mixed = func is F.linear and -1 not in (first.rows, first.columns)  # between heads, which come last
        if not (kept or mixed):
            return None
        return replace(first, origins=frozenset[int]().union(*(one.origins for one in weights)), logits=None)

    def _note(self, result: Tensor, record: Logits | Weights | None) -> None:
        if record is not None:
            self._followed[result] = record
        elif result in self._followed and not isinstance(result, torch.nn.Parameter):
            del self._followed[result]  # changed in place by a step that is not followed


def _moved(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any], axes: int) -> list[int] | None:
    """The axes in their new order, if the step only moves them."""
    if kwargs:
        return None
    order = list(range(axes))
    if func in _TRANSPOSE and len(args) == 3:
        one, other = args[1] % axes, args[2] % axes
        order[one], order[other] = order[other], order[one]
        return order
    if func in _PERMUTE:
        given = args[1] if isinstance(args[1], list | tuple) else args[1:]
        return [int(axis) % axes for axis in given]
    if func is _MATRIX_TRANSPOSE:
        return [*order[:-2], order[-1], order[-2]]
    return None


def _event(name: str, weights: Weights, product: products.Product) -> AttentionEvent:
    """The attention that a product of weights with values is; values times weights, columns first, is its transpose."""
    logits, values, probabilities, axes = weights.logits, product.right, product.left, product.axes
    if weights.rows == -1:
        values, probabilities = product.left.mT, product.right.mT
        order = list(range(product.left.dim()))
        axes = (*order[:-2], order[-1], order[-2])
    if logits is None:
        return AttentionEvent(name, values, probabilities=probabilities, softmax_dtype=weights.dtype, output_axes=axes)
    return AttentionEvent(
        name,
        values,
        logits.queries.to(logits.dtype),  # under autocast the product itself ran in this precision
        logits.keys.to(logits.dtype),
        scale=logits.scale,
        bias=None if logits.bias is None else logits.bias.reshape(*logits.queries.shape[:-1], logits.keys.shape[-2]),
        softmax_dtype=weights.dtype,
        logits_dtype=logits.dtype if torch.finfo(logits.dtype).bits < 32 else None,
        output_axes=axes,
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
