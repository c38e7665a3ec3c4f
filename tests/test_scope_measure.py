"""Measuring many images: the same as looking at each, whatever the batches, with failures told."""

import numpy as np
import pytest
import torch

import vitscope
import vitscope.scope as scope_module
from toys import ToyViT
from vitscope import Entropy, Heatmaps, MeanAttentionDistance, Rollout
from vitscope.errors import ArgumentError, ImageError


def pixels(height=37, width=53, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


MEASURES = [MeanAttentionDistance(), Rollout("max"), Heatmaps(0, (1, 2)), Entropy()]


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_measuring_many_equals_looking_at_each(whole, batch_size):
    shapes = [(40, 60), (40, 60), (60, 40), (40, 60), (60, 40), (60, 40), (60, 40)]
    images = [(f"id {i}", pixels(*shape, seed=i)) for i, shape in enumerate(shapes)]
    found = list(whole.measure(iter(images), MEASURES, batch_size=batch_size))
    assert [image_id for image_id, _ in found] == [image_id for image_id, _ in images]
    for (_, values), (_, array) in zip(found, images, strict=True):
        seen = whole.look(array).attention_seen
        assert list(values) == MEASURES
        for measure, value in values.items():
            np.testing.assert_allclose(value, measure.measure(seen)[0], rtol=2e-5, atol=1e-7)


@pytest.fixture
def shown(monkeypatch):
    """Of each batch that a model is shown from here on, where it lies in memory and how many images it holds."""
    batches, real = [], scope_module.observe

    def observe(loaded, images, *others, **choices):
        batches.append((images.data_ptr(), len(images)))
        return real(loaded, images, *others, **choices)

    monkeypatch.setattr(scope_module, "observe", observe)
    return batches


def test_measuring_runs_batches_and_keeps_nothing_of_them(shown):
    scope = vitscope.wrap(ToyViT().eval())
    values = scope.measure(torch.randn(7, 3, 8, 12), [Entropy()], batch_size=3)
    assert shown == []  # nothing before it is asked for
    assert [image_id for image_id, _ in values] == ["tensor"] * 7
    assert [count for _, count in shown] == [3, 3, 1]


def test_failures_are_told_and_the_others_go_on(bundled, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    given = [
        pixels(seed=1),
        tmp_path / "broken.png",
        ("mine", tmp_path / "missing.png"),
        ("last", pixels(seed=2)),
        torch.full((3, 64, 64), torch.nan),
        torch.zeros(2, 3, 64, 64),
    ]
    failures = []
    found = list(bundled.measure(given, [Entropy()], on_failure=lambda name, error: failures.append((name, error))))
    assert [image_id for image_id, _ in found] == ["array", "last"]
    assert [name for name, _ in failures] == ["broken.png", "mine", "image 5", "image 6"]
    assert all(isinstance(error, ImageError) for _, error in failures)
    assert "2 images in one" in str(failures[3][1])
    with pytest.raises(ImageError, match=r"broken\.png"):
        list(bundled.measure(given, [Entropy()]))


def test_a_batch_given_as_one_tensor_is_shown_in_place(shown):
    scope = vitscope.wrap(ToyViT().eval())
    images = torch.randn(7, 3, 8, 12)
    as_a_list = [values[Entropy()] for _, values in scope.measure(list(images), [Entropy()], batch_size=3)]
    shown.clear()
    found = [values[Entropy()] for _, values in scope.measure(images, [Entropy()], batch_size=3)]
    assert shown == [(part.data_ptr(), len(part)) for part in images.split(3)]
    np.testing.assert_allclose(found, as_a_list, rtol=1e-6)


def test_a_batch_may_lie_in_steps():
    class Viewing(ToyViT):
        def forward(self, images):
            return super().forward(images.view(-1).view(images.shape))

    scope = vitscope.wrap(Viewing().eval())
    images = torch.randn(7, 8, 12, 3).permute(0, 3, 1, 2)
    assert len(list(scope.measure(images, [Entropy()], batch_size=3))) == 7


def test_of_a_batch_given_as_one_tensor_a_failure_is_told_by_its_number(bundled):
    images = torch.randn(7, 3, 64, 64)
    images[4, 2, 11, 13] = torch.nan
    failures = []
    options = {"batch_size": 3, "on_failure": lambda name, error: failures.append((name, str(error)))}
    found = [values[Entropy()] for _, values in bundled.measure(images, [Entropy()], **options)]
    others = [values[Entropy()] for _, values in bundled.measure(images[[0, 1, 2, 3, 5, 6]], [Entropy()])]
    np.testing.assert_allclose(found, others, rtol=1e-4)
    assert len({value.tobytes() for value in found}) == 6
    assert failures == [("image 5", "the tensor holds NaN or infinity; expected preprocessed pixels")]
    with pytest.raises(ImageError, match="NaN or infinity"):
        list(bundled.measure(images, [Entropy()]))
    failures.clear()
    assert list(bundled.measure(torch.zeros(2, 4, 64, 64), [Entropy()], **options)) == []
    assert [name for name, _ in failures] == ["image 1", "image 2"]


@pytest.mark.parametrize("image", ["photo.jpg", b"bytes", np.zeros((4, 5, 3), np.uint8)])
def test_one_image_is_not_taken_for_many(bundled, image):
    with pytest.raises(ArgumentError, match="one image was given; expected an iterable"):
        bundled.measure(image, [Entropy()])


def test_batches_hold_at_least_one(bundled):
    with pytest.raises(ArgumentError, match="batch_size must be at least 1; found 0"):
        bundled.measure([], [Entropy()], batch_size=0)
