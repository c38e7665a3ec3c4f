"""transformers' models: from the hub, from a trainer's folder, or by model_type with random weights.

The only file that imports transformers. Attention stays at the library's default; code that a repository
brings along (trust_remote_code) is never run.
"""

import contextlib
import re
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING
from transformers.models.auto.modeling_auto import MODEL_MAPPING
from transformers.utils import logging

from vitscope.errors import CheckpointError, ModelError, UnknownModelError
from vitscope.images.sizes import Centring
from vitscope.images.transform import Transform
from vitscope.models.configs import cause, hub_advice, split_revision
from vitscope.models.describe import describe, native_size
from vitscope.models.loaded import LoadedModel
from vitscope.models.names import did_you_mean, listing
from vitscope.models.preprocessing import from_processor, pair
from vitscope.models.request import Request
from vitscope.models.weights_file import code_in_pickle, refuses_code

# Model types without a processor of their own: their repositories carry this other type's.
_PROCESSOR_OF = {
    "clip_vision_model": "clip",
    "siglip_vision_model": "siglip",
    "dinov2_with_registers": "dinov2",
}


def load(request: Request) -> LoadedModel:
    """A vision model of transformers; of a two-tower model the vision tower alone.

    Raises UnknownModelError for a model_type that transformers does not know, CheckpointError for weights
    that leave parameters unset, ModelError for files that cannot be had and for a size it cannot take.
    """
    with _quiet():
        config = _config(request)
        model = _model(request, config)
        transform, preprocessing = _transform(request, config)
    described = describe(model.eval())
    if request.other_sizes:
        _require_other_sizes(request, model)
    return LoadedModel(
        name=request.name,
        model=model,
        forward=described.forward,
        hints=described.hints,
        transform=transform,
        provenance={
            "library": "transformers",
            "library_version": transformers.__version__,
            "weights": _origin(request) if request.pretrained else "random",
            "preprocessing": preprocessing,
        },
    )


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """No progress bars and no report on unused weights: what matters of them becomes an error or provenance."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _source(request: Request) -> dict[str, Any]:
    """The arguments of from_pretrained that say where from."""
    if request.folder is not None:
        return {"pretrained_model_name_or_path": str(request.folder)}
    name, revision = split_revision(request.target)
    return {"pretrained_model_name_or_path": name, "revision": revision or "main"}


def _origin(request: Request) -> str:
    return str(request.folder) if request.folder is not None else f"hf-hub:{request.target}"


def _config(request: Request) -> Any:
    if request.folder is None and "/" not in request.target:
        return _config_of_type(request)
    if request.folder is None and request.target.startswith((".", "/", "~")):
        raise ModelError(f"found no folder {request.target!r}; expected one with config.json and the weights")
    try:
        return transformers.AutoConfig.from_pretrained(**_source(request))
    except Exception as error:  # the library raises OSError, ValueError and the hub client's own kinds
        raise _unavailable(request, "configuration", error) from error


def _config_of_type(request: Request) -> Any:
    if request.target not in CONFIG_MAPPING:
        hint = did_you_mean(request.target, CONFIG_MAPPING.keys())
        raise UnknownModelError(
            f"transformers has no model type {request.target!r}{hint} Expected transformers:org/repo, "
            "transformers:/folder, or a model type with pretrained=False"
        )
    if request.pretrained:
        raise ModelError(
            f"{request.name} names an architecture and no weights; expected transformers:org/repo or a folder: "
            "pass pretrained=False for random weights"
        )
    return transformers.AutoConfig.for_model(request.target)


def _model(request: Request, config: Any) -> nn.Module:
    kind, own_config = _class_and_config(request, config)
    if not request.pretrained:
        return kind(own_config)
    model, report = _pretrained(request, kind, own_config)
    missing = report["missing_keys"]
    if missing and all(name.startswith("pooler.") for name in missing):
        # Backbones trained without a pooler: built without it, not with a random one.
        model, report = _pretrained(request, kind, own_config, add_pooling_layer=False)
    _require_fit(request, model, report)
    return model


def _pretrained(request: Request, kind: Any, config: Any, **options: Any) -> tuple[nn.Module, dict[str, Any]]:
    """The model and transformers' own report on the weights, in which it would otherwise only warn."""
    options |= {"config": config, "output_loading_info": True, "ignore_mismatched_sizes": True}
    try:
        return kind.from_pretrained(**_source(request), **options)
    except Exception as error:  # OSError, ValueError, safetensors' and the hub client's own kinds
        if refuses_code(error):
            raise code_in_pickle(request.name, error) from None
        if isinstance(error, RuntimeError) or type(error).__name__ == "SafetensorError":
            raise CheckpointError(
                f"the weights of {request.name} do not fit {kind.__name__}: {cause(error)}; expected those of its "
                "config.json: save both again"
            ) from error
        raise _unavailable(request, "weights", error) from error


def _require_fit(request: Request, model: nn.Module, report: Mapping[str, Any]) -> None:
    """Raise CheckpointError for weights missing, of other shapes, or of layers that the configuration leaves out."""
    mismatched = [f"{name} ({tuple(found)}, not {tuple(own)})" for name, found, own in report["mismatched_keys"]]
    problems = {
        "lack": report["missing_keys"],
        "differ in shape in": mismatched,
        "have more layers than its config.json says:": _surplus_layers(model, report["unexpected_keys"]),
    }
    for verb, found in problems.items():
        if found:
            raise CheckpointError(
                f"the weights of {request.name} {verb} {listing(sorted(found), 5)}; expected those of "
                f"{type(model).__name__} as its config.json has it: save both again with save_pretrained"
            )


def _surplus_layers(model: nn.Module, unexpected: Iterable[str]) -> list[str]:
    """Names that differ from the model's own in a number only: text towers, heads and decoders do not."""
    own = {_numberless(name) for name in model.state_dict()}
    prefix = f"{getattr(model, 'base_model_prefix', '')}."
    return [name for name in unexpected if {_numberless(name), _numberless(name.removeprefix(prefix))} & own]


def _numberless(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _class_and_config(request: Request, config: Any) -> tuple[Any, Any]:
    """The class to build: a classifier where the weights were saved from one, else the backbone; and its config."""
    vision = getattr(config, "vision_config", None)
    config = config if vision is None else vision
    for name in (getattr(config, "architectures", None) or []) if vision is None else []:
        if "ForImageClassification" in name and hasattr(transformers, name):
            return getattr(transformers, name), config
    kind: Any = MODEL_MAPPING.get(type(config), None)
    if kind is None or getattr(kind, "main_input_name", "") != "pixel_values":
        raise ModelError(
            f"{request.name} is of the type {config.model_type}, which transformers does not map to a model of "
            "images; expected a vision model: build it yourself and use vitscope.wrap(model)"
        )
    return kind, config


def _unavailable(request: Request, what: str, error: Exception) -> ModelError:
    if request.folder is not None:
        return ModelError(
            f"cannot read the {what} of {request.name}: {cause(error)}; expected a folder written by "
            "save_pretrained or Trainer"
        )
    return ModelError(f"cannot get the {what} of {request.name}: {cause(error)}; {hub_advice()}")


def _require_other_sizes(request: Request, model: nn.Module) -> None:
    """Run the model once at another size: whether its position embeddings stretch, no attribute tells."""
    described = describe(model)
    own, patch = native_size(model) or (224, 224), described.hints.patch_size or (16, 16)
    height, width = request.image_size or (own[0], own[1] + patch[1])
    try:
        with torch.no_grad():
            described.forward(model, torch.zeros(1, 3, height, width))
    except Exception as error:  # whatever a model raises for a shape that it was not built for
        raise ModelError(
            f"{request.name} takes no input of {height} × {width} px: {cause(error)}; expected its own size, "
            f'{own[0]} × {own[1]}: leave image_size out and use fit="crop"'
        ) from error


# Preprocessing.


def _transform(request: Request, config: Any) -> tuple[Transform | None, str]:
    """The processor saved with the model, else its type's default at the model's own size; and which it was."""
    saved = _saved_processor(request)
    if saved is not None:
        return from_processor(_settings(saved), _centring(saved)), "preprocessor_config.json"
    default = _default_processor(config)
    if default is None:
        return None, "none: no preprocessor_config.json, and no default for this type"
    vision = getattr(config, "vision_config", None) or config
    settings = _at_size(_settings(default), getattr(vision, "image_size", None))
    return from_processor(
        settings, _centring(default)
    ), f"defaults of {type(default).__name__} (no preprocessor_config.json)"


def _saved_processor(request: Request) -> Any:
    folder = request.folder
    if folder is None and "/" not in request.target:
        return None
    files = ("preprocessor_config.json", "processor_config.json")
    if folder is not None and not any((Path(folder) / name).is_file() for name in files):
        return None
    try:
        return transformers.AutoImageProcessor.from_pretrained(**_source(request))
    except Exception as error:  # OSError, ValueError, ImportError and the hub client's own kinds
        if folder is None and isinstance(error, OSError):
            return None  # a repository without a processor
        raise _unavailable(request, "preprocessing", error) from error


def _default_processor(config: Any) -> Any:
    kind = str(config.model_type)
    config_class = CONFIG_MAPPING[_PROCESSOR_OF.get(kind, kind)]
    found = IMAGE_PROCESSOR_MAPPING.get(config_class, None)
    classes = list(found.values()) if isinstance(found, dict) else list(found or ())
    usable = [candidate for candidate in classes if candidate is not None]
    return usable[0]() if usable else None


def _settings(processor: Any) -> dict[str, Any]:
    settings: dict[str, Any] = processor.to_dict()
    for name in ("size", "crop_size"):
        size = settings.get(name)
        settings[name] = dict(size) if isinstance(size, Mapping) else size
    return settings


def _centring(processor: Any) -> Centring:
    # The torchvision backend (version 5) and the fast processors (version 4) truncate, the PIL backend floors.
    backends = {"TorchvisionBackend", "BaseImageProcessorFast"}
    return "truncate" if backends & {kind.__name__ for kind in type(processor).__mro__} else "floor"


def _at_size(settings: dict[str, Any], image_size: Any) -> dict[str, Any]:
    """The settings with the model's own input size; a margin that the crop cuts off keeps its proportion."""
    usual = from_processor(settings)
    if image_size is None or usual is None:
        return settings
    height, width = pair(image_size)
    size = {"height": height, "width": width}
    if isinstance(usual.resize, int):
        shortest = round(usual.resize * min(height, width) / min(usual.size))
        return settings | {"size": {"shortest_edge": shortest}, "crop_size": size, "do_center_crop": True}
    return settings | {"size": size, "do_center_crop": False}
