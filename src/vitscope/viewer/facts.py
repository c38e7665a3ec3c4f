"""What the page says in words: provenance, conventions, which layers it carries."""

from collections.abc import Mapping, Sequence
from typing import Any

from vitscope.look import Look
from vitscope.measures.distance import MeanAttentionDistance, uniform_distance
from vitscope.measures.rollout import Rollout
from vitscope.measures.spread import Entropy, PrefixMass

_ATTENTION = (
    "attention weights as the model computed them: softmax over all keys, prefix tokens included, so that a row sums "
    "to 1; not rescaled"
)
_VERIFIED = "recomputed attention times values against the model's own, over the largest Σ A·|values|"
_MODEL = {"name": "model", "class": "class", "parameters": "parameters", "dtype": "precision", "device": "device"}
_TRANSFORM = {
    "size": "input size",
    "fit": "part of the picture",
    "resize": "resized to",
    "aspect": "resizing",
    "interpolation": "interpolation",
    "centring": "odd pixel of the crop",
    "multiple": "sides are multiples of",
    "mean": "mean subtracted (red, green, blue)",
    "std": "then divided by (red, green, blue)",
    "fill": "colour outside the picture",
}
# Settings that play no part where the whole picture is shown, and where a crop is.
_IDLE_WHOLE, _IDLE_CROP = {"resize", "aspect", "centring", "fill"}, {"multiple"}
_WORDS = {
    ("fit", "crop"): "centre crop, as in the model's own evaluation",
    ("fit", "whole"): "the whole picture, aspect kept, at about the area of the input size",
    ("aspect", "squash"): "to exactly this size",
    ("aspect", "cover"): "aspect kept, to cover this size",
    ("aspect", "contain"): "aspect kept, to fit within this size",
}


def conventions(look: Look) -> dict[str, str]:
    """What each of the page's numbers means, as the measures themselves say it."""
    return {
        "attention": _ATTENTION,
        "rollout": Rollout().convention(look.attention_seen),
        "distance": MeanAttentionDistance().convention,
        "rescaled_distance": MeanAttentionDistance(rescale=True).convention,
        "entropy": Entropy.convention,
        "prefix_mass": PrefixMass.convention,
    }


def uniform_distances(look: Look) -> dict[str, float]:
    """Mean attention distance of uniform attention, in pixels, in both conventions."""
    return {
        "uniform_distance": uniform_distance(look.layout),
        "uniform_rescaled_distance": uniform_distance(look.layout, rescale=True),
    }


def facts(look: Look) -> list[list[str]]:
    """Provenance: names and values, for people."""
    rows = [*_model(look.settings.get("model", {})), *_preprocessing(look.settings.get("preprocessing"))]
    rows += [(f"{name} version", str(version)) for name, version in look.settings.get("versions", {}).items()]
    rows += [
        ("tokens", look.layout.describe()),
        ("readout", _readout(look)),
        ("verification error", f"{look.verification_error:.1e}: {_VERIFIED}"),
    ]
    return [list(row) for row in rows]


def _readout(look: Look) -> str:
    words = {"cls": "class token", "pool": "pooling head", "mean": "mean over the tokens"}
    return words[look.readout]


def _model(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Well-known settings first, then where the weights came from, in the loader's own words."""
    known = [(label, _plain(settings[name])) for name, label in _MODEL.items() if name in settings]
    others = [(name.replace("_", " "), _plain(value)) for name, value in settings.items() if name not in _MODEL]
    return known + others


def _preprocessing(settings: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if settings is None:
        return [("preprocessing", "none: the model was shown tensors that were made ready elsewhere")]
    idle = _IDLE_WHOLE if settings.get("fit") == "whole" else _IDLE_CROP
    idle = idle | ({"aspect"} if isinstance(settings.get("resize"), int) else set())  # a new set
    names = [name for name in (*_TRANSFORM, *sorted(set(settings) - set(_TRANSFORM))) if name in settings]
    return [(_TRANSFORM.get(name, name), _setting(name, settings[name])) for name in names if name not in idle]


def _setting(name: str, value: Any) -> str:
    if name == "resize" and isinstance(value, int):
        return f"short side {value} px, aspect kept"
    if name in ("size", "resize", "multiple"):
        return " × ".join(str(side) for side in value) + " px"
    return _WORDS.get((name, str(value)), _plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_plain(part) for part in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def labels(looks: Sequence[tuple[str, str, Sequence[str]]]) -> list[str]:
    """A label for each (model, input size, names of images), beside which the image's name always stands.

    The model's name; with the input's size where looks of one model differ in it; with a number where
    nothing else tells them apart.
    """
    sizes: dict[str, set[str]] = {}
    for model, size, _ in looks:
        sizes.setdefault(model, set()).add(size)
    taken: set[tuple[str, str]] = set()  # label, image
    out: list[str] = []
    for model, size, images in looks:
        name = model if len(sizes[model]) == 1 else f"{model} at {size} px"
        number, label = 1, name
        while not taken.isdisjoint((label, image) for image in images):
            number += 1
            label = f"{name} ({number})"
        taken.update((label, image) for image in images)
        out.append(label)
    return out


def title_of(models: Sequence[str], images: Sequence[str]) -> str:
    """What the page is called where nobody said."""
    pictures = list(dict.fromkeys(images))
    shown = pictures[0] if len(pictures) == 1 else f"{len(pictures)} images"
    names = list(dict.fromkeys(models))
    return f"{shown} · {' and '.join(names) if len(names) < 3 else f'{len(names)} models'}"
