"""Surveys on a real local Ray: the same tables, also where an actor is killed in the middle."""

import json
import os

import numpy as np
import pytest
import ray
import ray.cloudpickle

import lossy
import vitscope
from lossy import Lossy
from vitscope.errors import RunError, SourceError
from vitscope.surveys.cluster import Cluster
from vitscope.surveys.planning import plan_survey

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
    ray.cloudpickle.register_pickle_by_value(lossy)  # actors do not know the tests
    yield
    ray.cloudpickle.unregister_pickle_by_value(lossy)
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


def test_what_stops_an_actor_is_told_here(scope, tmp_path):
    plan = plan_survey(Lossy(IMAGES), shard_size=SHARD_SIZE)
    source = Lossy(IMAGES, broken=frozenset(plan.rows(3)["id"].to_pylist()))
    with pytest.raises(SourceError, match=r"^none of the 6 images of shard 3 could be read.*no picture"):
        vitscope.survey(source, scope, tmp_path / "run", cluster=Cluster(actors=1), **OPTIONS)
    assert 3 not in vitscope.open_run(tmp_path / "run").shards


def test_more_than_the_cluster_has(scope, tmp_path):
    with pytest.raises(RunError, match=r"needs 2.0 GPU, and the cluster has .*CPU.*ask for less"):
        vitscope.survey(Lossy(IMAGES), scope, tmp_path / "run", cluster=Cluster(gpus=2.0), **OPTIONS)
