"""`vitscope page`, and the page that `vitscope look` writes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pages import Document
from vitscope.cli import app, look
from vitscope.errors import ModelError
from vitscope.viewer import html


@pytest.fixture(autouse=True)
def here(tmp_path, bundled, whole, monkeypatch):
    """A folder to work in with pictures of two sizes and a broken one; every model is the bundled one."""

    def load(name, **options):
        if name == "missing":
            pytest.fail("a model was loaded in vain")
        scope = {"crop": bundled, "whole": whole}[options["fit"]]
        return scope if name is None else type(scope)(replace(scope.loaded, name=name))

    monkeypatch.setattr(look, "load", load)
    monkeypatch.setattr(html, "static", lambda name: "/* the viewer */")
    monkeypatch.chdir(tmp_path)
    for seed, (name, size) in enumerate({"a.png": (24, 36), "b.png": (24, 36), "tall.png": (36, 24)}.items()):
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    return tmp_path


def run(capsys, line):
    """Exit status, standard output, standard error."""
    status = app.run(line.split())
    return status, *capsys.readouterr()


def page(path):
    return Document(Path(path).read_text("utf-8"))


def looks(document):
    """Label and images of each look."""
    return [(look["label"], [image["name"] for image in look["images"]]) for look in document.header["looks"]]


def layers(document):
    return [i for i, entry in enumerate(document.image()["attention"]) if entry]


def test_the_bundled_photograph(capsys):
    status, out, err = run(capsys, "page")
    assert (status, err) == (0, "")
    assert looks(page("vitscope-page.html")) == [("vitscope-tiny", ["chelsea.jpg"])]
    megabytes = f"{Path('vitscope-page.html').stat().st_size / 1e6:.1f} MB"
    error = max(entry["error"] for entry in page("vitscope-page.html").image()["attention"])
    assert out.splitlines() == [
        f"vitscope-page.html  {megabytes}; open it in a browser",
        f"  vitscope-tiny: chelsea.jpg, 6 layers, exact to {error:.0e} of a row's or column's maximum",
    ]


def test_models_side_by_side_over_a_strip_of_pictures(capsys):
    status, _, err = run(capsys, "page a.png b.png -m one -m two -o out/both.html --title Both")
    assert (status, err) == (0, "")
    document = page("out/both.html")
    assert looks(document) == [("one", ["a.png", "b.png"]), ("two", ["a.png", "b.png"])]
    assert (document.header["compare"], document.header["title"]) == (True, "Both")
    assert layers(document) == [0, 1, 2, 3, 4, 5]


def test_pictures_of_several_sizes_are_looks_of_their_own(capsys):
    assert run(capsys, "page a.png tall.png b.png --fit whole -o out.html")[0] == 0
    document = page("out.html")
    assert looks(document) == [
        ("vitscope-tiny at 52 × 80 px", ["a.png", "b.png"]),
        ("vitscope-tiny at 80 × 52 px", ["tall.png"]),
    ]
    assert document.header["compare"] is False


def test_layers_and_size_are_chosen(capsys):
    assert run(capsys, "page a.png -o out.html --layers 0,-2,blocks.3.attn")[0] == 0
    assert layers(page("out.html")) == [0, 3, 4]
    status, out, _ = run(capsys, "page a.png b.png -o out.html --force --limit-megabytes 1.5")
    assert status == 0
    kept = layers(page("out.html"))
    assert {0, 5} <= set(kept) < set(range(6))
    assert Path("out.html").stat().st_size <= 1.5e6
    assert "This page leaves out the attention of layers" in out


def test_a_broken_picture_is_left_out(capsys):
    status, out, err = run(capsys, "page broken.png a.png -m one -m two -o out.html --json")
    assert status == 3
    assert err.count("broken.png: damaged or cut off") == 1  # not once for each model
    answer = json.loads(out)
    assert [failure["name"] for failure in answer["failures"]] == ["broken.png"]
    assert looks(page("out.html")) == [("one", ["a.png"]), ("two", ["a.png"])]
    report = answer["page"]
    assert (report["file"], report["bytes"]) == ("out.html", Path("out.html").stat().st_size)
    errors = [entry["error"] for entry in page("out.html").image()["attention"]]
    assert report["looks"][0] == {
        "label": "one",
        "images": ["a.png"],
        "layers": [0, 1, 2, 3, 4, 5],
        "omitted": None,
        "largest_error": max(errors),
    }


def test_where_every_picture_fails_there_is_no_page(capsys):
    status, out, _ = run(capsys, "page broken.png -o out.html --json")
    assert status == 1
    assert json.loads(out)["page"] is None
    assert not Path("out.html").exists()


def test_nothing_is_overwritten_without_force(capsys):
    Path("out.html").write_text("kept")
    status, _, err = run(capsys, "page a.png -m missing -o out.html")
    assert (status, Path("out.html").read_text()) == (1, "kept")
    assert "out.html exists already; nothing was overwritten: give --force" in err
    assert run(capsys, "page a.png -o out.html --force")[0] == 0
    assert looks(page("out.html")) == [("vitscope-tiny", ["a.png"])]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "page a.png -m missing -o out.png",
            "a page is one HTML file; found 'out.png', expected a name ending in .html",
        ),
        ("page a.png -m one -m one", "found one, one; expected each model once"),
        ("page a.png -m one -m two --checkpoint w.pth", "found one checkpoint for 2 models"),
        ("page a.png --layers 6", "layer 6 does not exist: the model has 6, from 0"),
        ("page a.png --limit-megabytes 0", "found limit_bytes=0; expected a number of bytes above 0"),
        ("look a.png --page-layers nose", "no layer is named 'nose'"),
        ("page a.png --layers ,", "found no layer in ','; expected indexes or names, as 0,5,11"),
        ("look a.png --no-page --page-layers 0", "found --page-layers with --no-page; expected one of them"),
    ],
)
def test_usage_errors(capsys, line, message):
    status, out, err = run(capsys, line)
    assert (status, out) == (2, "")
    assert err.startswith("vitscope: ")
    assert message in err
    assert not list(Path().glob("*.html"))


@pytest.mark.usefixtures("no_figures")
def test_a_model_that_does_not_load_is_found_before_any_picture_is_looked_at(capsys, bundled, monkeypatch):
    def load(name, **options):
        if name == "wrong":
            raise ModelError("no model is named wrong")
        return bundled

    monkeypatch.setattr(look, "load", load)
    monkeypatch.setattr(type(bundled), "look", lambda *_: pytest.fail("a picture was looked at in vain"))
    assert run(capsys, "page a.png -m right -m wrong -o out.html") == (1, "", "vitscope: no model is named wrong\n")


def test_look_writes_the_page_unless_told_otherwise(capsys):
    assert run(capsys, "look a.png -o out --page-layers 0,5")[0] == 0
    assert layers(page("out/a/page.html")) == [0, 5]
    assert run(capsys, "look a.png -o out --force")[0] == 0
    assert layers(page("out/a/page.html")) == [0, 1, 2, 3, 4, 5]
    status, out, _ = run(capsys, "look a.png -o out --force --no-page --json")
    assert status == 0
    assert not Path("out/a/page.html").exists()
    assert "out/a/page.html" not in json.loads(out)["looks"][0]["files"]


@pytest.fixture
def no_figures(monkeypatch):
    from vitscope.render import files

    monkeypatch.setattr(files, "_figures", lambda look, choices: {})
