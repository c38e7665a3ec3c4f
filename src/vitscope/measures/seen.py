"""What measures read: the attention of some images, layer by layer, and where its tokens stand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.choice import BodyName, body_for
from vitscope.attention.kernels.fused_matrix import FusedMatrix
from vitscope.attention.kernels.reference import Fusion
from vitscope.attention.kernels.statistics import Places, RowStatistics
from vitscope.errors import QueryError
from vitscope.layout import Layout, ReadoutKind


@dataclass(eq=False)
class Computed:
    """What was computed of the layers already, and need not be again."""

    statistics: dict[tuple[int, bool], RowStatistics] = field(default_factory=dict[tuple[int, bool], RowStatistics])
    normalisers: dict[int, torch.Tensor] = field(default_factory=dict[int, torch.Tensor])
    fused: dict[tuple[int, Fusion], FusedMatrix] = field(default_factory=dict[tuple[int, Fusion], FusedMatrix])


@dataclass(frozen=True, eq=False)
class Seen:
    """The attention calls of one forward pass over some images of one size."""

    layout: Layout
    layers: tuple[AttentionCall, ...]
    readout: ReadoutKind
    pooling: AttentionCall | None = None  # the pooling head's own attention, if the model reads through one
    body_name: BodyName = "tiled"
    computed: Computed = field(default_factory=Computed)

    def layer_index(self, layer: int | str) -> int:
        """Index from 0 of a layer given by index (negative from the end) or name."""
        if isinstance(layer, str):
            names = [call.name for call in self.layers]
            if layer not in names:
                raise QueryError(f"no layer is named {layer!r}; the layers are {', '.join(names)}")
            return names.index(layer)
        if not -len(self.layers) <= layer < len(self.layers):
            raise QueryError(f"layer {layer} does not exist: the model has {len(self.layers)}, from 0")
        return layer % len(self.layers)

    def layer(self, layer: int | str) -> AttentionCall:
        """A layer's call; VerificationError if it was refused, CaptureError if its operands were not kept."""
        call = self.layers[self.layer_index(layer)]
        call.require_verified()
        call.require_kept()
        return call

    def body(self, call: AttentionCall) -> Any:
        """The kernels that compute on a call."""
        return body_for(call, self.body_name)

    def statistics(self, index: int, *, unit_square: bool = False) -> RowStatistics:
        """Row statistics of a layer, distances in pixels or in the unit square; computed once."""
        self.layers[index].require_verified()
        known = self.computed.statistics
        if (index, unit_square) not in known:
            call = self.layer(index)
            known[index, unit_square] = self.body(call).row_statistics(call, places_of(self.layout, unit_square))
        return known[index, unit_square]

    def normalisers(self, index: int) -> torch.Tensor | None:
        """ln Σ_k exp(logit) of a layer's rows, (images, heads, queries), computed once; None if no kernel needs it."""
        self.layers[index].require_verified()
        if not self.body(self.layers[index]).NEEDS_NORMALISERS:
            return None
        known = self.computed.normalisers
        if index not in known:
            statistics = [self.computed.statistics.get((index, unit_square)) for unit_square in (False, True)]
            found = next((one.normalisers for one in statistics if one is not None), None)
            call = self.layer(index)
            known[index] = self.body(call).normalisers(call) if found is None else found
        return known[index]

    def fused(self, index: int, fusion: Fusion) -> FusedMatrix | None:
        """A layer's heads fused, where they were stored."""
        self.layers[index].require_verified()
        return self.computed.fused.get((index, fusion))

    def stacked(self, pick: Callable[[RowStatistics], torch.Tensor], *, unit_square: bool = False) -> torch.Tensor:
        """One statistic of all layers: (images, layers, heads, …), NaN where a layer has fewer heads."""
        parts = [pick(self.statistics(i, unit_square=unit_square)) for i in range(len(self.layers))]
        images, _, *rest = parts[0].shape
        heads = max(part.shape[1] for part in parts)
        out = torch.full((images, len(parts), heads, *rest), torch.nan, dtype=parts[0].dtype)
        for i, part in enumerate(parts):
            out[:, i, : part.shape[1]] = part.cpu()
        return out


def places_of(layout: Layout, unit_square: bool) -> Places:
    """Where the patches stand, in pixels of the model's input or in the unit square."""
    places = torch.from_numpy(layout.unit_square() if unit_square else layout.centres())
    return Places(places, places)
