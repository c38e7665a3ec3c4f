"""From a name to a model: which library answers to it, and what every loaded model has in common.

Importing this file imports none of the model libraries; each is imported when its first name is loaded.
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal, cast

from vitscope.errors import ArgumentError, MissingLibraryError, ModelError, UnknownModelError
from vitscope.images.transform import Transform
from vitscope.models.checkpoint import load_checkpoint, require_finite
from vitscope.models.configs import library_of, read_folder_config, read_hub_config
from vitscope.models.loaded import LoadedModel
from vitscope.models.names import did_you_mean
from vitscope.models.request import Request

BUNDLED = "vitscope-tiny"
PREFIXES = ("hf-hub", "local-dir", "transformers", "torchvision", "open_clip")

# What pip installs for each library; timm comes with vitscope itself.
_INSTALL = {
    "timm": "vitscope",
    "transformers": "vitscope[transformers]",
    "torchvision": "vitscope[torchvision]",
    "open_clip": "vitscope[open-clip]",
}

Source = Callable[[Request], LoadedModel]


def load_model(
    name: str | None = None,
    *,
    checkpoint: str | Path | None = None,
    pretrained: bool = True,
    image_size: int | tuple[int, int] | None = None,
    fit: Literal["crop", "whole"] = "crop",
) -> LoadedModel:
    """A model by name, in eval mode, without gradients, float32, on the CPU.

    `name`: a timm name (arch.tag), hf-hub:org/repo, local-dir:folder, transformers:org/repo,
    torchvision:name, open_clip:architecture/weights; None or "vitscope-tiny" for the bundled model.
    `checkpoint`: a file of weights to load in place of the pretrained ones, which are then not fetched.
    `image_size`: the input's side or (height, width), in pixels, whole patches.
    `fit`: "crop" shows the model its own evaluation crop, "whole" the whole picture, aspect kept.

    Raises UnknownModelError, MissingLibraryError, CheckpointError, NotFiniteError, ArgumentError for an
    argument without meaning, and ModelError for weights that cannot be had or sizes the model cannot take.
    It runs no code from a checkpoint or a repository, and writes nothing but the hub's own cache.
    """
    request = _request(name, pretrained and checkpoint is None, image_size, fit)
    loaded = _source(request)(request)
    _require_whole_patches(request, loaded)
    provenance = loaded.provenance
    if checkpoint is not None:
        provenance = provenance | load_checkpoint(loaded.model, Path(checkpoint).expanduser())
    require_finite(loaded.model.state_dict(), request.name)
    model = loaded.model.eval().requires_grad_(False).float()
    return replace(loaded, model=model, transform=_fitted(loaded, request), provenance=provenance)


def list_names(pattern: str | None = None) -> dict[str, list[str]]:
    """Names that load, by library; of those that are installed.

    `pattern`: with * and ?; without, any name that holds it. transformers has no list: any repository of
    the hub may be one of its models.
    """
    pattern = "*" if pattern is None else pattern if any(wild in pattern for wild in "*?[") else f"*{pattern}*"
    found = {"vitscope": [BUNDLED] if fnmatch(BUNDLED, pattern) else []}
    for library in ("timm", "torchvision", "open_clip"):
        try:
            found[library] = importlib.import_module(f"vitscope.models.{library}").names(pattern)
        except ModuleNotFoundError:
            continue
    return found


def _request(name: str | None, pretrained: bool, image_size: int | tuple[int, int] | None, fit: str) -> Request:
    if fit not in ("crop", "whole"):
        raise ArgumentError(f'found fit={fit!r}; expected "crop" or "whole"{did_you_mean(fit, ["crop", "whole"])}')
    name = BUNDLED if name is None else name
    prefix, colon, target = name.partition(":")
    return Request(
        name=name,
        target=target if colon and prefix in PREFIXES else name,
        pretrained=pretrained,
        image_size=_checked_size(image_size),
        whole=fit == "whole",
    )


def _checked_size(image_size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if image_size is None:
        return None
    sides = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in cast("tuple[object, ...]", sides)):
        raise ArgumentError(
            f"found image_size={image_size!r}; expected a side or (height, width), whole numbers of pixels above 0"
        )
    return sides[0], sides[1]


def _source(request: Request) -> Source:
    """The loader that answers to this name, its library imported now."""
    prefix, colon, _ = request.name.partition(":")
    if request.name == BUNDLED:
        return _library_file("bundled")
    if not colon:
        _refuse_bare_paths(request.name)
        return _library_file("timm")
    if prefix not in PREFIXES:
        raise UnknownModelError(
            f"no model source is named {prefix!r}, in {request.name!r}{did_you_mean(prefix, PREFIXES)} Expected one of "
            f"{', '.join(f'{known}:' for known in PREFIXES)} or a timm name without a colon"
        )
    if not request.target:
        raise UnknownModelError(f"found nothing after the colon of {request.name!r}; expected {prefix}:name")
    if prefix == "hf-hub":
        return _library_file(library_of(read_hub_config(request.target), request.name))
    if prefix == "local-dir":
        return _library_file(library_of(read_folder_config(Path(request.target).expanduser()), request.name))
    return _library_file(prefix)


def _refuse_bare_paths(name: str) -> None:
    if "/" not in name and "\\" not in name:
        return
    if Path(name).expanduser().exists() or name.startswith((".", "/", "~")):
        raise UnknownModelError(
            f"{name!r} looks like a path; expected local-dir:{name} for a folder with config.json, or a model's name "
            "with checkpoint= for a file of weights"
        )
    raise UnknownModelError(
        f"{name!r} does not say which library it belongs to; expected hf-hub:{name}, where config.json decides, or "
        f"transformers:{name}"
    )


def _library_file(library: str) -> Source:
    try:
        return importlib.import_module(f"vitscope.models.{library}").load
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _INSTALL:
            raise
        extra = _INSTALL[(error.name or "").partition(".")[0]]
        raise MissingLibraryError(
            f'found no module {error.name!r}, which this model needs; install it with pip install "{extra}"'
        ) from error


def _require_whole_patches(request: Request, loaded: LoadedModel) -> None:
    size, patch = request.image_size, loaded.hints.patch_size
    if size is None or patch is None:
        return
    if size[0] % patch[0] or size[1] % patch[1]:
        nearest = tuple(max(1, round(side / unit)) * unit for side, unit in zip(size, patch, strict=True))
        raise ArgumentError(
            f"found image_size {size[0]} × {size[1]} for patches of {patch[0]} × {patch[1]} px; expected whole "
            f"patches: take {nearest[0]} × {nearest[1]}"
        )


def _fitted(loaded: LoadedModel, request: Request) -> Transform | None:
    """The model's own transform, at the size and with the fit that were asked for."""
    transform = loaded.transform
    if not request.other_sizes:
        return transform
    if transform is None or (request.whole and loaded.hints.patch_size is None):
        missing = "its preprocessing" if transform is None else "its patch size"
        raise ModelError(
            f'{request.name} does not say {missing}, so image_size and fit="whole" have nothing to act on; prepare the '
            "pictures yourself and use vitscope.wrap(model), whose looks take tensors"
        )
    if request.image_size is not None:
        transform = transform.with_size(request.image_size)
    return transform.whole(loaded.hints.patch_size) if request.whole and loaded.hints.patch_size else transform
