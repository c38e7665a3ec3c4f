"""Looks of models of every kind that the page must compute: registers, biases, masks, bare weights, pooling heads.

All have random weights, sharpened so that errors would show, and an oblong grid where the library allows one.
"""

import torch

from families import FAMILIES, sharpened
from toys import ToyViT, capped, masked
from vitscope import wrap
from vitscope.look import Look

FAMILY_OF = {
    "registers": "timm-vit_small_patch14_reg4_dinov2",
    "relative bias": "timm-beit_base_patch16_224",
    "pooling head": "timm-vit_base_patch16_siglip_224",
    "torchvision": "torchvision-vit",
    "transformers": "transformers-dinov3_vit",
}
TOYS = {"mask": masked, "bare weights": capped}
TOY_GRID, TOY_PATCH = (5, 13), 4


def look_of(kind: str) -> Look:
    """Two images seen by a model of that kind."""
    torch.manual_seed(11)
    return _toy_look(kind) if kind in TOYS else _family_look(kind)


def _family_look(kind: str) -> Look:
    family = next(family for family in FAMILIES if family.name == FAMILY_OF[kind])
    images = family.images(2, torch.float32)
    model = sharpened(family.make().eval(), lambda model: family.oracle(model, images))
    return wrap(model).look(images)


def _toy_look(kind: str) -> Look:
    height, width = (side * TOY_PATCH for side in TOY_GRID)
    return wrap(ToyViT(TOYS[kind]).eval()).look(torch.randn(2, 3, height, width))
