"""The outputs of blocks, which linear CKA compares, of models that give them in every way."""

import threading

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torch.nn.modules import module as torch_module

import vitscope
from families import FAMILIES
from toys import ToyViT
from vitscope import Entropy, LinearCKA
from vitscope.attention.representations import BlockOutputs, first_tensor
from vitscope.errors import CaptureError, NotFiniteError
from vitscope.observing import observe, plan_pass

CKA = LinearCKA()


def seen_of(scope, images, measures):
    """What is seen, and the model's output, as a survey would have it."""
    traced = scope.trace(tuple(images.shape[-2:]))
    planned = plan_pass(traced, len(images), images, measures, 2**30)
    return observe(scope.loaded, images, traced, planned, every_row=False, limit_bytes=2**30)


def swin():
    return timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=56, depths=(2, 1), embed_dim=12, num_heads=(2, 3), num_classes=3
    )


def family(name):
    (found,) = (family for family in FAMILIES if family.name == name)
    return found


REAL = [
    ("timm-vit_tiny_patch16_224", lambda model: list(model.blocks)),
    ("torchvision-vit", lambda model: list(model.encoder.layers)),
    ("transformers-vit", None),
    ("open_clip-vit", lambda model: list(model.transformer.resblocks)),
]


def blocks_of(model):
    """The modules of a transformers model whose class is called a layer, by name."""
    return [module for module in model.modules() if type(module).__name__ == "ViTLayer"]


@pytest.mark.parametrize(("name", "blocks"), REAL, ids=[name for name, _ in REAL])
def test_real_models_give_what_hooks_on_their_blocks_give(name, blocks):
    given, count = family(name), 3
    model = given.make().eval()
    images = given.images(count, torch.float32)
    scope = vitscope.wrap(model)
    forward = scope.loaded.forward  # as families of transformers interpolate their position embeddings
    plain = forward(model, images)
    expected = []
    hooks = [
        block.register_forward_hook(lambda *called: expected.append(first_tensor(called[2]).detach().clone()))
        for block in (blocks or blocks_of)(model)
    ]
    forward(model, images)
    for hook in hooks:
        hook.remove()
    seen, output = seen_of(scope, images, [CKA])
    assert len(expected) == len(seen.layers) == 3
    found = CKA.features(seen)
    for one, other in zip(found, expected, strict=True):
        first = other if other.shape[0] == count else other.transpose(0, 1)
        assert one.dtype == torch.float32
        assert torch.equal(one, first.flatten(1))
    assert torch.equal(first_tensor(output), first_tensor(plain))
    assert not torch_module._global_forward_hooks
    assert (np.diagonal(CKA.finish(CKA.state([layer.repeat(2, 1) for layer in found]))) > 0.999).all()


def test_windows_are_flattened_and_stages_may_differ_in_width():
    model = swin().eval()
    images = torch.randn(5, 3, 56, 56)
    seen, output = seen_of(vitscope.wrap(model), images, [CKA, Entropy()])
    found = CKA.features(seen)
    assert [tuple(layer.shape) for layer in found] == [(5, 14 * 14 * 12)] * 2 + [(5, 7 * 7 * 24)]
    matrix = CKA.finish(CKA.state(found))
    assert matrix.shape == (3, 3)
    assert np.isfinite(matrix).all()
    torch.testing.assert_close(output, model(images), rtol=1e-5, atol=1e-5)


def test_images_that_are_as_many_as_rows_are_told_by_the_other_layers():
    seen, _ = seen_of(vitscope.wrap(swin().eval()), images := torch.randn(7, 3, 56, 56), [CKA])  # last: (7, 7, 7, 24)
    one, _ = seen_of(vitscope.wrap(swin().eval()), images[:1], [CKA])
    assert [len(layer) for layer in seen.representations] == [7] * 3
    assert [len(layer) for layer in one.representations] == [1] * 3


def test_precision_stays_or_rises_to_float32():
    images = torch.randn(2, 3, 8, 12)
    for dtype, expected in ((torch.bfloat16, torch.float32), (torch.float64, torch.float64)):
        seen, _ = seen_of(vitscope.wrap(ToyViT().eval().to(dtype)), images.to(dtype), [CKA])
        assert {layer.dtype for layer in seen.representations} == {expected}


@pytest.fixture
def toy():
    return vitscope.wrap(ToyViT().eval())


def test_nothing_is_hooked_or_kept_unless_it_is_asked_for(toy, monkeypatch):
    monkeypatch.setattr("vitscope.observing.BlockOutputs", None)
    seen, _ = seen_of(toy, torch.randn(2, 3, 8, 12), [Entropy()])
    for one in (seen, toy.look(torch.randn(2, 3, 8, 12)).attention_seen):
        assert one.representations == ()
        with pytest.raises(CaptureError, match="name LinearCKA"):
            CKA.features(one)


def test_the_plan_tells_of_them(toy):
    texts = [str(plan_pass(toy.trace((8, 12)), 2, torch.zeros(()), [measure], 2**30)) for measure in (CKA, Entropy())]
    assert "block outputs     kept of all layers" in texts[0]
    assert "block outputs" not in texts[1]


def test_hooks_are_removed_even_after_errors():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"), BlockOutputs(model := Broken(), ["a.attn"], 2):
        model(torch.ones(2))
    assert not torch_module._global_forward_hooks


class Give(nn.Module):
    def __init__(self, give):
        super().__init__()
        self.give = give
        self.attn = nn.Identity()

    def forward(self, x):
        return self.give(self.attn(x))


class Chain(nn.Module):
    """Blocks in a row, whose outputs are what `give` makes of their input."""

    def __init__(self, *gives):
        super().__init__()
        self.blocks = nn.ModuleList(Give(give) for give in gives)

    def forward(self, x):
        for block in self.blocks:
            block(x)
        return x


def kept(model, images, layers, x):
    with BlockOutputs(model, layers, images) as outputs:
        model(x)
    return outputs


X = torch.arange(2.0 * 5 * 3).reshape(2, 5, 3)


@pytest.mark.parametrize(
    "give",
    [
        lambda x: x + 1,
        lambda x: (x + 1, None),
        lambda x: [None, x + 1],
        lambda x: {"hidden": x + 1, "other": x},
        lambda x: ((x + 1, x), x),
        lambda x: (x + 1).transpose(0, 1),
    ],
)
def test_outputs_of_every_sort_give_their_first_tensor(give):
    found = kept(Chain(give, lambda x: x), 2, ["blocks.0.attn", "blocks.1.attn"], X).representations()
    assert torch.equal(found[0], (X + 1).flatten(1))
    assert torch.equal(found[1], X.flatten(1))


def test_what_changes_in_place_later_was_kept_as_it_was():
    class Adding(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList(Give(lambda x: x * 2) for _ in range(2))

        def forward(self, x):
            x = self.blocks[0](x)
            x += 100
            return self.blocks[1](x)

    found = kept(Adding(), 2, ["blocks.0.attn", "blocks.1.attn"], X).representations()
    assert torch.equal(found[0], X.flatten(1) * 2)


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda x: None, r"layer 'blocks.0.attn': found no tensor"),
        (lambda x: x[:, :2].expand(2, 2, 3), r"shape \(2, 2, 3\)"),
        (lambda x: x.flatten(0, 1), r"shape \(10, 3\) around it, expected 2 images"),
        (lambda x: x[:, 0, 0], r"shape \(2,\)"),
    ],
)
def test_outputs_without_their_images_are_refused(give, message):
    with pytest.raises(CaptureError, match=message):
        kept(Chain(give), 2, ["blocks.0.attn"], X).representations()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_outputs_that_are_no_numbers_are_refused(value):
    def burst(x):
        return torch.where(x == 29, value, x)  # the last entry

    with pytest.raises(NotFiniteError, match=r"layer 'blocks.1.attn': NaN or infinity in the output"):
        kept(Chain(lambda x: x, burst), 2, ["blocks.0.attn", "blocks.1.attn"], X).representations()


def test_layers_whose_block_does_not_run_once_each_are_refused():
    class Twice(Chain):
        def forward(self, x):
            return self.blocks[0](self.blocks[0](x))

    model = Twice(lambda x: x + 1, lambda x: x)
    both = kept(model, 2, ["blocks.0.attn"] * 2, X).representations()  # shared weights: a layer each time
    assert torch.equal(both[1], both[0] + 1)
    for layers in (["blocks.0.attn"], ["blocks.0.attn"] * 3, ["blocks.0.attn", "blocks.1.attn"]):
        with pytest.raises(CaptureError, match="outputs in this pass, expected"):
            kept(model, 2, layers, X).representations()


def test_the_largest_module_that_runs_is_taken_and_holds_no_other_layer():
    class Stage(nn.Module):
        def __init__(self, *blocks):
            super().__init__()
            self.blocks = nn.Sequential(*blocks)

        def forward(self, x):
            return self.blocks(x) * 10

    one, two = Stage(Give(lambda x: x + 1)), Stage(Give(lambda x: x + 2), Give(lambda x: x + 3))
    layers = ["0.blocks.0.attn", "1.blocks.0.attn", "1.blocks.1.attn"]
    found = kept(nn.Sequential(one, two), 2, layers, X).representations()
    stage = (X + 1) * 10
    for output, expected in zip(found, (stage, stage + 2, stage + 5), strict=True):
        assert torch.equal(output, expected.flatten(1))
    alone = kept(Chain(lambda x: x + 1), 2, ["blocks.0.attn"], X).representations()  # a ModuleList never runs
    assert torch.equal(alone[0], X.flatten(1) + 1)


def test_no_more_is_held_than_a_tensor_a_layer():
    assert [*kept(Chain(lambda x: x + 1), 2, ["blocks.0.attn"], X)._outputs] == ["blocks.0"]


def test_one_image_of_one_token_leaves_no_doubt():
    found = kept(Chain(lambda x: x + 1), 1, ["blocks.0.attn"], X[:1, :1]).representations()
    assert torch.equal(found[0], X[0, :1] + 1)


def test_other_threads_and_other_models_are_left_alone():
    model, other = Chain(lambda x: x + 1), Chain(lambda x: x - 1)
    with BlockOutputs(model, ["blocks.0.attn"], 2) as outputs:
        model(X)
        other(X)
        thread = threading.Thread(target=lambda: model(X))
        thread.start()
        thread.join()
    assert torch.equal(outputs.representations()[0], X.flatten(1) + 1)
