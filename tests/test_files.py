"""A Look as a folder: complete, whole or absent, and never over what is someone else's."""

import csv
import errno
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import vitscope
from vitscope.errors import ArgumentError, OutputError
from vitscope.render import files
from vitscope.render.files import Choices, report_of, write_look
from vitscope.writing import umask

NAMES = ["distance.csv", "distance.png", "heatmaps.png", "look.json", "maps.safetensors", "page.html", "rollout.png"]
PICTURES = ("heatmaps", "rollout", "distance")


@pytest.fixture(scope="module")
def look(whole):
    return whole.look(vitscope.sample_photo())


def names_in(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_everything_is_written(look, tmp_path):
    written = look.save(tmp_path / "deep" / "out", formats=("png", "svg"))
    assert names_in(tmp_path / "deep") == ["out"]  # no draft is left beside it
    pictures = {f"{name}.{suffix}" for name in PICTURES for suffix in ("png", "svg")}
    assert {path.name for path in written} == pictures | {"look.json", "distance.csv", "maps.safetensors", "page.html"}
    magic = {".png": b"\x89PNG", ".svg": b"<?xml", ".html": b"<!doctype html>"}
    for path in written:
        assert path.read_bytes().startswith(magic.get(path.suffix, b""))
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask()


@pytest.mark.usefixtures("no_pictures")
def test_the_maps_are_the_measured_ones(look, tmp_path):
    choices = Choices(layer=2, query=(3, 4), fusion="max", discard=0.25, rescale=True, unit="diagonal")
    write_look(look, tmp_path / "out", choices=choices)
    expected = {
        "heatmaps": look.heatmaps(2, (3, 4)),
        "rollout": look.rollout("max", 0.25, 0, (3, 4)),
        "rollout_by_start_layer": look.rollout_by_start_layer("max", 0.25, (3, 4)),
        "mean_attention_distance": look.mean_attention_distance(True, "diagonal"),
        "entropy": look.entropy(),
        "prefix_mass": look.prefix_mass(),
    }
    with safe_open(tmp_path / "out" / "maps.safetensors", "numpy") as maps:
        assert set(maps.keys()) == set(expected)
        assert maps.metadata() == {name: array.convention for name, array in expected.items()}
        for name, array in expected.items():
            np.testing.assert_array_equal(maps.get_tensor(name), array[0])


@pytest.mark.usefixtures("no_pictures")
def test_the_table_has_a_row_for_each_layer_and_head(look, tmp_path):
    look.save(tmp_path / "out", unit="patches")
    with (tmp_path / "out" / "distance.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["layer"], row["name"], row["head"]) for row in rows] == [
        (str(layer), f"blocks.{layer}.attn", str(head)) for layer in range(6) for head in range(4)
    ]
    columns = {
        "distance_px": look.mean_attention_distance(),  # in pixels whatever the picture's unit
        "distance_px_rescaled": look.mean_attention_distance(rescale=True),
        "entropy_nats": look.entropy(),
        "prefix_mass_cls": look.prefix_mass()[..., 0],
    }
    assert set(rows[0]) == {"layer", "name", "head", *columns}
    for name, values in columns.items():
        np.testing.assert_allclose([float(row[name]) for row in rows], values.ravel(), rtol=1e-6)


@pytest.mark.usefixtures("no_pictures")
def test_the_report_says_how_it_was_made(look, tmp_path):
    choices = Choices(query="mean", mass=0.5)
    write_look(look, tmp_path / "out", choices=choices)
    report = json.loads((tmp_path / "out" / "look.json").read_text("utf-8"))
    assert report == json.loads(json.dumps(report_of(look, choices)))
    assert report["image"] == {
        "name": "chelsea.jpg",
        "note": "",
        "original_size": [300, 451],
        "input_size": [52, 80],
        "input_box_on_original": [0, 0, 451, 300],
    }
    assert report["model"]["weights_sha256"] == look.settings["model"]["weights_sha256"]
    assert report["layout"]["grid"] == [13, 20]
    assert report["choices"]["query"] == "mean"
    assert report["verification"]["largest_error"] == look.verification_error
    assert [layer["name"] for layer in report["layers"]] == [layer.name for layer in look.layers]
    assert "mean over patch queries" in report["conventions"]["rollout"]
    assert set(report["versions"]) >= {"vitscope", "torch", "python"}


def test_choices_reach_the_pictures(look, tmp_path, monkeypatch):
    asked = {}

    def record(name):
        def figure(look, **options):
            asked[name] = options

        return figure

    for name in PICTURES:
        monkeypatch.setattr(files, f"{name}_figure", record(name))
    monkeypatch.setattr(files, "save", lambda figure, path: None)
    maps = {"query": (1, 2), "smooth": True, "cmap": "cividis"}
    chosen = {"layer": 1, "mass": 0.3, "fusion": "min", "discard": 0.5, "rescale": True, "unit": "patches"}
    look.save(tmp_path / "out", query=(1, 2), smooth=True, colour_map="cividis", **chosen)
    assert asked == {
        "heatmaps": {"layer": 1, "mass": 0.3, **maps},
        "rollout": {"fusion": "min", "discard": 0.5, **maps},
        "distance": {"rescale": True, "unit": "patches"},
    }


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"formats": ("png", "jpg")}, "format 'jpg'; expected some of png, pdf, svg"),
        ({"formats": ()}, "format none"),
        ({"mass": 0.0}, "mass of 0; expected a share"),
        ({"mass": float("nan")}, "mass of nan"),
        ({"fusion": "median"}, "'median' is unknown; expected one of mean, max, min"),
        ({"discard": 1.0}, "discard must be from 0 to below 1"),
        ({"colour_map": "jett"}, "colour map 'jett'"),
    ],
)
def test_choices_without_a_meaning_are_refused(choice, message):
    with pytest.raises(ArgumentError, match=message):
        Choices(**choice)


@pytest.mark.usefixtures("no_pictures")
def test_nothing_is_overwritten_unless_it_is_a_look_and_forced(look, tmp_path):
    folder = tmp_path / "out"
    look.save(folder)
    (folder / "look.json").write_text("kept")
    with pytest.raises(OutputError, match=r"exists already; nothing was overwritten: give --force \(force=True\)"):
        look.save(folder)
    assert (folder / "look.json").read_text() == "kept"
    look.save(folder, force=True)
    assert json.loads((folder / "look.json").read_text("utf-8"))["readout"] == "cls"
    (folder / "thesis.doc").write_text("years of work")
    with pytest.raises(OutputError, match=r"holds what vitscope did not write \(thesis\.doc\), so it is not replaced"):
        look.save(folder, force=True)
    assert (folder / "thesis.doc").read_text() == "years of work"
    assert names_in(tmp_path) == ["out"]


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("force", [False, True])
def test_a_file_or_a_link_is_no_folder(look, tmp_path, force):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link", "dangling"):
        with pytest.raises(OutputError, match=f"{name} is a file or a link; expected a folder"):
            look.save(tmp_path / name, force=force)
    assert (tmp_path / "file").read_text() == "kept"
    with pytest.raises(OutputError, match=r"file is a file; expected a folder"):
        look.save(tmp_path / "file" / "out", force=force)
    assert names_in(tmp_path) == ["dangling", "file", "link", "target"]


def test_where_nothing_can_be_written(look):
    with pytest.raises(OutputError, match=r"cannot write to /proc: .*choose another folder"):
        look.save("/proc/vitscope-out")


@pytest.mark.parametrize("writer", ["save", "save_file"])
def test_a_full_disk_leaves_nothing_half_written(look, tmp_path, monkeypatch, writer):
    folder = tmp_path / "out"
    if writer == "save_file":
        monkeypatch.setattr(files, "save", lambda figure, path: None)
        for name in PICTURES:
            monkeypatch.setattr(files, f"{name}_figure", lambda look, **options: options)

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder.mkdir()
    (folder / "look.json").write_text("earlier")
    monkeypatch.setattr(files, writer, full)
    with pytest.raises(OutputError, match=r"cannot write .*out: No space left on device; nothing was written"):
        look.save(folder, force=True)
    assert names_in(tmp_path) == ["out"]
    assert (folder / "look.json").read_text() == "earlier"


@pytest.mark.usefixtures("no_pictures")
def test_a_real_full_disk(look, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", disk], capture_output=True).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        with pytest.raises(OutputError, match="No space left on device"):
            look.save(disk / "out")
        assert names_in(disk) == []
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.usefixtures("no_pictures")
def test_an_earlier_look_survives_a_failure_to_put_the_new_one_in_place(look, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    look.save(folder)
    (folder / "look.json").write_text("earlier")
    real = Path.rename

    def refuse(self, target):
        if self.name.startswith(".vitscope-") and Path(target) == folder:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="Permission denied; nothing was written"):
        look.save(folder, force=True)
    assert (folder / "look.json").read_text() == "earlier"
    assert names_in(tmp_path) == ["out"]


def test_an_interruption_leaves_nothing(look, tmp_path, monkeypatch):
    def interrupted(figure, path):
        Path(path).write_bytes(b"half a pict")
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        look.save(tmp_path / "out")
    assert names_in(tmp_path) == []


def test_a_look_of_several_images_is_no_folder(bundled, tmp_path):
    look = bundled.look([vitscope.sample_photo(), vitscope.sample_photo()])
    with pytest.raises(ArgumentError, match="this one has 2: look at each by itself"):
        look.save(tmp_path / "out")


@pytest.mark.usefixtures("no_pictures")
def test_names_that_are_no_unicode_are_written_as_json_escapes(look, tmp_path):
    odd = os.fsdecode(b"caf\xe9")
    model = look.settings["model"] | {"name": f"local-dir:{odd}"}
    named = type(look)(look.attention_seen, look.shown, look.settings | {"model": model}, look.output)
    written = named.save(tmp_path / odd)
    assert len(written) == len(NAMES)
    report = json.loads((tmp_path / odd / "look.json").read_bytes())
    assert report["model"]["name"] == f"local-dir:{odd}"
