"""Tokens told apart between runs by a few numbers each, so that no run has to be kept."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vitscope.trace.run import noise

# Of the scale. What does not change is computed alike in every run, in any precision: hardly any rounding is expected.
_ROUNDING = 4 * torch.finfo(torch.float32).eps
_SUMS = 2  # random sums a token: a change that leaves both as they were has probability 0


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Random sums over each token's features, and their scale."""

    sums: Float[Tensor, "images tokens sums"]
    scale: Float[Tensor, "images tokens"]  # the largest feature, by absolute value

    @property
    def tokens(self) -> int:
        return self.sums.shape[1]

    @property
    def finite(self) -> Bool[Tensor, "images tokens"]:
        """Which tokens have neither NaN nor infinity among their features."""
        return torch.isfinite(self.sums).all(-1) & torch.isfinite(self.scale)

    def differs(self, other: "Fingerprint") -> Bool[np.ndarray, "images tokens"]:
        """Which tokens differ by more than rounding, or are finite in one alone."""
        difference = (self.sums - other.sums).abs().amax(-1)  # (images, tokens)
        differing = difference > _ROUNDING * torch.maximum(self.scale, other.scale)
        return (differing | (self.finite != other.finite)).cpu().numpy()

    def beside(self, other: "Fingerprint") -> "Fingerprint":
        """The fingerprint of tokens that have the other's features too."""
        return Fingerprint(torch.cat([self.sums, other.sums], -1), torch.maximum(self.scale, other.scale))

    def constant(self, tokens: int) -> "Fingerprint":
        """A fingerprint of tokens that never change."""
        images = self.sums.shape[0]
        return Fingerprint(self.sums.new_zeros(images, tokens, _SUMS), self.scale.new_zeros(images, tokens))


def fingerprint(features: Float[Tensor, "images heads tokens dim"]) -> Fingerprint:
    """The fingerprint of each token, from all its heads."""
    images, heads, tokens, dim = features.shape
    sums = torch.zeros(images, tokens, _SUMS, device=features.device)
    scale = torch.zeros(images, tokens, device=features.device)
    directions = noise((heads, dim, _SUMS), sums)
    for head in range(heads):  # one at a time: temporaries of all heads would cost more memory than the model
        values = features[:, head].float()  # (images, tokens, dim)
        sums += values @ directions[head]
        scale = torch.maximum(scale, values.abs().amax(-1))
    return Fingerprint(sums, scale)
