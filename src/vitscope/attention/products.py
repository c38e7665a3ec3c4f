"""Products of two stacks of matrices, however the model spells them, in one standard form."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Product:
    """left (…, rows, inner) times right (…, inner, columns); `axes` permutes (…, rows, columns) to the result."""

    left: Tensor
    right: Tensor
    axes: tuple[int, ...] | None = None


_MATRIX_PRODUCTS: set[Callable[..., Any]] = {
    torch.matmul,
    torch.bmm,
    torch.Tensor.matmul,
    torch.Tensor.bmm,
    torch.Tensor.__matmul__,
}

FUNCTIONS: set[Callable[..., Any]] = {*_MATRIX_PRODUCTS, torch.einsum}


def read_product(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Product | None:
    """The product that a call computes, or None where it is none of two stacks of matrices."""
    if func in _MATRIX_PRODUCTS:
        operands = (*args, *kwargs.values())[:2]
        return Product(*operands) if _are_stacks(operands) else None
    operands = args[1] if len(args) == 2 and isinstance(args[1], list | tuple) else args[1:]
    if len(operands) != 2 or not isinstance(args[0], str) or not _are_stacks(operands):
        return None
    return _read_einsum(args[0], *operands)


def _are_stacks(operands: Any) -> bool:
    return len(operands) == 2 and all(isinstance(tensor, Tensor) and tensor.dim() >= 3 for tensor in operands)


def _read_einsum(equation: str, left: Tensor, right: Tensor) -> Product | None:
    """Standard form of an equation with one letter contracted, one in each operand alone, the rest a batch."""
    inputs, _, result = equation.replace(" ", "").partition("->")
    first, _, second = inputs.partition(",")
    batch = [letter for letter in first if letter in second and letter in result]
    inner = [letter for letter in first if letter in second and letter not in result]
    rows = [letter for letter in first if letter not in second]
    columns = [letter for letter in second if letter not in first]
    if "." in equation or not len(inner) == len(rows) == len(columns) == 1:
        return None
    standard = "".join([*batch, *rows, *columns])
    if sorted(result) != sorted(standard):
        return None
    return Product(
        torch.einsum(f"{first}->{''.join([*batch, *rows, *inner])}", left),
        torch.einsum(f"{second}->{''.join([*batch, *inner, *columns])}", right),
        tuple(standard.index(letter) for letter in result),
    )
