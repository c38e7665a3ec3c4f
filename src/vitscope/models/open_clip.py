"""open_clip's models, the vision tower alone; the only file that imports open_clip."""

from fnmatch import fnmatch
from typing import Any, cast

import open_clip
from torch import nn

from vitscope.errors import ModelError, UnknownModelError
from vitscope.models.configs import cause, hub_advice
from vitscope.models.describe import describe
from vitscope.models.loaded import LoadedModel
from vitscope.models.names import did_you_mean, listing
from vitscope.models.request import Request


def load(request: Request) -> LoadedModel:
    """The vision tower of `ViT-B-32/laion2b_s34b_b79k`; the architecture alone with pretrained=False.

    Raises UnknownModelError for an architecture or weights that open_clip does not have, ModelError for
    weights that cannot be had and for fit="whole": its towers take one input size.
    """
    architecture, _, tag = request.target.partition("/")
    _require_known(request, architecture, tag)
    if request.whole:
        raise ModelError(
            f"{request.name} takes inputs of one size, so it cannot see whole pictures, each of its own shape; "
            'use fit="crop", or image_size=(height, width)'
        )
    tower = _tower(request, architecture, tag)
    described = describe(tower)
    return LoadedModel(
        name=request.name,
        model=tower,
        forward=described.forward,
        hints=described.hints,
        transform=described.transform,
        provenance={
            "library": "open_clip",
            "library_version": open_clip.__version__,
            "weights": f"{architecture}/{tag}" if request.pretrained else "random",
        },
    )


def names(pattern: str) -> list[str]:
    """Every architecture/weights that matches a pattern such as "*ViT-B-32*"."""
    found = (f"open_clip:{architecture}/{tag}" for architecture, tag in open_clip.list_pretrained())
    return [name for name in found if fnmatch(name.lower(), f"open_clip:{pattern.lower()}")]


def _require_known(request: Request, architecture: str, tag: str) -> None:
    known = open_clip.list_models()
    if architecture not in known:
        raise UnknownModelError(
            f"open_clip has no model {architecture!r}{did_you_mean(architecture, known)} Expected "
            "open_clip:architecture/weights, such as open_clip:ViT-B-32/laion2b_s34b_b79k"
        )
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if tag and tag not in tags:
        raise UnknownModelError(
            f"open_clip's {architecture} has no weights named {tag!r}{did_you_mean(tag, tags)} It has: {listing(tags)}"
        )
    if request.pretrained and not tag:
        raise ModelError(
            f"{request.name} names no weights; expected {request.name}/weights, with one of {listing(tags)}, or "
            "pretrained=False for random weights"
        )


def _tower(request: Request, architecture: str, tag: str) -> nn.Module:
    options: dict[str, Any] = {"pretrained_text": False, "load_weights": request.pretrained}
    if request.image_size is not None:
        options["force_image_size"] = request.image_size
    try:
        model: Any = open_clip.create_model(
            architecture, pretrained=tag if request.pretrained else None, device="cpu", **options
        )
    except Exception as error:  # open_clip, torch and the hub's client each raise their own kinds
        raise ModelError(f"cannot get the weights of {request.name}: {cause(error)}; {hub_advice()}") from error
    return cast("nn.Module", model.visual)
