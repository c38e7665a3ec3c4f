"""Models that are compiled, replicated, adapted, checkpointed or laid out otherwise look as they do plain."""

import copy
import threading

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import vitscope
from toys import ToyViT
from vitscope import MeanAttentionDistance, Rollout
from vitscope.attention.eager import uncompiled
from vitscope.errors import CaptureError

IMAGES = {"toy": (12, 20), "swin": (56, 84)}


class Around(nn.Module):
    """A module of the caller's own around a model."""

    def __init__(self, backbone, call=None):
        super().__init__()
        self.backbone, self.call = backbone, call

    def forward(self, images):
        return self.backbone(images) if self.call is None else self.call(self.backbone, images)


def make(kind):
    torch.manual_seed(5)
    if kind == "toy":
        return ToyViT().eval()
    sizes = {"img_size": IMAGES["swin"], "window_size": 7, "embed_dim": 12, "depths": (2, 2), "num_heads": (2, 3)}
    return timm.create_model("swin_tiny_patch4_window7_224", **sizes).eval()


def compiled_whole(model):
    return torch.compile(model, backend="eager")


def compiled_warm(model):
    compiled = torch.compile(model, backend="eager")
    size = IMAGES["toy"] if isinstance(model, ToyViT) else IMAGES["swin"]
    with torch.no_grad():
        compiled(torch.zeros(2, 3, *size))
    return compiled


def compiled_in_place(model):
    model.compile(backend="eager")
    return model


def compiled_layers(model):
    for layer in model.layers:
        layer.compile(backend="eager")
    return model


def compiled_inside(model):
    return Around(torch.compile(model, backend="eager"))


def replicated(model):
    return nn.DataParallel(model)  # itself still in training mode, as it is made


def replicated_compiled(model):
    return torch.compile(nn.DataParallel(model), backend="eager").eval()


def channels_last(model):
    return model.to(memory_format=torch.channels_last)


def checkpointed(model):
    return Around(model, lambda module, images: checkpoint(module, images, use_reentrant=False))


def checkpointed_reentrant(model):
    return Around(model, lambda module, images: checkpoint(module, images, use_reentrant=True))


def fx_traced(model):
    return torch.fx.symbolic_trace(model)


WAYS = [
    compiled_whole, compiled_warm, compiled_in_place, compiled_layers, compiled_inside, replicated,
    replicated_compiled, channels_last, checkpointed, checkpointed_reentrant,
]  # fmt: skip


@pytest.fixture(scope="module")
def plain():
    """By kind: the model wrapped as it is, traced once for all."""
    return {kind: vitscope.wrap(make(kind)) for kind in IMAGES}


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_model_looks_as_it_does_plain(plain, way, kind):
    images = torch.randn(2, 3, *IMAGES[kind])
    wrapped = way(make(kind))
    scope = vitscope.wrap(wrapped if isinstance(wrapped, nn.DataParallel) else wrapped.eval())
    expected, found = plain[kind].look(images), scope.look(images)
    assert [layer.windows for layer in found.layers] == [layer.windows for layer in expected.layers]
    assert found.readout == expected.readout
    measures = [MeanAttentionDistance(), Rollout()]
    of_many = dict(scope.measure([("a", images[0]), ("b", images[1])], measures))
    for measure in measures:
        wanted = measure.measure(expected.attention_seen)
        np.testing.assert_allclose(measure.measure(found.attention_seen), wanted, rtol=1e-5)
        np.testing.assert_allclose(np.stack([of_many[name][measure] for name in "ab"]), wanted, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("way", [compiled_whole, compiled_warm, compiled_in_place, replicated, replicated_compiled])
def test_names_and_weights_are_the_models_own(way):
    plain, images = vitscope.wrap(make("toy")), torch.randn(1, 3, 12, 20)
    scope = vitscope.wrap(way(make("toy")))
    assert [layer.name for layer in scope.look(images).layers] == ["layers.0", "layers.1"]
    assert isinstance(scope.model, ToyViT)
    assert scope.weights_sha256() == plain.weights_sha256()


class Backend:
    """Counts graphs that are compiled and that run."""

    def __init__(self):
        self.compiled = self.ran = 0

    def __call__(self, graph, inputs):
        self.compiled += 1

        def run(*arguments):
            self.ran += 1
            return graph(*arguments)

        return run


@pytest.mark.parametrize("in_place", [False, True])
def test_what_was_compiled_is_kept_for_afterwards(in_place):
    backend, model, images = Backend(), make("toy"), torch.randn(2, 3, 12, 20)
    if in_place:
        model.compile(backend=backend)
    compiled = model if in_place else torch.compile(model, backend=backend)
    with torch.no_grad():
        before = compiled(images)
        graphs, runs = backend.compiled, backend.ran
        assert graphs == runs > 0
        look = vitscope.wrap(compiled).look(images)
        assert (backend.compiled, backend.ran) == (graphs, runs)
        assert torch.equal(compiled(images), before)
    assert (backend.compiled, backend.ran) == (graphs, 2 * runs)
    torch.testing.assert_close(look.output, before)


def test_compilers_stand_aside_until_the_last_of_several_looks_ends():
    backend = Backend()
    compiled = torch.compile(make("toy"), backend=backend)
    entered, leave = threading.Event(), threading.Event()

    def other():
        with uncompiled():
            entered.set()
            leave.wait(20)

    thread = threading.Thread(target=other)
    with torch.no_grad():
        with uncompiled():
            thread.start()
            assert entered.wait(20)
        compiled(torch.zeros(1, 3, 12, 20))  # the other has not ended
        assert backend.ran == 0
        leave.set()
        thread.join(20)
        compiled(torch.zeros(1, 3, 12, 20))
    assert backend.ran > 0


def test_compilers_come_back_after_an_error():
    backend = Backend()
    compiled = torch.compile(make("toy"), backend=backend)
    with pytest.raises(CaptureError, match="refused an input of 12 × 2 px"):
        vitscope.wrap(compiled).look(torch.zeros(1, 3, 12, 2))
    with torch.no_grad():
        compiled(torch.zeros(1, 3, 12, 20))
    assert backend.ran > 0


def test_replicas_of_a_process_group(tmp_path):
    distributed = torch.distributed
    distributed.init_process_group(
        "gloo", store=distributed.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1
    )
    try:
        scope = vitscope.wrap(nn.parallel.DistributedDataParallel(make("toy")))
        images = torch.randn(1, 3, 12, 20)
        expected = vitscope.wrap(make("toy")).look(images).heatmaps()
        assert np.array_equal(scope.look(images).heatmaps(), expected)
    finally:
        distributed.destroy_process_group()


def test_a_way_of_calling_gets_the_callers_own_object():
    given = []

    def forward(model, images):
        given.append(model)
        return model(images)

    compiled = torch.compile(make("toy"), backend="eager")
    scope = vitscope.wrap(compiled, forward=forward)
    scope.look(torch.randn(1, 3, 12, 20))
    assert all(model is compiled for model in given)
    assert scope.model is compiled


def test_a_graph_of_torch_fx_is_a_model_like_others():
    model, images = make("swin"), torch.randn(1, 3, *IMAGES["swin"])
    found = vitscope.wrap(fx_traced(copy.deepcopy(model)).eval()).look(images)
    assert np.array_equal(
        found.mean_attention_distance(), vitscope.wrap(model).look(images).mean_attention_distance(), True
    )


def test_looking_needs_no_gradients_and_leaves_them_be():
    model, images = make("toy"), torch.randn(1, 3, 12, 20)
    expected = vitscope.wrap(model).look(images).heatmaps()
    with torch.inference_mode():
        assert np.array_equal(vitscope.wrap(model).look(images).heatmaps(), expected)
    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_checkpointing_that_a_library_switches_on():
    torch.manual_seed(3)
    model = timm.create_model("vit_tiny_patch16_224", img_size=(48, 80), depth=3).eval()
    images = torch.randn(1, 3, 48, 80)
    expected = vitscope.wrap(model).look(images).heatmaps()
    model.set_grad_checkpointing(True)
    assert np.array_equal(vitscope.wrap(model).look(images).heatmaps(), expected)
