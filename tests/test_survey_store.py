"""A run as it is written: what is agreed on, what is refused, and who may write."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from survey_toys import SHARDS, Worker, contents, fill_run, require_whole_shards, result_of, settings
from vitscope.errors import ArgumentError, OutputError, RunError
from vitscope.surveys import durable
from vitscope.surveys.agreement import differences
from vitscope.surveys.layout import DRAFT, finished_shards, shard_folder
from vitscope.surveys.results import ShardResult, merged
from vitscope.surveys.run import open_run
from vitscope.surveys.store import open_writer


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_run_on_disk(tmp_path):
    folder = tmp_path / "deep" / "run"
    with open_writer(folder, settings()) as writer:
        assert writer.finished() == frozenset()
        assert not writer.finish()
        for shard in (3, 0, 4, 2, 1):
            writer.write(shard, result_of(shard))
        assert writer.finished() == frozenset(range(5))
        assert [writer.images(shard) for shard in range(5)] == [3, 3, 3, 3, 1]
        assert writer.finish()
    assert names_in(folder) == ["manifest.json", "plan.json", "shards", "states.safetensors"]
    assert names_in(folder / "shards") == ["00000", "00001", "00002", "00003", "00004"]
    tables = ["failures.parquet", "heads.parquet", "images.parquet", "maps.parquet", "states.safetensors"]
    assert all(names_in(shard) == tables for shard in (folder / "shards").iterdir())
    assert json.loads((folder / "plan.json").read_text()) == settings()
    manifest = {**settings(), "complete": True, "counts": {"done": 10, "failed": 3}}
    assert json.loads((folder / "manifest.json").read_text()) == manifest
    states = load_file(folder / "states.safetensors")
    assert {name: array.shape for name, array in states.items()} == {
        "map.rollout.2x3.count": (),
        "map.rollout.2x3.sum": (2, 3),
        "similarity.toy.sum": (2,),
    }
    assert states["map.rollout.2x3.count"] == 10
    assert all(array.dtype == np.float64 for array in states.values())


def test_what_a_lost_actor_left_goes_with_the_end(tmp_path):
    folder = tmp_path / "run"
    with open_writer(folder, settings()) as writer:
        (folder / f"{DRAFT}1-of-1-2-lost").mkdir()
        for shard in range(5):
            writer.write(shard, result_of(shard))
            writer.write(shard, result_of(shard))  # by another one, a little later
        writer.finish()
    assert names_in(folder) == ["manifest.json", "plan.json", "shards", "states.safetensors"]


def test_readers_of_others(tmp_path):
    fill_run(tmp_path / "run")
    heads = open_run(tmp_path / "run").table("heads")
    pattern = str(tmp_path / "run" / "shards" / "*" / "heads.parquet")
    counted = duckdb.sql(f"SELECT count(*), avg(distance) FROM '{pattern}'").fetchall()[0]
    assert counted[0] == len(heads) == 10 * (2 + 3)
    assert counted[1] == pytest.approx(np.mean(heads["distance"].to_numpy()), rel=1e-6)
    assert polars.scan_parquet(pattern).collect().to_arrow()["image_id"].to_pylist() == heads["image_id"].to_pylist()


def test_a_shard_without_a_single_result_has_its_tables(tmp_path):
    fill_run(tmp_path / "run")
    last, first = (open_run(tmp_path / "run").dataset("heads").files[i] for i in (-1, 0))
    import pyarrow.parquet as pq

    assert pq.read_table(last).num_rows == 0
    assert pq.read_schema(last).equals(pq.read_schema(first))


def test_writing_a_shard_again_changes_nothing(tmp_path):
    with open_writer(tmp_path / "run", settings()) as writer:
        writer.write(1, result_of(1))
        writer.write(1, result_of(2))
        assert require_whole_shards(tmp_path / "run") == (1,)
        for shard in (-1, SHARDS):
            with pytest.raises(ArgumentError, match="expected one from 0 to 4"):
                writer.write(shard, result_of(1))


def test_shards_beyond_99999_still_sort():
    folders = [str(shard_folder(Path("run"), shard, 100_001)) for shard in (0, 9, 99_999, 100_000)]
    assert folders == sorted(folders)
    assert Path(folders[0]).name == "000000"
    assert shard_folder(Path("run"), 99_999, 100_000).name == "99999"


def test_only_whole_shards_count_as_finished(tmp_path):
    for name in ("00000", "00003", "00005", "1", "000002", "00002.part", "²0000"):
        (tmp_path / "shards" / name).mkdir(parents=True)
    (tmp_path / "shards" / "00004").touch()
    assert finished_shards(tmp_path, 5) == {0, 3}


@pytest.mark.parametrize("hidden", [False, True])
def test_a_folder_that_holds_something_else_is_not_touched(tmp_path, hidden):
    (tmp_path / (".hidden" if hidden else "thesis.tex")).write_text("words")
    with pytest.raises(OutputError, match="holds what is no run of a survey"):
        fill_run(tmp_path)
    assert len(names_in(tmp_path)) == 1


def test_other_places_that_cannot_become_a_run(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place, reason in (("file", "is a file"), ("link", "broken link"), ("file/run", "Not a directory|File exists")):
        with pytest.raises(OutputError, match=reason):
            fill_run(tmp_path / place)
    (tmp_path / "empty").mkdir()
    assert fill_run(tmp_path / "empty").complete


@pytest.mark.parametrize("part", [(1, 1), (1, 2)])  # a finished run, and an unfinished one
def test_other_settings_are_refused_by_name(tmp_path, part):
    assert fill_run(tmp_path / "run", part=part).complete == (part == (1, 1))
    before = contents(open_run(tmp_path / "run"))
    model = {"name": "toy", "device": "cuda:0", "weights_sha256": "0" * 64}
    measures = [{"name": "distance", "kind": "column", "convention": "bits"}, {"name": "rollout", "kind": "map"}]
    with pytest.raises(RunError) as caught:
        fill_run(tmp_path / "run", model=model, measures=measures, sample=7, part=part)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{tmp_path / 'run'} was begun with other settings, so that it cannot be gone on with:"
    assert [line.split(":")[0] for line in lines[1:-1]] == [
        "  model.weights_sha256",
        "  measures.distance.convention",
        "  sample",
    ]
    assert lines[2] == "  measures.distance.convention: bytes → bits"
    assert lines[3] == "  sample: (absent) → 7"
    assert max(map(len, lines[1:-1])) < 160
    assert "another folder" in lines[-1]
    assert contents(open_run(tmp_path / "run")) == before


def test_another_device_or_place_is_no_other_run(tmp_path):
    model = settings()["model"] | {"device": "cuda:0"}
    begun, moved = (
        {"kind": "joined", "path": at, "parts": [{"kind": "tars", "paths": [f"{at}/a.tar"]}]} for at in ("/old", "/new")
    )
    with open_writer(tmp_path / "run", settings(source=begun)) as writer:
        writer.write(0, result_of(0))
    assert fill_run(tmp_path / "run", model=model, source=moved).resumed == 3
    assert open_run(tmp_path / "run").settings["model"]["device"] == "cpu"
    for other in ({"kind": "folder", "path": "/old"}, {**begun, "pathology": "/old"}):
        with pytest.raises(RunError, match=r"source\."):
            fill_run(tmp_path / "run", source=other)
    with pytest.raises(RunError, match="index_sha256"):  # of other ids
        fill_run(tmp_path / "run", source=begun, index_sha256="7")


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 1.0}}, ["a.b: 1 → 1.0"]),
        ({"a": 1}, {"a": True}, ["a: 1 → true"]),
        ({"a": None}, {}, ["a: null → (absent)"]),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, ["a: [1, 2] → [1, 2, 3]"]),
        ({"a": [{"name": "x"}]}, {"a": [{"name": "x"}, {"name": "y"}]}, ["a: x → x, y"]),
        ({"a": [{"name": "x", "k": 1}]}, {"a": [{"name": "x", "k": 2}]}, ["a.x.k: 1 → 2"]),
        ({"a": [{"k": 1}]}, {"a": [{"k": 2}]}, ["a.0.k: 1 → 2"]),
        ({"a": "0" * 90 + "b"}, {"a": "0" * 90 + "c"}, ["a: …" + "0" * 12 + "b → …" + "0" * 12 + "c"]),
        ({"a": {"b": 1}}, {"a": 7}, ['a: {"b": 1} → 7']),
        ({"a": {"b": [1, {"c": "é"}]}}, {"a": {"b": [1, {"c": "é"}]}}, []),
    ],
)
def test_differences(old, new, lines):
    assert [line for _, line in differences(old, new)] == lines


def test_settings_that_no_run_can_have(tmp_path):
    for wrong in ({"uniform": float("nan")}, {"source": object()}, {"shards": None}, {"images": "13"}):
        with pytest.raises(ArgumentError):
            fill_run(tmp_path / "run", **wrong)
    for part in ((0, 3), (4, 3)):
        with pytest.raises(ArgumentError, match="expected a part from 1 to 3"):
            fill_run(tmp_path / "run", part=part)
    assert not (tmp_path / "run").exists()


def test_a_finished_run_is_left_alone(tmp_path, monkeypatch):
    fill_run(tmp_path / "run")
    before = contents(open_run(tmp_path / "run"))
    for name in ("make_folder", "write", "sync", "rename"):
        monkeypatch.setattr(durable, name, lambda *given: pytest.fail("something was written"))
    worker = Worker()
    assert fill_run(tmp_path / "run", worker).complete
    assert worker.computed == []
    assert contents(open_run(tmp_path / "run")) == before


def test_a_shard_that_was_removed_is_computed_again(tmp_path):
    fill_run(tmp_path / "run")
    before = contents(open_run(tmp_path / "run"))
    manifest = (tmp_path / "run" / "manifest.json").read_text()
    shutil.rmtree(shard_folder(tmp_path / "run", 2, SHARDS))
    (tmp_path / "run" / "manifest.json").write_text("{}")  # what it says of the shard may be wrong by now
    assert not open_run(tmp_path / "run").complete
    worker = Worker()
    assert fill_run(tmp_path / "run", worker).complete
    assert worker.computed == [2]
    assert contents(open_run(tmp_path / "run")) == before
    assert (tmp_path / "run" / "manifest.json").read_text() == manifest


def test_a_draft_of_which_something_was_taken_is_no_shard(tmp_path, monkeypatch):
    sync = durable.sync_folder

    def steal(folder):
        sync(folder)
        if folder.name.startswith(DRAFT):
            (folder / "heads.parquet").unlink()

    with open_writer(tmp_path / "run", settings()) as writer:
        writer.write(0, result_of(0))
        monkeypatch.setattr(durable, "sync_folder", steal)
        with pytest.raises(OutputError, match="shards/00001: No such file"):
            writer.write(1, result_of(1))
        monkeypatch.undo()
    assert finished_shards(tmp_path / "run", SHARDS) == {0}
    assert fill_run(tmp_path / "run").complete


def test_no_torch_is_imported():
    code = "import sys, vitscope.surveys.engine, vitscope.surveys.run; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


STATES = st.lists(
    st.dictionaries(
        st.sampled_from(["map.sum", "map.count", "cka.sum"]), st.floats(-1e6, 1e6, allow_nan=False), max_size=3
    ),
    max_size=11,
)
SHAPES = {"map.sum": (2, 3), "map.count": (), "cka.sum": (5, 5)}


@given(STATES, st.data())
def test_states_merge_in_any_grouping_and_order(numbers, data):
    states = [{name: np.full(SHAPES[name], value) for name, value in state.items()} for state in numbers]
    given = [{name: array.copy() for name, array in state.items()} for state in states]
    order = data.draw(st.permutations(states))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=3)))
    groups = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    out = merged([merged(group) for group in groups])
    assert set(out) == {name for state in states for name in state}
    for name, array in out.items():
        values = [state[name] for state in numbers if name in state]
        assert array.shape == SHAPES[name]
        assert array.dtype == np.float64
        np.testing.assert_allclose(array, sum(values), rtol=1e-12, atol=1e-12 * sum(map(abs, values)))
    for old, new in zip(given, states, strict=True):  # what is merged is not changed
        assert all(np.array_equal(old[name], new[name]) for name in old)


def test_a_result_without_states(tmp_path):
    with open_writer(tmp_path / "run", settings(images=3, shards=1)) as writer:
        writer.write(0, ShardResult(result_of(0).tables))
        assert writer.finish()
    assert open_run(tmp_path / "run").states() == {}
