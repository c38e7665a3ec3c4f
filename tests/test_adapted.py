"""Models with PEFT's adapters look as what they compute: the adapted model, under its own names."""

import copy

import numpy as np
import open_clip
import peft
import pytest
import timm
import torch
from transformers import ViTConfig, ViTModel

import vitscope

SIZE = (48, 80)


def timm_vit():
    return timm.create_model("vit_tiny_patch16_224", img_size=SIZE, depth=3, embed_dim=48)


def swin():
    sizes = {"img_size": (56, 84), "embed_dim": 12, "depths": (2, 2), "num_heads": (2, 3)}
    return timm.create_model("swin_tiny_patch4_window7_224", **sizes)


def transformers_vit():
    sizes = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 64}
    return ViTModel(ViTConfig(image_size=48, **sizes))


def clip_vit():
    vision = {"image_size": 48, "layers": 3, "width": 48, "head_width": 16, "patch_size": 16}
    text = {"context_length": 7, "vocab_size": 11, "width": 16, "heads": 2, "layers": 1}
    return open_clip.model.CLIP(16, vision, text)


CASES = {
    "lora": (timm_vit, {"target_modules": ["qkv", "proj"]}),
    "dora": (timm_vit, {"target_modules": ["qkv"], "use_dora": True}),
    "lora in windows": (swin, {"target_modules": ["qkv"]}),
    "lora of queries and values": (transformers_vit, {"target_modules": ["q_proj", "v_proj"]}),
    "lora of multi-head attention": (clip_vit, {"target_modules": r"visual\.transformer\.resblocks\.\d+\.attn"}),
}


@pytest.fixture(params=CASES)
def adapted(request):
    """A base model, the same with an adapter, and pictures."""
    torch.manual_seed(11)
    make, options = CASES[request.param]
    base = make().eval()
    config = peft.LoraConfig(r=5, init_lora_weights=False, **options)
    images = torch.randn(
        2, 3, *((56, 84) if make is swin else (48, 48) if make in (transformers_vit, clip_vit) else SIZE)
    )
    return base, peft.get_peft_model(copy.deepcopy(base), config).eval(), images


def distances(model, images):
    return vitscope.wrap(model).look(images).mean_attention_distance()


def test_the_adapter_is_looked_through_not_past(adapted):
    base, model, images = adapted
    found = distances(model, images)
    assert not np.allclose(found, distances(base, images), rtol=1e-4, equal_nan=True)
    merged = copy.deepcopy(model).merge_and_unload()
    np.testing.assert_allclose(found, distances(merged, images), rtol=1e-4)
    with model.disable_adapter():
        np.testing.assert_allclose(distances(model, images), distances(base, images), rtol=1e-5)


def test_layers_have_the_models_own_names_and_the_model_is_left_as_it_was(adapted):
    base, model, images = adapted
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    scope = vitscope.wrap(model)
    expected = [layer.name for layer in vitscope.wrap(base).look(images).layers]
    assert [layer.name.removesuffix(".base_layer") for layer in scope.look(images).layers] == expected
    assert type(scope.model) is type(base)
    assert all(torch.allclose(tensor, before[name], atol=1e-6) for name, tensor in model.state_dict().items())
