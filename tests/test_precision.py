"""In half and double precision tokens stand where they do in single, and numbers are as near as rounding lets them."""

import copy

import numpy as np
import pytest
import timm
import torch

import vitscope
from toys import ToyViT
from vitscope import MeanAttentionDistance

WITHIN = {torch.float16: 5e-3, torch.bfloat16: 4e-2, torch.float64: 1e-5}  # of a distance


def toy():
    return ToyViT(), (12, 20)


def swin():
    sizes = {"img_size": (56, 84), "embed_dim": 12, "depths": (2, 2), "num_heads": (2, 3)}
    return timm.create_model("swin_tiny_patch4_window7_224", **sizes), (56, 84)


def swin_deep():
    """Narrow and deep: what a token is told apart by grows faint."""
    sizes = {"embed_dim": 24, "depths": (2, 2, 2, 2), "num_heads": (1, 2, 3, 6)}
    return timm.create_model("swin_tiny_patch4_window7_224", **sizes), (224, 224)


def convolutional():
    """Batch normalisation, a stem of convolutions, keys on a coarser grid."""
    return timm.create_model("efficientvit_m0", img_size=96, depth=(1, 1, 1)), (96, 96)


def pyramid():
    return timm.create_model("pvt_v2_b0", embed_dims=(8, 16, 20, 32), num_heads=(1, 2, 5, 8)), (96, 160)


def scaled_layers():
    """Layers that are scaled by 1e-5, the mean of the patches as readout, beside a class token."""
    return timm.create_model("vit_small_patch16_dinov3", img_size=(96, 160), depth=2), (96, 160)


@pytest.fixture(
    scope="module", params=[toy, swin, swin_deep, convolutional, pyramid, scaled_layers], ids=lambda f: f.__name__
)
def in_single(request):
    """A model in single precision, images, their distances and its trace."""
    torch.manual_seed(2)
    model, size = request.param()
    images = torch.randn(2, 3, *size)
    single = vitscope.wrap(model.eval())
    return model, images, single.look(images).mean_attention_distance(), single.trace(size)


@pytest.mark.parametrize("dtype", WITHIN, ids=str)
def test_a_model_in_another_precision_looks_as_in_single(in_single, dtype):
    model, images, expected, traced = in_single
    scope = vitscope.wrap(copy.deepcopy(model).to(dtype))
    found = scope.trace(tuple(images.shape[-2:]))
    assert (found.readout, found.plain) == (traced.readout, traced.plain)
    for call, known in zip(found.calls, traced.calls, strict=True):
        assert call.kind == known.kind
        assert call.arrangement is not None
        assert known.arrangement is not None
        assert call.arrangement.describe() == known.arrangement.describe()
        assert np.array_equal(call.arrangement.query_tokens, known.arrangement.query_tokens)
        assert np.array_equal(call.arrangement.key_tokens, known.arrangement.key_tokens)
    look = scope.look(images)
    assert [layer.refusal for layer in look.layers] == [None] * len(look.layers)
    np.testing.assert_allclose(look.mean_attention_distance(), expected, rtol=WITHIN[dtype])
    measured = [values[MeanAttentionDistance()] for _, values in scope.measure(list(images), [MeanAttentionDistance()])]
    np.testing.assert_allclose(np.stack(measured), expected, rtol=WITHIN[dtype])


@pytest.mark.parametrize("make", [toy, swin], ids=lambda f: f.__name__)
def test_autocast_is_looked_at_as_it_runs(make):
    torch.manual_seed(2)
    model, size = make()
    images = torch.randn(1, 3, *size)
    expected = vitscope.wrap(model.eval()).look(images).mean_attention_distance()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        look = vitscope.wrap(model).look(images)
    assert [layer.refusal for layer in look.layers] == [None] * len(look.layers)
    assert look.output.dtype == torch.bfloat16
    np.testing.assert_allclose(look.mean_attention_distance(), expected, rtol=WITHIN[torch.bfloat16])


def test_values_near_the_least_number_of_float16_are_verified():
    torch.manual_seed(2)
    model = ToyViT().eval()
    with torch.no_grad():
        for layer in model.layers:
            layer.qkv.weight[2 * layer.out.in_features :] *= 2e-6  # the values
            layer.qkv.bias[2 * layer.out.in_features :] *= 2e-6
    look = vitscope.wrap(model.half()).look(torch.randn(2, 3, 12, 20))
    assert [layer.refusal for layer in look.layers] == [None, None]
    assert look.verification_error > 4 * torch.finfo(torch.float16).eps  # relative to them
