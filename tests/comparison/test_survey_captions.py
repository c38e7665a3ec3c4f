"""Captions of surveys: weights, sources, and what bears on a figure and only that."""

from dataclasses import replace

import pytest

from survey_runs import MEASURES
from vitscope.render.surveys.curves import curves_figure, similarity_figure
from vitscope.render.surveys.depth import depth_figure
from vitscope.render.surveys.facts import facts_table
from vitscope.render.surveys.maps import maps_figure
from vitscope.render.surveys.page import page_parts
from vitscope.render.surveys.plates import plates
from vitscope.render.surveys.telling import reservations, told_apart

PIXELS = "distances in pixels do not compare directly"
TOKENS = "differ in their number of tokens"
OWN_ASPECT = "keep their own aspect, so that inputs differ in size from image to image"


def test_random_weights_are_named_everywhere(made, monkeypatch):
    monkeypatch.setattr("vitscope.render.surveys.page._DPI", 20)
    trained, random = made(), made(origin="random", weights="f" * 64)
    other = made(origin="random", weights="e" * 64)
    name = "vit_toy_patch16_224"
    assert told_apart([random]) == (f"{name}, random weights",)
    assert told_apart([trained, random]) == (name, f"{name}, random weights")
    assert told_apart([random, other]) == (
        f"{name}, random weights, SHA-256 ffffffff",
        f"{name}, random weights, SHA-256 eeeeeeee",
    )
    for plate in plates([random]):
        assert f"{name}, random weights (weights ffffffffffff, 61 images" in plate.draw().get_label()
    long = replace(random, settings={**random.settings, "model": {**random.settings["model"], "name": "x" * 70}})
    titles = [text.get_text() for text in curves_figure([trained, long]).legends[0].get_texts()]
    assert titles[1].endswith(", random weights")
    table = facts_table([trained, random])
    assert '<tr><th scope="row">weights</th><td>toy-hub/toy</td><td>random: never trained</td></tr>' in table
    assert "<h1>vit_toy_patch16_224, random weights: a survey</h1>" in "".join(page_parts([random]))


def test_the_weights_digits_stand_once(made):
    caption = depth_figure([made(), made(weights="f" * 64)]).get_label()
    assert caption.count("weights 01234567") == caption.count("weights ffffffff") == 1
    assert "vit_toy_patch16_224, weights ffffffff (61 images of set0/, 2 failed)" in caption


def test_captions_have_the_last_part_of_a_path_and_the_table_all_of_it(made, monkeypatch):
    monkeypatch.setattr("vitscope.render.surveys.page._DPI", 20)
    one = made()
    one = replace(one, settings={**one.settings, "source": {"kind": "folder", "path": "/home/someone/photos"}})
    for plate in plates([one]):
        assert "61 images of photos, 2 failed" in plate.draw().get_label()
        assert "someone" not in plate.draw().get_label()
    text = "".join(page_parts([one]))
    assert text.count("someone") == 1
    assert "61 of /home/someone/photos, 2 failed" in text


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ({"path": "/data/val/", "pattern": "*.png"}, "val/*.png"),
        ({"path": "C:\\Users\\me\\val"}, "val"),
        ({"path": "org/name", "split": "test"}, "org/name test"),
        ({"paths": ["/x/a.tar", "/x/b.tar"]}, "a.tar and 1 more"),
        ({"parts": [{"path": "/x/a"}, {"path": "/y/b"}]}, "a and b"),
        ({"path": "/"}, "/"),
    ],
)
def test_names_of_sources(made, source, name):
    one = made()
    assert replace(one, settings={**one.settings, "source": source}).source_name == name


def test_caveats_stand_where_they_bear(made):
    models = [made(), made(grid=(14, 14), input=(384, 384), seed=1)]
    for column, pixels, tokens in (
        ("distance", True, False),
        ("entropy", False, True),
        ("prefix_mass_cls", False, True),
    ):
        caption = depth_figure(models, column).get_label()
        assert (PIXELS in caption, TOKENS in caption) == (pixels, tokens)
    for measure in ("rollout", "heatmaps"):
        caption = maps_figure(models, measure).get_label()
        assert PIXELS not in caption
        assert f"does not compare directly: {measure}." in caption
    caption = similarity_figure(models).get_label()
    assert (PIXELS in caption, TOKENS in caption) == (False, False)
    everything = " ".join(reservations(models))
    assert PIXELS in everything
    assert "directly: entropy, prefix_mass, prefix_mass_cls, rollout, heatmaps." in everything
    assert reservations([made(), made(seed=1)]) == ()
    bare = [made(measures=[MEASURES[1]]), made(measures=[MEASURES[1]], input=(384, 384))]
    assert reservations(bare) == ()


def test_pictures_of_their_own_aspect(made, monkeypatch):
    monkeypatch.setattr("vitscope.render.surveys.page._DPI", 20)
    one = made(input=None)
    preprocessing = {"size": [64, 48], "resize": 96, "fit": "whole", "multiple": [4, 4], "aspect": "squash"}
    preprocessing |= {"centring": "round", "interpolation": "bicubic", "fill": [0, 0, 0]}
    one = replace(one, settings={**one.settings, "preprocessing": preprocessing})
    assert f"Pictures {OWN_ASPECT}" in reservations([one])[0]
    for plate in plates([one]):
        assert OWN_ASPECT in plate.draw().get_label()
    assert f"Pictures of vit_toy_patch16_224, own aspect {OWN_ASPECT}" in " ".join(reservations([made(), one]))
    table = facts_table([one])
    assert "whole picture at its own aspect, about the area of 64 × 48 px, sides multiples of 4 × 4 px" in table
    for crop in ("squash", "resize 96", "centring", "fill"):
        assert crop not in table
    assert OWN_ASPECT in "".join(page_parts([one]))
    assert "squash" in facts_table(
        [replace(one, settings={**one.settings, "preprocessing": preprocessing | {"fit": "crop"}})]
    )
