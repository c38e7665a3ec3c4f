"""The measures of a survey: by what name each stands in the tables, and what it means."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from vitscope.errors import ArgumentError
from vitscope.measures.alignment import LinearCKA
from vitscope.measures.distance import MeanAttentionDistance
from vitscope.measures.heatmaps import Heatmaps
from vitscope.measures.moments import Moments
from vitscope.measures.rollout import Rollout
from vitscope.measures.similarity import HeadSimilarity
from vitscope.measures.spread import Entropy, PrefixMass

Kind = Literal["column", "map", "similarity", "alignment"]

NAMED: dict[str, Any] = {
    "distance": MeanAttentionDistance(),
    "distance_rescaled": MeanAttentionDistance(rescale=True),
    "entropy": Entropy(),
    "prefix_mass": PrefixMass(),
    "moments": Moments(),
    "rollout": Rollout(),
    "heatmaps": Heatmaps(),
    "head_similarity": HeadSimilarity(),
    "cka": LinearCKA(),
}
DEFAULT = ("distance", "distance_rescaled", "entropy", "prefix_mass", "rollout", "heatmaps")

_KINDS: dict[type, Kind] = {
    MeanAttentionDistance: "column",
    Entropy: "column",
    PrefixMass: "column",
    Moments: "column",
    Rollout: "map",
    Heatmaps: "map",
    HeadSimilarity: "similarity",
    LinearCKA: "alignment",
}
_UNITS = {"pixels": "px", "patches": "patches", "diagonal": "diagonals", "unit_square": "unit square"}


@dataclass(frozen=True)
class Chosen:
    """One measure of a survey.

    `kind`: "column", numbers of every image, layer and head; "map", over places, averaged by grid;
    "similarity", between the heads of each layer, averaged; "alignment", between layers, over minibatches.
    """

    name: str
    kind: Kind
    measure: Any

    def columns(self, prefix: tuple[str, ...]) -> tuple[str, ...]:
        """Its columns in the table of heads, in a model with these prefix tokens; no two measures share one."""
        if isinstance(self.measure, PrefixMass):
            return (self.name, *(f"{self.name}_{token}" for token in prefix))
        if isinstance(self.measure, Moments):
            own = self.name.removeprefix("moments")  # "_unit_patches"; "" where its unit is the usual one
            return tuple(f"{column}{own}" for column in self.measure.columns)
        return (self.name,) if self.kind == "column" else ()

    def settings(self, prefix: tuple[str, ...], convention: str) -> dict[str, Any]:
        """JSON-ready: name, kind, columns, parameters and convention, as the measure itself says it of the model."""
        unit = getattr(self.measure, "unit", None)
        units = {MeanAttentionDistance: _UNITS.get(str(unit)), Moments: _UNITS.get(str(unit)), Entropy: "nats"}
        return {
            "name": self.name,
            "kind": self.kind,
            "columns": list(self.columns(prefix)),
            "unit": units.get(type(self.measure), ""),
            "parameters": repr(self.measure),
            "convention": convention,
        }


def choose(measures: Any) -> tuple[Chosen, ...]:
    """The measures, one or several, given by name or as objects, each once. Raises ArgumentError for what is none."""
    several = isinstance(measures, Iterable) and not isinstance(measures, str)
    chosen = [_chosen(measure) for measure in (measures if several else [measures])]
    if not chosen:
        raise ArgumentError(f"no measure was given; expected some of {', '.join(NAMED)}")
    twice = next((one.name for i, one in enumerate(chosen) if one.name in {other.name for other in chosen[:i]}), None)
    if twice is not None:
        raise ArgumentError(f"the measure {twice} was given twice; expected each once")
    return tuple(chosen)


def _chosen(given: Any) -> Chosen:
    if isinstance(given, str):
        if given not in NAMED:
            raise ArgumentError(f"there is no measure {given!r}; expected some of {', '.join(NAMED)}")
        given = NAMED[given]
    kind = _KINDS.get(type(given))
    if kind is None:
        raise ArgumentError(
            f"{type(given).__name__} cannot be surveyed; expected names ({', '.join(NAMED)}) or measures "
            f"({', '.join(known.__name__ for known in _KINDS)})"
        )
    return Chosen(_name_of(given), kind, given)


def _name_of(measure: Any) -> str:
    """Its name where its parameters are the usual ones, else with those that differ: "rollout_fusion_max"."""
    for name, usual in NAMED.items():
        if measure == usual:
            return name
    usual = next(usual for usual in NAMED.values() if type(usual) is type(measure))
    base = next(name for name, it in NAMED.items() if it is usual)
    own: dict[str, Any] = vars(measure)
    parts = [f"{field}_{value}" for field, value in own.items() if value != getattr(usual, field)]
    return "_".join([base, *("".join(c if c.isalnum() else "_" for c in part).strip("_") for part in parts)])
