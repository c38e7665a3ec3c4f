"""What measures read: the attention of some images, layer by layer, and where its tokens stand."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from vitscope.attention import tiled
from vitscope.attention.call import AttentionCall
from vitscope.attention.statistics import RowStatistics
from vitscope.errors import QueryError
from vitscope.layout import Layout, ReadoutKind


@dataclass(frozen=True, eq=False)
class Seen:
    """The attention calls of one forward pass over some images of one size."""

    layout: Layout
    layers: tuple[AttentionCall, ...]
    readout: ReadoutKind
    pooling: AttentionCall | None = None  # the pooling head's own attention, if the model reads through one
    _statistics: dict[tuple[int, bool], RowStatistics] = field(default_factory=dict[tuple[int, bool], RowStatistics])

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
        """A layer's call; VerificationError if it was refused."""
        call = self.layers[self.layer_index(layer)]
        call.require_verified()
        return call

    def statistics(self, index: int, *, unit_square: bool = False) -> RowStatistics:
        """Row statistics of a layer, distances in pixels or in the unit square; computed once."""
        key = (index, unit_square)
        if key not in self._statistics:
            call = self.layer(index)
            places = torch.from_numpy(self.layout.unit_square() if unit_square else self.layout.centres())
            self._statistics[key] = tiled.row_statistics(call, places, len(self.layout.prefix))
        return self._statistics[key]

    def stacked(self, pick: Callable[[RowStatistics], torch.Tensor], *, unit_square: bool = False) -> torch.Tensor:
        """One statistic of all layers: (images, layers, heads, …), NaN where a layer has fewer heads."""
        parts = [pick(self.statistics(i, unit_square=unit_square)) for i in range(len(self.layers))]
        images, _, *rest = parts[0].shape
        heads = max(part.shape[1] for part in parts)
        out = torch.full((images, len(parts), heads, *rest), torch.nan, dtype=parts[0].dtype)
        for i, part in enumerate(parts):
            out[:, i, : part.shape[1]] = part.cpu()
        return out
