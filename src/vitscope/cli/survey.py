"""`vitscope survey`: measures of every image of a source, for one or more models, in runs on disk."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitscope.cli.look import ModelOptions
from vitscope.cli.words import DONE, FAILED, SOME_FAILED
from vitscope.errors import ArgumentError, RunError
from vitscope.images.naming import printable
from vitscope.surveys.chosen import NAMED
from vitscope.surveys.cluster import Cluster
from vitscope.surveys.engine import stoppable
from vitscope.surveys.layout import Counts, count_images
from vitscope.surveys.planning import share_of
from vitscope.surveys.run import Run, open_run
from vitscope.surveys.survey import survey


@dataclass(frozen=True, kw_only=True)
class SurveyOptions:
    """What is measured of which images, and how."""

    measures: tuple[str, ...]
    sample: int | None
    maps: bool
    batch_size: int | None
    workers: int | None
    shard_size: int
    part: tuple[int, int]
    cluster: Cluster | None


def run_survey(
    source: Sequence[str], models: Sequence[ModelOptions], output: Path, options: SurveyOptions, *, as_json: bool
) -> int:
    """Survey all images with each model; the command's exit status, by the images of its own part."""
    _require_no_measure(source)
    folders = [output] if len(models) == 1 else [output / name for name in _folder_names(models)]
    reports: list[dict[str, Any]] = []
    own: list[Counts] = []
    with stoppable():
        scopes = [model.load() for model in models]  # all of them first, as a name may be mistyped
        for scope, folder in zip(scopes, folders, strict=True):
            before = _finished(folder)
            run = survey(source[0] if len(source) == 1 else list(source), scope, folder, **vars(options))
            mine = [shard for shard in share_of(run.shards_total, *options.part) if shard in run.shards]
            own.append(count_images(folder, mine, run.shards_total))
            reports.append(_report(run))
            if not as_json:
                print(_summary(run, reports[-1]))
            _remark(run, own[-1], options.part, idle=bool(mine) and before.issuperset(mine))
    if as_json:
        print(json.dumps({"runs": reports}, indent=2))
    if not any(counts.failed for counts in own):
        return DONE
    return SOME_FAILED if any(counts.done for counts in own) else FAILED


def _require_no_measure(source: Sequence[str]) -> None:
    """Raise ArgumentError where a measure stands among the images, as after `--measures distance entropy`."""
    for name in source:
        if name in NAMED and not Path(name).exists():
            raise ArgumentError(
                f"found the measure {name} among the images; expected measures with commas between them and no spaces, "
                f"such as --measures distance,{name}"
            )


def parse_part(text: str | None) -> tuple[int, int]:
    """ "2/8" → (2, 8); None is the whole."""
    if text is None:
        return 1, 1
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    if match is None:
        raise ArgumentError(f"{text!r} is no part of a survey; expected i/n, as 2/8 for the second of eight jobs")
    return int(match[1]), int(match[2])


def parse_cluster(engine: str, address: str | None, actors: int | None, gpus: float | None) -> Cluster | None:
    """Where Ray is, if the engine is Ray."""
    if engine == "ray":
        return Cluster(address=address, actors=actors, gpus=gpus or 0.0)
    given = {"--address": address, "--actors": actors, "--gpus": gpus}
    wrong = next((name for name, value in given.items() if value is not None), None)
    if wrong is not None:
        raise ArgumentError(f"found {wrong} without --engine ray; it says what Ray is to take")
    return None


def count(number: int, noun: str) -> str:
    """ "1 image", "2 images"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _folder_names(models: Sequence[ModelOptions]) -> list[str]:
    """A folder for each model, by its name."""
    names = [re.sub(r"[^\w.-]+", "_", model.name or "vitscope-tiny").strip("_.") for model in models]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise ArgumentError(f"two models would be written to one folder, {twice}; give each its own run by -o")
    return names


def _finished(folder: Path) -> frozenset[int]:
    """The shards that are there before the survey; what is wrong with the folder, it tells itself."""
    try:
        return frozenset(open_run(folder).shards)
    except RunError:
        return frozenset()


def _remark(run: Run, own: Counts, part: tuple[int, int], *, idle: bool) -> None:
    """On standard error: images of this part that failed, and where there was nothing to do."""
    shown = printable(str(run.folder))
    if idle:
        what = "is complete" if run.complete else f"holds all of part {part[0]}/{part[1]}"
        print(f"vitscope: {shown} {what}; nothing was left to do", file=sys.stderr)
    if own.failed:
        words = f"{count(own.failed, 'image')} failed, named in {shown}/shards/*/failures.parquet"
        print(f"vitscope: {words}", file=sys.stderr)


def _report(run: Run) -> dict[str, Any]:
    """Of the whole run, as far as it is there."""
    counts = count_images(run.folder, run.shards, run.shards_total)
    return {
        "run": str(run.folder),
        "complete": run.complete,
        "model": run.settings["model"]["name"],
        "images": run.settings["images"],
        "done": counts.done,
        "failed": counts.failed,
        "shards": [run.shards_done, run.shards_total],
        "measures": [measure["name"] for measure in run.settings["measures"]],
    }


def _summary(run: Run, report: dict[str, Any]) -> str:
    """A few lines for a person."""
    folder = printable(str(run.folder))
    state = "complete" if run.complete else f"{run.shards_done} of {run.shards_total} shards"
    return "\n".join(
        [
            f"{report['model']} → {folder}/ ({state})",
            f"  images    {report['done']:,} measured, {report['failed']:,} failed",
            f"  measures  {', '.join(report['measures'])}",
            "  tables    shards/*/heads.parquet, images.parquet, failures.parquet",
            f"  next      vitscope compare {folder}",
        ]
    )
