"""Layers in windows and on grids of their own come back from the page's file as Python has them."""

import numpy as np
import pytest
import torch

from arranged_looks import MODELS, arranged_look
from payloads import document_of
from vitscope.attention.bias import DenseBias
from vitscope.attention.call import AttentionCall
from vitscope.viewer import html
from vitscope.viewer.payload import build
from vitscope.viewer.windows import WindowsBias, one_image

TOLERANCE = 1e-3  # of a row's maximum


@pytest.fixture(autouse=True)
def _viewer(monkeypatch):
    monkeypatch.setattr(html, "static", lambda name: "/* the viewer */")


@pytest.fixture(params=MODELS)
def look(request):
    return arranged_look(request.param)


@pytest.fixture
def document(look):
    return document_of(build(look))


def own(look) -> dict:
    """What stands for a layer that is as the look's layout says."""
    lattice = {"grid": look.layout.grid, "prefix": look.layout.prefix}
    return {"queries": lattice, "keys": lattice, "windows": None}


def test_every_layers_rows_are_pythons(look, document):
    for index, layer in enumerate(document.header["looks"][0]["layers"]):
        entry = document.image()["attention"][index]
        arrangement = layer["arrangement"] or own(look)
        found = document.lattice_rows(entry, arrangement)
        rows, columns = arrangement["queries"]["grid"]
        prefix = len(arrangement["queries"]["prefix"])
        for row, column in {(0, 0), (rows - 1, columns - 1), (rows // 2, columns // 3)}:
            expected = np.asarray(look.attention(index, (row, column)))[0]  # (heads, keys)
            difference = np.abs(found[:, prefix + row * columns + column] - expected)
            assert (difference.max(-1) <= TOLERANCE * np.abs(expected).max(-1)).all()
        assert entry["error"] <= TOLERANCE
        mean = np.asarray(look.attention(index, "mean"))[0]
        np.testing.assert_allclose(document.numbers(entry["mean_row"]), mean, rtol=1e-5, atol=1e-9)


def test_arrangements_are_the_looks(look, document):
    for index, layer in enumerate(document.header["looks"][0]["layers"]):
        found, expected = layer["arrangement"], look.attention_seen.arrangement(index)
        if found is None:
            assert expected.plain
            assert expected.queries == look.layout
            continue
        assert (found["kind"], found["words"]) == (expected.kind, expected.describe())
        for side in ("queries", "keys"):
            assert tuple(found[side]["grid"]) == getattr(expected, side).grid
            assert tuple(found[side]["patch_size"]) == getattr(expected, side).patch_size
        if found["windows"] is not None:
            np.testing.assert_array_equal(document.numbers(found["windows"]["query_tokens"]), expected.query_tokens)
            np.testing.assert_array_equal(document.numbers(found["windows"]["key_tokens"]), expected.key_tokens)


def test_what_shifted_windows_may_attend_to_is_what_has_weight():
    look = arranged_look("swin")
    document = document_of(build(look))
    layer = document.header["looks"][0]["layers"][1]["arrangement"]
    assert "shifted" in layer["words"]
    assert document.header["looks"][0]["layers"][0]["arrangement"]["windows"]["allowed"] is None
    allowed = layer["windows"]["allowed"]
    masks, kinds = document.numbers(allowed["masks"]), document.numbers(allowed["kinds"])
    keys = layer["windows"]["key_tokens"]["shape"][1]
    bits = np.unpackbits(masks.astype(np.uint8), axis=-1, count=keys).astype(bool)[kinds]  # (windows, queries, keys)
    call = look.attention_seen.layers[1]
    assert (call.weights(slice(None)).amax(1).numpy() > 1e-20).tolist() == bits.tolist()


@pytest.mark.parametrize("kind", ["cait", "volo"])
def test_class_attention_at_the_end_is_carried(kind):
    look = arranged_look(kind)
    document = document_of(build(look))
    reading = document.header["looks"][0]["reading"]
    assert reading["query"] == "cls"
    assert reading["keys"]["prefix"] == ["cls"]
    np.testing.assert_allclose(document.numbers(document.image()["pool"]), look.attention(-1, "cls")[0], rtol=1e-6)


@pytest.mark.parametrize("per_window", [False, True])
@pytest.mark.parametrize("one_head", [False, True])
def test_windows_as_heads_attend_as_windows(per_window, one_head):
    torch.manual_seed(0)
    images, windows, heads, queries, keys = 2, 5, 3, 7, 11
    operand = lambda tokens: torch.randn(images * windows, heads, tokens, 13)  # noqa: E731
    term = torch.randn(windows if per_window else 1, 1 if one_head else heads, queries, keys)
    if per_window:
        term[3] = term[1]
    call = AttentionCall("layer", 0.3, operand(queries), operand(keys), DenseBias(term))
    expected = call.weights(slice(None)).unflatten(0, (images, windows))
    for image in range(images):
        folded = one_image(call, windows, image)
        assert isinstance(folded.bias, WindowsBias)
        assert len(folded.bias.term) == (4 if per_window else 1)
        found = folded.weights(slice(2, 6))[0].unflatten(0, (windows, heads))
        torch.testing.assert_close(found, expected[image][:, :, 2:6])
