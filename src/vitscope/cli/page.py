"""`vitscope page`: pictures and models in one page, each look encoded and let go of before the next."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitscope.cli.look import ModelOptions, Outcome, note, picture_of, sources_of
from vitscope.errors import ArgumentError, VitscopeError
from vitscope.images.naming import printable
from vitscope.viewer.page import Page, require_page_name
from vitscope.viewer.payload import Builder
from vitscope.writing import require_free_file


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """What the page carries, and where it goes."""

    path: Path
    layers: Sequence[int | str] | None
    limit_bytes: int
    title: str | None
    force: bool
    as_json: bool


def run_page(images: Sequence[str], models: Sequence[ModelOptions], options: PageOptions) -> int:
    """Make one page of all pictures and models; the command's exit status."""
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise ArgumentError(f"found {', '.join(str(name) for name in names)}; expected each model once")
    require_free_file(require_page_name(options.path), force=options.force)
    builder = Builder(
        layers=options.layers, limit_bytes=options.limit_bytes, title=options.title, compare=len(models) > 1
    )
    outcome = Outcome()
    _look_at_all(images, models, builder, outcome)
    report: dict[str, Any] | None = None
    if outcome.done:
        page = Page(builder.payload())
        page.save(options.path, force=options.force)
        report = _report(page, options.path)
    if options.as_json:  # escaped, so that no terminal's encoding spoils it
        print(json.dumps({"page": report, "failures": outcome.failures}, indent=2))
    elif report is not None:
        print(_summary(report))
    return outcome.status


def _look_at_all(images: Sequence[str], models: Sequence[ModelOptions], builder: Builder, outcome: Outcome) -> None:
    """Add every look to the page; a picture that fails is reported once, and left out of what follows."""
    sources = sources_of(images)
    for number, scope in enumerate([model.load() for model in models]):  # all names first: looking takes long
        for name, source in list(sources):
            note(f"{scope.name}: {name}")
            left = len(sources) * (len(models) - number) - sources.index((name, source))
            try:
                builder.add(scope.look(picture_of(source)), share=1 / left, merge=True)
            except ArgumentError:
                raise
            except VitscopeError as error:
                outcome.failed(name, error)
                sources.remove((name, source))
            else:
                outcome.done.append({"image": name, "model": scope.name})


def _report(page: Page, path: Path) -> dict[str, Any]:
    """What the page holds, ready for JSON."""
    header = page.payload.header
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "title": header["title"],
        "looks": [
            {
                "label": look["label"],
                "images": [image["name"] for image in look["images"]],
                "layers": [i for i, layer in enumerate(look["layers"]) if layer["absent"] is None],
                "omitted": look["omitted"],
                "largest_error": max(
                    (part["error"] for image in look["images"] for part in image["attention"] if part), default=None
                ),
            }
            for look in header["looks"]
        ],
    }


def _summary(report: dict[str, Any]) -> str:
    """A few lines for a person."""
    lines = [f"{printable(report['file'])}  {report['bytes'] / 1e6:.1f} MB; open it in a browser"]
    for look in report["looks"]:
        images = look["images"]
        count = images[0] if len(images) == 1 else f"{len(images)} images"
        exact = (
            ""
            if look["largest_error"] is None
            else f", exact to {look['largest_error']:.0e} of a row's or column's maximum"
        )
        lines.append(f"  {look['label']}: {count}, {len(look['layers'])} layers{exact}")
        lines += [f"  {look['omitted']}"] if look["omitted"] else []
    return os.linesep.join(lines)
