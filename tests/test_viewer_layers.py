"""Layers that a page does not carry: refused, left out to keep it small, or not chosen; each is said."""

from dataclasses import replace

import numpy as np
import pytest

from payloads import carried, document_of, photo
from vitscope.errors import ArgumentError, QueryError
from vitscope.measures.seen import Computed
from vitscope.viewer import html, payload
from vitscope.viewer.payload import build
from vitscope.viewer.selection import by_importance, listed


@pytest.fixture(autouse=True)
def _viewer(monkeypatch):
    monkeypatch.setattr(html, "static", lambda name: "/* the viewer */")


def refused(look, index, error=1.0):
    seen = look.attention_seen
    layers = list(seen.layers)
    layers[index] = replace(layers[index], refusal="layer 'x': not the model's own", error=error)
    return replace(look, attention_seen=replace(seen, layers=tuple(layers), computed=Computed()))


@pytest.mark.parametrize("error", [1.0, float("nan"), float("inf")])
def test_a_refused_layer_is_left_out_alone(bundled, error):
    look = photo(bundled)
    document = document_of(build(refused(look, 3, error)))
    header, image = document.header["looks"][0], document.image()
    assert [layer["refusal"] for layer in header["layers"]] == [None] * 3 + ["layer 'x': not the model's own"] + [
        None
    ] * 2
    assert header["layers"][3]["absent"].startswith("refused")
    assert [entry is None for entry in image["attention"]] == [False] * 3 + [True] + [False] * 2
    assert header["omitted"] is None
    for name, values in (("distance", look.mean_attention_distance()), ("prefix_mass", look.prefix_mass())):
        found = document.numbers(image[name])
        assert np.isnan(found[3]).all()
        np.testing.assert_array_equal(np.delete(found, 3, 0), np.delete(values[0], 3, 0))
    assert image["rollout"] is None
    assert image["rollout_absent"] == "layer 'x': not the model's own"


def test_a_model_of_which_every_layer_is_refused(bundled):
    look = photo(bundled)
    for index in range(6):
        look = refused(look, index)
    document = document_of(build(look))
    assert document.image()["attention"] == [None] * 6
    assert np.isnan(document.numbers(document.image()["entropy"])).all()


def test_layers_that_do_not_fit_are_left_out_and_named(bundled):
    look = photo(bundled)
    whole_file = len(html.to_html(build(look))) + payload._VIEWER_BYTES
    seen = []
    for limit in range(300_000, whole_file + 200_000, 100_000):
        made = build(look, limit_bytes=limit)
        document = document_of(made)
        layers, omitted = carried(document), document.header["looks"][0]["omitted"]
        if len(layers) > 1:
            assert len(html.to_html(made)) + payload._VIEWER_BYTES <= limit * 1.02
        missing = sorted(set(range(6)) - set(layers))
        if missing:
            assert f"leaves out the attention of {listed(missing)} of 6" in omitted
            assert "layers=[0, 2, 5]" in omitted
            assert "--page-layers 0,2,5" in omitted
            absent = document.header["looks"][0]["layers"][missing[0]]["absent"]
            assert absent == "left out to keep the page small"
        else:
            assert omitted is None
        if not seen or layers != seen[-1]:
            seen.append(layers)
    assert seen[0] == [5]
    assert [0, 5] in seen
    assert seen[-1] == [0, 1, 2, 3, 4, 5]
    assert [len(layers) for layers in seen] == sorted(len(layers) for layers in seen)


def test_pictures_take_their_part_of_the_limit(bundled):
    look = bundled.look(np.random.default_rng(0).integers(0, 256, (900, 1200, 3), dtype=np.uint8))
    original = len(document_of(build(look)).image()["original"])
    assert original > 800_000
    made = build(look, limit_bytes=original + 500_000)
    assert 1 < len(carried(document_of(made))) < 6
    assert len(html.to_html(made)) + payload._VIEWER_BYTES <= (original + 500_000) * 1.02


def test_the_last_layer_is_carried_even_if_it_alone_is_too_large(bundled):
    document = document_of(build(photo(bundled), limit_bytes=1))
    assert carried(document) == [5]
    assert "what it carries, one layer, is more than that" in document.header["looks"][0]["omitted"]
    fitting = document_of(build(photo(bundled), limit_bytes=700_000)).header["looks"][0]["omitted"]
    assert "more than that" not in fitting


def test_layers_that_were_chosen_are_carried_whatever_they_take(bundled):
    look = photo(bundled)
    document = document_of(build(look, layers=["blocks.1.attn", -2], limit_bytes=1))
    assert carried(document) == [1, 4]
    assert (
        "leaves out the attention of layers 0, 2, 3 and 5 of 6, as was asked" in document.header["looks"][0]["omitted"]
    )
    assert document.header["looks"][0]["layers"][0]["absent"] == "not among the layers chosen"
    with pytest.raises(QueryError, match="layer 6 does not exist"):
        build(look, layers=[6])
    with pytest.raises(ArgumentError, match="empty list of layers"):
        build(look, layers=[])
    with pytest.raises(ArgumentError, match="found limit_bytes=0"):
        build(look, limit_bytes=0)


@pytest.mark.parametrize(("count", "order"), [(1, [0]), (2, [1, 0]), (3, [2, 0, 1]), (6, [5, 0, 2, 3, 4, 1])])
def test_layers_are_kept_from_both_ends_inwards(count, order):
    assert by_importance(count) == order
    spread = sorted(by_importance(12)[:5])
    assert max(np.diff(spread)) <= 2 * min(np.diff(spread))


def test_layers_are_listed_in_words():
    assert listed([3]) == "layer 3"
    assert listed([1, 2]) == "layers 1 and 2"
    assert listed([7, 1, 2, 3, 4, 9]) == "layers 1 to 4, 7 and 9"
