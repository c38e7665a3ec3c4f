"""`vitscope check`: what is proven of a model, and failure where something is not."""

import json
import re
from dataclasses import replace

import pytest

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
    assert len(re.findall(r"^ +\d  blocks\.\d\.attn +global +4 +257 +\d\.\de-07$", out, re.MULTILINE)) == 6
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
