"""What a survey settles before its first shard: by one forward pass, in the words and numbers of a look."""

import inspect

import numpy as np
import pytest
import torch
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer

import vitscope
from survey_images import pictures, tensors, toy_survey
from toys import ToyViT, capped
from vitscope import Entropy, MeanAttentionDistance, Moments, PrefixMass, Rollout
from vitscope.errors import ArgumentError, LimitError
from vitscope.measures.uniform import uniform_layers
from vitscope.surveys.chosen import choose
from vitscope.surveys.planning import plan_survey
from vitscope.surveys.preparing import prepare
from vitscope.surveys.sources.opening import open_source


def prepared(scope, images, *measures):
    source = open_source(images)
    return prepare(scope, source, plan_survey(source), choose(measures))


def test_one_forward_pass_is_enough():
    model, passes = ToyViT().eval(), []
    scope = vitscope.wrap(model)
    scope.trace((8, 12))
    model.register_forward_pre_hook(lambda module, given: passes.append(len(given[0])))
    prepared(scope, tensors(), "distance", "entropy", "rollout", vitscope.LinearCKA(4))
    assert passes == [1]


def windows():
    """Every other block has shifted windows, with a mask."""
    model = SwinTransformer(img_size=56, patch_size=4, window_size=7, embed_dim=24, depths=(2, 2), num_heads=(2, 3))
    return model.eval(), {"a": torch.randn(3, 56, 56)}


def registers():
    model = VisionTransformer(
        img_size=28, patch_size=4, embed_dim=26, depth=3, num_heads=2, reg_tokens=3, num_classes=0
    )
    return model.eval(), {"a": torch.randn(3, 28, 28)}


@pytest.mark.parametrize("make", [windows, registers])
def test_settings_are_those_of_a_look(make):
    model, images = make()
    scope = vitscope.wrap(model)
    found = prepared(scope, images, "distance", "distance_rescaled", "entropy", "prefix_mass", "moments").settings
    look = scope.look(images["a"][None])
    assert found["model"] == look.settings["model"]
    assert found["preprocessing"] == look.settings["preprocessing"]
    assert found["versions"] == {name: look.settings["versions"][name] for name in ("vitscope", "torch")}
    assert found["readout"] == look.readout
    assert found["input"] == list(look.layout.image_size)
    assert found["layers"] == [
        {"index": layer.index, "name": layer.name, "kind": layer.kind, "heads": layer.heads, "grid": list(layer.grid)}
        for layer in look.layers
    ]
    layers = uniform_layers(look.attention_seen)
    assert found["uniform"] == {
        "distance": [float(f"{layer.distance:.7g}") for layer in layers],
        "distance_rescaled": [float(f"{layer.rescaled_distance:.7g}") for layer in layers],
        "entropy": [float(f"{layer.entropy:.7g}") for layer in layers],
    }
    masses = next(measure["columns"] for measure in found["measures"] if measure["name"] == "prefix_mass")
    assert masses == ["prefix_mass", *(f"prefix_mass_{token}" for token in look.layout.prefix)]


def test_masked_windows_reach_less_far():
    model, images = windows()
    whole, shifted, *_ = prepared(vitscope.wrap(model), images, "distance").settings["uniform"]["distance"]
    assert shifted < whole


def test_the_limit_holds_from_the_first_image_on(tmp_path):
    with pytest.raises(LimitError, match="the limit is 0 MiB"):
        toy_survey(ToyViT(capped), tmp_path / "run", measures=[Rollout(discard=0.5)], limit_bytes=100)
    assert not (tmp_path / "run").exists()


def test_measures_of_one_kind_have_columns_of_their_own(tmp_path):
    run = toy_survey(ToyViT(), tmp_path / "run", measures=[Moments(), Moments("patches"), "distance"])
    heads = run.table("heads")
    for name in ("offset_y", "offset_x", "spread"):
        np.testing.assert_allclose(heads[f"{name}_unit_patches"], np.asarray(heads[name]) / 4, rtol=1e-5, atol=1e-6)
    assert [measure["columns"] for measure in run.settings["measures"]] == [
        ["offset_y", "offset_x", "spread"],
        ["offset_y_unit_patches", "offset_x_unit_patches", "spread_unit_patches"],
        ["distance"],
    ]
    found = run.summary(replicates=100).columns
    assert found["spread_unit_patches"].overall.mean * 4 == pytest.approx(found["spread"].overall.mean)


@pytest.mark.parametrize("measure", [Entropy(), "entropy", PrefixMass(), MeanAttentionDistance()])
def test_one_measure_needs_no_list(measure):
    assert choose(measure) == choose([measure])


def test_what_is_swapped_is_named(bundled, tmp_path):
    survey = inspect.unwrap(vitscope.survey)  # without the tests' own check of types
    for given, words in (
        ((bundled, pictures()), "found a Scope as source and a dict as scope"),
        ((bundled, "photos"), "found a Scope as source and a str as scope"),
        ((pictures(), bundled.model), "found a dict as source and a .*VisionTransformer as scope"),
    ):
        with pytest.raises(ArgumentError, match=rf"{words}; expected .*survey\(source, scope, output\)"):
            survey(*given, tmp_path / "run")
    with pytest.raises(ArgumentError, match="int cannot be surveyed; expected names"):
        survey(pictures(), bundled, tmp_path / "run", measures=5)
    assert not (tmp_path / "run").exists()
