"""Bad input, all the way: each gets a clear error, and among several pictures the others go on.

What each kind of picture and checkpoint gets is tested where it is read (test_images_*, test_models_*);
here, that it arrives.
"""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import vitscope
from toys import ToyViT
from vitscope.cli import app
from vitscope.errors import CaptureError, NotFiniteError

GOOD = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 36, 3), dtype=np.uint8))


def run(capsys, *arguments):
    status = app.run(["look", *map(str, arguments), "--device", "cpu"])
    return status, *capsys.readouterr()


def bad_pictures(folder):
    """Each kind by file name, and what must be said of it."""
    GOOD.save(folder / "whole.jpg")
    data = (folder / "whole.jpg").read_bytes()
    (folder / "whole.jpg").unlink()
    (folder / "empty.png").touch()
    (folder / "truncated.jpg").write_bytes(data[: len(data) // 2])
    (folder / "no-image.png").write_text("Dear diary")
    (folder / "page.jpg").write_text("<!DOCTYPE html><html></html>")
    (folder / "nothing").mkdir()
    bomb = b"P5 100000 100000 255\n"  # the header alone claims 10 billion pixels
    (folder / "bomb.pgm").write_bytes(bomb)
    return {
        "empty.png": "empty (0 bytes)",
        "truncated.jpg": "damaged or cut off",
        "no-image.png": "no picture that vitscope knows",
        "page.jpg": "a web page, no picture",
        "nothing": "a folder without pictures",
        "bomb.pgm": "10,000,000,000 pixels; expected at most 200,000,000",
        "missing.png": "no such file",
        "*.tiff": "no file matches this pattern",
    }


@pytest.mark.usefixtures("no_pictures")
def test_broken_pictures_are_named_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    expected = bad_pictures(tmp_path)
    GOOD.save("good.png")
    names = list(expected)
    status, out, err = run(capsys, *names[:4], "good.png", *names[4:], "--json")
    assert status == 3
    answer = json.loads(out)
    assert [found["image"]["name"] for found in answer["looks"]] == ["good.png"]
    assert [failure["name"] for failure in answer["failures"]] == names
    for line, failure in zip(err.splitlines(), answer["failures"], strict=True):
        assert expected[failure["name"]] in failure["error"]
        assert line == f"vitscope: {failure['error']}"
    assert sorted(entry.name for entry in (tmp_path / "vitscope-out").iterdir()) == ["good"]
    status, out, _ = run(capsys, *names)
    assert (status, out) == (1, "")


def unusual_pictures(folder):
    """Each kind by file name, and the note that it gets."""
    GOOD.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)).save(folder / "deep.png")
    GOOD.convert("P").save(folder / "palette.png")
    GOOD.convert("L").save(folder / "grey.png")
    alpha = GOOD.copy()
    alpha.putalpha(99)
    alpha.save(folder / "alpha.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    GOOD.save(folder / "turned.jpg", exif=exif)
    GOOD.save(folder / "moving.gif", save_all=True, append_images=[Image.new("RGB", GOOD.size)])
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    Image.new("RGB", (20000, 1)).save(folder / "line.png")
    return {
        "alpha.png": "transparency laid over white",
        "cmyk.jpg": "",
        "deep.png": "16-bit scaled to 8",
        "dot.png": "",
        "grey.png": "",
        "line.png": "",
        "moving.gif": "first of 2 frames",
        "palette.png": "",
        "turned.jpg": "",
    }


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("fit", ["crop", "whole"])
def test_unusual_pictures_are_no_errors(tmp_path, capsys, fit):
    expected = unusual_pictures(tmp_path)
    status, out, err = run(capsys, tmp_path, "--json", "--fit", fit, "-o", tmp_path / "out")
    assert (status, err) == (0, "")
    images = {found["image"]["name"]: found["image"] for found in json.loads(out)["looks"]}
    assert list(images) == list(expected)
    for name, note in expected.items():
        assert note in images[name]["note"]
    assert images["turned.jpg"]["original_size"] == [36, 24]  # upright: 24 × 36 lay on its side
    assert images["line.png"]["input_size"] == ([64, 64] if fit == "crop" else [4, 1280])


class Payload:
    def __reduce__(self):
        return exec, ("import pathlib; pathlib.Path('ran').touch()",)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (lambda path: torch.save({"head.weight": torch.zeros(3, 5)}, path), "head.weight"),
        (lambda path: torch.save({"head.weight": Payload()}, path), "code or objects other than tensors"),
        (lambda path: path.write_bytes(b"junk"), "cannot read"),
        (lambda path: None, "found no file"),
    ],
)
def test_checkpoints_that_cannot_be_used(tmp_path, monkeypatch, capsys, contents, message):
    monkeypatch.chdir(tmp_path)
    contents(tmp_path / "weights.pth")
    status, out, err = run(capsys, "--checkpoint", "weights.pth")
    assert (status, out) == (1, "")
    assert err.startswith("vitscope: ")
    assert message in err
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "vitscope-out").exists()


def test_activations_that_overflow_are_named_by_layer():
    model = ToyViT().eval()
    with torch.no_grad():
        model.layers[1].qkv.weight.mul_(1e30)  # finite itself; its products are not
    with pytest.raises(NotFiniteError, match=r"layer 'layers\.1'.*NaN or infinity in its .*Check the weights"):
        vitscope.wrap(model).look(torch.randn(1, 3, 8, 12))


def test_half_precision_overflow_is_named_too():
    model = ToyViT().eval()
    with torch.no_grad():
        model.patch_embed.weight.mul_(500 / model.patch_embed.weight.abs().max())
    scope = vitscope.wrap(model.half())
    scope.look(torch.randn(1, 3, 8, 12))
    with pytest.raises(NotFiniteError, match=r"layer 'layers\.0'.*in float16, activations may overflow"):
        scope.look(torch.full((1, 3, 8, 12), 500.0))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_torchscript_inside_a_model_shows_nothing_and_says_so():
    model = torch.jit.trace(ToyViT().eval(), torch.randn(1, 3, 8, 12))
    with pytest.raises(CaptureError, match=r"TorchScript \(load the plain model\)"):
        vitscope.wrap(torch.nn.Sequential(model).eval()).look(torch.randn(1, 3, 8, 12))


def test_inputs_that_the_model_does_not_take():
    scope = vitscope.wrap(ToyViT().eval())
    with pytest.raises(CaptureError, match="the model refused an input of 2 × 3 px"):
        scope.look(torch.randn(1, 3, 2, 3))
