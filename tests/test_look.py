"""A Look: what it says of the images, the layers and the points of the original picture."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

import vitscope
from toys import ToyViT
from vitscope.attention import recorder
from vitscope.errors import ArgumentError, QueryError, VerificationError
from vitscope.measures.seen import Computed


@pytest.fixture(scope="module")
def look(bundled):
    return bundled.look(vitscope.sample_photo())


def test_it_names_what_was_seen(look):
    assert look.images == ("chelsea.jpg",)
    assert look.readout == "cls"
    assert look.layout.prefix == ("cls",)
    assert [layer.name for layer in look.layers] == [f"blocks.{i}.attn" for i in range(6)]
    assert {(layer.kind, layer.heads, layer.grid, layer.refusal) for layer in look.layers} == {
        ("global", 4, (16, 16), None)
    }
    assert look.verification_error == max(layer.error for layer in look.layers)
    assert 0 < look.verification_error < 1e-5
    assert repr(look).startswith("Look(images=1 (chelsea.jpg), model='vitscope-tiny', layers=6, 16 × 16 patches")


def test_attention_rows_are_whole_and_heatmaps_are_their_patches(look):
    row = look.attention(2)
    assert row.shape == (1, 4, 257)
    np.testing.assert_allclose(row.sum(-1), 1, atol=1e-6)
    np.testing.assert_array_equal(look.heatmaps(2), row[..., 1:].reshape(1, 4, 16, 16))
    np.testing.assert_array_equal(look.attention("blocks.2.attn"), row)
    assert row.convention.startswith("attention of the class token")
    assert row.convention.endswith("in layer 2 (blocks.2.attn)")


def test_places_are_the_centres_of_the_keys(look):
    places = look.places()
    assert places.shape == (257, 2)
    assert np.isnan(places[0]).all()
    np.testing.assert_array_equal(places[[1, 2, 17, 256]], [[2, 2], [2, 6], [6, 2], [62, 62]])
    with pytest.raises(QueryError, match="layer 6 does not exist: the model has 6, from 0"):
        look.places(6)


def test_a_point_of_the_original_is_the_patch_that_shows_it(whole):
    look = whole.look(vitscope.sample_photo())  # 300 × 451 as 52 × 80: patches of 23.08 × 22.55 px of the original
    assert look.layout.grid == (13, 20)
    assert look.patch_at(0, 0) == (0, 0)
    assert look.patch_at(22.5, 23.0) == (0, 0)
    assert look.patch_at(22.6, 23.1) == (1, 1)
    assert look.patch_at(450.9, 299.9) == (12, 19)
    for ask in (look.heatmaps, look.rollout):
        np.testing.assert_array_equal(ask(point=(100, 50)), ask(query=(2, 4)))
    np.testing.assert_array_equal(look.attention(1, point=(100, 50)), look.attention(1, (2, 4)))


def test_points_that_the_model_did_not_see_are_refused(bundled, look):
    assert look.patch_at(80, 10) == (0, 0)  # the crop begins at x = 75.2
    with pytest.raises(QueryError, match=r'x=70.*not in what the model saw of chelsea\.jpg: x from 75.*fit="whole"'):
        look.patch_at(70, 10)
    with pytest.raises(QueryError, match="y=300"):
        look.heatmaps(point=(100, 300))
    with pytest.raises(ArgumentError, match="either query or point"):
        look.heatmaps(query="cls", point=(100, 100))
    of_tensor = bundled.look(torch.randn(1, 3, 64, 64))
    with pytest.raises(QueryError, match="needs the original picture"):
        of_tensor.heatmaps(point=(1, 1))


def test_a_point_must_be_one_patch_in_all_images(bundled):
    rng = np.random.default_rng(0)
    small, large = (rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for side in (64, 96))
    look = bundled.look([small, large])
    assert look.heatmaps(point=(1, 1)).shape == (2, 4, 16, 16)
    with pytest.raises(ArgumentError, match="different patches of the 2 images"):
        look.heatmaps(point=(40, 40))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ((16, 0), r"outside the grid: rows are 0 to 15, columns 0 to 15"),
        ((0, -1), r"\(row 0, column -1\) is outside"),
        ("reg1", r"no query 'reg1' in this layer; it has cls, mean"),
        ("pool", r"no query 'pool'"),
    ],
)
def test_queries_outside_the_model_are_refused(look, query, message):
    for ask in (look.heatmaps, look.rollout, lambda query: look.attention(0, query)):
        with pytest.raises(QueryError, match=message):
            ask(query=query)


def test_tensors_are_drawn_as_they_were_before_normalisation(bundled):
    image = bundled.transform(vitscope.sample_photo())
    shown = bundled.look(image).shown[0]
    seen = np.asarray(bundled.look(vitscope.sample_photo()).shown[0].seen).astype(int)
    assert np.abs(np.asarray(shown.seen).astype(int) - seen).max() <= 1
    assert shown.name == "tensor"
    assert shown.note == "drawn from a preprocessed tensor"
    assert shown.original is None
    scaled = vitscope.wrap(ToyViT().eval()).look(torch.randn(2, 3, 8, 12) * 9 + 4).shown
    assert [one.name for one in scaled] == ["tensor 1", "tensor 2"]
    assert all(one.note.endswith("scaled to its own range") for one in scaled)
    assert [(np.asarray(one.seen).min(), np.asarray(one.seen).max()) for one in scaled] == [(0, 255)] * 2


def test_measures_that_need_a_refused_layer_raise_and_others_do_not(look):
    seen = look.attention_seen
    bad = replace(seen.layers[3], refusal="layer 'blocks.3.attn': not the model's own")
    doubtful = replace(
        look, attention_seen=replace(seen, layers=(*seen.layers[:3], bad, *seen.layers[4:]), computed=Computed())
    )
    for ask in (doubtful.mean_attention_distance, doubtful.rollout, doubtful.entropy, lambda: doubtful.heatmaps(3)):
        with pytest.raises(VerificationError, match=r"blocks\.3.*not the model's own"):
            ask()
    np.testing.assert_array_equal(doubtful.heatmaps(4), look.heatmaps(4))
    assert [layer.index for layer in doubtful.layers if layer.refusal] == [3]


@pytest.mark.parametrize(("every_row", "counts"), [(False, {7}), (True, {257})])  # 1 prefix row and 6 others, or all
def test_as_many_rows_are_verified_as_asked_for(bundled, monkeypatch, every_row, counts):
    found = []
    real = recorder.compare_outputs

    def counting(call, event, output, own):
        assert output.shape == own.shape
        found.append(own.shape[-2])
        return real(call, event, output, own)

    monkeypatch.setattr(recorder, "compare_outputs", counting)
    bundled.look(vitscope.sample_photo(), every_row=every_row)
    assert set(found) == counts
    assert len(found) == 6


@pytest.mark.parametrize("name", ["photo.svg", "photo.PNG"])
def test_a_picture_is_no_folder_to_save_into(look, tmp_path, name):
    with pytest.raises(ArgumentError, match="expected a folder"):
        look.save(tmp_path / name)
    assert not any(tmp_path.iterdir())


def test_a_look_can_be_pickled(look):
    copied = pickle.loads(pickle.dumps(look))
    np.testing.assert_array_equal(copied.heatmaps(), look.heatmaps())
    assert copied.shown[0].seen.size == look.shown[0].seen.size


def test_a_look_offers_what_its_measures_give(look):
    seen = look.attention_seen
    assert np.array_equal(look.moments("patches"), vitscope.Moments("patches").measure(seen))
    assert np.array_equal(look.head_similarity(), vitscope.HeadSimilarity().measure(seen))
