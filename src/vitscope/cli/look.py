"""`vitscope look`: each picture by itself, so that a broken one does not stop the others."""

import io
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from vitscope.cli.words import DONE, FAILED, SOME_FAILED
from vitscope.errors import ArgumentError, QueryError, VitscopeError
from vitscope.images.decode import Picture, open_picture
from vitscope.images.naming import printable
from vitscope.images.sources import Source, expand
from vitscope.look import Look
from vitscope.render.files import OWN, Choices, report_of, write_look
from vitscope.samples import SAMPLE_NAME, sample_photo
from vitscope.scope import Scope, load
from vitscope.viewer.page import page
from vitscope.writing import require_free_folder

Layers = Sequence[int | str] | None
_SEED = 0  # of random weights, so that a survey with them can be gone on with
_NAME_BYTES = 80  # of a folder's name; file systems take 255


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model, and how it is made ready."""

    name: str | None
    checkpoint: str | None
    pretrained: bool
    image_size: int | tuple[int, int] | None
    device: str
    fit: Literal["crop", "whole"] = "crop"

    def load(self) -> Scope:
        note(f"loading {self.name or 'vitscope-tiny, the bundled model'} …")
        if not self.pretrained:
            torch.manual_seed(_SEED)
        return load(
            self.name,
            checkpoint=self.checkpoint,
            pretrained=self.pretrained,
            image_size=self.image_size,
            fit=self.fit,
            device=self.device,
        )


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where results go."""

    folder: Path
    force: bool
    as_json: bool


@dataclass
class Outcome:
    """What was done and what failed."""

    done: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    failures: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def failed(self, name: str, error: VitscopeError) -> None:
        self.failures.append({"name": name, "error": str(error), "kind": type(error).__name__})
        named = str(error).partition(": ")[0].endswith(name)  # errors of pictures begin with their names
        print(f"vitscope: {error}" if named else f"vitscope: {name}: {error}", file=sys.stderr)

    @property
    def status(self) -> int:
        if not self.failures:
            return DONE
        return SOME_FAILED if self.done else FAILED


def run_look(
    images: Sequence[str], model: ModelOptions, choices: Choices, output: Output, page_layers: Layers = ()
) -> int:
    """Look at all pictures; the command's exit status. `page_layers` None: no page."""
    outcome = Outcome()
    planned: list[tuple[str, Source | None, Path]] = []
    for name, source, folder in _plan(images, output.folder):
        try:
            require_free_folder(folder, force=output.force, own=OWN.__contains__)
            planned.append((name, source, folder))
        except VitscopeError as error:
            outcome.failed(name, error)
    if planned:  # a model may take minutes to load
        scope = model.load()
        for number, (name, source, folder) in enumerate(planned, 1):
            note(f"[{number}/{len(planned)}] {name}")
            _one(scope, name, source, folder, choices, output, page_layers, outcome)
    if output.as_json:  # escaped, so that no terminal's encoding spoils it
        print(json.dumps({"looks": outcome.done, "failures": outcome.failures}, indent=2))
    return outcome.status


def sources_of(images: Sequence[str]) -> list[tuple[str, Source | None]]:
    """Name and source (None: the bundled photograph) of each picture."""
    stdin = getattr(sys.stdin, "buffer", None) or io.BytesIO()
    sources = expand(images, stdin=stdin) if images else [None]
    return [(SAMPLE_NAME if source is None else source.name, source) for source in sources]


def _plan(images: Sequence[str], parent: Path) -> list[tuple[str, Source | None, Path]]:
    """Name, source and folder of each picture."""
    taken: set[str] = set()
    return [(name, source, parent / _folder_name(name, taken)) for name, source in sources_of(images)]


def _one(
    scope: Scope,
    name: str,
    source: Source | None,
    folder: Path,
    choices: Choices,
    output: Output,
    page_layers: Layers,
    outcome: Outcome,
) -> None:
    try:
        look = scope.look(picture_of(source))
        extra = {} if page_layers is None else {"page.html": _page_writer(look, page_layers)}
        files = write_look(look, folder, force=output.force, choices=choices, extra=extra)
        report = report_of(look, choices) | {"files": [str(file) for file in files]}
    except VitscopeError as error:
        if isinstance(error, ArgumentError) and not _depends_on_picture(error, scope, choices):
            raise
        outcome.failed(name, error)
        return
    outcome.done.append(report)
    if not output.as_json:
        print(_summary(look, folder, files))


def _page_writer(look: Look, layers: Sequence[int | str]) -> Callable[[Path], None]:
    """What writes the look's page into a file; it is made only then."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            page(look, layers=layers or None).write(file)

    return write


def _depends_on_picture(error: ArgumentError, scope: Scope, choices: Choices) -> bool:
    """Whether a patch exists in one picture and not in the next: with whole pictures, grids differ."""
    whole = scope.transform is not None and scope.transform.fit == "whole"
    return isinstance(error, QueryError) and isinstance(choices.query, tuple) and whole


def picture_of(source: Source | None) -> Picture:
    if source is None:
        return sample_photo()
    return open_picture(source.read(), name=source.name)


def _folder_name(name: str, taken: set[str]) -> str:
    """A folder name that any file system takes, different from those taken so far."""
    stem = re.sub(r"[\x00-\x1f/\\:*?\"<>|]+", "_", Path(name).stem).encode()[:_NAME_BYTES].decode(errors="ignore")
    candidate, number = stem.strip(" .") or "picture", 1
    stem = candidate
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{stem}-{number}"
    taken.add(candidate.casefold())
    return candidate


def _summary(look: Look, folder: Path, files: list[Path]) -> str:
    """A few lines for a person."""
    shown, layout = look.shown[0], look.layout
    distance = np.nanmean(look.mean_attention_distance()[0], axis=1)  # (layers,)
    lines = [f"{shown.name}{f' ({shown.note})' if shown.note else ''} → {printable(str(folder))}{os.sep}"]
    lines.append(f"  input     {shown.seen.height} × {shown.seen.width} px, {layout.describe()}")
    kinds = _kinds(look)
    lines += [f"  layers    {kinds}"] if kinds else []
    if layout.prefix and look.attention_seen.arrangement(-1).keys.prefix:
        mass = 100 * (1 - look.heatmaps()[0].sum((1, 2)).mean())
        lines.append(f"  readout   {look.readout}; prefix tokens take {mass:.2g} % of its attention in the last layer")
    else:
        lines.append(f"  readout   {look.readout}")
    lines.append(f"  distance  {distance[0]:.1f} px in layer 0, {distance[-1]:.1f} px in layer {len(distance) - 1}")
    lines.append(f"  verified  to {look.verification_error:.0e} of the values' magnitude")
    lines.append(f"  files     {', '.join(file.name for file in files)}")
    return "\n".join(lines)


def _kinds(look: Look) -> str:
    """ "0, 2: 64 windows of 7 × 7; 1: …": how which layers attend; "" where all attend to all on one grid."""
    kinds: dict[str, list[str]] = {}
    for layer in look.layers:
        kinds.setdefault("refused" if layer.refusal else layer.windows or layer.kind, []).append(str(layer.index))
    if not any(layer.windows for layer in look.layers):
        return ""
    return "; ".join(f"{', '.join(layers)}: {words}" for words, layers in kinds.items())


def note(message: str) -> None:
    """Progress, for a person at a terminal only."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(message, file=sys.stderr)
