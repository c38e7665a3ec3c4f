"""Surveys on a real local Ray: the same tables, also where an actor is killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import ray
import ray.cloudpickle
import torch

import lossy
import vitscope
from lossy import Lossy
from vitscope.errors import RunError, SourceError
from vitscope.surveys.cluster import Cluster

IMAGES, SHARD_SIZE = 41, 6
OPTIONS = {
    "measures": ["distance", "rollout", vitscope.LinearCKA(minibatch=6)],
    "shard_size": SHARD_SIZE,
    "workers": 0,
    "maps": True,
    "progress": False,
}


@pytest.fixture(scope="module")
def scope():
    return vitscope.load()


@pytest.fixture(scope="module")
def local(scope, tmp_path_factory):
    return vitscope.survey(Lossy(IMAGES), scope, tmp_path_factory.mktemp("local") / "run", **OPTIONS)


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """Two cores of this machine, for all tests of this file."""
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    tests = lossy, sys.modules[__name__]
    for module in tests:
        ray.cloudpickle.register_pickle_by_value(module)  # actors do not know the tests
    yield
    for module in tests:
        ray.cloudpickle.unregister_pickle_by_value(module)
    ray.shutdown()


def assert_same(found, expected):
    keys = [("image_id", "ascending"), ("layer", "ascending"), ("head", "ascending")]
    one, other = (run.table("heads").sort_by(keys).to_pydict() for run in (found, expected))
    assert one["image_id"] == other["image_id"]
    np.testing.assert_allclose(one["distance"], other["distance"], rtol=1e-6)
    ours, theirs = found.states(), expected.states()
    assert sorted(ours) == sorted(theirs)
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=1e-6, atol=1e-6)


def test_the_same_tables_though_an_actor_is_killed(scope, local, tmp_path):
    marker = tmp_path / "killed"
    source = Lossy(IMAGES, deadly="17", marker=marker)
    run = vitscope.survey(source, scope, tmp_path / "run", cluster=Cluster(actors=2), **OPTIONS)
    assert int(marker.read_text()) != os.getpid()
    assert run.complete
    assert_same(run, local)
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "manifest.json", "plan.json", "shards", "states.safetensors",
    ]  # fmt: skip
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert manifest["counts"] == {"done": IMAGES, "failed": 0}


def test_a_run_begun_here_is_ended_there(scope, local, tmp_path):
    begun = vitscope.survey(Lossy(IMAGES), scope, tmp_path / "run", part=(1, 3), **OPTIONS)
    written = {path: path.stat().st_mtime_ns for path in begun.folder.glob("shards/*/*")}
    run = vitscope.survey(Lossy(IMAGES), scope, tmp_path / "run", cluster=Cluster(actors=2), **OPTIONS)
    assert len(written) == 3 * 5
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())
    assert_same(run, local)


class Gone(Lossy):
    """What it is read from has gone."""

    def require(self):
        raise SourceError("noise cannot be reached")


class Faulty(Lossy):
    """Raises what nobody foresaw."""

    def require(self):
        raise ZeroDivisionError("a source\nof the user's")


class Homesick(Lossy):
    """Cannot be opened in another process."""

    def __reduce__(self):
        return eval, ("no_such_name",)


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        (Gone, SourceError, r"^noise cannot be reached"),
        (Faulty, RunError, r"^shard \d cannot be computed \(ZeroDivisionError: a source\S+of the user's\); finished"),
        (
            Homesick,
            RunError,
            r"^Ray stopped the survey \(ActorDiedError: NameError: name 'no_such_name' is not defined",
        ),
    ],
)
def test_what_stops_an_actor_is_told_here(scope, tmp_path, kind, error, words):
    source = kind(IMAGES, broken=frozenset({"7"}))
    with pytest.raises(error, match=words) as told:
        vitscope.survey(source, scope, tmp_path / "run", cluster=Cluster(actors=1), **OPTIONS)
    assert "\n" not in str(told.value)
    assert ", line " in "".join([*getattr(told.value, "__notes__", []), str(told.value.__cause__)])  # of a traceback
    assert not vitscope.open_run(tmp_path / "run").complete


def test_actors_write_where_the_survey_was_begun(scope, local, tmp_path, monkeypatch):
    """They work in another folder than the survey, as those of a cluster that runs already do."""
    monkeypatch.chdir(tmp_path)
    run = vitscope.survey(Lossy(IMAGES), scope, "run", cluster=Cluster(actors=1), **OPTIONS)
    assert run.complete
    assert run.folder == Path("run")
    assert_same(vitscope.open_run(tmp_path / "run"), local)


@dataclass
class Counting:
    """The forward of a model, which writes down how many images it was given."""

    file: Path
    forward: object

    def __call__(self, model, images):
        with self.file.open("a") as file:
            file.write(f"{os.getpid()} {len(images)}\n")
        return self.forward(model, images)


@pytest.mark.parametrize(("given", "expected"), [(None, SHARD_SIZE), (4, 4)])
def test_each_actor_chooses_its_batches_unless_they_are_given(scope, tmp_path, monkeypatch, given, expected):
    monkeypatch.setattr("vitscope.surveys.survey.batch_size_for", lambda scope: 3)  # here, on another device
    counting = replace(scope.loaded, forward=Counting(tmp_path / "passes", scope.loaded.forward))
    options = OPTIONS | {"cluster": Cluster(actors=1), "batch_size": given}
    vitscope.survey(Lossy(SHARD_SIZE), vitscope.scope.Scope(counting), tmp_path / "run", **options)
    passes = [tuple(map(int, line.split())) for line in (tmp_path / "passes").read_text().splitlines()]
    assert max(images for process, images in passes if process != os.getpid()) == expected


def test_a_model_on_a_gpu_goes_to_actors_without_one(scope, local, tmp_path, monkeypatch):
    """Every tensor that is pickled says of itself that it lies on a GPU, which this machine may lack."""
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
    run = vitscope.survey(Lossy(IMAGES), scope, tmp_path / "run", cluster=Cluster(actors=1), **OPTIONS)
    assert_same(run, local)


def test_more_than_the_cluster_has(scope, tmp_path):
    with pytest.raises(RunError, match=r"needs 2.0 GPU, and the cluster has .*CPU.*ask for less"):
        vitscope.survey(Lossy(IMAGES), scope, tmp_path / "run", cluster=Cluster(gpus=2.0), **OPTIONS)


def test_terminated_it_keeps_what_is_whole(tmp_path):
    """A real process that starts Ray for itself, ended as clusters end a job."""
    command = subprocess.Popen(
        [sys.executable, "-c", _SURVEY, str(Path(__file__).parent)],
        cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    shards = tmp_path / "run" / "shards"
    while not (shards.is_dir() and any(shards.iterdir())):
        assert command.poll() is None, command.stderr.read()
        time.sleep(0.05)
    os.kill(command.pid, signal.SIGTERM)
    _, err = command.communicate(timeout=60)
    assert command.returncode == 130, err
    assert err.splitlines()[-1] == "vitscope: interrupted"
    assert "Traceback" not in err
    begun = vitscope.open_run(tmp_path / "run")
    assert 0 < begun.shards_done < begun.shards_total


_SURVEY = """
import sys
import ray.cloudpickle
sys.path.append(sys.argv[1])
import lossy
import vitscope
from vitscope.cli.app import _complain
from vitscope.surveys.cluster import Cluster
ray.cloudpickle.register_pickle_by_value(lossy)
try:
    vitscope.survey(
        lossy.Lossy(20_011), vitscope.load(), "run", measures=["entropy"], shard_size=2, workers=0,
        cluster=Cluster(actors=1),
    )
except KeyboardInterrupt:
    sys.exit(_complain("interrupted", 130))
"""
