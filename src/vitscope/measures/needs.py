"""What a measure needs of a forward pass, so that nothing else is computed or kept."""

from dataclasses import dataclass

from vitscope.attention.kernels.reference import Fusion


@dataclass(frozen=True)
class Needs:
    """Row statistics, rows of some layers, or a rollout's factors."""

    statistics: frozenset[bool] = frozenset()  # with distances in the unit square (True) or in pixels (False)
    layers: frozenset[int | str] | None = frozenset()  # those whose rows are computed again; None: all of them
    fusions: frozenset[Fusion] = frozenset()  # of rollouts without discard, for which fused heads are enough

    def __or__(self, other: "Needs") -> "Needs":
        layers = None if self.layers is None or other.layers is None else self.layers | other.layers
        return Needs(self.statistics | other.statistics, layers, self.fusions | other.fusions)


EVERYTHING = Needs(layers=None)
