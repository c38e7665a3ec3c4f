"""Weights from a file into a model, all of them or none.

Every name in the file must have its place in the model and every place in the model its name: what is
left out on either side is either a head, and then named in the provenance, or an error. Weights of
another architecture never load in part.
"""

import contextlib
import io
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from vitscope.errors import CheckpointError, NotFiniteError
from vitscope.models.weights_file import StateDict, read_weights

# What training leaves beside a backbone: projection heads, mask tokens, decoders; no forward pass reads it.
_TRAINING_ONLY = re.compile(
    r"head\.(mlp|last_layer)\.|dino_head\.|ibot_head\.|mask_token$|decoder_|decoder\.|local_cls_norm\."
)
_CLASSIFIER = re.compile(
    r"(head|head_dist|fc)\.(fc\.)?(weight|bias)$|(heads|classifier|cls_classifier|distillation_classifier)\."
)
_CHUNKED_BLOCK = re.compile(r"blocks\.\d+\.(\d+)\.")  # DINOv2 trains in chunks: blocks.chunk.block.…


def load_checkpoint(model: nn.Module, path: str | Path) -> dict[str, str]:
    """Load a file of weights into `model`, in place, and say what was done, for the provenance.

    Takes timm's names, DINO's and DINOv2's, and those of the model itself; position embeddings of another
    grid are resampled by timm's own rule where the model is timm's. Raises CheckpointError for a file that
    cannot be read, or whose names or shapes differ from the model's, NotFiniteError for NaN or infinity;
    the model is untouched then.
    """
    path = Path(path)
    weights, entry = read_weights(path)
    require_finite(weights, str(path))
    weights, dropped = _without_training_parts(weights, model)
    _require_same_patches(weights, model, path)
    converted = _converted(weights, model, path)
    without_head = _require_fit(converted, model, path)
    model.load_state_dict(converted, strict=False)
    report = {"weights": str(path), "checkpoint entry": entry, "dropped": _in_words(dropped)}
    if without_head:
        report["classifier"] = "not in the file, so random: the model's answer means nothing, its attention does"
    if _resampled(weights, converted):
        report["position embedding"] = "resampled to the model's grid by timm's rule"
    return {name: text for name, text in report.items() if text}


def require_finite(weights: Mapping[str, Tensor], where: str) -> None:
    """Raise NotFiniteError naming the first parameter that holds NaN or infinity."""
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            count = int((~tensor.isfinite()).sum())
            raise NotFiniteError(
                f"found {count} of {tensor.numel()} values NaN or infinite in {name} of {where}; expected finite "
                "weights: take a checkpoint from before the training diverged"
            )


def _without_training_parts(weights: StateDict, model: nn.Module) -> tuple[StateDict, list[str]]:
    own = model.state_dict()
    dropped = [name for name in weights if _TRAINING_ONLY.match(name) and name not in own]
    # A backbone without classifier does not need the file's.
    if not any(_CLASSIFIER.match(name) for name in own):
        dropped += [name for name in weights if _CLASSIFIER.match(name) and name not in dropped]
    # mask_token tells timm's converter that the names are DINOv2's; the converter drops it itself.
    kept = {name: tensor for name, tensor in weights.items() if name not in dropped or name == "mask_token"}
    return {_CHUNKED_BLOCK.sub(r"blocks.\1.", name): tensor for name, tensor in kept.items()}, dropped


def _require_same_patches(weights: StateDict, model: nn.Module, path: Path) -> None:
    # timm's converter would resample the kernel of a model with other patches, and so hide the difference.
    name = "patch_embed.proj.weight"
    own = model.state_dict().get(name)
    if own is None or name not in weights or weights[name].ndim != 4:
        return
    if weights[name].shape[2:] != own.shape[2:]:
        raise _misfit(path, [_difference(name, weights[name], own)])


def _converted(weights: StateDict, model: nn.Module, path: Path) -> StateDict:
    """The weights under the model's own names, by the converter that timm keeps beside the model's class."""
    convert = _timm_converter(model)
    if convert is None:
        return {name: tensor for name, tensor in weights.items() if name != "mask_token" or name in model.state_dict()}
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # timm's EVA converter prints the parameters it skips
            return dict(convert(dict(weights), model))
    except Exception as error:  # foreign names lead a converter to any error
        raise CheckpointError(
            f"cannot bring the names in {str(path)!r} to those of {type(model).__name__} "
            f"({type(error).__name__}: {error}); expected a checkpoint of this architecture"
        ) from error


def _timm_converter(model: nn.Module) -> Callable[[Any, nn.Module], Mapping[str, Tensor]] | None:
    for kind in type(model).__mro__:
        if kind.__module__.startswith("timm."):
            converter = getattr(sys.modules[kind.__module__], "checkpoint_filter_fn", None)
            if converter is not None:
                return converter
    return None


def _require_fit(weights: StateDict, model: nn.Module, path: Path) -> bool:
    """Raise CheckpointError unless names and shapes agree; True where only the classifier is missing."""
    own = model.state_dict()
    missing = [name for name in own if name not in weights]
    foreign = [name for name in weights if name not in own]
    unlike = [_difference(name, weights[name], own[name]) for name in own if _differs(name, weights, own)]
    without_head = _only_classifier(missing, weights)
    if without_head:
        missing = []
    problems = [_listed("the model lacks", foreign), _listed("the file lacks", missing), _listed("differ:", unlike)]
    if any(problems):
        raise _misfit(path, [problem for problem in problems if problem])
    return without_head


def _only_classifier(missing: list[str], weights: StateDict) -> bool:
    if any(_CLASSIFIER.match(name) for name in weights):
        return False
    return bool(missing) and all(_CLASSIFIER.match(name) for name in missing)


def _differs(name: str, weights: StateDict, own: Mapping[str, Tensor]) -> bool:
    return name in weights and weights[name].shape != own[name].shape


def _difference(name: str, found: Tensor, expected: Tensor) -> str:
    return f"{name} is {_shape(found)} in the file and {_shape(expected)} in the model"


def _shape(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape)) or "a number"


def _listed(what: str, items: list[str]) -> str:
    more = f" and {len(items) - 5} more" if len(items) > 5 else ""
    return f"{what} {', '.join(items[:5])}{more}" if items else ""


def _misfit(path: Path, problems: list[str]) -> CheckpointError:
    return CheckpointError(
        f"the weights in {str(path)!r} are not this model's: {'; '.join(problems)}. Expected a checkpoint of the "
        "same architecture: name the one it was trained with"
    )


def _resampled(before: StateDict, after: StateDict) -> bool:
    if "pos_embed" not in before or "pos_embed" not in after or "mask_token" in before:
        return False
    return before["pos_embed"].shape != after["pos_embed"].shape


def _in_words(names: list[str]) -> str:
    """Parts by the first piece of their names, each once: "head.mlp" for head.mlp.0.weight."""
    return ", ".join(sorted({".".join(name.split(".")[:2]) for name in names}))
