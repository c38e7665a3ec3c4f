"""`vitscope look`: each picture by itself, so that a broken one does not stop the others."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vitscope.cli.app import DONE, FAILED, SOME_FAILED
from vitscope.cli.arguments import parse_formats, parse_layer, parse_query, parse_size
from vitscope.errors import ArgumentError, VitscopeError
from vitscope.images.decode import Picture, open_picture
from vitscope.images.sources import Source, expand
from vitscope.look import Look
from vitscope.render.files import Choices, report_of, write_look
from vitscope.samples import sample_photo
from vitscope.scope import Scope, load


@dataclass
class LookCommand:
    """The options of `vitscope look`, as they were typed, and what came of each picture."""

    model: str | None
    output: str
    checkpoint: str | None
    pretrained: bool
    image_size: str | None
    fit: Literal["crop", "whole"]
    device: str
    layer: str
    query: str | None
    mass: float
    fusion: Literal["mean", "max", "min"]
    discard: float
    rescale: bool
    unit: Literal["pixels", "patches", "diagonal", "unit_square"]
    smooth: bool
    cmap: str
    formats: str
    force: bool
    as_json: bool
    _done: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    _failures: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def run(self, images: Sequence[str]) -> int:
        """Look at all pictures; the command's exit status."""
        choices = self._choices()
        size = parse_size(self.image_size)
        sources = expand(images, stdin=sys.stdin.buffer) if images else [None]
        note(f"loading {self.model or 'vitscope-tiny, the bundled model'} …")
        scope = load(
            self.model,
            checkpoint=self.checkpoint,
            pretrained=self.pretrained,
            image_size=size,
            fit=self.fit,
            device=self.device,
        )
        taken: set[str] = set()
        for number, source in enumerate(sources, 1):
            self._one(scope, source, choices, taken, f"[{number}/{len(sources)}] ")
        if self.as_json:
            print(json.dumps({"looks": self._done, "failures": self._failures}, indent=2, ensure_ascii=False))
        if not self._failures:
            return DONE
        return SOME_FAILED if self._done else FAILED

    def _choices(self) -> Choices:
        """What will be written; ArgumentError before any model is loaded."""
        if not 0 < self.mass <= 1:
            raise ArgumentError(f"--mass {self.mass:g} is no share; expected a number above 0, up to 1")
        if not 0 <= self.discard < 1:
            raise ArgumentError(f"--discard {self.discard:g} is no share; expected a number from 0 to below 1")
        return Choices(
            layer=parse_layer(self.layer),
            query=parse_query(self.query),
            mass=self.mass,
            fusion=self.fusion,
            discard=self.discard,
            rescale=self.rescale,
            unit=self.unit,
            smooth=self.smooth,
            cmap=self.cmap,
            formats=parse_formats(self.formats),
        )

    def _one(self, scope: Scope, source: Source | None, choices: Choices, taken: set[str], progress: str) -> None:
        name = "the bundled photograph" if source is None else source.name
        note(f"{progress}{name}")
        try:
            picture = _picture(source)
            look = scope.look(picture)
            folder = Path(self.output) / _folder_name(picture.name, taken)
            files = write_look(look, folder, force=self.force, choices=choices)
        except ArgumentError:  # the same for every picture
            raise
        except VitscopeError as error:
            self._failures.append({"name": name, "error": str(error), "kind": type(error).__name__})
            print(f"vitscope: {name}: {error}", file=sys.stderr)
            return
        self._done.append(report_of(look, choices) | {"files": [str(file) for file in files]})
        if not self.as_json:
            print(_summary(look, folder, files))


def _picture(source: Source | None) -> Picture:
    if source is None:
        return sample_photo()
    return open_picture(source.read(), name=source.name)


def _folder_name(name: str, taken: set[str]) -> str:
    """A folder name that any file system takes, different from those taken so far."""
    stem = re.sub(r"[\x00-\x1f/\\:*?\"<>|]+", "_", Path(name).stem).strip(" .")[:80] or "picture"
    candidate, number = stem, 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{stem}-{number}"
    taken.add(candidate.casefold())
    return candidate


def _summary(look: Look, folder: Path, files: list[Path]) -> str:
    """A few lines for a person."""
    shown, layout = look.shown[0], look.layout
    distance = np.nanmean(look.mean_attention_distance()[0], axis=1)  # (layers,)
    lines = [f"{shown.name}{f' ({shown.note})' if shown.note else ''} → {folder}"]
    lines.append(f"  input     {shown.seen.height} × {shown.seen.width} px, {layout.describe()}")
    if layout.prefix:
        mass = 1 - look.heatmaps()[0].sum((1, 2)).mean()
        lines.append(f"  readout   {look.readout}; prefix tokens take {mass:.0%} of its attention in the last layer")
    else:
        lines.append(f"  readout   {look.readout}")
    lines.append(f"  distance  {distance[0]:.1f} px in layer 0, {distance[-1]:.1f} px in layer {len(distance) - 1}")
    lines.append(f"  verified  to {look.verification_error:.0e} of the values' magnitude")
    lines.append(f"  files     {', '.join(file.name for file in files)}")
    return "\n".join(lines)


def note(message: str) -> None:
    """Progress, for a person at a terminal only."""
    if sys.stderr.isatty():
        print(message, file=sys.stderr)
