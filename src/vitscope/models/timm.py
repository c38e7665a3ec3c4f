"""timm's models: by name, from the hub, from a folder; the only file that imports timm."""

import functools
from typing import Any, cast

import timm
import timm.models.vision_transformer
from timm.data.config import resolve_model_data_config
from torch import nn

from vitscope.errors import CheckpointError, ModelError, UnknownModelError
from vitscope.models.configs import cause, hub_advice
from vitscope.models.describe import describe
from vitscope.models.loaded import LoadedModel
from vitscope.models.names import did_you_mean, listing
from vitscope.models.preprocessing import from_timm
from vitscope.models.request import Request
from vitscope.models.weights_file import code_in_pickle, refuses_code

FIND = "vitscope models '*vit*'"


def load(request: Request) -> LoadedModel:
    """A model by timm's name, or of a hub repository or folder whose config.json is timm's.

    Raises UnknownModelError for a name that timm does not know, CheckpointError for weights that do not
    fit their architecture, ModelError for weights that cannot be had and for a size it cannot take.
    """
    if ":" not in request.name:
        _require_known(request)
    model = _create(request)
    described = describe(model)
    config = resolve_model_data_config(model)  # the training size, as the model cards' own snippet
    return LoadedModel(
        name=request.name,
        model=model,
        forward=described.forward,
        hints=described.hints,
        transform=from_timm(config, None if request.image_size is None else _input_size(model)),
        provenance={
            "library": "timm",
            "library_version": timm.__version__,
            "weights": _origin(model, request) if request.pretrained else "random",
        },
    )


def names(pattern: str = "*") -> list[str]:
    """Every name with weights that matches a pattern such as "*dino*", as arch.tag."""
    return timm.list_pretrained(pattern)


def version() -> str:
    """timm's version."""
    return timm.__version__


def plain_vit(**arguments: Any) -> nn.Module:
    """timm's VisionTransformer from its own arguments, with LayerNorm's epsilon as `epsilon`."""
    epsilon = arguments.pop("epsilon")
    layer_norm = functools.partial(nn.LayerNorm, eps=epsilon)
    return timm.models.vision_transformer.VisionTransformer(norm_layer=cast("Any", layer_norm), **arguments)


def _require_known(request: Request) -> None:
    architecture, _, tag = request.target.partition(".")
    if not timm.is_model(architecture):
        candidates = [*timm.list_models(), *timm.list_pretrained(), "vitscope-tiny"]
        raise UnknownModelError(
            f"no model is named {request.name!r}{did_you_mean(request.target, candidates)} Expected a timm name, "
            "vitscope-tiny, or one with a prefix: hf-hub:, local-dir:, transformers:, torchvision:, open_clip:. "
            f"To list names that load: {FIND}"
        )
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        raise UnknownModelError(
            f"timm's {architecture} has no weights named {tag!r}{did_you_mean(tag, tags)} It has: {listing(tags)}"
        )
    if request.pretrained and not tags:
        raise ModelError(
            f"timm has no pretrained weights for {architecture}; pass checkpoint=…, or pretrained=False for "
            "random weights"
        )


def _create(request: Request) -> nn.Module:
    """The model, made to take the sizes asked for.

    fit="whole" needs an architecture that resamples its position embedding at every forward pass
    (dynamic_img_size, which leaves the model's own size untouched); one fixed size needs only img_size.
    """
    arguments: dict[str, Any] = {}
    if request.whole:
        arguments["dynamic_img_size"] = True
    elif request.image_size is not None:
        arguments["img_size"] = request.image_size
    name = request.name if request.folder is None else f"local-dir:{request.folder}"
    try:
        return timm.create_model(name, pretrained=request.pretrained, **arguments)
    except Exception as error:  # timm, torch and the hub's client each raise their own kinds
        raise _explained(error, request) from error


def _explained(error: Exception, request: Request) -> ModelError:
    if isinstance(error, TypeError) and "dynamic_img_size" in str(error):
        return ModelError(
            f"{request.name} takes inputs of one size only, so it cannot see whole pictures, each of its own "
            'shape; expected an architecture with dynamic_img_size: use fit="crop", or image_size=(height, width)'
        )
    if isinstance(error, TypeError) and "img_size" in str(error):
        return ModelError(f"{request.name} cannot be built for another input size; leave image_size out")
    if refuses_code(error):
        return code_in_pickle(request.name, error)
    if "loading state_dict" in str(error) or type(error).__name__ == "SafetensorError":
        return CheckpointError(f"the weights of {request.name} do not fit its config.json: {error}; save both again")
    if request.folder is not None:
        return ModelError(f"cannot load {request.name}: {cause(error)}; expected config.json and model.safetensors")
    if request.pretrained:
        return ModelError(f"cannot get the weights of {request.name}: {cause(error)}; {hub_advice()}")
    return ModelError(f"cannot build {request.name}: {cause(error)}; check image_size, if given")


def _input_size(model: nn.Module) -> tuple[int, int] | None:
    size = getattr(getattr(model, "patch_embed", None), "img_size", None)
    return tuple(size) if size is not None else None


def _origin(model: nn.Module, request: Request) -> str:
    if request.folder is not None:
        return str(request.folder)
    config = cast("dict[str, Any]", getattr(model, "pretrained_cfg", {}))
    if config.get("hf_hub_id"):
        return f"hf-hub:{config['hf_hub_id']}"
    return str(config.get("url") or request.name)
