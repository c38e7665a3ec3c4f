"""What measures read: the attention of some images, layer by layer, and where its tokens stand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from vitscope.arrangement import Arrangement
from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.choice import BodyName, body_for
from vitscope.attention.kernels.fused_matrix import FusedMatrix
from vitscope.attention.kernels.reference import Fusion
from vitscope.attention.kernels.statistics import RowStatistics
from vitscope.errors import QueryError
from vitscope.layout import Layout, ReadoutKind
from vitscope.measures.arranged import Arranged
from vitscope.measures.needs import LayerPass


@dataclass(eq=False)
class Computed:
    """What was computed of the layers already, and need not be again."""

    statistics: dict[tuple[int, bool], RowStatistics] = field(default_factory=dict[tuple[int, bool], RowStatistics])
    normalisers: dict[int, torch.Tensor] = field(default_factory=dict[int, torch.Tensor])
    fused: dict[tuple[int, Fusion], FusedMatrix] = field(default_factory=dict[tuple[int, Fusion], FusedMatrix])
    passes: dict[tuple[int, LayerPass], torch.Tensor] = field(default_factory=dict[tuple[int, LayerPass], torch.Tensor])


@dataclass(frozen=True, eq=False)
class Reading:
    """An attention through which the answer is read: a pooling head's, or a class token's at the end."""

    call: AttentionCall
    arrangement: Arrangement
    kind: Literal["pool", "class"]


@dataclass(frozen=True, eq=False)
class Crossing:
    """A decoder's cross-attention: queries that stand nowhere, "query1" …, over the places of the picture."""

    call: AttentionCall
    arrangement: Arrangement


@dataclass(frozen=True, eq=False)
class Seen:
    """The attention calls of one forward pass over some images of one size.

    `arrangements` of the layers are those of `layout`, every token attending to every token, where none
    are given.
    """

    layout: Layout  # the picture's own lattice: the first layer's
    layers: tuple[AttentionCall, ...]
    readout: ReadoutKind
    readings: tuple[Reading, ...] = ()  # in the order of the pass
    body_name: BodyName = "tiled"
    computed: Computed = field(default_factory=Computed)
    arrangements: tuple[Arrangement | None, ...] = ()  # None for a layer that is refused, as it could not be placed
    branching: str | None = None  # why the layers do not follow one another, if they don't
    crossings: tuple[Crossing, ...] = ()  # in the order of the pass; kept by looks alone
    representations: tuple[torch.Tensor, ...] = ()  # (images, features) of each layer's block, if a measure needs them

    @property
    def images(self) -> int:
        arrangement = self.arrangements[0] if self.arrangements else None
        return self.layers[0].images // (1 if arrangement is None else arrangement.windows)

    @property
    def pooling(self) -> AttentionCall | None:
        """The pooling head's own attention, if the model reads through one."""
        return next((reading.call for reading in self.readings if reading.kind == "pool"), None)

    def known_arrangement(self, index: int) -> Arrangement | None:
        """Where a layer's tokens stand; None if they could not be placed."""
        return self.arrangements[index] if self.arrangements else Arrangement.whole(self.layout)

    def arrangement(self, index: int) -> Arrangement:
        """Where a layer's tokens stand; VerificationError if they could not be placed."""
        found = self.known_arrangement(index)
        if found is None:
            self.layers[index].require_verified()
            raise QueryError(f"layer {index} ({self.layers[index].name}) is not over places of the picture")
        return found

    def crossing(self, layer: int | str) -> Crossing | None:
        """The cross-attention of that name, if there is one; it is no layer."""
        return next((crossing for crossing in self.crossings if crossing.call.name == layer), None)

    def arranged(self, layer: int | str) -> Arranged:
        """A layer with its places and kernels; VerificationError if it was refused."""
        call = self.layer(layer)
        return Arranged(call, self.arrangement(self.layer_index(layer)), self.body(call))

    def layer_index(self, layer: int | str) -> int:
        """Index from 0 of a layer given by index (negative from the end) or name."""
        if isinstance(layer, str):
            names = [call.name for call in self.layers]
            if layer not in names:
                crossings = [crossing.call.name for crossing in self.crossings]
                others = f", and cross-attention {', '.join(crossings)}" if crossings else ""
                raise QueryError(f"no layer is named {layer!r}; the layers are {', '.join(names)}{others}")
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
            known[index, unit_square] = self.arranged(index).row_statistics(unit_square=unit_square)
        return known[index, unit_square]

    def passed(self, each: LayerPass) -> torch.Tensor:
        """What a pass gives of all layers, see `stack_layers`; computed once."""
        known = self.computed.passes
        for index, call in enumerate(self.layers):
            call.require_verified()
            if (index, each) not in known:
                known[index, each] = each(self.arranged(index))
        return stack_layers([known[index, each] for index in range(len(self.layers))])

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
        """One statistic of all layers: (images, layers, heads, …), NaN where a layer has fewer heads (or the like)."""
        return stack_layers([pick(self.statistics(i, unit_square=unit_square)) for i in range(len(self.layers))])


def stack_layers(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """(images, heads, …) of each layer → (images, layers, heads, …), NaN where one has fewer heads (or the like)."""
    sizes = [max(part.shape[axis] for part in parts) for axis in range(1, parts[0].dim())]
    shape = (parts[0].shape[0], len(parts), *sizes)
    out = torch.full(shape, torch.nan, dtype=parts[0].dtype, device=parts[0].device)
    for i, part in enumerate(parts):
        out[:, i][tuple(slice(size) for size in part.shape)] = part
    return out.cpu()
