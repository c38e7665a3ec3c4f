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
    from vitscope.measures.distance import MeanAttentionDistance, mean_attention_distance
    from vitscope.measures.heatmaps import Heatmaps, heatmaps, top_mass
    from vitscope.measures.rollout import Rollout, rollout
    from vitscope.measures.spread import Entropy, PrefixMass, entropy, prefix_mass
    from vitscope.samples import sample_photo
    from vitscope.scope import Scope, load, wrap
    from vitscope.viewer.page import page

_HOME = {
    "Entropy": "measures.spread",
    "Heatmaps": "measures.heatmaps",
    "LayoutHints": "layout",
    "Look": "look",
    "MeanAttentionDistance": "measures.distance",
    "PrefixMass": "measures.spread",
    "Rollout": "measures.rollout",
    "Scope": "scope",
    "Transform": "images.transform",
    "VitscopeError": "errors",
    "entropy": "measures.spread",
    "heatmaps": "measures.heatmaps",
    "load": "scope",
    "mean_attention_distance": "measures.distance",
    "open_picture": "images.decode",
    "page": "viewer.page",
    "prefix_mass": "measures.spread",
    "rollout": "measures.rollout",
    "sample_photo": "samples",
    "top_mass": "measures.heatmaps",
    "wrap": "scope",
}

__all__ = [
    "Entropy",
    "Heatmaps",
    "LayoutHints",
    "Look",
    "MeanAttentionDistance",
    "PrefixMass",
    "Rollout",
    "Scope",
    "Transform",
    "VitscopeError",
    "entropy",
    "heatmaps",
    "load",
    "mean_attention_distance",
    "open_picture",
    "page",
    "prefix_mass",
    "rollout",
    "sample_photo",
    "top_mass",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'vitscope' has no attribute {name!r}")
    return getattr(import_module(f"vitscope.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
