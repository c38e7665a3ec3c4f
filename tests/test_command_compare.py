"""`vitscope compare`: what it writes and says, whole or not at all, and without a model."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from survey_runs import MEASURES, Synthetic, write_run
from vitscope.cli.compare import CompareOptions, run_compare
from vitscope.errors import ArgumentError, OutputError, RunError
from vitscope.render.surveys import folder, page
from vitscope.render.surveys.plates import plates
from vitscope.surveys.run import open_run
from vitscope.surveys.summary import summarize

TINY = Synthetic(images=31, failed=1, heads=(2, 3), classes=3, shards=2, measures=[MEASURES[0]])
FILES = ["classes.csv", "distance_by_depth.png", "distance_classes.png", "distance_sorted.png", "index.html"]
FILES += ["summary.csv", "summary.json"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "_DPI", 20)
    write_run(tmp_path / "runs" / "a", TINY)
    write_run(tmp_path / "runs" / "b", replace(TINY, seed=2, model="vit_other", weights="f" * 64))
    return tmp_path


def entries(folder):
    return sorted(entry.name for entry in Path(folder).iterdir())


def options(**changes):
    return CompareOptions(**{"folder": Path("out"), "replicates": 100, **changes})


def test_one_run_alone(here, capsys):
    assert run_compare(["runs/a"], options()) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert entries("out") == FILES
    assert out.startswith(
        "out/index.html  open it in a browser\n  vit_toy_patch16_224: 31 images, 1 failed, of runs/a\n"
    )
    assert out.endswith("  files     classes.csv, index.html, summary.csv, summary.json, and 3 pictures of figures\n")
    with Image.open("out/distance_by_depth.png") as image:
        assert image.width == 1584
    assert entries(here) == ["out", "runs"]  # no draft is left


def test_the_numbers_are_the_summarys(here):
    run_compare(["runs/a"], options())
    summary = summarize(open_run("runs/a"), replicates=100)
    with Path("out/summary.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["mean"]) for row in rows if row["head"] == "1"] == pytest.approx(
        summary.columns["distance"].heads.mean[:, 1].tolist(), rel=1e-6
    )
    written = json.loads(Path("out/summary.json").read_text("utf-8"))
    assert written["models"][0]["replicates"] == 100
    assert (
        written["models"][0]["columns"]["distance"]["layers"]["low"] == summary.columns["distance"].layers.low.tolist()
    )


@pytest.mark.parametrize("folders", [["runs"], ["runs/a", "runs/b"], ["runs/a", "runs", "runs/../runs/b"]])
def test_a_folder_of_runs_stands_for_all_of_them(here, capsys, folders):
    assert run_compare(folders, options(as_json=True)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    report = json.loads(out)
    assert [run["folder"] for run in report["runs"]] == ["runs/a", "runs/b"]
    assert [run["title"] for run in report["runs"]] == ["vit_toy_patch16_224", "vit_other"]
    assert report["runs"][0] | {"folder": None} == {
        "folder": None, "title": "vit_toy_patch16_224", "images": 31, "failed": 1, "complete": True,
    }  # fmt: skip
    assert report["page"] == "out/index.html"
    assert sorted(report["files"]) == [f"out/{name}" for name in entries("out")]
    assert "distance_models.png" in entries("out")


def test_formats(here):
    assert run_compare(["runs/a"], options(formats=("pdf", "svg"))) == 0
    assert {name for name in entries("out") if name.startswith("distance_by")} == {
        "distance_by_depth.pdf",
        "distance_by_depth.svg",
    }
    for formats, found in ((("png", "gif"), "'gif'"), ((), "none")):
        with pytest.raises(ArgumentError, match=f"found the format {found}; expected some of png, pdf, svg"):
            run_compare(["runs/a"], options(formats=formats, folder=Path("other")))
    assert not Path("other").exists()


def test_what_differs_is_said(here, capsys):
    write_run(here / "late", replace(TINY, missing=1, model="late"))
    write_run(here / "elsewhere", replace(TINY, ids=1, model="elsewhere"))
    assert run_compare(["runs/a", "late", "elsewhere"], options()) == 0
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "vitscope: late is unfinished: 1 of 2 shards, 16 images."
    assert err[1].startswith("vitscope: The models were measured on different images")
    assert "different images" in Path("out/index.html").read_text("utf-8")


def test_nothing_is_overwritten_without_force(here):
    run_compare(["runs/a"], options())
    before = Path("out/summary.csv").read_bytes()
    with pytest.raises(OutputError, match="out exists already; nothing was overwritten: give --force"):
        run_compare(["runs/b"], options())
    assert Path("out/summary.csv").read_bytes() == before
    assert run_compare(["runs/b"], options(force=True)) == 0
    assert Path("out/summary.csv").read_bytes() != before
    Path("out/notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds what vitscope did not write \(notes.txt\)"):
        run_compare(["runs/b"], options(force=True))
    assert entries(here) == ["out", "runs"]


def test_what_is_in_the_way_is_said_before_the_tables_are_read(here, monkeypatch):
    monkeypatch.setattr("vitscope.cli.compare.summarize", lambda *_, **__: pytest.fail("read"))
    Path("out").mkdir()
    with pytest.raises(OutputError, match="out exists already"):
        run_compare(["runs/a"], options())


def test_a_run_is_never_replaced(here):
    before = entries("runs/a")
    with pytest.raises(OutputError, match="holds what vitscope did not write"):
        run_compare(["runs/a"], options(folder=Path("runs/a"), force=True))
    assert entries("runs/a") == before


@pytest.mark.parametrize("step", ["write_table", "write_page", "write_json", "save"])
def test_a_failure_at_any_step_leaves_nothing(here, monkeypatch, step):
    def fail(*arguments, **rest):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, step, fail)
    with pytest.raises(OutputError, match="cannot write out: No space left on device; nothing was written"):
        run_compare(["runs/a"], options())
    assert entries(here) == ["runs"]


def test_a_failure_leaves_the_earlier_results(here, monkeypatch):
    run_compare(["runs/a"], options())
    before = {name: Path("out", name).read_bytes() for name in entries("out")}
    monkeypatch.setattr(folder, "write_page", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OutputError, match="nothing was written"):
        run_compare(["runs/b"], options(force=True))
    assert {name: Path("out", name).read_bytes() for name in entries("out")} == before
    assert entries(here) == ["out", "runs"]


def test_where_nothing_can_be_written(here):
    (here / "out").write_text("kept")
    with pytest.raises(OutputError, match="out is a file or a link"):
        run_compare(["runs/a"], options())
    with pytest.raises(OutputError, match="out is a file; expected a folder, to write out/deep into it"):
        run_compare(["runs/a"], options(folder=Path("out/deep")))
    with pytest.raises(OutputError, match=r"cannot write to /proc: .*; choose another folder"):
        run_compare(["runs/a"], options(folder=Path("/proc/out")))
    assert (here / "out").read_text() == "kept"


def test_what_is_no_run(here):
    with pytest.raises(ArgumentError, match="found no run; expected the folder of one at least"):
        run_compare([], options())
    with pytest.raises(RunError, match="runs/c"):
        run_compare(["runs/c"], options())
    write_run(here / "empty", replace(TINY, images=0, failed=3))
    with pytest.raises(RunError, match="empty: the run holds no measured image, 3 failed"):
        run_compare(["empty"], options())
    write_run(here / "begun", replace(TINY, missing=2))
    with pytest.raises(RunError, match="begun has no finished shard"):
        run_compare(["begun"], options())
    assert not Path("out").exists()


def test_every_figures_name_is_known_as_its_own(here):
    """Else a second run with --force would be refused."""
    rich = replace(TINY, measures=MEASURES)
    write_run(here / "rich", rich)
    summary = summarize(open_run("rich"), replicates=100)
    for plate in [*plates([summary]), *plates([summary, summary])]:
        for suffix in folder.FORMATS:
            assert folder.is_own(f"{plate.name}.{suffix}")
    for name in ("plan.json", "notes.txt", "distance.png", "x_by_depth.jpg", ".by_depth.png"):
        assert not folder.is_own(name)


def test_no_torch_is_needed(here):
    code = (
        "import sys; from pathlib import Path; from vitscope.cli.compare import *\n"
        "run_compare(['runs/a'], CompareOptions(folder=Path('out'), replicates=100))\n"
        "print({'torch', 'timm'} & set(sys.modules))"
    )
    environment = os.environ | {"MPLBACKEND": "agg"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == "set()"
