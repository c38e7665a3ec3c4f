"""A run as it is read, complete or not."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from survey_toys import SHARDS, TABLES, expected_rows, fill_run, result_of, settings
from vitscope.errors import ArgumentError, RunError
from vitscope.surveys.results import merged
from vitscope.surveys.run import open_run
from vitscope.surveys.store import open_writer


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layer=3") / "run"  # no partition of a data set
    fill_run(folder)
    return folder


@pytest.fixture
def unfinished(tmp_path):
    with open_writer(tmp_path / "run", settings()) as writer:
        for shard in (4, 1, 2):
            writer.write(shard, result_of(shard))
    return tmp_path / "run"


def test_a_complete_run(complete):
    run = open_run(str(complete))
    assert (run.complete, run.shards_done, run.shards_total) == (True, SHARDS, SHARDS)
    assert run.settings == settings()
    assert run.describe() == f"{complete} (complete)"
    for name in TABLES:
        table = run.table(name)
        assert repr(table.to_pydict()) == expected_rows(range(SHARDS))[name]
        parts = list(run.batches(name))
        assert [part.num_rows for part in parts] == [result_of(shard).tables[name].num_rows for shard in range(SHARDS)]
        assert repr(pa.concat_tables(parts).to_pydict()) == repr(table.to_pydict())
        assert repr(run.dataset(name).to_table().to_pydict()) == repr(table.to_pydict())


def test_states_of_a_complete_run_are_read_from_one_file(tmp_path):
    fill_run(tmp_path / "run")
    before = open_run(tmp_path / "run").states()
    (tmp_path / "run" / "shards" / "00001" / "states.safetensors").unlink()
    after = open_run(tmp_path / "run").states()
    assert {name: array.tobytes() for name, array in after.items()} == {n: a.tobytes() for n, a in before.items()}


def test_an_unfinished_run_reads_what_is_there(unfinished):
    run = open_run(unfinished)
    assert (run.complete, run.shards, run.shards_total) == (False, (1, 2, 4), SHARDS)
    assert run.describe() == f"{unfinished} (unfinished: 3 of 5 shards)"
    for name in TABLES:
        assert repr(run.table(name).to_pydict()) == expected_rows([1, 2, 4])[name]
    sums = merged(result_of(shard).states for shard in (1, 2, 4))
    assert run.states().keys() == sums.keys()
    for name, array in run.states().items():
        np.testing.assert_array_equal(array, sums[name], strict=True)


def test_a_run_stays_as_it_was_opened(unfinished):
    run = open_run(unfinished)
    before = run.table("images").num_rows
    fill_run(unfinished)
    assert run.table("images").num_rows == before == len(run.dataset("images").to_table())
    assert run.states()["map.rollout.2x3.count"] == before - 2
    assert open_run(unfinished).complete


def test_columns_come_in_the_order_asked_for(complete):
    run = open_run(complete)
    assert run.table("heads", ["distance", "image_id"]).column_names == ["distance", "image_id"]
    assert {tuple(part.column_names) for part in run.batches("heads", ["head"])} == {("head",)}
    with pytest.raises(ArgumentError, match=r"no column 'distanc'; it has image_id, .*did you mean distance\?"):
        run.table("heads", ["distanc"])
    filtered = run.dataset("heads").to_table(filter=pc.field("layer") == 1)
    assert set(filtered["layer"].to_pylist()) == {1}


def test_tables_that_are_not_there(tmp_path, complete):
    with open_writer(tmp_path / "run", settings()) as writer:
        with pytest.raises(RunError, match="no finished shard yet"):
            open_run(tmp_path / "run").table("heads")
        assert open_run(tmp_path / "run").states() == {}
        result = result_of(0)
        writer.write(0, type(result)({name: result.tables[name] for name in ("heads", "images")}))
    with pytest.raises(RunError, match="no table maps; it has heads, images: survey with maps of every image"):
        open_run(tmp_path / "run").table("maps")
    with pytest.raises(RunError, match=r"no table failures; it has heads, images$"):
        open_run(tmp_path / "run").table("failures")
    with pytest.raises(ArgumentError, match="found the table 'states'; expected one of heads, images"):
        open_run(complete).table("states")


def test_where_there_is_no_run(complete, tmp_path):
    (tmp_path / "empty").mkdir()
    expected = {
        complete.with_name("rum"): rf"no such run; did you mean {complete}\?",
        complete.parent: rf"holds no plan.json; did you mean {complete}\?",
        complete / "shards": rf"is a part of a run; expected the run's own folder: {complete}$",
        complete / "shards" / "00001": f"expected the run's own folder: {complete}$",
        complete / "plan.json": f"expected the run's own folder: {complete}$",
        complete / "manifest.json": "is a file; expected the folder",
        tmp_path / "empty": "holds no plan.json; expected the folder",
        tmp_path / "no" / "where": "nor is there a folder",
    }
    for path, message in expected.items():
        with pytest.raises(RunError, match=message):
            open_run(path)


def test_a_plan_that_is_none(unfinished):
    plan = unfinished / "plan.json"
    for text, message in (
        ("{", "cannot read .*plan.json"),
        ("[]", "is no plan of a survey"),
        (json.dumps(settings(format=2)), "has format 2; expected 1"),
    ):
        plan.write_text(text)
        with pytest.raises(RunError, match=message):
            open_run(unfinished)
        with pytest.raises(RunError, match=message):
            fill_run(unfinished)


def test_damaged_files_are_named(unfinished):
    run = open_run(unfinished)
    for name in ("heads.parquet", "states.safetensors"):
        path = unfinished / "shards" / "00002" / name
        path.write_bytes(path.read_bytes()[:50])
        with pytest.raises(RunError, match=f"cannot read {path}: .*; where it is damaged, remove its folder"):
            run.states() if name.startswith("states") else run.table("heads")
