"""`vitscope survey`: statuses, reports, interruption; and README's lines on surveys as they stand."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import polars
import pytest
from PIL import Image

import vitscope
from vitscope.cli import app, look
from vitscope.surveys.planning import plan_survey
from vitscope.surveys.sources.opening import open_source

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
VITSCOPE = [sys.executable, "-c", "from vitscope.cli.app import main; main()"]


@pytest.fixture(autouse=True)
def here(tmp_path, bundled, monkeypatch):
    """A folder with seven pictures of two classes; every model is the bundled one."""

    def load(name, **options):
        return bundled if name is None else type(bundled)(replace(bundled.loaded, name=name))

    monkeypatch.setattr(look, "load", load)
    monkeypatch.chdir(tmp_path)
    for i in range(7):
        pixels = np.random.default_rng(i).integers(0, 256, (31, 43, 3), dtype=np.uint8)
        path = tmp_path / "photos" / ("cat", "dog")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return tmp_path


def run(capsys, line):
    """Exit status, standard output, standard error."""
    status = app.run(line.split())
    return status, *capsys.readouterr()


SURVEY = "survey photos -o run --workers 0 --measure distance,rollout"


def test_a_survey_says_what_was_done_and_goes_on(capsys):
    for expected in ("", "vitscope: run is complete; nothing was left to do\n"):
        status, out, err = run(capsys, SURVEY)
        assert (status, err) == (0, expected)
        assert "vitscope-tiny → run/ (complete)" in out
        assert "7 measured, 0 failed" in out
    status, out, err = run(capsys, "compare run")
    assert status == 0
    assert Path("vitscope-compare/index.html").is_file()


def test_some_failed(capsys):
    Path("photos/cat/broken.jpg").write_bytes(b"no picture")
    status, out, err = run(capsys, f"{SURVEY} --json")
    assert status == 3
    assert err == "vitscope: 1 image failed, named in run/shards/*/failures.parquet\n"
    (report,) = json.loads(out)["runs"]
    assert (report["done"], report["failed"], report["complete"]) == (7, 1, True)
    assert report["measures"] == ["distance", "rollout"]


def test_a_part_answers_for_its_own_images_alone(capsys):
    Path("photos/cat/broken.jpg").write_bytes(b"no picture")
    planned = plan_survey(open_source("photos"), shard_size=3)
    broken = next(shard for shard in range(3) if "cat/broken.jpg" in planned.rows(shard)["id"].to_pylist())
    faulty, sound = ("1/2", "2/2") if broken != 1 else ("2/2", "1/2")
    line = f"{SURVEY} --shard-size 3 --shard"
    status, _, err = run(capsys, f"{line} {faulty}")
    assert (status, err) == (3, "vitscope: 1 image failed, named in run/shards/*/failures.parquet\n")
    assert run(capsys, f"{line} {faulty} --json")[::2] == (
        3, f"vitscope: run holds all of part {faulty}; nothing was left to do\n{err}"
    )  # fmt: skip
    status, out, err = run(capsys, f"{line} {sound}")
    assert (status, err) == (0, "")
    assert "7 measured, 1 failed" in out  # of the whole run


def test_several_models_get_a_run_each(capsys):
    status, out, _ = run(capsys, f"{SURVEY} -m vit_a.one -m hf-hub:org/b")
    assert status == 0
    assert sorted(path.name for path in Path("run").iterdir()) == ["hf-hub_org_b", "vit_a.one"]
    assert "vit_a.one → run/vit_a.one/" in out
    assert run(capsys, "compare run -o both")[0] == 0
    assert "vit_a.one" in Path("both/summary.csv").read_text()


def test_parts(capsys):
    for part in ("1/2", "2/2"):
        status, out, _ = run(capsys, f"{SURVEY} --shard-size 3 --shard {part}")
        assert status == 0
    assert "(complete)" in out
    assert vitscope.open_run("run").shards_total == 3


def test_a_part_without_shards_has_nothing_to_do(capsys):
    status, out, err = run(capsys, f"{SURVEY} --shard 2/2 --json")
    assert (status, err) == (0, "")
    (report,) = json.loads(out)["runs"]
    assert (report["done"], report["shards"], report["complete"]) == (0, [0, 1], False)
    assert run(capsys, f"{SURVEY} --shard 1/2")[0] == 0


def test_random_weights_are_the_same_each_time(monkeypatch):
    monkeypatch.undo()
    options = {"checkpoint": None, "pretrained": False, "image_size": 64, "device": "cpu"}
    found = [look.ModelOptions(name="vit_tiny_patch16_224", **options).load().weights_sha256() for _ in range(2)]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("survey -o run", 2, "no images were named"),
        ("survey photos -o run --measure distanc", 2, "no measure 'distanc'; expected some of distance"),
        ("survey photos -o run --measures entropy moments", 2, "such as --measures distance,moments"),
        ("survey photos -o run --shard 3", 2, "'3' is no part of a survey; expected i/n"),
        ("survey photos -o run --gpus 1", 2, "--gpus without --engine ray"),
        ("survey photos -o run -m a.b -m a.b", 2, "two models would be written to one folder, a.b"),
        ("survey photos -o run -m a -m b --checkpoint c.pth", 2, "one checkpoint for 2 models"),
        ("survey foto -o run", 1, "did you mean photos?"),
        ("survey photos -o photos", 1, "photos holds what is no run"),
        ("survey photos/cat/0.png -o photos/cat/2.png", 1, "2.png"),
    ],
)
def test_what_cannot_be_done(capsys, line, status, words):
    found, out, err = run(capsys, line)
    assert (found, out) == (status, "")
    assert words in err
    assert err.count("\n") == 1
    assert not Path("run").exists()


def test_interrupted_it_keeps_what_is_whole():
    """A real process with workers, stopped as by control-C or by a cluster, in the middle."""
    for number, (stop, group) in enumerate([(signal.SIGINT, True), (signal.SIGTERM, False)]):
        code = [sys.executable, "-c", _SLOW]
        command = subprocess.Popen(
            [*code, f"run{number}"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        shards = Path(f"run{number}/shards")
        while not (shards.is_dir() and any(shards.iterdir())):
            assert command.poll() is None, command.stderr.read()
            time.sleep(0.05)
        (os.killpg if group else os.kill)(command.pid, stop)
        _, err = command.communicate(timeout=60)
        assert command.returncode == 130, err
        assert err == "vitscope: interrupted\n"
        begun = vitscope.open_run(f"run{number}")
        assert 0 < begun.shards_done < begun.shards_total
        assert not list(Path(f"run{number}").glob(".draft*"))


def test_interrupted_before_its_first_shard_it_leaves_nothing():
    temporary = Path("temporary")
    temporary.mkdir()
    command = subprocess.Popen(
        [sys.executable, "-c", _ENDLESS], stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(temporary)}
    )
    while not list(temporary.glob("vitscope-spool-*/.vitscope-*/*")):
        assert command.poll() is None, command.stderr.read()
        time.sleep(0.05)
    command.terminate()
    _, err = command.communicate(timeout=60)
    assert (command.returncode, err) == (130, "vitscope: interrupted\n")
    assert not list(temporary.glob("vitscope-*"))
    assert not Path("run").exists()


_ENDLESS = """
import itertools, sys, time
import numpy as np
import vitscope
from vitscope.cli.app import _complain
def images():
    for number in itertools.count():
        yield str(number), np.zeros((2, 2, 3), np.uint8)
        time.sleep(0.01)
try:
    vitscope.survey(images(), "vitscope-tiny", "run")
except KeyboardInterrupt:
    sys.exit(_complain("interrupted", 130))
"""

_SLOW = """
import sys, time
import vitscope
from vitscope.cli.app import _complain
from vitscope.surveys import loading
real = loading.read_image
def slow(*given):
    time.sleep(0.2)
    return real(*given)
loading.read_image = slow
try:
    vitscope.survey("photos", vitscope.load(), sys.argv[1], measures=["entropy"], shard_size=1, workers=2)
except KeyboardInterrupt:
    sys.exit(_complain("interrupted", 130))
"""


def test_readmes_queries_give_the_means(capsys):
    assert run(capsys, SURVEY.replace("-o run", "-o runs/dino"))[0] == 0
    query = re.search(r"```sql\n(.*?)```", README, re.DOTALL)[1]
    joined = re.search(r"```sql\n(.*?)```", (README_OF_SURVEYS).read_text("utf-8"), re.DOTALL)[1]
    table = vitscope.open_run("runs/dino").table("heads").to_pandas()
    expected = table.groupby("layer")["distance"].mean()
    found = duckdb.sql(query).fetchall()
    assert [layer for layer, _, _ in found] == list(expected.index)
    np.testing.assert_allclose([mean for _, mean, _ in found], expected, rtol=1e-6)
    (line,) = re.findall(r"^pl\.scan_parquet.*$", README, re.MULTILINE)
    frame = eval(line, {"pl": polars})
    np.testing.assert_allclose(frame["distance"], expected, rtol=1e-5)
    by_class = duckdb.sql(joined.replace("RUN", "runs/dino")).fetchall()
    assert [(label, layer) for label, layer, _ in by_class] == [
        (label, layer) for label in ("cat", "dog") for layer in expected.index
    ]


README_OF_SURVEYS = Path(__file__).parent.parent / "docs" / "surveys.md"
