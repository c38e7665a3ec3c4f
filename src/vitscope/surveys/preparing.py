"""What a run is, settled before its first shard: everything that a resumed one must equal."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import torch
from torch import Tensor

from vitscope.errors import ArgumentError, SourceError
from vitscope.layer_info import LayerInfo, layer_info
from vitscope.measures.alignment import LEAST_IMAGES
from vitscope.measures.arranged import Arranged
from vitscope.measures.distance import MeanAttentionDistance
from vitscope.measures.needs import Needs
from vitscope.measures.seen import Seen
from vitscope.measures.spread import Entropy
from vitscope.measures.uniform import uniform_layers
from vitscope.provenance import settings_of
from vitscope.scope import Scope
from vitscope.surveys.chosen import Chosen
from vitscope.surveys.collecting import Columns
from vitscope.surveys.loading import read_image
from vitscope.surveys.planning import SurveyPlan
from vitscope.surveys.sources.base import Source

FORMAT = 1
CPU_BATCH = 8  # images, which a CPU's caches hold
_TRIED = 64  # images, to find one that can be read


@dataclass(frozen=True)
class Prepared:
    """The table of heads, and the settings that become plan.json."""

    columns: Columns
    settings: Mapping[str, Any]


def prepare(
    scope: Scope, source: Source, plan: SurveyPlan, chosen: tuple[Chosen, ...], *, limit_bytes: int = 2**30
) -> Prepared:
    """Show the model one image, so that what it or a measure refuses is said at once, and settle the settings."""
    _require_alike(scope, plan, chosen)
    image = _first_image(scope, source, plan)
    whole = scope.transform is not None and scope.transform.fit == "whole"
    expected = () if whole or not any(_is_known(one.measure) for one in chosen) else (_UniformPass(),)
    wanted = [*(one.measure for one in chosen), *expected]
    seen = scope.observer(wanted, batch_size=1, limit_bytes=limit_bytes)(image[None])
    conventions = [_tried(one, seen) for one in chosen]
    layers = [layer_info(seen, index) for index in range(len(seen.layers))]
    prefix = max((seen.arrangement(layer.index).keys.prefix for layer in layers), key=len)
    columns = Columns(
        tuple(layer.heads for layer in layers), tuple(name for one in chosen for name in one.columns(prefix))
    )
    settings = {
        "format": FORMAT,
        **_of_model(scope),
        "readout": seen.readout,
        "measures": [one.settings(prefix, words) for one, words in zip(chosen, conventions, strict=True)],
        "layers": [_of_layer(layer, whole=whole) for layer in layers],
        "limit_bytes": limit_bytes,
        "uniform": _uniform(seen, chosen) if expected else {},
        "input": None if whole else list(seen.layout.image_size),
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


def _of_model(scope: Scope) -> dict[str, Any]:
    settings = settings_of(scope.loaded, scope.weights_sha256())
    versions = {name: number for name, number in settings["versions"].items() if name != "python"}
    return {"model": settings["model"], "preprocessing": settings["preprocessing"], "versions": versions}


def _of_layer(layer: LayerInfo, *, whole: bool) -> dict[str, Any]:
    named = {"index": layer.index, "name": layer.name, "kind": layer.kind, "heads": layer.heads}
    return {**named, "grid": None if whole else list(layer.grid)}


@dataclass(frozen=True)
class _UniformPass:
    """What uniform attention would give, taken of each layer while its mask is there; afterwards none is kept."""

    words = "what uniform attention would give"

    @property
    def needs(self) -> Needs:
        return Needs(passes=frozenset({self}))

    def __call__(self, layer: Arranged) -> Tensor:
        """(1, 1, 3): distance, rescaled distance, entropy; of all images and heads."""
        alone = Seen(layer.arrangement.queries, (layer.call,), "mean", arrangements=(layer.arrangement,))
        return torch.tensor([[astuple(uniform_layers(alone)[0])]], dtype=torch.float64)


def _uniform(seen: Seen, chosen: tuple[Chosen, ...]) -> dict[str, list[float]]:
    """What uniform attention would give in each layer, for the columns where that is known.

    To seven digits, which is what every machine agrees on.
    """
    layers = seen.passed(_UniformPass())[0, :, 0]  # (layers, 3)
    known = [one for one in chosen if _is_known(one.measure)]
    return {one.name: [float(f"{value:.7g}") for value in layers[:, _place(one.measure)].tolist()] for one in known}


def _is_known(measure: Any) -> bool:
    return isinstance(measure, Entropy) or (isinstance(measure, MeanAttentionDistance) and measure.unit == "pixels")


def _place(measure: Any) -> int:
    """Of its number in what the pass gives."""
    return 2 if isinstance(measure, Entropy) else int(measure.rescale)


def batch_size_for(scope: Scope) -> int:
    """How many images to begin with: on a CPU what its caches hold, on CUDA what keeps it busy; halved if too many."""
    return 64 if next(scope.model.parameters(), torch.zeros(())).is_cuda else CPU_BATCH
