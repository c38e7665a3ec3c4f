"""The same survey on Ray: shards are rows, actors hold the model and write what they compute.

What travels is a shard's number and the counts of its images, so that the driver holds nothing that
grows with images × heads. All machines must see the source and the run's folder under the same paths.
"""

import io
import logging
import os
import signal
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from traceback import format_exc
from typing import Any

import torch

from vitscope import errors
from vitscope.errors import MissingLibraryError, RunError, VitscopeError
from vitscope.images.naming import printable
from vitscope.surveys.layout import Counts, counted
from vitscope.surveys.preparing import batch_size_for
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


def computed_on(
    cluster: Cluster, worker: SurveyWorker, write: Write, shards: Sequence[int], *, batch_size: int | None = None
) -> Generator[Counts]:
    """Compute and write the shards on Ray Data; of each that is there, the counts of its images.

    An actor that is lost is started anew and its shard computed again; what a shard raises ends the survey
    with that error. `batch_size` None: what suits the device of each actor. Raises MissingLibraryError, RunError.
    """
    if not shards:
        return
    with _ray(cluster) as ray, _reported(ray):
        actors = cluster.actors or _actors_for(ray.cluster_resources(), cluster)
        rows = ray.data.from_items([{"shard": shard} for shard in shards], override_num_blocks=len(shards))
        # Held here, so that an actor started anew finds it.
        shared = ray.put(_packed((worker, write, batch_size), ray.cloudpickle))
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
                stopped: VitscopeError = getattr(errors, row["error"], RunError)(row["message"])
                stopped.add_note(row["trace"])
                raise stopped
            yield Counts(int(row["done"]), int(row["failed"]))


def _packed(context: Any, pickle: Any) -> bytes:
    """Tensors of any device travel as those of a CPU, which every actor has; the model itself stays where it is."""
    stream = io.BytesIO()
    torch.save(context, stream, pickle_module=pickle)
    return stream.getvalue()


class _Actor:
    """Holds the model, on its GPU where it was given one."""

    def __init__(self, context: list[Any]) -> None:
        ray = import_module("ray")
        stream = io.BytesIO(ray.get(context[0]))
        worker, self._write, batch_size = torch.load(stream, map_location="cpu", weights_only=False)
        if ray.get_gpu_ids():
            worker.scope.model.to("cuda")
        self._worker: SurveyWorker = replace(worker, batch_size=batch_size or batch_size_for(worker.scope))

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """One shard's number → how many images were measured, how many failed, and what stopped it."""
        shard = int(batch["shard"][0])
        try:
            ((_, result),) = self._worker([shard])
            self._write(shard, result)
        except VitscopeError as error:
            return _answer(error=type(error).__name__, message=str(error), trace=format_exc())
        except Exception as error:  # as data too, since what Ray makes of it names neither error nor shard
            reason = f"{type(error).__name__}: {printable(str(error))}"
            message = f"shard {shard} cannot be computed ({reason}); finished shards are kept"
            return _answer(error=RunError.__name__, message=message, trace=format_exc())
        done, failed = counted(result.tables["images"])
        return _answer(done=done, failed=failed)


def _answer(*, done: int = 0, failed: int = 0, error: str = "", message: str = "", trace: str = "") -> dict[str, Any]:
    """A row for Ray: each column a list of one."""
    return {"done": [done], "failed": [failed], "error": [error], "message": [message], "trace": [trace]}


@contextmanager
def _reported(ray: Any) -> Generator[None]:
    """What Ray itself raises, over a page, becomes a RunError of one line, with the page as its cause."""
    try:
        yield
    except ray.exceptions.RayError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise RunError(
            f"Ray stopped the survey ({type(error).__name__}: {printable(lines[-1] if lines else 'no reason given')}); "
            "finished shards are kept. Put that right on its machines, and give the same command again"
        ) from error


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
        _connect(ray, cluster)
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


def _connect(ray: Any, cluster: Cluster) -> None:
    """A cluster that runs, or one started here. SIGTERM keeps its handler, in whose place Ray puts one that aborts."""
    options: dict[str, Any] = {"include_dashboard": False}
    if cluster.address is not None:
        options = {"address": cluster.address}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(log_to_driver=False, logging_level="ERROR", **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise RunError(
            f"found no Ray cluster at {cluster.address or 'this machine'} ({error}); expected the address of one "
            "that runs, as ray://host:10001 or auto"
        ) from error
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _actors_for(resources: Mapping[str, float], cluster: Cluster) -> int:
    """As many as the GPUs hold; without any, as many as the cores."""
    whole = resources.get("GPU", 0) / cluster.gpus if cluster.gpus else resources.get("CPU", 1) / cluster.cpus
    if whole < 1:
        needed = f"{cluster.gpus} GPU" if cluster.gpus else f"{cluster.cpus} CPU"
        raise RunError(f"each actor needs {needed}, and the cluster has {dict(resources)}; ask for less")
    return int(whole)
