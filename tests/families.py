"""Every plain family, small and with random weights, with the attention that its own library reports."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

GRID = (7, 11)


@dataclass(frozen=True)
class Family:
    """A way to make a small model, and its library's own account of its attention."""

    name: str
    make: Callable[[], nn.Module]
    oracle: Callable[[nn.Module, Tensor], list[Tensor]]  # layers of (images, heads, tokens, tokens)
    patch: int
    prefix: tuple[str, ...]
    readout: str
    grid: tuple[int, int] = GRID

    def images(self, count: int, dtype: torch.dtype) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        height, width = self.grid[0] * self.patch, self.grid[1] * self.patch
        return torch.randn(count, 3, height, width, generator=generator, dtype=torch.float64).to(dtype)


def timm_weights(model: nn.Module, images: Tensor) -> list[Tensor]:
    """timm's AttentionExtract, fused attention off."""
    from timm.utils import AttentionExtract

    plain = copy.deepcopy(model)
    for module in plain.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False
    with torch.no_grad():
        return list(AttentionExtract(plain, method="hook")(images).values())


def transformers_weights(model: nn.Module, images: Tensor) -> list[Tensor]:
    """transformers' eager attention with output_attentions."""
    from vitscope.models.describe import describe

    plain: Any = copy.deepcopy(model)
    plain.set_attn_implementation("eager")
    plain.config.output_attentions = True
    for part in ("vision_config",):
        if hasattr(plain.config, part):
            getattr(plain.config, part).output_attentions = True
    with torch.no_grad():
        return list(describe(plain).forward(plain, images).attentions)


def multi_head_weights(model: nn.Module, images: Tensor) -> list[Tensor]:
    """What nn.MultiheadAttention returns when it is asked for weights."""
    found: list[Tensor] = []

    def ask(_module, args, kwargs):
        return args, kwargs | {"need_weights": True, "average_attn_weights": False}

    plain = copy.deepcopy(model)
    for module in plain.modules():
        if isinstance(module, nn.MultiheadAttention):
            module.register_forward_pre_hook(ask, with_kwargs=True)
            module.register_forward_hook(lambda _module, _args, output: found.append(output[1]))
    with torch.no_grad():
        plain(images)
    return found


def timm_family(name: str, patch: int, prefix=("cls",), readout="cls", **options) -> Family:
    def make() -> nn.Module:
        import timm

        size = (GRID[0] * patch, GRID[1] * patch)
        return timm.create_model(name, img_size=size, depth=3, **options)

    return Family(f"timm-{name}", make, timm_weights, patch, prefix, readout)


def transformers_family(kind: str, prefix=("cls",), readout="cls", *, classifier=False, **options) -> Family:
    def make() -> nn.Module:
        from transformers import AutoConfig, AutoModel, AutoModelForImageClassification

        config = AutoConfig.for_model(
            kind,
            hidden_size=48,
            intermediate_size=96,
            num_hidden_layers=3,
            num_attention_heads=3,
            image_size=112,
            patch_size=16,
            **options,
        )
        return (AutoModelForImageClassification if classifier else AutoModel).from_config(config)

    return Family(f"transformers-{kind}", make, transformers_weights, 16, prefix, readout)


def torchvision_vit() -> nn.Module:
    from torchvision.models import VisionTransformer

    return VisionTransformer(112, 16, num_layers=3, num_heads=3, hidden_dim=48, mlp_dim=96, num_classes=11)


def open_clip_vit() -> nn.Module:
    from open_clip.transformer import VisionTransformer

    size = (GRID[0] * 16, GRID[1] * 16)
    return VisionTransformer(size, 16, width=48, layers=3, heads=3, mlp_ratio=2.0, output_dim=11)


REGISTERS = ("reg1", "reg2", "reg3", "reg4")
FAMILIES = [
    timm_family("vit_tiny_patch16_224", 16),
    timm_family("deit_tiny_distilled_patch16_224", 16, ("cls", "dist")),
    timm_family("vit_small_patch8_224.dino", 8, num_classes=0),
    timm_family("vit_small_patch14_dinov2", 14),
    timm_family("vit_small_patch14_reg4_dinov2", 14, ("cls", *REGISTERS)),
    timm_family("vit_small_patch16_dinov3", 16, ("cls", *REGISTERS), "mean"),
    timm_family("beit_base_patch16_224", 16, ("cls",), "mean", embed_dim=96, num_heads=3),
    timm_family("vit_base_patch32_clip_224", 32, embed_dim=96, num_heads=3),
    timm_family("vit_base_patch16_siglip_224", 16, (), "pool", embed_dim=96, num_heads=3),
    timm_family("eva02_tiny_patch14_224", 14, ("cls",), "mean"),
    transformers_family("vit", classifier=True),
    transformers_family("deit", ("cls", "dist")),
    transformers_family("dinov2"),
    transformers_family("dinov2_with_registers", ("cls", *REGISTERS), num_register_tokens=4),
    transformers_family("dinov3_vit", ("cls", *REGISTERS), num_register_tokens=4),
    transformers_family("clip_vision_model"),
    transformers_family("siglip_vision_model", (), "pool"),
    Family("torchvision-vit", torchvision_vit, multi_head_weights, 16, ("cls",), "cls", (7, 7)),
    Family("open_clip-vit", open_clip_vit, multi_head_weights, 16, ("cls",), "cls"),
]


def sharpened(model: nn.Module, oracle: Callable[[nn.Module], list[Tensor]]) -> nn.Module:
    """The model with queries and keys scaled until a median row's largest weight is 20 times uniform.

    Random weights alone give rows so even that errors would not show.
    """
    names = ("qkv", "q_proj", "k_proj", "query", "key", "in_proj", "q_norm", "k_norm")
    for _ in range(12):
        if all(peakedness(weights) >= 20 for weights in oracle(model)):
            return model
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if not any(part in name for part in names):
                    continue
                packed = "qkv" in name or "in_proj" in name
                rows = 2 * parameter.shape[0] // 3 if packed else parameter.shape[0]
                parameter[:rows] *= 1.6
    raise AssertionError("the rows could not be sharpened")


def peakedness(weights: Tensor) -> float:
    """The median row's largest weight over uniform."""
    return float(weights.amax(-1).median()) * weights.shape[-1]
