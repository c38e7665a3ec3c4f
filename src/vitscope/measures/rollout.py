"""Attention rollout: how much each token's final state draws on each token of the input.

Per layer the heads are fused, the identity is added for the residual connection and each row
divided by its sum; the factors are multiplied, R_l = Â_l · R_{l−1}. Source: Abnar & Zuidema 2020
(arXiv 2005.00928); Dosovitskiy et al. 2020 (arXiv 2010.11929), App. D.8, for images. `discard`
follows the idea of vit-explain without its defects: per image and layer, entries strictly below
the k-th smallest of the fused matrix are zeroed, k = ⌊discard·N²⌋ + 1; ties stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Float

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.reference import Fusion
from vitscope.errors import ArgumentError
from vitscope.measures import dense
from vitscope.measures.needs import EVERYTHING, Needs
from vitscope.measures.query import Query, ResolvedQuery, resolve
from vitscope.measures.result import Measured, measured
from vitscope.measures.seen import Seen


@dataclass(frozen=True)
class Rollout:
    """One query's row of the rollout over the patches.

    Computed from the last layer to the first with a row vector, so that no N × N matrix is formed.
    `query` None is the model's own readout: the class token; a pooling head's fused row, without
    identity; 1/patches on every patch for models that average.
    """

    fusion: Fusion = "mean"
    discard: float = 0.0
    start_layer: int = 0
    query: Query = None

    def __post_init__(self) -> None:
        _check(self.fusion, self.discard)

    @property
    def needs(self) -> Needs:
        return Needs(fusions=frozenset({self.fusion})) if self.discard == 0 else EVERYTHING

    def measure(self, seen: Seen) -> Float[Measured, "images rows columns"]:
        """The map from `start_layer` on."""
        first = seen.layer_index(self.start_layer)
        return measured(self._maps(seen, first)[:, 0].clone(), self.convention(seen))

    def by_start_layer(self, seen: Seen) -> Float[Measured, "images layers rows columns"]:
        """The map for every start layer at once: entry l uses the layers from l to the last."""
        return measured(self._maps(seen, 0), f"{self.convention(seen)}; one map for each start layer")

    def matrix(self, seen: Seen) -> Float[Measured, "images tokens tokens"]:
        """The whole rollout, N × N for each image; `query` plays no part."""
        product: torch.Tensor | None = None
        for index in range(seen.layer_index(self.start_layer), len(seen.layers)):
            call = seen.layer(index)
            factor = seen.body(call).rollout_layer(call, self.fusion, self._least(call, seen))
            product = factor if product is None else factor @ product
        assert product is not None
        return measured(product, self.words)

    def convention(self, seen: Seen) -> str:
        """What the map's numbers mean, in words."""
        return f"{self.words}, row of the {resolve(self.query, seen).name}"

    @property
    def words(self) -> str:
        """Fusion, discard and start layer, in words."""
        discarded = f", lowest {self.discard:.0%} of each layer discarded" if self.discard else ""
        started = f", from layer {self.start_layer}" if self.start_layer else ""
        return f"attention rollout, {self.fusion} over heads{discarded}{started}"

    def _maps(self, seen: Seen, first: int) -> Float[torch.Tensor, "images layers rows columns"]:
        """The partial products' rows over the patches, for start layers `first` to the last."""
        vector = _start(seen, resolve(self.query, seen), self.fusion)  # (images, tokens)
        trail: list[torch.Tensor] = []
        for index in reversed(range(first, len(seen.layers))):
            vector = self._times_layer(seen, index, vector)
            trail.append(vector[:, len(seen.layout.prefix) :])
        maps = torch.stack(trail[::-1], dim=1)  # (images, layers, patches)
        return maps.unflatten(2, seen.layout.grid)

    def _times_layer(self, seen: Seen, index: int, vector: torch.Tensor) -> torch.Tensor:
        """The vector (images, tokens) times one layer's factor."""
        stored = seen.fused(index, self.fusion)
        if stored is not None and not self.discard:
            return stored.vector_times_rollout_layer(vector)
        call = seen.layer(index)
        least = self._least(call, seen)
        known = None if self.discard else seen.normalisers(index)
        return seen.body(call).vector_times_rollout_layer(call, vector, self.fusion, least, known)

    def _least(self, call: AttentionCall, seen: Seen) -> torch.Tensor | None:
        return seen.body(call).threshold(call, self.fusion, self.discard) if self.discard else None


def rollout(
    attentions: Any, fusion: Fusion = "mean", discard: float = 0.0, start_layer: int = 0
) -> Float[Measured, "*batch tokens tokens"]:
    """Rollout of dense attention: layers in order, each (…, heads, tokens, tokens), or one array of them all."""
    _check(fusion, discard)
    layers: Sequence[Any] = list(attentions)[start_layer:]
    if not layers:
        raise ArgumentError(f"no layer is left to roll out from start_layer {start_layer} of {len(list(attentions))}")
    product: np.ndarray | None = None
    for layer in layers:
        attention = dense.square(layer)
        if attention.ndim < 3:
            raise ArgumentError(f"each layer must be (…, heads, tokens, tokens); found shape {attention.shape}")
        factor = _dense_factor(attention.astype(np.float64), fusion, discard)
        product = factor if product is None else factor @ product
    assert product is not None
    return measured(product.astype(dense.result_type(dense.to_array(layers[0]))), Rollout(fusion, discard).words)


def _dense_factor(attention: np.ndarray, fusion: Fusion, discard: float) -> np.ndarray:
    fused: np.ndarray = getattr(attention, fusion)(axis=-3)  # (…, tokens, tokens)
    tokens = fused.shape[-1]
    if discard:
        entries = fused.reshape(*fused.shape[:-2], -1)
        rank = min(int(discard * tokens**2), tokens**2 - 1)
        least = np.partition(entries, rank, axis=-1)[..., rank, None, None]
        fused = np.where(fused < least, 0, fused)
    fused = fused + np.eye(tokens)
    return fused / fused.sum(-1, keepdims=True)


def _start(seen: Seen, query: ResolvedQuery, fusion: Fusion) -> Float[torch.Tensor, "images tokens"]:
    """The row vector that the backward product starts with."""
    last = seen.layers[-1]
    vector = torch.zeros(last.images, seen.layout.tokens, dtype=last.dtype, device=last.device)
    if query.kind == "token":
        vector[:, query.token] = 1
    elif query.kind == "mean":
        vector[:, len(seen.layout.prefix) :] = 1 / seen.layout.patches
    else:
        assert seen.pooling is not None
        seen.pooling.require_verified()
        row = seen.body(seen.pooling).fused(seen.pooling, fusion).mean(1)  # (images, keys)
        vector[:, vector.shape[1] - row.shape[1] :] = row
    return vector


def _check(fusion: str, discard: float) -> None:
    if fusion not in get_args(Fusion):
        raise ArgumentError(f"fusion {fusion!r} is unknown; expected one of {', '.join(get_args(Fusion))}")
    if not 0 <= discard < 1:
        raise ArgumentError(f"discard must be from 0 to below 1; found {discard}")
