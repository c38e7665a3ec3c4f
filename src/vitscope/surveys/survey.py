"""A survey: measures of every image of a source, in a run on disk that goes on where it was stopped."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from vitscope.errors import ArgumentError
from vitscope.scope import Scope, load
from vitscope.surveys.chosen import DEFAULT, choose
from vitscope.surveys.cluster import Cluster, computed_on
from vitscope.surveys.engine import fill, fill_by, stoppable
from vitscope.surveys.planning import plan_survey, share_of
from vitscope.surveys.preparing import batch_size_for, prepare
from vitscope.surveys.progress import Progress
from vitscope.surveys.run import Run, open_run
from vitscope.surveys.sameness import require_same
from vitscope.surveys.sources.base import Source
from vitscope.surveys.sources.opening import open_source
from vitscope.surveys.store import open_writer
from vitscope.surveys.worker import SurveyWorker

SHARD_SIZE = 512


def survey(
    source: Any,
    scope: Scope | str,
    output: str | os.PathLike[str],
    *,
    measures: Any = DEFAULT,
    sample: int | None = None,
    maps: bool = False,
    batch_size: int | None = None,
    workers: int | None = None,
    shard_size: int = SHARD_SIZE,
    part: tuple[int, int] = (1, 1),
    ids: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    limit_bytes: int = 2**30,
    cluster: Cluster | None = None,
    progress: bool = True,
) -> Run:
    """Measure every image of `source` in the run folder `output`, and go on with what a run there lacks.

    `scope`: a model ready to be looked through, or the name of one.

    `source`: a folder (class = sub-folder), glob, list (.txt, .csv, .parquet), WebDataset shards, a Hugging
    Face data set, or images in Python: a mapping by id, a sequence, an iterable, a Source of your own; `ids`
    and `labels` name those of a sequence. `measures`: names (see `vitscope survey --help`) or measures, or one.
    `sample`: so many images, always the same of one source. `maps` keeps every image's maps, not only their
    means. Numbers depend neither on `batch_size` (default: what fits; halved where memory runs out) nor on
    `workers`, the processes that decode beside the model. `part` (i, n) computes the shards of one of n
    jobs, which may run side by side in one folder. `limit_bytes`: as in `Scope.measure`, but of fused
    heads, which are stored where those of one image take an eighth of it at most. `cluster`: compute on Ray.

    Images that cannot be read are named in the run's table of failures and enter no mean. Raises
    SourceError, RunError (the run there is another one's), OutputError and what the model refuses.
    """
    _require_in_order(source, scope, batch_size, workers)
    chosen = choose(measures)
    with stoppable():
        opened = source if isinstance(source, Source) else open_source(source, ids=ids, labels=labels)
        plan = plan_survey(opened, shard_size=shard_size, sample=sample)
        mine = share_of(plan.shards, *part)
        scope = load(scope) if isinstance(scope, str) else scope
        prepared = prepare(scope, opened, plan, chosen, limit_bytes=limit_bytes)
        shown = Progress(quiet=not progress)
        worker = SurveyWorker(
            scope,
            opened,
            plan,
            chosen,
            prepared.columns,
            batch_size=batch_size or batch_size_for(scope),
            workers=_default_workers() if workers is None else workers,
            keep_maps=maps,
            limit_bytes=limit_bytes,
            seen=shown.seen if cluster is None else None,
        )
        with open_writer(Path(output), {**prepared.settings, "sample": sample, "maps": maps}, part=part) as writer:
            require_same(open_run(output), worker)
            if cluster is None:
                fill(writer, mine, worker, shown)
            else:
                there = replace(writer, folder=writer.folder.absolute())  # where actors work is another folder
                compute = partial(computed_on, cluster, worker, there.write, batch_size=batch_size)
                fill_by(writer, mine, compute, shown)
        return open_run(output)


def _require_in_order(source: Any, scope: Any, batch_size: int | None, workers: int | None) -> None:
    """Raise ArgumentError where these cannot be what they are given for."""
    if isinstance(source, Scope) or not isinstance(scope, Scope | str):
        raise ArgumentError(
            f"found {_kind(source)} as source and {_kind(scope)} as scope; expected the images first, then what "
            "vitscope.load or vitscope.wrap gives, or a model's name: survey(source, scope, output)"
        )
    if batch_size is not None and batch_size < 1:
        raise ArgumentError(f"batch_size must be at least 1; found {batch_size}")
    if workers is not None and workers < 0:
        raise ArgumentError(f"workers must be at least 0; found {workers}")


def _kind(given: Any) -> str:
    name = type(given).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def _default_workers() -> int:
    """Processes that decode: all cores but the one that feeds the model, at most eight."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, cores - 1))
