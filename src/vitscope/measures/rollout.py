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
from vitscope.errors import ArgumentError, QueryError
from vitscope.layout import Layout
from vitscope.measures import dense
from vitscope.measures.arranged import Arranged
from vitscope.measures.lattices import spread
from vitscope.measures.needs import EVERYTHING, Needs
from vitscope.measures.query import Query, ResolvedQuery, resolve
from vitscope.measures.result import Measured, measured
from vitscope.measures.seen import Reading, Seen


@dataclass(frozen=True)
class Rollout:
    """One query's row of the rollout over the patches.

    Computed from the last layer to the first with a row vector, so that no N × N matrix is formed.
    `query` None is the model's own readout: the class token; a pooling head's fused row, without
    identity; 1/patches on every patch for models that average.

    Where tokens merge inside or between layers, the pooling matrix takes the identity's place (each
    coarse token the mean of the finer ones that it covers), windows attend to themselves alone, and
    padding is left out: the map is on the lattice of the first layer, the picture's own. Layers side by
    side (parallel blocks, differential attention), or with pooling between them, have no rollout.
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

    def matrix(self, seen: Seen) -> Float[Measured, "images outputs inputs"]:
        """The whole rollout, N × N for each image; `query` plays no part."""
        require_chain(seen)
        product: torch.Tensor | None = None
        for index in range(seen.layer_index(self.start_layer), len(seen.layers)):
            factor = self._factor(seen, index)
            product = factor if product is None else factor @ product
        assert product is not None
        return measured(product, self.words)

    def _factor(self, seen: Seen, index: int) -> Float[torch.Tensor, "images queries tokens"]:
        """One layer's factor: from the tokens that come out of it to those that came in."""
        arranged, before = seen.arranged(index), _lattice_before(seen, index)
        call, arrangement = arranged.call, arranged.arrangement
        if arrangement.plain and before == arrangement.queries:
            return arranged.body.rollout_layer(call, self.fusion, self._least(call, seen))
        to_keys, stays = arranged.factor(self.fusion, self.discard)
        return spread(to_keys, arrangement.keys, before) + spread(torch.diag_embed(stays), arrangement.queries, before)

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
        require_chain(seen)
        vector = start_vector(seen, resolve(self.query, seen), self.fusion)  # (images, tokens)
        trail: list[torch.Tensor] = []
        for index in reversed(range(first, len(seen.layers))):
            vector = self._times_layer(seen, index, vector)
            on_picture = spread(vector, _lattice_before(seen, index), seen.layout)
            trail.append(on_picture[:, len(seen.layout.prefix) :])
        maps = torch.stack(trail[::-1], dim=1)  # (images, layers, patches)
        return maps.unflatten(2, seen.layout.grid)

    def _times_layer(self, seen: Seen, index: int, vector: torch.Tensor) -> torch.Tensor:
        """The vector (images, tokens out of the layer) times its factor: (images, tokens into it)."""
        arrangement, before = seen.arrangement(index), _lattice_before(seen, index)
        if not (arrangement.plain and before == arrangement.queries):
            to_keys, stays = seen.arranged(index).vector_times_fused(vector, self.fusion, self.discard)
            return spread(to_keys, arrangement.keys, before) + spread(stays, arrangement.queries, before)
        stored = seen.fused(index, self.fusion)
        if stored is not None and not self.discard:
            call = seen.layers[index]  # its shapes are enough
            return seen.body(call).vector_times_stored_layer(call, stored, vector)
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


def require_chain(seen: Seen) -> None:
    """Raise QueryError where the layers do not follow one another, or it is not known where an output goes."""
    if seen.branching is not None:
        raise QueryError(f"a rollout multiplies layers that follow one another: {seen.branching}")
    for index, call in enumerate(seen.layers):
        arrangement = seen.arrangement(index)
        if not arrangement.queries.patches:
            raise QueryError(
                f"layer {index} ({call.name}) reads from the places of the picture, and no layer is between "
                "them: there is no rollout; its own attention is what heatmaps show"
            )
        if arrangement.overlapping and arrangement.queries.grid != arrangement.keys.grid:
            raise QueryError(
                f"layer {index} ({call.name}) asks the same queries in every window; a rollout would have to "
                "know where their answers go, and is not defined there"
            )


def _lattice_before(seen: Seen, index: int) -> Layout:
    """Where the tokens that come into a layer stand: where those out of the one before it do."""
    return seen.arrangement(index - 1).queries if index else seen.arrangement(0).finer


def start_vector(seen: Seen, query: ResolvedQuery, fusion: Fusion) -> Float[torch.Tensor, "images tokens"]:
    """The row vector that the backward product starts with, over the tokens that come out of the last layer."""
    last, layout = seen.layers[-1], seen.arrangement(-1).queries
    vector = torch.zeros(seen.images, layout.tokens, dtype=last.dtype, device=last.device)
    if query.kind == "token":
        vector[:, query.token] = 1
    elif query.kind == "mean":
        vector[:, len(layout.prefix) :] = 1 / layout.patches
    elif seen.readings[-1].kind == "pool":
        reading = seen.readings[-1]
        reading.call.require_verified()
        vector = spread(_fused_row(seen, reading, fusion), reading.arrangement.keys, layout)
    else:
        vector = spread(_through_class_attention(seen, fusion), seen.readings[-1].arrangement.keys, layout)
    return vector


def _fused_row(seen: Seen, reading: Reading, fusion: Fusion) -> Float[torch.Tensor, "images keys"]:
    """The mean over a reading's queries of its heads fused, over the keys where they stand."""
    rows = seen.body(reading.call).fused(reading.call, fusion).mean(1)  # (images, keys of the call)
    return Arranged(reading.call, reading.arrangement, seen.body(reading.call)).joined(rows[:, None, None])[:, 0]


def _through_class_attention(seen: Seen, fusion: Fusion) -> Float[torch.Tensor, "images keys"]:
    """The class token's row through the layers at the end in which it alone asks, with their residual connections."""
    readings = [reading for reading in seen.readings if reading.kind == "class"]
    keys, call = readings[-1].arrangement.keys, readings[-1].call
    token = keys.prefix.index("cls")
    vector = torch.zeros(seen.images, keys.tokens, dtype=call.dtype, device=call.device)
    vector[:, token] = 1
    for reading in reversed(readings):
        reading.call.require_verified()
        row = _fused_row(seen, reading, fusion)
        share = vector[:, token] / (row.sum(1) + 1)
        vector[:, token] = share
        vector = vector + share[:, None] * row
    return vector


def _check(fusion: str, discard: float) -> None:
    if fusion not in get_args(Fusion):
        raise ArgumentError(f"fusion {fusion!r} is unknown; expected one of {', '.join(get_args(Fusion))}")
    if not 0 <= discard < 1:
        raise ArgumentError(f"discard must be from 0 to below 1; found {discard}")
