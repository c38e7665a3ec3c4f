"""What is read from a model must agree with the tokens that it really makes."""

import open_clip
import pytest
import timm
import torch
import transformers
from torch import nn
from torchvision.models import VisionTransformer

from vitscope.errors import ModelError
from vitscope.images.transform import Transform
from vitscope.layout import LayoutHints, fit_layout
from vitscope.models.describe import call_vision_tower, describe

REGISTERS = ("cls", "reg1", "reg2", "reg3", "reg4")
TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 99}
CLIP_TEXT = TEXT | {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


def from_timm(name, **arguments):
    return timm.create_model(name, **({"depth": 1, "embed_dim": 48, "num_heads": 2} | arguments))


def from_transformers(kind, **options):
    return transformers.AutoModel.from_config(transformers.AutoConfig.for_model(kind, **(TINY | options)))


def clip_model():
    config = transformers.CLIPConfig(text_config=CLIP_TEXT, vision_config=TINY, projection_dim=16)
    return transformers.CLIPModel(config)


def siglip_model():
    return transformers.SiglipModel(transformers.SiglipConfig(text_config=TEXT, vision_config=TINY))


def torchvision_vit():
    return VisionTransformer(image_size=32, patch_size=8, num_layers=1, num_heads=2, hidden_dim=32, mlp_dim=64)


def open_clip_model():
    vision = {"image_size": 32, "patch_size": 8, "width": 64, "head_width": 32, "layers": 1}
    text = {"context_length": 8, "vocab_size": 99, "width": 32, "heads": 2, "layers": 1}
    return open_clip.CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text)


class Own(nn.Module):
    """A ViT of nobody's library: a strided convolution, two kinds of prefix tokens, one encoder layer."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 32, kernel_size=(8, 4), stride=(8, 4))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 32))
        self.storage_tokens = nn.Parameter(torch.zeros(1, 2, 32))
        self.encoder = nn.TransformerEncoderLayer(32, 2, batch_first=True)

    def forward(self, images):
        patches = self.embed(images).flatten(2).mT  # (images, patches, width)
        prefix = torch.cat([self.cls_token, self.storage_tokens], dim=1).expand(len(images), -1, -1)
        return self.encoder(torch.cat([prefix, patches], dim=1))


# How to build each, the module whose output has the tokens at axis 1, input size, patch size, prefix tokens.
MODELS = {
    "timm ViT": (lambda: from_timm("vit_tiny_patch16_224"), "norm", (224, 224), (16, 16), ("cls",)),
    "timm ViT, oblong": (
        lambda: from_timm("vit_tiny_patch16_224", img_size=(32, 80)),
        "norm",
        (32, 80),
        (16, 16),
        ("cls",),
    ),
    "timm DeiT distilled": (
        lambda: from_timm("deit_tiny_distilled_patch16_224"),
        "norm",
        (224, 224),
        (16, 16),
        ("cls", "dist"),
    ),
    "timm DINOv2 reg": (
        lambda: from_timm("vit_small_patch14_reg4_dinov2", img_size=56),
        "norm",
        (56, 56),
        (14, 14),
        REGISTERS,
    ),
    "timm DINOv3": (lambda: from_timm("vit_small_patch16_dinov3"), "norm", (256, 256), (16, 16), REGISTERS),
    "timm BEiT": (lambda: from_timm("beit_base_patch16_224"), "blocks.0", (224, 224), (16, 16), ("cls",)),
    "timm EVA-02": (lambda: from_timm("eva02_tiny_patch14_224"), "blocks.0", (224, 224), (14, 14), ("cls",)),
    "timm SigLIP": (lambda: from_timm("vit_base_patch16_siglip_224"), "norm", (224, 224), (16, 16), ()),
    "timm hybrid": (lambda: from_timm("vit_tiny_r_s16_p8_224"), "norm", (224, 224), (32, 32), ("cls",)),
    "transformers ViT": (lambda: from_transformers("vit"), "layernorm", (32, 32), (8, 8), ("cls",)),
    "transformers DeiT": (lambda: from_transformers("deit"), "layernorm", (32, 32), (8, 8), ("cls", "dist")),
    "transformers DINOv2": (lambda: from_transformers("dinov2"), "layernorm", (32, 32), (8, 8), ("cls",)),
    "transformers DINOv2 reg": (
        lambda: from_transformers("dinov2_with_registers"),
        "layernorm",
        (32, 32),
        (8, 8),
        REGISTERS,
    ),
    "transformers DINOv3": (
        lambda: from_transformers("dinov3_vit", num_register_tokens=4),
        "norm",
        (32, 32),
        (8, 8),
        REGISTERS,
    ),
    "transformers BEiT": (lambda: from_transformers("beit"), "layers.0", (32, 32), (8, 8), ("cls",)),
    "transformers CLIP vision": (
        lambda: from_transformers("clip_vision_model"),
        "pre_layrnorm",
        (32, 32),
        (8, 8),
        ("cls",),
    ),
    "transformers CLIP": (clip_model, "vision_model.pre_layrnorm", (32, 32), (8, 8), ("cls",)),
    "transformers SigLIP": (siglip_model, "vision_model.post_layernorm", (32, 32), (8, 8), ()),
    "torchvision ViT": (torchvision_vit, "encoder", (32, 32), (8, 8), ("cls",)),
    "open_clip": (open_clip_model, "visual.ln_pre", (32, 32), (8, 8), ("cls",)),
    "own": (Own, "encoder", (32, 20), (8, 4), ("cls", "reg1", "reg2")),
    "own, wrapped": (
        lambda: nn.Sequential(nn.Identity(), Own()),
        "1.encoder",
        (32, 20),
        (8, 4),
        ("cls", "reg1", "reg2"),
    ),
}


@pytest.mark.parametrize("case", MODELS.values(), ids=MODELS.keys())
def test_hints_agree_with_the_tokens_that_run(case):
    build, where, size, patch_size, prefix = case
    model = build().eval()
    described = describe(model)
    assert described.hints == LayoutHints(patch_size=patch_size, prefix=prefix)
    tokens = []
    model.get_submodule(where).register_forward_hook(lambda module, inputs, output: tokens.append(output.shape[1]))
    with torch.no_grad():
        described.forward(model, torch.zeros(2, 3, *size))
    assert fit_layout(tokens[0], size, described.hints).image_size == size


@pytest.mark.parametrize("kind", ["vit", "deit", "dinov2", "dinov3_vit", "clip_vision_model", "siglip_vision_model"])
def test_transformers_position_embeddings_stretch_to_other_sizes(kind):
    model = from_transformers(kind).eval()
    described = describe(model)
    with torch.no_grad():
        tokens = described.forward(model, torch.zeros(1, 3, 40, 56)).last_hidden_state.shape[1]
    assert fit_layout(tokens, (40, 56), described.hints).grid == (5, 7)


def test_transformers_at_its_own_size_runs_as_it_would_alone():
    model, images = from_transformers("vit").eval(), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(describe(model).forward(model, images)[0], model(images)[0])


@pytest.mark.parametrize("build", [clip_model, siglip_model, open_clip_model])
def test_only_the_vision_tower_of_two_runs(build):
    model = build().eval()
    ran = []
    for name, module in model.named_modules():
        module.register_forward_hook(lambda module, inputs, output, name=name: ran.append(name))
    with torch.no_grad():
        describe(model).forward(model, torch.zeros(1, 3, 32, 32))
    assert ran
    assert all(name.startswith(("visual", "vision_model")) for name in ran)


def test_vision_tower_call_refuses_a_model_without_one():
    with pytest.raises(ModelError, match="no vision tower"):
        call_vision_tower(nn.Identity(), torch.zeros(1, 3, 8, 8))


def test_unknown_models_say_nothing():
    model = nn.Sequential(nn.Conv2d(3, 8, kernel_size=3, stride=1), nn.Flatten())
    described = describe(model)
    assert described.hints == LayoutHints(patch_size=None, prefix=None)
    assert described.transform is None


def test_describing_changes_nothing():
    model = Own()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    describe(model)
    assert model.training
    assert not model._forward_hooks
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_wrapped_timm_model_brings_its_transform_at_its_own_size():
    transform = describe(from_timm("vit_tiny_patch16_224", img_size=(96, 128))).transform
    assert isinstance(transform, Transform)
    assert transform.size == (96, 128)
    assert transform.mean == (0.5, 0.5, 0.5)
    assert (transform.resize, transform.aspect) == ((106, 142), "cover")  # 96 / 0.9 and 128 / 0.9, rounded down
    assert describe(from_transformers("vit")).transform is None
