"""The command: exit codes, what goes to which stream, what is written where."""

import io
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitscope.cli import app, look

FILES = ["distance.csv", "distance.png", "heatmaps.png", "look.json", "maps.safetensors", "page.html", "rollout.png"]
VITSCOPE = [sys.executable, "-c", "from vitscope.cli.app import main; main()"]


@pytest.fixture
def loads(bundled, whole, monkeypatch):
    """The models that were asked for; all are the bundled one."""
    asked = []

    def load(name, **options):
        asked.append((name, options))
        return {"crop": bundled, "whole": whole}[options["fit"]]

    monkeypatch.setattr(look, "load", load)
    return asked


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, with pictures a.png, a.jpg and b.png in photos/, and a broken one beside."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for seed, name in enumerate(("a.png", "a.jpg", "b.png")):
        pixels = np.random.default_rng(seed).integers(0, 256, (24, 36, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / name)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    return tmp_path


def run(capsys, *arguments):
    """Exit status, standard output, standard error."""
    status = app.run(list(arguments))
    return status, *capsys.readouterr()


def written(folder="vitscope-out"):
    """The folders of results, each of them complete."""
    names = entries(folder)
    for name in names:
        assert entries(f"{folder}/{name}") == FILES
    return names


def entries(folder):
    return sorted(entry.name for entry in Path(folder).iterdir())


def report(folder):
    return json.loads(Path(folder, "look.json").read_text("utf-8"))


# What is written, and what is said.


def test_the_bundled_photograph_by_the_bundled_model(here, capsys):
    status, out, err = run(capsys, "look", "--device", "cpu")
    assert (status, err) == (0, "")
    assert written() == ["chelsea"]
    assert out.startswith("chelsea.jpg → vitscope-out/chelsea/\n  input     64 × 64 px, 16 × 16 patches of 4 × 4 px")
    assert f"  files     {', '.join(FILES)}" in out
    for name in ("distance", "heatmaps", "rollout"):
        with Image.open(f"vitscope-out/chelsea/{name}.png") as image:
            assert image.width == 1584


@pytest.mark.usefixtures("loads", "no_pictures")
def test_json_is_all_there_is_on_standard_output(here, capsys):
    status, out, err = run(capsys, "look", "photos/b.png", "broken.png", "--json", "-o", "out")
    assert status == 3
    answer = json.loads(out)
    assert list(answer) == ["looks", "failures"]
    found = answer["looks"][0]
    assert found["files"] == [f"out/b/{name}" for name in FILES]
    assert {key: found[key] for key in found if key != "files"} == report("out/b")
    assert [(failure["name"], failure["kind"]) for failure in answer["failures"]] == [("broken.png", "ImageError")]
    assert err == f"vitscope: {answer['failures'][0]['error']}\n"
    assert err.startswith("vitscope: broken.png: damaged or cut off")


@pytest.mark.usefixtures("no_pictures")
def test_options_reach_the_model_and_the_report(here, loads, capsys):
    line = """look photos/b.png -m vitscope-tiny --checkpoint w.pth --random-weights --image-size 32x48 --fit whole
        --device cpu --layer blocks.1.attn --query 2,3 --mass 0.25 --fusion max --discard 0.5 --rescale
        --unit diagonal --smooth --colour-map inferno --format pdf,svg -o out"""
    status, _, err = run(capsys, *line.split())
    assert (status, err) == (0, "")
    options = {"checkpoint": "w.pth", "pretrained": False, "image_size": (32, 48), "fit": "whole", "device": "cpu"}
    assert loads == [("vitscope-tiny", options)]
    assert report("out/b")["choices"] == {
        "layer": "blocks.1.attn", "query": [2, 3], "mass": 0.25, "fusion": "max", "discard": 0.5, "rescale": True,
        "unit": "diagonal", "smooth": True, "colour_map": "inferno", "formats": ["pdf", "svg"],
    }  # fmt: skip
    assert {name for name in entries("out/b") if name.startswith("rollout")} == {"rollout.pdf", "rollout.svg"}


@pytest.mark.usefixtures("no_pictures")
def test_defaults_are_the_contracts(here, loads, capsys):
    assert run(capsys, "look")[0] == 0
    options = {"checkpoint": None, "pretrained": True, "image_size": None, "fit": "crop", "device": "auto"}
    assert loads == [(None, options)]
    choices = report("vitscope-out/chelsea")["choices"]
    assert (choices["layer"], choices["query"], choices["mass"], choices["formats"]) == (-1, None, 0.6, ["png"])


@pytest.mark.usefixtures("loads", "no_pictures")
def test_progress_is_for_terminals(here, capsys, monkeypatch):
    assert run(capsys, "look", "photos/b.png")[2] == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    err = run(capsys, "look", "photos/b.png", "photos/a.jpg", "-o", "out")[2]
    assert err == "loading vitscope-tiny, the bundled model …\n[1/2] b.png\n[2/2] a.jpg\n"


# Inputs.


@pytest.mark.usefixtures("loads", "no_pictures")
@pytest.mark.parametrize(
    ("arguments", "folders"),
    [
        (["photos"], ["a", "a-2", "b"]),
        (["photos/*.png"], ["a", "b"]),
        (["photos/b.png", "./photos/b.png", "photos/?.png"], ["a", "b"]),
        (["-"], ["stdin"]),
    ],
)
def test_files_folders_globs_and_standard_input(here, capsys, monkeypatch, arguments, folders):
    stdin = io.TextIOWrapper(io.BytesIO((here / "photos" / "b.png").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run(capsys, "look", *arguments)[0] == 0
    assert written() == folders


@pytest.mark.usefixtures("loads", "no_pictures")
def test_equal_stems_keep_their_folders_whatever_fails(here, capsys):
    (here / "photos" / "a.jpg").write_bytes(b"broken")
    (here / "photos" / "A.webp").write_bytes((here / "photos" / "b.png").read_bytes())
    status, _, err = run(capsys, "look", "photos/a.jpg", "photos/a.png", "photos/A.webp")
    assert status == 3
    assert err.startswith("vitscope: a.jpg: no picture that vitscope knows")
    assert written() == ["A-3", "a-2"]  # told apart on file systems that fold case, too
    assert report("vitscope-out/a-2")["image"]["name"] == "a.png"


@pytest.mark.usefixtures("loads", "no_pictures")
@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ('it\'s "one".png', "it's _one_"),
        ("two\nlines.png", "two_nlines"),
        (os.fsdecode(b"caf\xe9.png"), "caf_xe9"),
        ("写真" * 30 + ".png", "写真" * 13),
        ("....png", "picture"),
        ("a:b|c.png", "a_b_c"),
        ("%s $HOME.png", "%s $HOME"),
    ],
)
def test_names_that_are_hard_to_write(here, capsys, name, folder):
    Path("photos/b.png").rename(name)
    status, out, err = run(capsys, "look", name, "--json")
    assert (status, err) == (0, "")
    assert written() == [folder]
    assert json.loads(out)["looks"][0]["image"]["name"].isprintable()


def test_no_standard_input_at_all(here, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    status, _, err = run(capsys, "look", "-")
    assert status == 1
    assert "standard input: nothing in it" in err


@pytest.mark.usefixtures("loads", "no_pictures")
def test_patches_that_one_picture_has_and_the_next_has_not(here, capsys):
    Image.new("RGB", (24, 90)).save("tall.png")
    status, _, err = run(capsys, "look", "tall.png", "photos/b.png", "--fit", "whole", "--query", "20,1")
    assert status == 3
    assert written() == ["tall"]
    assert "b.png: patch (row 20, column 1) is outside the grid: rows are 0 to 12" in err
    assert run(capsys, "look", "photos", "--query", "20,1", "-o", "out")[0] == 2  # the same for all


# What is in the way.


@pytest.mark.usefixtures("no_pictures")
def test_nothing_is_overwritten_without_force(here, loads, capsys):
    assert run(capsys, "look", "photos/b.png")[0] == 0
    before = report("vitscope-out/b")
    status, _, err = run(capsys, "look", "photos/b.png", "--query", "mean")
    assert status == 1
    assert "b.png: vitscope-out/b exists already; nothing was overwritten: give --force" in err
    assert len(loads) == 1  # said before the model is loaded
    assert report("vitscope-out/b") == before
    status, _, err = run(capsys, "look", "photos/a.png", "photos/b.png")
    assert (status, written()) == (3, ["a", "b"])
    assert run(capsys, "look", "photos/b.png", "--query", "mean", "--force")[0] == 0
    assert report("vitscope-out/b")["choices"]["query"] == "mean"


def test_an_output_folder_that_is_a_file(here, loads, capsys):
    (here / "out").write_text("kept")
    status, out, err = run(capsys, "look", "photos", "-o", "out")
    assert (status, out, loads) == (1, "", [])
    assert err.count("out is a file; expected a folder, to write out/a into it") == 1
    assert len(err.splitlines()) == 3
    assert (here / "out").read_text() == "kept"


@pytest.mark.usefixtures("loads")
def test_an_output_folder_that_cannot_be_written(here, capsys):
    status, _, err = run(capsys, "look", "photos/b.png", "-o", "/proc/out")
    assert status == 1
    assert re.search(r"b\.png: cannot write to /proc/out: .*; choose another folder", err)


# Usage.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("lok", 'Unknown command "lok". Did you mean "look"?'),
        ("look --masss 1", "Unknown option: --masss. Did you mean --mass?"),
        ("look --fit corp", '"crop", "whole". Did you mean "crop"?'),
        ("look --mass much", 'unable to convert "much" into float'),
        ("look --mass 1.5", "found a mass of 1.5; expected a share above 0, up to 1"),
        ("look --discard 1", "discard must be from 0 to below 1; found 1"),
        ("look --format png,gif", "found the format 'gif'; expected some of png, pdf, svg"),
        ("look --image-size 0", "image size '0' is no size; expected a side as 480, or HEIGHTxWIDTH"),
        ("look --image-size 30", "found image_size 30 × 30 for patches of 4 × 4 px"),
        ("look --layer 6", "layer 6 does not exist: the model has 6, from 0"),
        ("look --layer -7", "layer -7 does not exist"),
        ("look --layer head", "no layer is named 'head'; the layers are blocks.0.attn"),
        ("look --query -1,2", "patch (row -1, column 2) is outside the grid"),
        ("look --query reg1", "no query 'reg1' in this layer; it has cls, mean"),
        ("look --device nonsense", "found no device 'nonsense' that works here; expected auto, or one of cpu"),
        ("check --device cuda:77", "found no device 'cuda:77'"),
        ("look -o -", "results go to a folder, not to standard output"),
        ("check one two", "two"),
    ],
)
def test_usage_errors(here, capsys, arguments, message):
    status, out, err = run(capsys, *arguments.split())
    assert (status, out) == (2, "")
    assert err.startswith("vitscope: ")
    assert message in err
    assert not Path("vitscope-out").exists() or entries("vitscope-out") == []


def test_a_model_that_is_not_there(here, capsys):
    status, out, err = run(capsys, "look", "-m", "vit_smal_patch16_224", "--json")
    assert (status, out) == (1, "")
    assert "did you mean vit_small_patch16_224" in err


def test_what_was_not_foreseen_is_not_swallowed(here, monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(look, "load", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        app.run(["look"])


def test_an_interruption_is_130(here, capsys, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(look, "load", interrupted)
    assert run(capsys, "look") == (130, "", "vitscope: interrupted\n")
