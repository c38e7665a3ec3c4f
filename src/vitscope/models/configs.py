"""config.json of a folder or of a hub repository, and the library that it belongs to.

The only file that imports huggingface_hub. It reads configurations; the weights are each library's own work.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from vitscope.errors import ModelError

HUB_ADVICE = (
    "weights come from the Hugging Face hub or its cache: unset HF_HUB_OFFLINE where there is a network, "
    "or point HF_HOME at a cache that holds them; pretrained=False builds the model with random weights"
)


def split_revision(repository: str) -> tuple[str, str | None]:
    """org/repo@revision → (org/repo, revision); without an @ the revision is None, the repository's main."""
    name, _, revision = repository.partition("@")
    return name, revision or None


def read_folder_config(folder: Path) -> Mapping[str, Any]:
    """config.json of a local folder; ModelError where there is none, naming what the folder holds instead."""
    if not folder.is_dir():
        raise ModelError(f"found no folder {str(folder)!r}; expected one with config.json and the weights")
    path = folder / "config.json"
    if not path.is_file():
        nested = sorted(child.parent.name for child in folder.glob("*/config.json"))
        hint = f"; its folders {', '.join(nested)} have one: name one of these" if nested else ""
        raise ModelError(
            f"found no config.json in {str(folder)!r}; expected a folder written by timm's save_for_hf or by "
            f"transformers' save_pretrained or Trainer{hint}"
        )
    return _parse(path)


def read_hub_config(repository: str) -> Mapping[str, Any]:
    """config.json of org/repo or org/repo@revision on the hub, from the cache where it is there.

    Honours HF_HOME and HF_HUB_OFFLINE. Raises ModelError where it can be had from neither.
    """
    from huggingface_hub import hf_hub_download

    name, revision = split_revision(repository)
    try:
        path = hf_hub_download(name, "config.json", revision=revision)
    except Exception as error:  # the hub's client raises OSError, ValueError and its HTTP library's own
        raise ModelError(f"cannot read config.json of hf-hub:{repository}: {cause(error)}; {hub_advice()}") from error
    return _parse(Path(path))


def library_of(config: Mapping[str, Any], where: str) -> Literal["timm", "transformers"]:
    """Which library wrote this config.json; `where` names it in the error."""
    if "model_type" in config or "architectures" in config:
        return "transformers"
    if "architecture" in config:
        return "timm"
    raise ModelError(
        f"found neither architecture (timm) nor model_type (transformers) in config.json of {where}; "
        f"it has {', '.join(sorted(config)[:8]) or 'nothing'}; for another library use "
        "vitscope.wrap(model)"
    )


def hub_advice() -> str:
    """What to do when the hub did not give a file, with this process's settings; no token is ever named."""
    offline = os.environ.get("HF_HUB_OFFLINE", "")
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    return f"{HUB_ADVICE} (HF_HUB_OFFLINE is {offline or 'not set'}, HF_HOME is {home})"


def cause(error: BaseException) -> str:
    """The first line of an error, or its kind where it has no text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _parse(path: Path) -> Mapping[str, Any]:
    try:
        config: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {str(path)!r} as JSON: {cause(error)}; restore the file") from error
    if not isinstance(config, dict):
        raise ModelError(f"found {type(config).__name__} in {str(path)!r}; expected a JSON object")
    return config
