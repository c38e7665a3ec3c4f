"""Looks of small models that attend in windows or on several grids, with random weights, for page and figures."""

from functools import cache

import timm
import torch

import vitscope

SIZE = 112
MODELS = {
    "swin": (
        "swin_tiny_patch4_window7_224",
        {"img_size": SIZE, "depths": (2, 2), "embed_dim": 24, "num_heads": (2, 3)},
    ),
    "pvt": ("pvt_v2_b0", {}),
    "hiera": ("hiera_tiny_224", {"img_size": 128}),
    "cait": ("cait_xxs24_224", {"img_size": SIZE, "depth": 3, "embed_dim": 24, "num_heads": 3}),
    "volo": ("volo_d1_224", {"img_size": SIZE}),
}
CLASSES = {"num_classes": 3}


@cache
def arranged_look(kind: str):
    """A look at one random image, its queries and keys made sharper so that maps differ."""
    torch.manual_seed(7)
    name, options = MODELS[kind]
    model = timm.create_model(name, **options, **CLASSES).eval()
    with torch.no_grad():
        for module_name, module in model.named_modules():
            if module_name.rpartition(".")[2] in ("qkv", "q", "kv") and isinstance(module, torch.nn.Linear):
                module.weight.mul_(6)
    size = 128 if kind == "hiera" else SIZE
    return vitscope.wrap(model).look(torch.randn(1, 3, size, size))
