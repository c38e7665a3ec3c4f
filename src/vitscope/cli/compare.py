"""`vitscope compare`: runs of surveys side by side, as figures, tables and a page. Imports no torch."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitscope.cli.words import DONE
from vitscope.errors import ArgumentError, RunError
from vitscope.images.naming import printable
from vitscope.render.surveys.folder import FORMATS, is_own, require_formats, write_comparison
from vitscope.render.surveys.telling import reservations, told_apart
from vitscope.summaries import Summary
from vitscope.surveys.run import Run, open_run
from vitscope.surveys.summary import summarize
from vitscope.writing import require_free_folder

_PLAN = "plan.json"  # what makes a folder a run


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """What is written, and where."""

    folder: Path
    formats: tuple[str, ...] = ("png",)
    replicates: int = 1000
    force: bool = False
    as_json: bool = False

    def __post_init__(self) -> None:
        require_formats(self.formats)


def run_compare(folders: Sequence[str], options: CompareOptions) -> int:
    """Summarize the runs and write what they show into one folder; the command's exit status."""
    runs = runs_in(folders)
    require_free_folder(options.folder, force=options.force, own=is_own)  # said before the tables are read
    summaries = [_summary(run, options.replicates) for run in runs]
    for sentence in reservations(summaries):
        print(f"vitscope: {printable(sentence)}", file=sys.stderr)
    files = write_comparison(summaries, options.folder, formats=options.formats, force=options.force)
    report = _report(runs, summaries, files, options.folder)
    print(json.dumps(report, indent=2) if options.as_json else _words(report))
    return DONE


def runs_in(folders: Sequence[str]) -> list[Run]:
    """Each folder's run, or all runs that stand in it; each once."""
    if not folders:
        raise ArgumentError("found no run; expected the folder of one at least, which vitscope survey wrote")
    paths = dict[Path, Path]()  # by where they really are
    for folder in map(Path, folders):
        inside = [] if (folder / _PLAN).is_file() else _inside(folder)
        for path in inside or [folder]:
            paths.setdefault(path.resolve(), path)
    return [open_run(path) for path in paths.values()]


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(plan.parent for plan in folder.glob(f"*/{_PLAN}"))
    except OSError as error:
        raise RunError(
            f"cannot read {printable(str(folder))}: {error.strerror}; expected the folder of a run"
        ) from error


def _summary(run: Run, replicates: int) -> Summary:
    try:
        return summarize(run, replicates=replicates)
    except RunError as error:
        named = printable(str(run.folder))
        raise RunError(str(error) if named in str(error) else f"{named}: {error}") from error


def _report(runs: Sequence[Run], summaries: Sequence[Summary], files: Sequence[Path], folder: Path) -> dict[str, Any]:
    """What was done, ready for JSON."""
    return {
        "folder": str(folder),
        "page": str(folder / "index.html"),
        "files": [str(file) for file in files],
        "runs": [
            {
                "folder": str(run.folder),
                "title": title,
                "images": summary.images,
                "failed": summary.failed,
                "complete": summary.complete,
            }
            for run, summary, title in zip(runs, summaries, told_apart(summaries), strict=True)
        ],
        "reservations": list(reservations(summaries)),
    }


def _words(report: dict[str, Any]) -> str:
    """A few lines for a person."""
    lines = [f"{printable(report['page'])}  open it in a browser"]
    for run in report["runs"]:
        failed = f", {run['failed']:,} failed" if run["failed"] else ""
        lines.append(f"  {printable(run['title'])}: {run['images']:,} images{failed}, of {printable(run['folder'])}")
    names = [Path(file).name for file in report["files"]]
    figures = [name for name in names if name.endswith(FORMATS)]
    tables = ", ".join(name for name in names if name not in figures)
    lines.append(f"  files     {tables}, and {len(figures)} pictures of figures")
    return os.linesep.join(lines)
