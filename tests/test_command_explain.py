"""`vitscope look --explain`: the plan of every input size, and nothing else."""

import pytest
from PIL import Image

from vitscope.cli import app


def run(capsys, *arguments):
    """Exit status, standard output, standard error."""
    status = app.run(["look", "--explain", *arguments])
    return status, *capsys.readouterr()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Three pictures of two shapes, and a broken one."""
    monkeypatch.chdir(tmp_path)
    for name, size in (("a.png", (90, 60)), ("b.png", (90, 60)), ("c.png", (50, 50))):
        Image.new("RGB", size, (40, 90, 160)).save(name)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    return tmp_path


def test_the_plan_is_printed_and_nothing_written(here, capsys):
    before = sorted(here.iterdir())
    status, out, err = run(capsys, "a.png")
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "a.png, one at a time, as 64 × 64 px in vitscope-tiny"
    assert "1 × 257 tokens, 6 layers of 4 heads, float32 on cpu" in out
    assert "compiled loops, on the CPU" in out
    assert sorted(here.iterdir()) == before


def test_pictures_of_one_input_size_have_one_plan(here, capsys):
    status, out, _ = run(capsys, "a.png", "b.png", "c.png", "--fit", "whole")
    assert status == 0
    titles = [line for line in out.splitlines() if not line.startswith(" ")]
    assert [title.partition(",")[0] for title in titles] == ["a.png and 1 more", "c.png"]
    assert "64 × 64 px" in titles[1]


def test_a_broken_picture_is_told(here, capsys):
    status, out, err = run(capsys, "broken.png", "a.png")
    assert status == 3
    assert "broken.png" in err
    assert out.startswith("a.png")
    assert run(capsys, "broken.png")[0] == 1


def test_a_plan_is_for_people(here, capsys):
    status, _, err = run(capsys, "a.png", "--json")
    assert status == 2
    assert "--json with --explain" in err
