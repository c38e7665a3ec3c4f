"""torchvision's models, by name and the name of their weights; the only file that imports torchvision."""

from typing import Any

import torchvision
from torch import nn
from torchvision.models.vision_transformer import interpolate_embeddings

from vitscope.errors import ModelError, UnknownModelError
from vitscope.images.transform import Transform
from vitscope.models.configs import cause
from vitscope.models.describe import describe
from vitscope.models.loaded import LoadedModel
from vitscope.models.names import did_you_mean, listing
from vitscope.models.preprocessing import from_timm
from vitscope.models.request import Request


def load(request: Request) -> LoadedModel:
    """A model of torchvision: `vit_b_16`, or `vit_b_16.IMAGENET1K_SWAG_E2E_V1` for weights not its default.

    Raises UnknownModelError for a name or weights that torchvision does not have, ModelError for weights
    that cannot be had and for sizes: its ViTs take one square input size.
    """
    name, _, tag = request.target.partition(".")
    _require_known(request, name)
    weights = _weights(request, name, tag)
    _require_square(request)
    model = _build(request, name, weights)
    described = describe(model)
    return LoadedModel(
        name=request.name,
        model=model,
        forward=described.forward,
        hints=described.hints,
        transform=_transform(weights),
        provenance={
            "library": "torchvision",
            "library_version": torchvision.__version__,
            "weights": f"{weights} ({weights.url})" if request.pretrained else "random",
        },
    )


def names(pattern: str) -> list[str]:
    """Every name that matches a pattern such as "vit*", as name.WEIGHTS where there are weights."""
    found = torchvision.models.list_models(module=torchvision.models, include=pattern)
    weights = {name: [one.name for one in torchvision.models.get_model_weights(name)] for name in found}
    return [f"torchvision:{name}{f'.{tag}' if tag else ''}" for name in found for tag in (weights[name] or [""])]


def _require_known(request: Request, name: str) -> None:
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        vits = [known_name for known_name in known if known_name.startswith("vit")]
        raise UnknownModelError(
            f"torchvision has no model {request.target!r}{did_you_mean(name, known)} Its ViTs: {', '.join(vits)}"
        )


def _weights(request: Request, name: str, tag: str) -> Any:
    every = torchvision.models.get_model_weights(name)
    tags = [member.name for member in every]
    if tag and tag not in tags:
        raise UnknownModelError(
            f"torchvision's {name} has no weights named {tag!r}{did_you_mean(tag, tags)} It has: {listing(tags)}"
        )
    return every[tag or "DEFAULT"]


def _require_square(request: Request) -> None:
    size = request.image_size
    if request.whole:
        raise ModelError(
            f"{request.name} takes square inputs of one size, so it cannot see whole pictures, each of its own "
            'shape; use fit="crop", or timm\'s model of the same architecture'
        )
    if size is not None and size[0] != size[1]:
        raise ModelError(
            f"found image_size {size[0]} × {size[1]}; torchvision's ViTs take square inputs only: pass one side"
        )


def _build(request: Request, name: str, weights: Any) -> nn.Module:
    """The model at the size asked for, else at that of its weights; position embeddings by torchvision's own rule."""
    side = request.image_size[0] if request.image_size is not None else None
    native = weights.meta.get("min_size", (224, 224))[0]
    arguments: dict[str, Any] = {"num_classes": len(weights.meta["categories"])}
    if name.startswith("vit"):
        arguments["image_size"] = side or native
    elif side is not None:
        raise ModelError(f"{request.name} cannot be built for another input size; leave image_size out")
    model = torchvision.models.get_model(name, weights=None, **arguments)
    if request.pretrained:
        state = _state(request, weights)
        if side is not None and side != native:
            state = interpolate_embeddings(side, int(getattr(model, "patch_size")), state)  # noqa: B009
        model.load_state_dict(state)
    return model


def _state(request: Request, weights: Any) -> Any:
    try:
        return weights.get_state_dict(progress=False, check_hash=True)
    except Exception as error:  # URLError, OSError, and RuntimeError for a wrong hash
        raise ModelError(
            f"cannot get the weights of {request.name} from {weights.url}: {cause(error)}; run once with a "
            "network, or point TORCH_HOME at a cache that holds them, or pass pretrained=False"
        ) from error


def _transform(weights: Any) -> Transform | None:
    preset = weights.transforms()
    size, resized = preset.crop_size[0], preset.resize_size[0]
    return from_timm(
        {
            "input_size": (3, size, size),
            "crop_pct": size / resized,
            "mean": preset.mean,
            "std": preset.std,
            "interpolation": preset.interpolation.value,
        }
    )
