"""No picture from the wrong tensor: a permutation of tokens anywhere in a library's model is placed, or found out."""

import numpy as np
import pytest
import timm
import torch
from torch import nn
from transformers import ViTConfig, ViTModel

import vitscope
from toys import ToyViT
from vitscope.errors import VerificationError, VitscopeError

SIZE = (48, 112)  # 3 × 7 patches of 16 px; and of 4 px, 12 × 28
PLAIN = {"img_size": SIZE, "depth": 3, "embed_dim": 48, "num_heads": 3, "num_classes": 5}


def timm_vit():
    return timm.create_model("vit_tiny_patch16_224", **PLAIN, qk_norm=True, init_values=0.1)


def timm_deit():
    return timm.create_model("deit_tiny_distilled_patch16_224", **PLAIN)


def transformers_vit():
    sizes = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 64}
    return ViTModel(ViTConfig(image_size=SIZE, **sizes))


def swin(size=(56, 84)):
    sizes = {"img_size": size, "embed_dim": 12, "depths": (2, 2), "num_heads": (2, 3)}
    return timm.create_model("swin_tiny_patch4_window7_224", **sizes)


def swap(count: int) -> torch.Tensor:
    """Two tokens in each other's place, of which one comes first."""
    order = torch.arange(count)
    order[[1, count // 2]] = order[[count // 2, 1]]
    return order


def shuffle(count: int) -> torch.Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(3))


def permuting(module: nn.Module, order) -> None:
    """What the module gives is permuted over tokens, the last axis but one."""

    def hook(_, inputs, output):
        moved = output[0] if isinstance(output, tuple) else output
        moved = moved[..., order(moved.shape[-2]), :]
        return (moved, *output[1:]) if isinstance(output, tuple) else moved

    module.register_forward_hook(hook)


def found_out(model, size) -> bool:
    """Whether some layer, or all of the model, is refused."""
    try:
        look = vitscope.wrap(model.eval()).look(torch.randn(1, 3, *size))
    except VitscopeError:
        return True
    return any(layer.refusal is not None for layer in look.layers)


IN_A_LAYER = [
    (timm_vit, "blocks.1.norm1"), (timm_vit, "blocks.1.attn"), (timm_vit, "blocks.1.attn.qkv"),
    (timm_vit, "blocks.1.attn.q_norm"), (timm_vit, "blocks.1.attn.k_norm"), (timm_vit, "blocks.1.attn.proj"),
    (timm_vit, "blocks.1.ls1"), (timm_vit, "blocks.1.norm2"), (timm_vit, "blocks.1.mlp.fc1"),
    (timm_vit, "blocks.1.mlp"), (timm_vit, "blocks.1.ls2"), (timm_vit, "blocks.0.attn"), (timm_vit, "blocks.0.mlp.act"),
    (timm_deit, "blocks.1.attn.proj"), (timm_deit, "blocks.1.norm1"),
    (transformers_vit, "layers.1.attention.q_proj"), (transformers_vit, "layers.1.attention.k_proj"),
    (transformers_vit, "layers.1.attention.v_proj"), (transformers_vit, "layers.1.attention"),
    (transformers_vit, "layers.1.attention.o_proj"), (transformers_vit, "layers.1.layernorm_before"),
    (swin, "layers.0.blocks.0.attn"), (swin, "layers.0.blocks.0.attn.qkv"), (swin, "layers.0.blocks.0.attn.proj"),
    (swin, "layers.1.blocks.0.attn.proj"), (swin, "layers.0.blocks.1.mlp.fc1"), (swin, "layers.1.blocks.0.mlp"),
]  # fmt: skip


@pytest.mark.parametrize("order", [swap, shuffle])
@pytest.mark.parametrize(("make", "place"), IN_A_LAYER, ids=lambda it: getattr(it, "__name__", it))
def test_a_permutation_within_a_layer_is_found_out(make, place, order):
    torch.manual_seed(13)
    model, size = make().eval(), (56, 84) if make is swin else SIZE
    assert not found_out(model, size)
    permuting(model.get_submodule(place), order)
    assert found_out(model, size)


@pytest.mark.parametrize("columns", [56, 84, 112])  # of pixels; in 84, the last merged column is partly padding
def test_windows_shifted_back_by_one_too_few_are_found_out_before_patches_merge(columns):
    torch.manual_seed(13)
    model = swin((56, columns)).eval()
    shifted = model.layers[0].blocks[1]
    assert not found_out(model, (56, columns))
    whole = shifted._attn
    shifted._attn = lambda x: torch.roll(whole(x), 1, 2)  # (images, rows, columns, features)
    look = vitscope.wrap(model).look(torch.randn(1, 3, 56, columns))
    assert [layer.refusal is None for layer in look.layers] == [True, False, True, True]


BETWEEN_LAYERS = [
    (timm_vit, "pos_drop", 0), (timm_vit, "norm_pre", 0), (timm_vit, "blocks.0", 1), (timm_vit, "blocks.1", 2),
    (timm_deit, "blocks.0", 1), (transformers_vit, "embeddings", 0), (transformers_vit, "layers.0", 1),
]  # fmt: skip


@pytest.mark.parametrize(("make", "place", "first"), BETWEEN_LAYERS, ids=lambda it: getattr(it, "__name__", it))
def test_patches_permuted_between_layers_are_placed(make, place, first):
    def keeping_prefix(count: int) -> torch.Tensor:
        prefix = count - 21
        return torch.cat([torch.arange(prefix), prefix + shuffle(21)])

    torch.manual_seed(13)
    model = make().eval()
    permuting(model.get_submodule(place), keeping_prefix)
    look = vitscope.wrap(model).look(torch.randn(1, 3, *SIZE))
    for index, layer in enumerate(look.layers):
        arrangement = look.attention_seen.arrangement(index)
        count = arrangement.queries.tokens
        order = keeping_prefix(count).numpy() if index >= first else np.arange(count)
        assert layer.refusal is None
        assert np.array_equal(arrangement.query_tokens[0], order)
        assert np.array_equal(arrangement.key_tokens[0], order)


@pytest.mark.parametrize(("make", "place", "first"), BETWEEN_LAYERS, ids=lambda it: getattr(it, "__name__", it))
def test_a_class_token_that_is_no_longer_read_is_found_out(make, place, first):
    torch.manual_seed(13)
    model = make().eval()
    permuting(model.get_submodule(place), lambda count: torch.arange(count).roll(5))
    assert found_out(model, SIZE)


@pytest.mark.parametrize("place", ["blocks.2", "blocks.2.mlp", "norm"])
def test_an_answer_read_from_another_token_is_found_out(place):
    torch.manual_seed(13)
    model = timm_vit().eval()
    permuting(model.get_submodule(place), lambda count: torch.arange(count).roll(5))
    assert found_out(model, SIZE)


class Reading(ToyViT):
    """No class token; the answer is read from some of the tokens."""

    def __init__(self, read):
        super().__init__()
        self.read = read

    def forward(self, images):
        x = self.patch_embed(images).flatten(2).transpose(1, 2)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = x + layer(norm(x))
        return self.head(self.read(x))


def test_an_answer_said_to_be_the_mean_of_the_patches_follows_them_all():
    torch.manual_seed(13)
    look = vitscope.wrap(Reading(lambda x: x.mean(1)).eval()).look(torch.randn(1, 3, 12, 20))
    assert look.readout == "mean"
    assert [layer.refusal for layer in look.layers] == [None, None]


@pytest.mark.parametrize("read", [lambda x: x[:, 0], lambda x: x[:, 7], lambda x: x[:, 3:9].mean(1)])
def test_an_answer_read_from_some_patches_is_not_said_to_be_the_mean(read):
    torch.manual_seed(13)
    look = vitscope.wrap(Reading(read).eval()).look(torch.randn(1, 3, 12, 20))
    assert look.layers[0].refusal is None
    assert "read from some patches and not from others" in look.layers[1].refusal
    with pytest.raises(VerificationError, match="read from some patches"):
        look.heatmaps()


def test_where_all_features_are_given_a_pooled_patch_beside_them_is_no_readout():
    class Beside(Reading):
        def forward(self, images):
            features: list[torch.Tensor] = []
            self.read = lambda x: features.append(x) or x[:, 0]
            return {"pooler_output": super().forward(images), "last_hidden_state": features[0]}

    look = vitscope.wrap(Beside(None).eval()).look(torch.randn(1, 3, 12, 20))
    assert look.readout == "mean"
    assert [layer.refusal for layer in look.layers] == [None, None]


def test_an_answer_read_from_some_patches_in_windows_is_not_said_to_be_the_mean():
    torch.manual_seed(13)
    sizes = {"img_size": (56, 56), "embed_dim": 12, "depths": (2,), "num_heads": (2,)}
    model = timm.create_model("swin_tiny_patch4_window7_224", **sizes).eval()
    assert not found_out(model, (56, 56))
    model.norm.register_forward_hook(lambda _module, _inputs, maps: maps[:, 3:4, 9:10])  # (images, rows, columns, …)
    assert found_out(model, (56, 56))
