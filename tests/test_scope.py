"""A Scope: what it takes as images, what it refuses, and that the model stays the caller's own."""

import inspect
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import vitscope
from toys import ToyViT
from vitscope import LayoutHints, Transform
from vitscope.errors import ArgumentError, CaptureError, ImageError, LayoutError, NotFiniteError, QueryError
from vitscope.models.fingerprint import weights_sha256

TRANSFORM = Transform(size=(12, 20), resize=(12, 20), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


def toy(**options):
    return ToyViT(**options).eval()


def pixels(height=37, width=53, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_picture_is_the_same_however_it_is_given(bundled, tmp_path):
    array = pixels()
    path = tmp_path / "photo.png"
    Image.fromarray(array).save(path)
    expected = bundled.look(array).heatmaps()
    assert expected.shape == (1, 4, 16, 16)
    for given in (str(path), path, path.read_bytes(), Image.fromarray(array), [array]):
        np.testing.assert_array_equal(bundled.look(given).heatmaps(), expected)
    tensor = bundled.transform(vitscope.open_picture(array))
    for given in (tensor, tensor[None], tensor.numpy(), tensor.numpy()[None, :, ::-1][:, :, ::-1]):
        np.testing.assert_array_equal(bundled.look(given).heatmaps(), expected)


def test_a_list_is_one_look_in_its_order(bundled, tmp_path):
    arrays = [pixels(seed=seed) for seed in range(3)]
    Image.fromarray(arrays[1]).save(tmp_path / "middle.png")
    look = bundled.look([arrays[0], tmp_path / "middle.png", arrays[2]])
    assert look.images == ("image 1", "middle.png", "image 3")
    assert look.heatmaps().shape == (3, 4, 16, 16)
    for i, array in enumerate(arrays):
        np.testing.assert_allclose(look.heatmaps()[i], bundled.look(array).heatmaps()[0], atol=1e-6)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), ImageError, r"torch\.uint8.*expected a preprocessed float tensor"),
        (np.zeros((9, 7, 3)), ImageError, r"\(1, 9, 7, 3\).*uint8 NumPy array \(height, width, 3\)"),
        (torch.zeros(2, 1, 8, 8), ImageError, r"\(2, 1, 8, 8\)"),
        (torch.full((1, 3, 8, 8), torch.nan), ImageError, "NaN or infinity"),
        ([], ArgumentError, "empty list"),
    ],
)  # fmt: skip
def test_what_is_no_image_is_refused(bundled, images, error, message):
    with pytest.raises(error, match=message):
        bundled.look(images)


def test_pictures_of_several_input_sizes_are_refused_with_the_way_out(whole):
    with pytest.raises(ImageError, match=r"2 input sizes \(52 × 80, 80 × 52\).*scope\.measure"):
        whole.look([pixels(40, 60), pixels(60, 40)])


@pytest.mark.parametrize(("height", "width", "grid"), [(60, 40, (20, 13)), (40, 60, (13, 20)), (50, 50, (16, 16))])
def test_the_whole_picture_is_seen(whole, height, width, grid):
    look = whole.look(pixels(height, width))
    assert look.layout.grid == grid
    assert look.heatmaps().shape == (1, 4, *grid)
    assert look.shown[0].placement.box == (0, 0, width, height)
    assert look.shown[0].seen.size == (grid[1] * 4, grid[0] * 4)


def test_a_transform_that_cannot_place_its_input_is_refused():
    wrap = inspect.unwrap(vitscope.wrap)  # without the tests' own check of types
    with pytest.raises(ArgumentError, match=r"transform is a function; expected a vitscope\.Transform"):
        wrap(toy(), transform=lambda picture: torch.zeros(3, 8, 12))


def test_a_model_without_a_transform_takes_tensors_only():
    scope = vitscope.wrap(toy())
    assert scope.look(torch.randn(2, 3, 12, 20)).heatmaps().shape == (2, 3, 3, 5)
    with pytest.raises(ArgumentError, match=r"only be shown float tensors.*pass transform=vitscope\.Transform"):
        scope.look(pixels())
    assert vitscope.wrap(toy(), TRANSFORM).look(pixels()).heatmaps().shape == (1, 3, 3, 5)


def test_a_wrapped_model_can_be_called_as_the_caller_wants():
    calls = []

    def forward(model, images):
        calls.append(tuple(images.shape))
        return model(images * 2)

    model = toy()
    images = torch.randn(2, 3, 12, 20)
    doubled = vitscope.wrap(model, forward=forward).look(images)
    np.testing.assert_array_equal(doubled.heatmaps(), vitscope.wrap(model).look(images * 2).heatmaps())
    assert calls[-1] == (2, 3, 12, 20)
    torch.testing.assert_close(doubled.output, model(images * 2).detach(), rtol=0, atol=0)


def test_a_layout_given_is_taken_and_a_wrong_one_refused():
    look = vitscope.wrap(toy(), layout=LayoutHints((4, 4), ("start",))).look(torch.randn(1, 3, 8, 12))
    assert look.layout.prefix == ("start",)
    with pytest.raises(LayoutError, match="given has patches of 2 × 2 px; found 2 × 3 patches of 4 × 4 px"):
        vitscope.wrap(toy(), layout=LayoutHints((2, 2), ("cls",))).look(torch.randn(1, 3, 8, 12))
    with pytest.raises(LayoutError, match=r"given has 2 prefix tokens \(cls, reg1\); found .* prefix tokens"):
        vitscope.wrap(toy(), layout=LayoutHints((4, 4), ("cls", "reg1"))).look(torch.randn(1, 3, 8, 12))


def test_training_mode_is_refused_by_name_before_and_after_wrapping():
    model = toy()
    scope = vitscope.wrap(model)
    scope.look(torch.randn(1, 3, 8, 12))
    model.layers[1].train()
    for attempt in (lambda: vitscope.wrap(model), lambda: scope.look(torch.randn(1, 3, 8, 12))):
        with pytest.raises(CaptureError, match=r"training mode \(layers\.1 and others\).*call model\.eval\(\)"):
            attempt()


@pytest.mark.parametrize("before", [True, False])
def test_weights_that_are_not_finite_are_named(before):
    model = toy()
    scope = vitscope.wrap(model)
    if not before:
        scope.look(torch.randn(1, 3, 8, 12))
    with torch.no_grad():
        model.layers[1].qkv.weight[3, 4] = torch.inf
    with pytest.raises(NotFiniteError, match=r"layers\.1\.qkv\.weight" if before else r"layers\.1"):
        scope.look(torch.randn(1, 3, 8, 12))


def test_a_model_without_attention_is_refused():
    with pytest.raises(CaptureError, match=r"without an attention.*flash-attn"):
        vitscope.wrap(nn.Sequential(nn.Conv2d(3, 5, 4, 4)).eval()).look(torch.randn(1, 3, 8, 12))


def test_a_model_without_a_class_token_has_no_class_row():
    class Mean(ToyViT):
        def __init__(self):
            super().__init__()
            del self.cls_token

        def forward(self, images):
            x = self.patch_embed(images).flatten(2).transpose(1, 2)
            for norm, layer in zip(self.norms, self.layers, strict=True):
                x = x + layer(norm(x))
            return self.head(x.mean(1))

    look = vitscope.wrap(Mean().eval()).look(torch.randn(1, 3, 8, 12))
    assert look.readout == "mean"
    assert "mean over patch queries" in look.heatmaps().convention
    for ask in (look.heatmaps, look.rollout):
        with pytest.raises(
            QueryError, match=r"no query 'cls' in this layer; it has mean, and \(row, column\) on a grid of 2 × 3"
        ):
            ask(query="cls")


def test_a_model_that_turns_another_way_than_traced_is_refused():
    class Fickle(ToyViT):
        def forward(self, images):
            return super().forward(images) if images.abs().max() < 100 else self.head(self.cls_token.flatten())

    scope = vitscope.wrap(Fickle().eval())
    with pytest.raises(CaptureError, match=r"found 0 attention calls.*expected 2 \(layers\.0, layers\.1"):
        scope.look(torch.full((1, 3, 8, 12), 200.0))


def test_looking_never_changes_the_model(bundled):
    model = bundled.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = [(m.training, dict(m._forward_hooks), dict(m._forward_pre_hooks), m.forward) for m in model.modules()]
    grads = [p.requires_grad for p in model.parameters()]
    image = bundled.transform(vitscope.sample_photo())[None]
    with torch.no_grad():
        plain = model(image)
        random_state = torch.get_rng_state()
        look = bundled.look(image, every_row=True)
        again = model(image)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert torch.equal(plain, again)
    assert torch.equal(look.output, plain)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert [
        (m.training, dict(m._forward_hooks), dict(m._forward_pre_hooks), m.forward) for m in model.modules()
    ] == state
    assert [p.requires_grad for p in model.parameters()] == grads


def test_layouts_are_traced_once_for_each_input_size(monkeypatch):
    sizes = []
    real = vitscope.scope.trace

    def counting(model, forward, image_size, hints, like):
        sizes.append(image_size)
        return real(model, forward, image_size, hints, like)

    monkeypatch.setattr("vitscope.scope.trace", counting)
    scope = vitscope.wrap(toy())
    for size in ((8, 12), (12, 8), (8, 12), (12, 8)):
        scope.look(torch.randn(1, 3, *size))
    assert sizes == [(8, 12), (12, 8)]


def test_two_threads_look_through_one_scope():
    scope = vitscope.wrap(toy())
    images = [torch.randn(1 + i % 2, 3, 12, 20 + 4 * (i % 3)) for i in range(6)]
    expected = [vitscope.wrap(scope.model).look(image) for image in images]
    start = Barrier(2)

    def look(numbers):
        start.wait()
        return [scope.look(images[i]) for i in numbers]

    with ThreadPoolExecutor(2) as pool:
        even, odd = pool.map(look, (range(0, 6, 2), range(1, 6, 2)))
    for i, found in enumerate(look for pair in zip(even, odd, strict=True) for look in pair):
        np.testing.assert_array_equal(found.rollout(), expected[i].rollout())
        assert len(found.layers) == 2


def test_settings_say_which_weights_and_survive_json(bundled):
    settings = bundled.look(vitscope.sample_photo()).settings
    assert json.loads(json.dumps(settings, allow_nan=False)) == settings
    assert settings["model"]["name"] == "vitscope-tiny"
    assert settings["model"]["weights_sha256"] == weights_sha256(bundled.model)
    assert settings["model"]["parameters"] == sum(p.numel() for p in bundled.model.parameters())
    assert settings["preprocessing"]["size"] == [64, 64]
    assert settings["versions"]["torch"] == torch.__version__


def _in_place(model):
    with torch.no_grad():
        model.head.weight.add_(1)


def _past_the_count(model):
    model.head.weight.data.mul_(0.5)  # PyTorch counts no change through .data


def _another_tensor(model):
    model.head.weight = nn.Parameter(model.head.weight + 1)


@pytest.mark.parametrize("change", [_in_place, _past_the_count, _another_tensor])
def test_the_weights_number_follows_the_weights(change, monkeypatch):
    counted = []

    def counting(model):
        counted.append(1)
        return weights_sha256(model)

    monkeypatch.setattr("vitscope.scope.weights_sha256", counting)
    scope = vitscope.wrap(toy())
    image = torch.randn(1, 3, 8, 12)
    first = scope.look(image).settings["model"]["weights_sha256"]
    assert scope.look(image).settings["model"]["weights_sha256"] == first
    assert len(counted) == 1
    change(scope.model)
    second = scope.look(image).settings["model"]["weights_sha256"]
    assert second == weights_sha256(scope.model) != first


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", "meta"])
def test_a_device_that_is_not_there_is_named(device):
    with pytest.raises(ArgumentError, match=rf"found no device '{device}'.*expected auto, or one of cpu"):
        vitscope.load(device=device)
