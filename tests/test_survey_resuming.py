"""A run that is gone on with: over the same pictures, by the same model called in the same way."""

import numpy as np
import pytest
import torch

import vitscope
from survey_images import assert_same, by_image, pixels, tensors
from toys import ToyViT
from vitscope import Entropy
from vitscope.errors import RunError
from vitscope.measures.result import measured
from vitscope.surveys.planning import plan_survey
from vitscope.surveys.sources.opening import open_source

IMAGES = {f"{i}": pixels(i) for i in range(13)}
OPTIONS = {"measures": ["distance", "entropy", "rollout"], "shard_size": 8, "workers": 0, "progress": False}


def toy(dtype=torch.float32):
    torch.manual_seed(5)
    return ToyViT().eval().to(dtype)


def begun(model, folder, **options):
    """The first of two parts of a survey of tensors: shards 0 and 2 of three."""
    return vitscope.survey(tensors(), vitscope.wrap(model), folder, part=(1, 2), **OPTIONS | options)


def gone_on(model, folder, forward=None, **options):
    scope = vitscope.wrap(model, forward=forward)
    return vitscope.survey(tensors(), scope, folder, **OPTIONS | options)


def test_an_image_that_failed_may_be_readable_by_now(bundled, tmp_path):
    """Every image that can be looked at again has failed, but for the last one."""
    first = plan_survey(open_source(IMAGES), shard_size=8).rows(0)["id"].to_pylist()
    broken = IMAGES | dict.fromkeys(first[:7], b"no picture")
    part = vitscope.survey(broken, bundled, tmp_path / "run", part=(1, 2), **OPTIONS)
    assert part.table("images")["status"].to_pylist() == ["failed"] * 7 + ["done"]
    run = vitscope.survey(IMAGES, bundled, tmp_path / "run", **OPTIONS)
    assert run.complete
    assert run.table("failures")["image_id"].to_pylist() == first[:7]
    others = IMAGES | {first[7]: pixels(99)}
    with pytest.raises(RunError, match=f"^{first[7]} is another picture than the one that"):
        vitscope.survey(others, bundled, tmp_path / "run", **OPTIONS)


def test_the_same_model_goes_on(tmp_path):
    begun(toy(), tmp_path / "run", batch_size=5)
    run = gone_on(toy(), tmp_path / "run", batch_size=3)
    assert run.complete
    assert_same(run, gone_on(toy(), tmp_path / "whole"), tables=["heads"])


@pytest.mark.parametrize(
    ("dtype", "apart"), [(torch.float32, 1e-3), (torch.float64, 1e-3), (torch.float16, 1e-2), (torch.bfloat16, 5e-2)]
)
def test_what_another_device_rounds_otherwise_is_the_same(tmp_path, dtype, apart):
    begun(toy(dtype), tmp_path / "run")
    run = gone_on(toy(dtype), tmp_path / "run", forward=lambda model, images: model(images * (1 + apart)))
    assert run.complete


def mirrored(model, images):
    return model(images.flip(-1))


def test_the_same_weights_called_in_another_way_are_found_out(tmp_path):
    part = begun(toy(), tmp_path / "run")
    first = part.table("heads").to_pylist()[0]
    told = (
        rf"other numbers than .*run holds: of {first['image_id']}, distance of layer 0, head \d was .*another forward"
    )
    with pytest.raises(RunError, match=told):
        gone_on(toy(), tmp_path / "run", forward=mirrored)
    hooked = toy()
    hooked.layers[1].register_forward_pre_hook(lambda module, given: (given[0] * 1.5,))
    with pytest.raises(RunError, match="of layer 1, head"):
        gone_on(hooked, tmp_path / "run")
    assert by_image(vitscope.open_run(tmp_path / "run")) == by_image(part)
    assert gone_on(toy(), tmp_path / "run").complete


def test_numbers_are_those_of_the_image_itself(tmp_path):
    """Those that its shard began with cannot be read: the first ones never, the next ones no longer."""
    first = plan_survey(open_source(tensors()), shard_size=8).rows(0)["id"].to_pylist()
    broken = tensors() | dict.fromkeys(first[:2], b"no picture")
    vitscope.survey(broken, vitscope.wrap(toy()), tmp_path / "run", part=(1, 2), **OPTIONS)
    broken |= dict.fromkeys(first[:5], b"no picture")
    scope = vitscope.wrap(toy())
    assert vitscope.survey(broken, scope, tmp_path / "run", **OPTIONS).complete


def passes_of(model):
    counted = []
    model.register_forward_pre_hook(lambda module, given: counted.append(len(given[0])))
    return counted


def test_resuming_costs_one_forward_pass(tmp_path):
    model = toy()
    scope = vitscope.wrap(model)
    scope.trace((8, 12))
    passes = passes_of(model)
    images = {name: tensors()[name] for name in list(tensors())[:16]}
    options = OPTIONS | {"batch_size": 8}
    for part, expected in (((1, 2), [1, 8]), ((2, 2), [1, 1, 8]), ((1, 1), [1])):  # the first one settles the settings
        passes.clear()
        vitscope.survey(images, scope, tmp_path / "run", part=part, **options)
        assert passes == expected
    passes.clear()
    for part in ((1, 2), (2, 2)):  # no column to compare
        vitscope.survey(images, scope, tmp_path / "maps", part=part, **options | {"measures": ["rollout"]})
    assert passes == [1, 8] * 2


def test_what_has_no_number_is_no_other_number(tmp_path, monkeypatch):
    whole = Entropy.measure

    def partly(self, seen):
        values = np.array(whole(self, seen))
        values[:, 0] = np.nan
        return measured(values, Entropy.convention)

    monkeypatch.setattr(Entropy, "measure", partly)
    begun(toy(), tmp_path / "run")
    assert gone_on(toy(), tmp_path / "run").complete
    begun(toy(), tmp_path / "other")
    monkeypatch.setattr(Entropy, "measure", whole)
    with pytest.raises(RunError, match="entropy of layer 0, head 0 was nan and is"):
        gone_on(toy(), tmp_path / "other")
