"""One attention of one layer, kept as the operands from which any of its rows can be recomputed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.bias import Bias, DenseBias
from vitscope.errors import CaptureError, VerificationError


@dataclass(frozen=True, eq=False)
class AttentionCall:
    """What one layer attended with: softmax(scale · queries · keysᵀ + bias), or the weights themselves.

    Windows count as images: the first axis runs over images and, within each, over its windows.
    Either `queries` and `keys` are given, or `probabilities` are, where the logits could not be followed
    back to a product of queries and keys.
    """

    name: str  # of the module that attends, as in model.named_modules()
    scale: float = 1.0
    queries: Float[Tensor, "images heads queries dim"] | None = None
    keys: Float[Tensor, "images heads keys dim"] | None = None
    bias: Bias | None = None  # added to the logits
    probabilities: Float[Tensor, "images heads queries keys"] | None = None
    logits_dtype: torch.dtype | None = None  # to which the model rounded its logits; None: never below float32
    error: float = 0.0  # largest verification error, at most, as a fraction of the values' magnitude; NaN: none sought
    refusal: str | None = None  # why this layer must not be used, if it must not
    kept: bool = True  # whether the operands are the layer's own, or only have their shapes

    @property
    def images(self) -> int:
        return self._operand.shape[0]

    @property
    def heads(self) -> int:
        return self._operand.shape[1]

    @property
    def query_count(self) -> int:
        return self._operand.shape[2]

    @property
    def key_count(self) -> int:
        return self.probabilities.shape[-1] if self.keys is None else self.keys.shape[-2]  # type: ignore[union-attr]

    @property
    def dtype(self) -> torch.dtype:
        """The precision of statistics over the rows: float64 for a float64 model, else float32."""
        return torch.float64 if self._operand.dtype == torch.float64 else torch.float32

    @property
    def device(self) -> torch.device:
        return self._operand.device

    @property
    def nbytes(self) -> int:
        """Bytes held by this call's own tensors."""
        tensors = (self.queries, self.keys, self.bias, self.probabilities)
        return sum(tensor.nbytes for tensor in tensors if tensor is not None)

    @property
    def _operand(self) -> Tensor:
        operand = self.probabilities if self.queries is None else self.queries
        assert operand is not None
        return operand

    def require_verified(self) -> None:
        """Raise VerificationError if this layer was refused."""
        if self.refusal is not None:
            raise VerificationError(self.refusal)

    def require_kept(self) -> None:
        """Raise CaptureError if only the shapes of this layer's operands were kept."""
        if not self.kept:
            raise CaptureError(
                f"layer {self.name!r}: its queries and keys were not kept, as the measures named beforehand did not "
                "say that they need them (`needs`); name them, or take a look, which keeps all"
            )

    def without_operands(self) -> "AttentionCall":
        """The same call, of whose operands only the shapes are held."""
        hollow = self.map_operands(lambda operand: _hollow(operand.shape, operand.dtype, operand.device))
        return replace(hollow, bias=None, kept=False)

    def map_operands(self, change: Callable[[Tensor], Tensor]) -> "AttentionCall":
        """The same call with each of queries, keys and weights, as far as it has them, changed."""
        operands = {"queries": self.queries, "keys": self.keys, "probabilities": self.probabilities}
        return replace(self, **{name: None if it is None else change(it) for name, it in operands.items()})

    def image(self, index: int) -> "AttentionCall":
        """The same attention of one image; its images axis has length 1."""
        return self.run(range(index, index + 1))

    def run(self, entries: range) -> "AttentionCall":
        """The same attention of successive entries of the images axis, seen in place."""
        picked = self.map_operands(lambda operand: operand[entries.start : entries.stop])
        return picked if self.bias is None else replace(picked, bias=self.bias.run(entries))

    def picked(self, entries: Tensor) -> "AttentionCall":
        """The same attention of these entries of the images axis, copied."""
        bias = None if self.bias is None else self.bias.picked(entries)
        return replace(self.map_operands(lambda operand: operand[entries.to(operand.device)]), bias=bias)

    def ordered(self, queries: Tensor, keys: Tensor) -> "AttentionCall":
        """The same attention with its query rows and keys in another order, copied."""
        term = None if self.bias is None else self.bias.rows(slice(None))
        if term is not None:
            term = (term if term.shape[2] == 1 else term[:, :, queries])[..., keys]
        return replace(
            self,
            queries=None if self.queries is None else self.queries[:, :, queries],
            keys=None if self.keys is None else self.keys[:, :, keys],
            probabilities=None if self.probabilities is None else self.probabilities[:, :, queries][..., keys],
            bias=None if term is None else DenseBias(term),
        )

    def logits(self, rows: slice | Tensor) -> Float[Tensor, "images heads rows keys"]:
        """Scaled and biased logits of the chosen query rows, before the softmax.

        For a call that holds bare probabilities these are their logarithms.
        """
        if self.queries is None or self.keys is None:
            return self.weights(rows).log()
        queries = self.queries[:, :, rows].to(self.dtype)
        keys = self.keys.to(self.dtype)
        if self.logits_dtype is None:
            logits = (queries * self.scale) @ keys.transpose(-2, -1)
        else:  # each step rounded as the model rounded it
            logits = self._rounded(self._rounded(queries @ keys.transpose(-2, -1)) * self.scale)
        if self.bias is not None:
            term = self.bias.rows(rows).to(self.dtype)
            repeats = self.images // term.shape[0] if term.shape[0] > 1 else 1  # a term for each window of an image
            logits = self._rounded(logits + (term.repeat(repeats, 1, 1, 1) if repeats > 1 else term))
        return logits

    def weights(self, rows: slice | Tensor) -> Float[Tensor, "images heads rows keys"]:
        """Attention weights of the chosen query rows, in `dtype`."""
        if self.probabilities is not None:
            return self.probabilities[:, :, rows].to(self.dtype)
        return torch.softmax(self.logits(rows), dim=-1)

    def _rounded(self, tensor: Tensor) -> Tensor:
        return tensor if self.logits_dtype is None else tensor.to(self.logits_dtype).to(self.dtype)


@lru_cache(maxsize=256)
def _hollow(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A tensor in shape alone, the same each time: small memory that stays lies in the way of the model's large."""
    return torch.full((), torch.nan, dtype=dtype, device=device).expand(shape)
