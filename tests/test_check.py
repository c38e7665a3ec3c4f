"""`vitscope check`: what is proven of a model, and failure where something is not."""

import json
import re
from dataclasses import replace

import pytest
import timm
from PIL import Image

import vitscope
from toys import ToyViT
from vitscope import Transform
from vitscope.cli import app, look


@pytest.fixture
def loads(bundled, monkeypatch):
    monkeypatch.setattr(look, "load", lambda name, **options: bundled)


def run(capsys, *arguments):
    status = app.run(list(arguments))
    return status, *capsys.readouterr()


@pytest.mark.usefixtures("loads")
def test_check_tells_what_was_proven(capsys):
    status, out, err = run(capsys, "check")
    assert (status, err) == (0, "")
    assert "layout   16 × 16 patches of 4 × 4 px, prefix tokens cls; proven by the trace in every layer" in out
    assert "passed: all rows of 6 layers" in out
    row = r"^ +\d  blocks\.\d\.attn +global +4 +257 +257 +4 px +\d\.\de-0[67]$"
    assert len(re.findall(row, out, re.MULTILINE)) == 6
    status, out, _ = run(capsys, "check", "vitscope-tiny", "--json")
    answer = json.loads(out)
    assert (status, answer["passed"], answer["verified_rows"]) == (0, True, "all")
    assert answer["layout"]["grid"] == [16, 16]
    assert answer["readout"] == "cls"


@pytest.mark.usefixtures("loads")
def test_check_fails_where_a_layer_is_refused(capsys, monkeypatch, bundled):
    real = bundled.look

    def doubtful(picture, *, every_row):
        assert every_row
        found = real(picture)
        layers = list(found.attention_seen.layers)
        layers[2] = replace(layers[2], refusal="layer 'blocks.2.attn': something else")
        return replace(found, attention_seen=replace(found.attention_seen, layers=tuple(layers)))

    monkeypatch.setattr(bundled, "look", doubtful)
    status, out, _ = run(capsys, "check")
    assert status == 1
    assert re.search(r"blocks\.2\.attn .*refused", out)
    assert "layer 'blocks.2.attn': something else" in out
    assert "passed" not in out
    status, out, _ = run(capsys, "check", "--json")
    assert (status, json.loads(out)["passed"]) == (1, False)


class Mixing(ToyViT):
    """Each token is added to the one opposite before a layer."""

    def __init__(self, before):
        super().__init__()
        self.before = before

    def forward(self, images):
        x = self.patch_embed(images).flatten(2).transpose(1, 2)
        for index, (norm, layer) in enumerate(zip(self.norms, self.layers, strict=True)):
            x = x + x.flip(1) if index == self.before else x
            x = x + layer(norm(x))
        return self.head(x.mean(1))


@pytest.mark.parametrize("before", [0, 1])
def test_check_fails_where_tokens_mix(capsys, monkeypatch, before):
    transform = Transform(size=(12, 20), resize=(12, 20), mean=(0.5,) * 3, std=(0.5,) * 3)
    scope = vitscope.wrap(Mixing(before).eval(), transform)
    monkeypatch.setattr(look, "load", lambda name, **options: scope)
    status, out, err = run(capsys, "check", "-m", "mine")
    assert status == 1
    assert f"layer 'layers.{before}': 42 of its 45 tokens" in (out if before else err)
    assert (out == "") == (before == 0)


@pytest.fixture
def hierarchy(monkeypatch):
    model = timm.create_model("davit_tiny", embed_dims=(24, 48, 96, 192), num_heads=(1, 2, 3, 6)).eval()
    transform = Transform(size=(112, 112), resize=(112, 112), mean=(0.5,) * 3, std=(0.5,) * 3)
    scope = vitscope.wrap(model, transform)
    monkeypatch.setattr(look, "load", lambda name, **options: scope)


@pytest.mark.usefixtures("hierarchy")
def test_check_names_every_attention_its_windows_and_what_is_not_over_places(capsys, tmp_path):
    picture = tmp_path / "layout.png"
    status, out, _ = run(capsys, "check", "-m", "mine", "--picture", str(picture))
    assert status == 0
    assert "layout   28 × 28 patches of 4 × 4 px, no prefix token; traced" in out
    rows = [line.split(maxsplit=8) for line in out.splitlines() if "attn" in line]
    assert rows[0][2:] == ["window", "1", "784", "784", "4", "px", rows[0][8]]
    assert rows[0][8].endswith("16 windows of 7 × 7")
    assert sum("channel" in row for row in rows) == 6
    assert all(" ".join(row).endswith("between channels, not over places") for row in rows if "channel" in row)
    with Image.open(picture) as drawn:
        assert drawn.width > 1000
    assert run(capsys, "check", "-m", "mine", "--picture", str(picture))[0] == 1  # it exists
    assert run(capsys, "check", "-m", "mine", "--picture", str(picture), "--force")[0] == 0
    answer = json.loads(run(capsys, "check", "-m", "mine", "--json")[1])
    assert [row["kind"] for row in answer["attentions"]] == ["window", "channel"] * 2 + ["global", "channel"] * 4
    assert answer["layout"]["found"] == "traced"


@pytest.mark.usefixtures("loads")
def test_a_picture_is_written_whole_or_not_at_all(capsys, tmp_path, monkeypatch):
    status, _, err = run(capsys, "check", "--picture", str(tmp_path / "layout.txt"))
    assert status == 2
    assert "expected a name that ends in .png, .pdf, .svg" in err
    for form in ("pdf", "svg"):
        assert run(capsys, "check", "--picture", str(tmp_path / f"layout.{form}"))[0] == 0
    assert (tmp_path / "layout.pdf").read_bytes().startswith(b"%PDF")

    def half(figure, target, form):
        target.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vitscope.render.style.save", half)
    assert run(capsys, "check", "--picture", str(tmp_path / "layout.png"))[0] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layout.pdf", "layout.svg"]


def test_models_lists_names_by_library(capsys):
    status, out, _ = run(capsys, "models", "vit_small_patch16_224")
    assert status == 0
    assert "vit_small_patch16_224.dino" in out.splitlines()
    assert all("vit_small_patch16_224" in name for name in out.splitlines())
    answer = json.loads(run(capsys, "models", "*-B-32*", "--json")[1])
    assert "open_clip:ViT-B-32/openai" in answer["open_clip"]
    assert answer["timm"] == []
    assert run(capsys, "models", "torchvision")[0] == 1
    assert "torchvision:swin_t.IMAGENET1K_V1" in run(capsys, "models", "swin_t")[1].splitlines()
    assert run(capsys, "models", "tiny")[1].splitlines()[0] == "vitscope-tiny"
