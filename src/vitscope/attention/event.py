"""An attention as it happens: operands, values and a way to read or write the model's own output."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from vitscope.attention.axes import Axes, stretched
from vitscope.errors import LayoutError


@dataclass(frozen=True, eq=False)
class OutputProjection:
    """The linear map that `multi_head_attention_forward` applies to the joined heads."""

    weight: Tensor  # (features, heads · dim)
    bias: Tensor | None  # (features,)

    def __call__(self, heads: Tensor) -> Tensor:
        """(images, heads, rows, dim) → (images, 1, rows, features)."""
        joined = heads.transpose(1, 2).flatten(2)  # (images, rows, heads · dim)
        bias = None if self.bias is None else self.bias.to(heads.dtype)
        return F.linear(joined, self.weight.to(heads.dtype), bias)[:, None]

    def magnitude(self) -> "OutputProjection":
        """The map by absolute values, for bounds on rounding."""
        return OutputProjection(self.weight.abs(), None if self.bias is None else self.bias.abs())


@dataclass(frozen=True, eq=False)
class AttentionEvent:
    """One attention as the running model computes it; leading axes are still the model's own.

    `queries`, `keys` and `values` are (…, tokens, dim); `axes` says how images, windows and heads lie
    among the leading axes, once the trace has found it. Holds references, copies nothing.
    """

    name: str
    values: Tensor
    queries: Tensor | None = None
    keys: Tensor | None = None
    scale: float = 1.0
    bias: Tensor | None = None
    probabilities: Tensor | None = None
    logits_dtype: torch.dtype | None = None  # to which the model rounded its logits, if below float32
    softmax_dtype: torch.dtype | None = None  # in which an open softmax was taken
    projection: OutputProjection | None = None
    sequence_first: bool = False  # the output is (tokens, images, features)
    own_rows: Callable[[Tensor, slice], Tensor] | None = None
    """The model's own function, called with these query rows alone, of these entries of the first axis."""
    sliceable: bool = True  # whether `own_rows` can be asked for some entries of the first axis alone
    output_axes: tuple[int, ...] | None = None  # permutation from (…, tokens, dim) to the model's own order
    axes: Axes = field(default_factory=Axes)

    @property
    def query_count(self) -> int:
        return self._operand.shape[-2]

    @property
    def _operand(self) -> Tensor:
        """Queries, or the weights themselves: either has the model's own leading axes and a row a query."""
        operand = self.probabilities if self.queries is None else self.queries
        assert operand is not None
        return operand

    @property
    def leading(self) -> torch.Size:
        """The axes before tokens and features: images and heads, in the model's own way."""
        return self._operand.shape[:-2]

    @property
    def key_count(self) -> int:
        return self.values.shape[-2]

    def by_image(self, tensor: Tensor, images: int) -> Tensor:
        """(…, rows, columns) → (images · windows, heads, rows, columns)."""
        try:
            return self.axes.split(stretched(tensor, self.leading), images)
        except LayoutError as error:
            raise LayoutError(f"layer {self.name!r}: {error}") from None

    def own_output(self, rows: Tensor, entries: range, images: int) -> Tensor:
        """What the model's own function gives for these query rows: (entries, heads, rows, dim).

        `entries` are successive ones of the axis of images · windows.
        """
        assert self.own_rows is not None
        count = images * self.axes.windows
        apart = self.axes.before > 1 or self.axes.heads_before > 1 or not self.leading or self.leading[0] % count
        if apart or not self.sliceable:
            return self.by_image(self.own_rows(rows, slice(None)), images)[entries.start : entries.stop]
        each = self.leading[0] // count
        found = self.own_rows(rows, slice(entries.start * each, entries.stop * each))
        return found.reshape(len(entries), -1, *found.shape[-2:])

    def read_output(self, output: Tensor, images: int) -> Tensor:
        """The model's own output as (images · windows, heads or 1, queries, dim)."""
        if self.sequence_first:
            return output.unsqueeze(1).transpose(0, 2) if output.dim() == 3 else output[None, None]
        return self.by_image(self._ordered(output), images)

    def one_row(self, output: Tensor) -> Tensor:
        """The model's own output of the last query: of every image and head, whatever axes they have."""
        return output[-1] if self.sequence_first else self._ordered(output)[..., -1, :]

    def _ordered(self, output: Tensor) -> Tensor:
        """The model's own output as (…, tokens, dim)."""
        return output if self.output_axes is None else output.permute(_inverse(self.output_axes))

    def write_output(self, heads: Tensor, images: int) -> Tensor:
        """The inverse of `read_output`: (images · windows, heads or 1, queries, dim) in the model's own shape."""
        if self.sequence_first:
            return heads[:, 0].transpose(0, 1)
        output = self.axes.join(heads, images, self.leading)
        return output if self.output_axes is None else output.permute(self.output_axes)

    def zero_output(self) -> Tensor:
        """An output of zeros in the model's own shape."""
        if self.projection is not None:
            return self.values.new_zeros(self.query_count, self.leading[0], self.projection.weight.shape[0])
        output = self.values.new_zeros(*self.leading, self.query_count, self.values.shape[-1])
        return output if self.output_axes is None else output.permute(self.output_axes)


class Observer:
    """What a tap reports to. The base class lets every attention pass."""

    def before(self, event: AttentionEvent) -> Tensor | None:
        """An output, in the model's own shape, to use instead of computing it, or None to let it be computed."""
        return None

    def after(self, event: AttentionEvent, output: Tensor) -> None:
        """Called with what the model itself computed; must not change it."""


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))
