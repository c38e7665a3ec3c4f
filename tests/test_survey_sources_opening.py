"""What a user may give: several sources in one, what no source is, and what it costs to ask."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from survey_pictures import greys, png
from vitscope.errors import ArgumentError, SourceError
from vitscope.surveys.sources.opening import open_source


@pytest.fixture
def folders(tmp_path):
    for name, grey in (("a/val/x.png", 2), ("a/val/cat/y.png", 3), ("b/val/x.png", 5), ("c.png", 7)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png(grey))
    (tmp_path / "list.csv").write_text("id,path\nz,c.png\n")
    return tmp_path


def test_several_sources_are_joined(folders):
    source = open_source([folders / "a" / "val", folders / "list.csv"])
    joined = {"val/x.png": (None, 2), "val/cat/y.png": ("cat", 3), "list.csv/z": (None, 7)}
    assert greys(source) == joined
    assert source.name == "val, list.csv"
    both = open_source([str(folders / "a" / "val"), str(folders / "b" / "val")])
    assert greys(both) == {"a/val/x.png": (None, 2), "a/val/cat/y.png": ("cat", 3), "b/val/x.png": (None, 5)}
    with pytest.raises(SourceError, match="is there twice"):
        open_source([folders / "a", folders / "a"]).index()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "found int; expected a folder of pictures"),
        (None, "found NoneType; expected"),
        (b"bytes", "found bytes, which is one image"),
        (np.zeros((3, 5, 3), np.uint8), r"found ndarray of shape \(3, 5, 3\), which is one image"),
        (Image.new("RGB", (2, 2)), "found Image, which is one image"),
        ([], "no image in it"),
        ("", "an empty path was given"),
        ("nul\0.png", "no such file"),
        ("readme.rst", "a file of a kind that no survey reads"),
        ("valu", r"valu: no such file; did you mean val\?"),
        ("val:train", "no such file"),
    ],
)
def test_what_is_no_source(given, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "readme.rst").touch()
    (tmp_path / "val").mkdir()
    with pytest.raises(SourceError, match=message):
        open_source(given).index()


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        (".", {"ids": ["a"]}),
        (".", {"labels": ["a"]}),
        ({"a": 1}, {"ids": ["a"]}),
        ([b"abc"], {"spool": Path("x")}),
        ([".", "."], {"ids": ["a", "b"]}),
    ],
)
def test_arguments_without_a_meaning_are_refused(given, arguments):
    ((name, _),) = arguments.items()
    with pytest.raises(ArgumentError, match=f"found {name}= with .* where it has no meaning"):
        open_source(given, **arguments)


def test_nothing_here_imports_torch():
    program = (
        "import sys; from vitscope.surveys.sources.opening import open_source; from vitscope.surveys import planning; "
        "source = open_source([b'abc'] * 7); planning.plan_survey(source); open_source(iter([b'abc']), spool=None); "
        "print(sorted({'torch', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
