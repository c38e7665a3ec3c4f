"""The same survey on Ray: shards are rows, actors hold the model and write what they compute.

What travels is a shard's number and the counts of its images, so that the driver holds nothing that
grows with images × heads. All machines must see the source and the run's folder under the same paths.
"""

import logging
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from vitscope import errors
from vitscope.errors import MissingLibraryError, RunError, VitscopeError
from vitscope.surveys.layout import Counts, counted
from vitscope.surveys.results import ShardResult
from vitscope.surveys.worker import SurveyWorker

Write = Callable[[int, ShardResult], None]


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where Ray is, and what each actor takes of it."""

    address: str | None = None  # of a running cluster; None: one is started here, for the length of the survey
    actors: int | None = None  # that compute side by side; None: as many as the cluster holds
    gpus: float = 0.0  # of each actor; 0.25: four share one
    cpus: float = 1.0


def computed_on(cluster: Cluster, worker: SurveyWorker, write: Write, shards: Sequence[int]) -> Generator[Counts]:
    """Compute and write the shards on Ray Data; of each that is there, the counts of its images.

    An actor that is lost is started anew and its shard computed again; what a shard raises ends the survey
    with that error. Raises MissingLibraryError, RunError.
    """
    if not shards:
        return
    with _ray(cluster) as ray:
        actors = cluster.actors or _actors_for(ray.cluster_resources(), cluster)
        rows = ray.data.from_items([{"shard": shard} for shard in shards], override_num_blocks=len(shards))
        shared = ray.put((worker, write))  # held here, so that an actor started anew finds it
        answers = rows.map_batches(
            _Actor,
            fn_constructor_args=([shared],),  # in a list, or Ray would hand over what stands behind it
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(actors, len(shards))),
            num_cpus=cluster.cpus,
            num_gpus=cluster.gpus,
        )
        for row in answers.iter_rows():
            if row["error"]:
                raise getattr(errors, row["error"], RunError)(row["message"])
            yield Counts(int(row["done"]), int(row["failed"]))


class _Actor:
    """Holds the model, on its GPU where it was given one."""

    def __init__(self, context: list[Any]) -> None:
        ray = import_module("ray")
        self._worker, self._write = ray.get(context[0])
        if ray.get_gpu_ids():
            self._worker.scope.model.to("cuda")

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """One shard's number → how many images were measured, how many failed, and what stopped it."""
        shard = int(batch["shard"][0])
        answer: dict[str, list[Any]] = {"shard": [shard], "done": [0], "failed": [0], "error": [""], "message": [""]}
        try:
            ((_, result),) = self._worker([shard])
            self._write(shard, result)
        except VitscopeError as error:
            return answer | {"error": [type(error).__name__], "message": [str(error)]}
        done, failed = counted(result.tables["images"])
        return answer | {"done": [done], "failed": [failed]}


@contextmanager
def _ray(cluster: Cluster) -> Generator[Any]:
    """Ray, connected; what was started here is stopped at the end."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what matters comes as an exception too
    try:
        ray: Any = import_module("ray")
        import_module("ray.data")
    except ImportError as error:
        raise MissingLibraryError('the engine ray needs Ray: pip install "vitscope[ray]"') from error
    mine = not ray.is_initialized()
    if mine:
        options: dict[str, Any] = {"include_dashboard": False}
        if cluster.address is not None:
            options = {"address": cluster.address}
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise RunError(
                f"found no Ray cluster at {cluster.address or 'this machine'} ({error}); expected the address of one "
                "that runs, as ray://host:10001 or auto"
            ) from error
    context, log = ray.data.DataContext.get_current(), logging.getLogger("ray.data")
    before = context.enable_progress_bars, log.level
    context.enable_progress_bars = False
    log.setLevel(logging.CRITICAL)
    try:
        yield ray
    finally:
        context.enable_progress_bars = before[0]
        log.setLevel(before[1])
        if mine:
            ray.shutdown()


def _actors_for(resources: Mapping[str, float], cluster: Cluster) -> int:
    """As many as the GPUs hold; without any, as many as the cores."""
    whole = resources.get("GPU", 0) / cluster.gpus if cluster.gpus else resources.get("CPU", 1) / cluster.cpus
    if whole < 1:
        needed = f"{cluster.gpus} GPU" if cluster.gpus else f"{cluster.cpus} CPU"
        raise RunError(f"each actor needs {needed}, and the cluster has {dict(resources)}; ask for less")
    return int(whole)
