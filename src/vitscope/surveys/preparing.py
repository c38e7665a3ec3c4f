"""What a run is, settled before its first shard: everything that a resumed one must equal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vitscope.errors import ArgumentError, SourceError
from vitscope.look import Look
from vitscope.measures.alignment import LEAST_IMAGES
from vitscope.measures.distance import MeanAttentionDistance
from vitscope.measures.seen import Seen
from vitscope.measures.spread import Entropy
from vitscope.measures.uniform import Uniform, uniform_layers
from vitscope.scope import Scope
from vitscope.surveys.chosen import Chosen
from vitscope.surveys.collecting import Columns
from vitscope.surveys.loading import read_image
from vitscope.surveys.planning import SurveyPlan
from vitscope.surveys.sources.base import Source

FORMAT = 1
_TRIED = 64  # images, to find one that can be read


@dataclass(frozen=True)
class Prepared:
    """The table of heads, and the settings that become plan.json."""

    columns: Columns
    settings: Mapping[str, Any]


def prepare(scope: Scope, source: Source, plan: SurveyPlan, chosen: tuple[Chosen, ...]) -> Prepared:
    """Look at one image, so that what the model or a measure refuses is said at once, and settle the settings."""
    _require_alike(scope, plan, chosen)
    image = _first_image(scope, source, plan)
    look = scope.look(image[None])
    see = scope.observer([one.measure for one in chosen], batch_size=1)
    seen = see(image[None])
    conventions = [_tried(one, seen) for one in chosen]
    prefixes = [look.attention_seen.arrangement(layer.index).keys.prefix for layer in look.layers]
    prefix = max(prefixes, key=len)
    columns = Columns(
        tuple(layer.heads for layer in look.layers), tuple(name for one in chosen for name in one.columns(prefix))
    )
    whole = scope.transform is not None and scope.transform.fit == "whole"
    settings = {
        "format": FORMAT,
        **_of_model(look),
        "readout": look.readout,
        "measures": [one.settings(prefix, words) for one, words in zip(chosen, conventions, strict=True)],
        "layers": [
            {
                "index": layer.index,
                "name": layer.name,
                "kind": layer.kind,
                "heads": layer.heads,
                "grid": None if whole else list(layer.grid),
            }
            for layer in look.layers
        ],
        "uniform": {} if whole else _uniform(look, chosen),
        "input": None if whole else list(look.layout.image_size),
        "source": source.settings,
        "images": plan.index.num_rows,
        "index_sha256": plan.sha256,
        "shard_size": plan.shard_size,
        "shards": plan.shards,
    }
    return Prepared(columns, settings)


def _require_alike(scope: Scope, plan: SurveyPlan, chosen: tuple[Chosen, ...]) -> None:
    """Raise ArgumentError where minibatches cannot be compared."""
    for one in chosen:
        if one.kind != "alignment":
            continue
        if scope.transform is not None and scope.transform.fit == "whole":
            raise ArgumentError(
                f'{one.name} compares images place by place, and with fit="whole" they differ in size; use fit="crop"'
            )
        if plan.index.num_rows < LEAST_IMAGES:
            raise ArgumentError(
                f"{one.name} compares images with one another, and needs {LEAST_IMAGES} at least; found "
                f"{plan.index.num_rows}"
            )
        if plan.shard_size % one.measure.minibatch:
            raise ArgumentError(
                f"{one.name} compares minibatches of {one.measure.minibatch} images; expected a shard size that is a "
                f"multiple of it, found {plan.shard_size}"
            )


def _first_image(scope: Scope, source: Source, plan: SurveyPlan) -> Tensor:
    """The first image that can be read (3, height, width); its errors are told where none can."""
    reason = ""
    for row in plan.index.slice(0, _TRIED).to_pylist():
        read, tensor = read_image(source, row, scope.transform)
        if tensor is not None:
            return tensor
        assert read.failure is not None
        reason = reason or f"{read.failure[1]} ({read.failure[0]})"
    tried = min(_TRIED, plan.index.num_rows)
    raise SourceError(
        f"none of the first {tried} images of {source.name} can be shown to the model; the first: {reason}"
    )


def _tried(chosen: Chosen, seen: Seen) -> str:
    """What its numbers mean; raises what the measure refuses of this model."""
    if chosen.kind == "alignment":
        chosen.measure.features(seen)
        return chosen.measure.convention
    return chosen.measure.measure(seen).convention


def _of_model(look: Look) -> dict[str, Any]:
    versions = {name: number for name, number in look.settings["versions"].items() if name != "python"}
    return {
        "model": look.settings["model"],
        "preprocessing": look.settings["preprocessing"],
        "versions": versions,
    }


def _uniform(look: Look, chosen: tuple[Chosen, ...]) -> dict[str, list[float]]:
    """What uniform attention would give in each layer, for the columns where that is known."""
    layers = uniform_layers(look.attention_seen)
    return {one.name: [_expected(one.measure, layer) for layer in layers] for one in chosen if _is_known(one.measure)}


def _is_known(measure: Any) -> bool:
    return isinstance(measure, Entropy) or (isinstance(measure, MeanAttentionDistance) and measure.unit == "pixels")


def _expected(measure: Any, layer: Uniform) -> float:
    """To seven digits, which is what every machine agrees on."""
    expected = layer.entropy if isinstance(measure, Entropy) else layer.distance
    if isinstance(measure, MeanAttentionDistance) and measure.rescale:
        expected = layer.rescaled_distance
    return float(f"{expected:.7g}")


def batch_size_for(scope: Scope) -> int:
    """How many images to begin with: on a CPU what its caches hold, on CUDA what keeps it busy; halved if too many."""
    return 64 if next(scope.model.parameters(), torch.zeros(())).is_cuda else 8
