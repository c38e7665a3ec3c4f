"""What the page carries of one layer, and its rows in float64: the Python sibling of what the browser computes.

The page's error is found by these functions, so they take the arrays as the browser gets them.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from vitscope.attention.bias import Bias


@dataclass(frozen=True, eq=False)
class Product:
    """softmax(Σ over columns of steps · queries · keys, + key_bias + bias); the scale is in the factors."""

    queries: Shaped[Tensor, "heads queries columns"]  # of queries less their mean
    keys: Shaped[Tensor, "heads keys columns"]  # of keys less their mean, which softmax does not see
    steps: Float[Tensor, "heads columns"] | None  # where queries and keys are integers, else 1
    key_bias: Float[Tensor, "heads keys"]  # the mean query times each key
    bias: Bias | None  # in float32

    @property
    def operands(self) -> tuple[Tensor, ...]:
        steps = () if self.steps is None else (self.steps,)
        return self.queries, self.keys, *steps, self.key_bias

    def rows(self, rows: slice) -> tuple[Float[Tensor, "heads rows keys"], Float[Tensor, "heads rows"]]:
        """Weights of some query rows in float64, and the rounded ln Σ exp(logits) that they are divided by."""
        weights = self._logits(rows)  # (heads, rows, keys), in place from here on
        largest = weights.amax(-1, keepdim=True)
        weights.sub_(largest).exp_()
        log_normaliser = (largest + weights.sum(-1, keepdim=True).log()).float()  # (heads, rows, 1)
        weights.mul_((largest - log_normaliser).exp())
        return weights, log_normaliser[..., 0]

    def _logits(self, rows: slice) -> Float[Tensor, "heads rows keys"]:
        queries = self.queries[:, rows].double()  # (heads, rows, columns)
        queries = queries if self.steps is None else queries * self.steps[:, None].double()
        logits = torch.baddbmm(self.key_bias[:, None].double(), queries, self._transposed_keys)
        return logits if self.bias is None else logits.add_(self.bias.rows(rows)[0])

    @cached_property
    def _transposed_keys(self) -> Float[Tensor, "heads dim keys"]:
        return self.keys.double().transpose(-2, -1)


@dataclass(frozen=True, eq=False)
class Weights:
    """The attention weights themselves."""

    weights: Float[Tensor, "heads queries keys"]

    @property
    def operands(self) -> tuple[Tensor, ...]:
        return (self.weights,)

    def rows(self, rows: slice) -> tuple[Float[Tensor, "heads rows keys"], None]:
        """Some query rows in float64; these need no normaliser."""
        return self.weights[:, rows].double(), None


Decoded = Product | Weights
