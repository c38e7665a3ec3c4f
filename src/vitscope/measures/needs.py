"""What a measure needs of a forward pass, so that nothing else is computed or kept."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from vitscope.attention.kernels.reference import Fusion
from vitscope.measures.arranged import Arranged


@runtime_checkable
class LayerPass(Protocol):
    """A pass over the rows of every layer that a measure has for itself; frozen and hashable, as it is made once."""

    @property
    def words(self) -> str:
        """What it computes, for those who read a plan."""
        ...

    def __call__(self, layer: Arranged) -> Tensor:
        """(images, heads, …): a few numbers a head."""
        ...


@dataclass(frozen=True)
class Needs:
    """Row statistics, passes of a measure's own, rows of some layers, a rollout's factors, or blocks' outputs."""

    statistics: frozenset[bool] = frozenset()  # with distances in the unit square (True) or in pixels (False)
    layers: frozenset[int | str] | None = frozenset()  # those whose rows are computed again; None: all of them
    fusions: frozenset[Fusion] = frozenset()  # of rollouts without discard, for which fused heads are enough
    passes: frozenset[LayerPass] = frozenset()
    entropy: bool = False  # of the row statistics, with distances that come anyway
    representations: bool = False  # whether the output of each layer's block is kept

    def __or__(self, other: "Needs") -> "Needs":
        layers = None if self.layers is None or other.layers is None else self.layers | other.layers
        return Needs(
            self.statistics | other.statistics,
            layers,
            self.fusions | other.fusions,
            self.passes | other.passes,
            self.entropy or other.entropy,
            self.representations or other.representations,
        )


EVERYTHING = Needs(layers=None, entropy=True)
