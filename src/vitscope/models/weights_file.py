"""A file of weights, read without running anything that it holds.

Gives names and tensors; whether they fit a model is `checkpoint`'s question.
"""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from vitscope.errors import CheckpointError

StateDict = dict[str, Tensor]

# Where training scripts put the weights, the averaged ones first: they are what a script evaluates.
_ENTRIES = ("state_dict_ema", "model_ema", "teacher", "state_dict", "model_state", "model", "module")
_PREFIXES = ("module.", "_orig_mod.", "backbone.")  # DataParallel, torch.compile, DINO's multi-crop wrapper


def read_weights(path: Path) -> tuple[StateDict, str]:
    """The weights in a file by name, and the entry they lay under ("" where they lie bare).

    safetensors by its suffix; anything else as a file of torch.save, unpickled by PyTorch's restricted
    reader with argparse.Namespace allowed beside tensors (DINO's files carry one). Code in a pickle is
    never run. Raises CheckpointError for a file that is missing, empty, broken, or holds other objects.
    """
    if not path.is_file():
        what = "a folder (use local-dir:)" if path.is_dir() else "no file"
        raise CheckpointError(f"found {what} at {str(path)!r}; expected .safetensors, .pth, .pt or .bin")
    if path.stat().st_size == 0:
        raise CheckpointError(f"found an empty file at {str(path)!r}; copy or download it again")
    contents = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    weights, entry = _unwrap(contents, path)
    return _without_prefixes(weights), entry


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"cannot read {str(path)!r} as safetensors ({error}); it is truncated or of another format: "
            "copy or download it again"
        ) from error


def _read_pickle(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever the bytes lead its reader to
        if refuses_code(error):
            raise code_in_pickle(str(path), error) from None
        raise _unreadable(str(path), error) from error


def refuses_code(error: BaseException) -> bool:
    """Whether this is PyTorch's restricted reader, or timm in its name, refusing what a file holds."""
    return "Weights only load failed" in str(error) or "weights_only=True blocked" in str(error)


def code_in_pickle(where: str, error: BaseException) -> CheckpointError:
    """The error for a file that was refused, naming what its pickle would have called.

    PyTorch's own text advises weights_only=False, which would run the file's code: it is not repeated.
    """
    refused = re.search(r"GLOBAL ([\w.]+)|globals: ([\w.]+\w)", str(error))
    if refused is None:
        return _unreadable(where, error)
    called = refused.group(1) or refused.group(2)
    return CheckpointError(
        f"found code or objects other than tensors in the pickle of {where!r} ({called}); it was not run. "
        "Expected tensors under names: convert the file to safetensors where it is trusted"
    )


def _unreadable(where: str, error: BaseException) -> CheckpointError:
    return CheckpointError(
        f"cannot read {where!r} as a PyTorch checkpoint ({type(error).__name__}); it is truncated or of another "
        "format: copy or download it again"
    )


def _unwrap(contents: Any, path: Path) -> tuple[StateDict, str]:
    entries: list[str] = []
    while isinstance(contents, Mapping):
        mapping = cast("Mapping[Any, Any]", contents)
        entry = next((name for name in _ENTRIES if isinstance(mapping.get(name), Mapping)), None)
        if entry is None:
            break
        entries.append(entry)
        contents = mapping[entry]
    weights = _tensors(contents)
    if not weights:
        raise CheckpointError(
            f"found {_contents_in_words(contents)} in {str(path)!r}; expected tensors under names, bare or "
            f"under one of {', '.join(_ENTRIES)}"
        )
    return weights, ".".join(entries)


def _tensors(contents: Any) -> StateDict:
    if not isinstance(contents, Mapping):
        return {}
    mapping = cast("Mapping[Any, Any]", contents)
    return {str(name): value for name, value in mapping.items() if isinstance(value, Tensor)}


def _contents_in_words(contents: Any) -> str:
    if not isinstance(contents, Mapping):
        return f"a bare {type(contents).__name__}"
    names = [str(name) for name in cast("Mapping[Any, Any]", contents)]
    return f"only {', '.join(names[:6])} and no tensor" if names else "nothing"


def _without_prefixes(weights: StateDict) -> StateDict:
    """Wrappers' prefixes stripped, however deep; a name that lies beside a wrapper, as heads do, keeps its own."""
    return {_stripped(name): tensor for name, tensor in weights.items()}


def _stripped(name: str) -> str:
    prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)
    return name if prefix is None else _stripped(name[len(prefix) :])
