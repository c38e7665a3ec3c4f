"""Transforms made from each library's description, against that library's own pipeline on real pixels."""

import numpy as np
import open_clip
import pytest
import torch
import transformers
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from timm.data import create_transform
from torchvision.models import ViT_B_16_Weights

from vitscope.images.decode import Picture
from vitscope.models.preprocessing import from_open_clip, from_processor, from_timm
from vitscope.models.torchvision import _transform as from_torchvision_weights

TIMM = {
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "interpolation": "bicubic",
    "crop_pct": 0.9,
    "crop_mode": "center",
    "input_size": (3, 64, 64),
}


@pytest.fixture(params=[(97, 131), (131, 97)], ids=["wide", "tall"])
def image(request):
    pixels = np.random.default_rng(3).integers(0, 256, (*request.param, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(request.param[::-1], Image.Resampling.BILINEAR)


def ours(transform, image):
    return transform(Picture("noise", image))


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
def test_timm_modes(image, mode, size):
    config = TIMM | {"crop_mode": mode, "input_size": (3, *size)}
    expected = create_transform(**config, is_training=False)(image)
    assert torch.equal(ours(from_timm(config), image), expected)


@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
@pytest.mark.parametrize("size", [64, (48, 80)])
def test_open_clip_modes(image, mode, size):
    config = {"size": size, "mode": "RGB", "resize_mode": mode, "interpolation": "bicubic", "fill_color": 0}
    config |= {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD}
    expected = image_transform_v2(PreprocessCfg(**config), is_train=False)(image)
    assert (ours(from_open_clip(config), image) - expected).abs().max() < 1e-6


def test_torchvision_weights(image):
    weights = ViT_B_16_Weights.IMAGENET1K_V1
    assert (ours(from_torchvision_weights(weights), image) - weights.transforms()(image)).abs().max() < 1e-6


SIZES = {
    "an int": {"size": 48},
    "height and width": {"size": {"height": 48, "width": 64}},
    "shortest edge and crop": {
        "size": {"shortest_edge": 56},
        "do_center_crop": True,
        "crop_size": {"height": 48, "width": 48},
    },
    "squash and crop": {
        "size": {"height": 56, "width": 56},
        "do_center_crop": True,
        "crop_size": {"height": 48, "width": 48},
    },
}


@pytest.mark.parametrize("settings", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("pixels", [{}, {"do_rescale": True, "rescale_factor": 1 / 127.5}, {"do_normalize": False}])
def test_processors(image, settings, pixels):
    processor = transformers.DeiTImageProcessorPil(**({"do_center_crop": False} | settings | pixels))
    transform = from_processor(processor.to_dict())
    expected = torch.as_tensor(processor(image, return_tensors="np")["pixel_values"][0])
    assert (ours(transform, image) - expected).abs().max() < 1e-5


def test_what_a_transform_cannot_do_gives_none():
    assert from_timm(TIMM | {"mean": (0.5,), "std": (0.5,)}) is None
    assert from_timm(TIMM | {"crop_mode": "zoom"}) is None
    assert from_processor({"size": {"longest_edge": 64}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}) is None
    assert from_processor({"size": 64, "do_resize": False, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}) is None
