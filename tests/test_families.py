"""Every plain family, against its own library's attention and dense float64 references."""

import copy
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

import vitscope
from families import FAMILIES, Family, peakedness, sharpened
from vitscope.trace import find_answer


@cache
def made(name: str) -> nn.Module:
    """The family's sharpened model in float64."""
    family = next(family for family in FAMILIES if family.name == name)
    torch.manual_seed(11)
    model = family.make().eval().double()
    with torch.no_grad():  # heads of zeros would hide what the answer is read from
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.02)
    return sharpened(model, lambda candidate: family.oracle(candidate, family.images(1, torch.float64))[:3])


def references(family: Family, weights: list[torch.Tensor]) -> dict[str, np.ndarray]:
    """Every measure by its formula on dense attention; layers are stacked on axis 1."""
    prefix, grid, patch = len(family.prefix), family.grid, family.patch
    dense = [layer.numpy() for layer in weights]

    def stack(function) -> np.ndarray:
        return np.stack([np.asarray(function(layer)) for layer in dense], axis=1)

    matrix = vitscope.rollout(dense)
    maximum = vitscope.rollout(dense, "max", start_layer=1)
    token = prefix + 3 * grid[1] + 5
    return {
        "distance": stack(lambda layer: vitscope.mean_attention_distance(layer, grid, patch, prefix)),
        "rescaled": stack(lambda layer: vitscope.mean_attention_distance(layer, grid, patch, prefix, True)),
        "entropy": stack(lambda layer: vitscope.entropy(layer, prefix)),
        "prefix_mass": stack(lambda layer: vitscope.prefix_mass(layer, prefix)),
        "heatmaps": dense[1][:, :, token, prefix:].reshape(-1, dense[1].shape[1], *grid),
        "rollout_matrix": np.asarray(matrix),
        "rollout_patch": np.asarray(maximum[:, token, prefix:]).reshape(-1, *grid),
    }


def found(look: vitscope.Look) -> dict[str, np.ndarray]:
    return {
        "distance": look.mean_attention_distance(),
        "rescaled": look.mean_attention_distance(rescale=True),
        "entropy": look.entropy(),
        "prefix_mass": look.prefix_mass(),
        "heatmaps": look.heatmaps(1, (3, 5)),
        "rollout_matrix": look.rollout_matrix(),
        "rollout_patch": look.rollout("max", start_layer=1, query=(3, 5)),
    }


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_measures_equal_dense_float64_references(family, count):
    model = made(family.name)
    weights = family.oracle(model, family.images(count, torch.float64))[:3]
    assert min(peakedness(layer) for layer in weights) >= 20
    expected = references(family, weights)
    for dtype, tolerance in ((torch.float64, 1e-6), (torch.float32, 2e-4)):
        look = vitscope.wrap(copy.deepcopy(model).to(dtype)).look(family.images(count, dtype))
        assert look.layout.grid == family.grid
        assert look.layout.prefix == family.prefix
        assert look.layout.patch_size == (family.patch, family.patch)
        assert look.readout == family.readout
        assert len(look.layers) == 3
        for name, values in found(look).items():
            assert values.dtype == (np.float64 if dtype == torch.float64 else np.float32)
            assert values.shape == expected[name].shape, name
            error = np.abs(values - expected[name]).max(initial=0) / max(np.abs(expected[name]).max(initial=0), 1e-9)
            assert error < tolerance, f"{name} in {dtype}: {error:.1e}"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_rows_equal_the_librarys_own_attention_and_its_output_is_untouched(family):
    model = copy.deepcopy(made(family.name)).float()
    images = family.images(2, torch.float32)
    scope = vitscope.wrap(model)
    look = scope.look(images, every_row=True)
    with torch.no_grad():
        plain = find_answer(scope.loaded.forward(model, images))
    # multi-head attention leaves its fast path while it is watched: 1e-5 relative, else bit for bit
    multi_head = any(isinstance(module, nn.MultiheadAttention) for module in model.modules())
    difference = (find_answer(look.output) - plain).abs().max() / plain.abs().max()
    assert difference <= (1e-5 if multi_head else 0)
    for index, weights in enumerate(family.oracle(model, images)[:3]):
        for query, token in ((None, 0),) if family.readout == "cls" else ():
            row = look.attention(index, query)
            np.testing.assert_allclose(row, weights[:, :, token], atol=1e-5)
        token = len(family.prefix) + 6 * family.grid[1] + 2
        np.testing.assert_allclose(look.attention(index, (6, 2)), weights[:, :, token], atol=1e-5)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.readout == "pool"], ids=lambda f: f.name)
def test_pooling_heads_rows_are_the_models_own(family):
    model, images = made(family.name), family.images(2, torch.float64)
    look = vitscope.wrap(model).look(images)
    taken: list[torch.Tensor] = []
    name = "attn_pool" if family.name.startswith("timm") else "head"
    pool = next(module for path, module in model.named_modules() if path.rpartition(".")[2] == name)
    handle = pool.register_forward_pre_hook(lambda _module, args: taken.append(args[0]))
    with torch.no_grad():
        vitscope.wrap(model).loaded.forward(model, images)
        handle.remove()
        tokens = taken[0]
        if name == "attn_pool":
            queries, keys = pool.q(pool.latent.expand(2, -1, -1)), pool.kv(tokens).chunk(2, -1)[0]
        else:
            weight, bias = (part.chunk(3) for part in (pool.attention.in_proj_weight, pool.attention.in_proj_bias))
            queries = nn.functional.linear(pool.probe.expand(2, -1, -1), weight[0], bias[0])
            keys = nn.functional.linear(tokens, weight[1], bias[1])
        queries, keys = (t.unflatten(-1, (3, -1)).transpose(1, 2) for t in (queries, keys))  # (images, heads, …)
        expected = (queries @ keys.mT * queries.shape[-1] ** -0.5).softmax(-1)[:, :, 0]
    np.testing.assert_allclose(look.attention(-1).reshape(2, 3, -1), expected, atol=1e-9)
    assert "pooling head" in look.heatmaps().convention


def test_eager_transformers_and_unfused_timm_are_seen_through_the_open_softmax():
    for name in ("timm-vit_tiny_patch16_224", "timm-beit_base_patch16_224", "transformers-dinov2", "transformers-vit"):
        family = next(family for family in FAMILIES if family.name == name)
        plain, model = made(name), copy.deepcopy(made(name))
        for module in model.modules():
            if hasattr(module, "fused_attn"):
                module.fused_attn = False
        if hasattr(model, "set_attn_implementation"):
            model.set_attn_implementation("eager")
        images = family.images(2, torch.float64)
        one, other = (vitscope.wrap(m).look(images) for m in (plain, model))
        tolerance = 1e-6 if name.startswith("transformers") else 1e-9  # eager softmax is taken in float32
        np.testing.assert_allclose(other.rollout(), one.rollout(), rtol=tolerance)
        assert all(call.probabilities is None for call in other.attention_seen.layers)
