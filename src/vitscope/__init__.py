"""See where a Vision Transformer looks: any PyTorch ViT, unmodified, with numbers you can cite.

    scope = vitscope.load()              # or a timm, transformers, torchvision, open_clip name
    look = scope.look("photo.jpg")
    look.heatmaps(), look.rollout(), look.mean_attention_distance()

Names are imported when first used, so that `import vitscope` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitscope.errors import VitscopeError
    from vitscope.images.decode import open_picture
    from vitscope.images.transform import Transform
    from vitscope.layout import LayoutHints
    from vitscope.look import Look
    from vitscope.measures.alignment import LinearCKA, linear_cka
    from vitscope.measures.distance import MeanAttentionDistance, mean_attention_distance
    from vitscope.measures.heatmaps import Heatmaps, heatmaps, top_mass
    from vitscope.measures.moments import Moments, moments
    from vitscope.measures.rollout import Rollout, rollout
    from vitscope.measures.similarity import HeadSimilarity, head_similarity
    from vitscope.measures.spread import Entropy, PrefixMass, entropy, prefix_mass
    from vitscope.samples import sample_photo
    from vitscope.scope import Scope, load, wrap
    from vitscope.surveys.run import Run, open_run
    from vitscope.surveys.survey import survey
    from vitscope.viewer.page import page

_HOME = {
    "Entropy": "measures.spread",
    "HeadSimilarity": "measures.similarity",
    "Heatmaps": "measures.heatmaps",
    "LayoutHints": "layout",
    "LinearCKA": "measures.alignment",
    "Look": "look",
    "MeanAttentionDistance": "measures.distance",
    "Moments": "measures.moments",
    "PrefixMass": "measures.spread",
    "Rollout": "measures.rollout",
    "Run": "surveys.run",
    "Scope": "scope",
    "Transform": "images.transform",
    "VitscopeError": "errors",
    "entropy": "measures.spread",
    "head_similarity": "measures.similarity",
    "heatmaps": "measures.heatmaps",
    "linear_cka": "measures.alignment",
    "load": "scope",
    "mean_attention_distance": "measures.distance",
    "moments": "measures.moments",
    "open_picture": "images.decode",
    "open_run": "surveys.run",
    "page": "viewer.page",
    "prefix_mass": "measures.spread",
    "rollout": "measures.rollout",
    "sample_photo": "samples",
    "survey": "surveys.survey",
    "top_mass": "measures.heatmaps",
    "wrap": "scope",
}

__all__ = [
    "Entropy",
    "HeadSimilarity",
    "Heatmaps",
    "LayoutHints",
    "LinearCKA",
    "Look",
    "MeanAttentionDistance",
    "Moments",
    "PrefixMass",
    "Rollout",
    "Run",
    "Scope",
    "Transform",
    "VitscopeError",
    "entropy",
    "head_similarity",
    "heatmaps",
    "linear_cka",
    "load",
    "mean_attention_distance",
    "moments",
    "open_picture",
    "open_run",
    "page",
    "prefix_mass",
    "rollout",
    "sample_photo",
    "survey",
    "top_mass",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'vitscope' has no attribute {name!r}")
    return getattr(import_module(f"vitscope.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
