"""What is measured side by side: the plain forward pass, vitscope, and every other way to the same numbers."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import formulas
import others

HEATMAPS = ("heatmaps",)
DISTANCE = ("mean_attention_distance", "heatmaps")
ROLLOUT = ("rollout",)
ALL = ("mean_attention_distance", "heatmaps", "rollout")
WORDS = {"mean_attention_distance": "distance"}  # for people, where shorter than the name


@dataclass(frozen=True)
class Variant:
    """One way to some of the measures.

    `build(model, size, images, layout)` gives a function without arguments that answers {measure: array};
    `layout` is a file with vitscope's pickled trace of this model and input size, or None.
    """

    tool: str
    measures: tuple[str, ...]
    build: Callable
    stores: str = ""  # attention held at once: "", "last" layer's or "all"
    plain: str = "plain"  # the variant that is its own forward pass
    timed: bool = True

    @property
    def computes(self):
        return ", ".join(WORDS.get(name, name) for name in self.measures)


def _plain(model, size, images, layout):
    def run():
        import torch

        with torch.no_grad():
            return {"logits": model(images).float().cpu().numpy()}

    return run


def _scope(model, size, layout):
    """The model made ready, its layout known unless `layout` is None."""
    import vitscope

    scope = vitscope.wrap(model)
    if layout is not None:
        scope._traces[size.side, size.side] = pickle.loads(Path(layout).read_bytes())  # of measure.trace_layout
    return scope


def _look(measures, **options):
    """One look, from which every measure is asked."""

    def build(model, size, images, layout):
        scope = _scope(model, size, layout)

        def run():
            look = scope.look(images, **options)
            return {name: getattr(look, name)() for name in measures}

        return run

    return build


def _measure(measures, **options):
    """Streaming, measures named beforehand."""

    def build(model, size, images, layout):
        import numpy as np

        import vitscope

        kinds = {
            "mean_attention_distance": vitscope.MeanAttentionDistance,
            "heatmaps": vitscope.Heatmaps,
            "rollout": vitscope.Rollout,
        }
        wanted = {name: kinds[name]() for name in measures}
        scope = _scope(model, size, layout)

        def run():
            rows = [values for _, values in scope.measure(images, wanted.values(), batch_size=size.batch, **options)]
            return {name: np.stack([values[measure] for values in rows]) for name, measure in wanted.items()}

        return run

    return build


def _stored(store, formula, measures):
    """Attention stored by `store`, then `formula`; where nothing is computed of it, it is only held until the end."""

    def build(model, size, images, layout):
        stored = store(model, size)
        return lambda: formula(stored(images), size, measures)

    return build


def _other(build):
    """A builder that needs no layout."""
    return lambda model, size, images, layout: build(model, size, images)


_LOOK, _STREAM = "vitscope, look", "vitscope, measure"
_UNSTORED = "vitscope, measure with limit_bytes=0"
_NAIVE = "naive: attention stored by hooks"
_EXTRACT = "timm AttentionExtract, then PyTorch"
_EAGER = "transformers, eager, output_attentions, then NumPy"
_hooks, _formula = others.attention_by_hooks, formulas.in_torch

VARIANTS = {
    "plain": Variant("plain forward pass", (), _plain),
    "look-heatmaps": Variant(_LOOK, HEATMAPS, _look(HEATMAPS)),
    "look-distance": Variant(_LOOK, DISTANCE, _look(DISTANCE)),
    "look-rollout": Variant(_LOOK, ROLLOUT, _look(ROLLOUT)),
    "look-all": Variant(_LOOK, ALL, _look(ALL)),
    "first-look": Variant(f"{_LOOK}, the first (with the trace)", ALL, _look(ALL), timed=False),
    "measure-heatmaps": Variant(_STREAM, HEATMAPS, _measure(HEATMAPS)),
    "measure-distance": Variant(_STREAM, DISTANCE, _measure(DISTANCE)),
    "measure-all": Variant(_STREAM, ALL, _measure(ALL)),
    "unstored-all": Variant(_UNSTORED, ALL, _measure(ALL, limit_bytes=0)),
    "last-heatmaps": Variant(
        "naive: last layer's attention by a hook",
        HEATMAPS,
        _stored(others.last_attention_by_hook, _formula, HEATMAPS),
        stores="last",
    ),
    "naive-stored": Variant(_NAIVE, (), _stored(_hooks, _formula, ()), stores="all"),
    "naive-distance": Variant(_NAIVE, DISTANCE, _stored(_hooks, _formula, DISTANCE), stores="all"),
    "naive-all": Variant(_NAIVE, ALL, _stored(_hooks, _formula, ALL), stores="all"),
    "naive-row": Variant(
        f"{_NAIVE}, of the rollout one row", ALL, _stored(_hooks, formulas.in_torch_by_row, ALL), stores="all"
    ),
    "extract-distance": Variant(_EXTRACT, DISTANCE, _stored(others.timm_extract, _formula, DISTANCE), stores="all"),
    "extract-all": Variant(_EXTRACT, ALL, _stored(others.timm_extract, _formula, ALL), stores="all"),
    "fast-vit-rollout": Variant("fast-vit-rollout", ROLLOUT, _other(others.fast_vit_rollout), stores="all"),
    "transformers": Variant("transformers, sdpa: its plain forward pass", (), _other(others.transformers_plain)),
    "transformers-distance": Variant(
        _EAGER, DISTANCE, _other(others.transformers_eager(DISTANCE)), stores="all", plain="transformers"
    ),
    "transformers-all": Variant(
        _EAGER, ALL, _other(others.transformers_eager(ALL)), stores="all", plain="transformers"
    ),
}


def is_vitscope(name):
    """Whether a variant is ours."""
    return VARIANTS[name].tool.startswith("vitscope")
