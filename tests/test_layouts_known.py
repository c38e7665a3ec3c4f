"""The traced layout of windowed and hierarchical models is their libraries' own, in every attention."""

from functools import partial

import numpy as np
import pytest
import timm

import known_layouts as known
import vitscope

HEADS = (3, 5, 6)


def timm_swin(name, size, window, depths=(2, 2, 2)):
    options = {"embed_dim": 30, "depths": depths, "num_heads": (*HEADS, 3)[: len(depths)], "num_classes": 3}
    return timm.create_model(name, img_size=size, window_size=window, **options)


swin_v1 = partial(timm_swin, "swin_tiny_patch4_window7_224")
swin_v2 = partial(timm_swin, "swinv2_tiny_window8_256")


def torchvision_swin(size, window, version=""):
    from torchvision.models import swin_transformer as library

    block, merging = (getattr(library, f"{name}{version}") for name in ("SwinTransformerBlock", "PatchMerging"))
    options = {"num_classes": 3, "block": block, "downsample_layer": merging}
    return library.SwinTransformer([4, 4], 30, [2, 2], list(HEADS[:2]), list(window), **options)


def transformers_swin(size, window, version=""):
    import transformers

    config, model = (getattr(transformers, f"Swin{version}{name}") for name in ("Config", "Model"))
    options = {"embed_dim": 30, "depths": [2, 2], "num_heads": list(HEADS[:2])}
    return model(config(image_size=size, patch_size=4, window_size=window, **options))


def maxvit(size):
    widths = {"embed_dim": (32, 64, 96, 32), "depths": (1, 1, 1, 1), "stem_width": (8, 16)}
    return timm.create_model("maxvit_rmlp_pico_rw_256", img_size=size, num_classes=3, **widths)


def hiera(size):
    return timm.create_model("hiera_tiny_224", img_size=size, embed_dim=24, stages=(1, 2, 2, 1), num_classes=3)


def nest(size):
    from timm.models.nest import Nest

    widths = {"embed_dims": (24, 30, 36), "num_heads": HEADS, "depths": (2, 1, 1)}
    return Nest(size, patch_size=4, num_levels=3, num_classes=3, **widths)


PYRAMID = {"embed_dims": (24, 30, 35, 33), "num_heads": (2, 3, 5, 11), "num_classes": 3}


def pvt_v2(size):
    return timm.create_model("pvt_v2_b0", depths=(1, 1, 1, 1), **PYRAMID)


def twins(size):
    return timm.create_model("twins_svt_small", depths=(2, 2, 2, 2), wss=(7, 5, 4, 3), **PYRAMID)


def mvit_v2(size, **options):
    from timm.models.mvitv2 import MultiScaleVit, MultiScaleVitCfg

    widths = {"depths": (1, 2, 2, 1), "embed_dim": (12, 24, 48, 96), "num_heads": (1, 2, 4, 8)}
    return MultiScaleVit(MultiScaleVitCfg(**widths, **options), size, num_classes=3)


def sam(size):
    from timm.models.vision_transformer_sam import VisionTransformerSAM

    widths = {"embed_dim": 24, "depth": 3, "num_heads": 3, "neck_chans": 8, "num_classes": 3}
    return VisionTransformerSAM(size, 16, window_size=14, global_attn_indexes=(1,), use_rel_pos=True, **widths)


# name: what makes the model, for an input of (height, width), and the oracle of its attentions
CASES = {
    "timm-swin-oblong": (partial(swin_v1, window=7, depths=(2, 2)), (112, 224), known.timm_swin),
    "timm-swin-to-one-window": (partial(swin_v1, window=7), (112, 112), known.timm_swin),
    "timm-swin-padded": (partial(swin_v1, window=(5, 3), depths=(2, 2)), (112, 144), known.timm_swin),
    "timm-swin-v2": (partial(swin_v2, window=4, depths=(2, 2)), (64, 128), known.timm_swin),
    "torchvision-swin": (partial(torchvision_swin, window=(7, 5)), (112, 160), known.torchvision_swin),
    "torchvision-swin-padded": (partial(torchvision_swin, window=(5, 7)), (96, 176), known.torchvision_swin),
    "torchvision-swin-v2": (partial(torchvision_swin, window=(5, 3), version="V2"), (96, 128), known.torchvision_swin),
    "transformers-swin-padded": (partial(transformers_swin, window=7), (96, 176), known.transformers_swin),
    "transformers-swin-v2": (partial(transformers_swin, window=5, version="v2"), (96, 112), known.transformers_swin),
    "maxvit": (maxvit, (64, 96), known.maxvit),
    "hiera": (hiera, (64, 96), known.hiera),
    "nest": (nest, (112, 112), known.nest),
    "pvt-v2": (pvt_v2, (96, 160), known.pvt_v2),
    "twins-padded": (twins, (96, 160), known.twins),
    "mvit-v2": (mvit_v2, (96, 96), known.mvit_v2),
    "mvit-v2-class-token": (partial(mvit_v2, use_cls_token=True), (96, 96), known.mvit_v2),
    "sam-padded": (sam, (320, 320), known.sam),
    "sam-oblong": (sam, (320, 240), known.sam),
    # sides that the strides do not divide: the last row and column are partly padding, or some pixels are left out
    "odd-timm-swin-112": (partial(swin_v1, window=7, depths=(2, 2, 2, 2)), (112, 112), known.timm_swin),
    "odd-timm-swin": (partial(swin_v1, window=5, depths=(2, 2)), (100, 140), known.timm_swin),
    "odd-torchvision-swin": (partial(torchvision_swin, window=(5, 7)), (100, 140), known.torchvision_swin),
    "odd-transformers-swin": (partial(transformers_swin, window=7), (100, 172), known.transformers_swin),
    "odd-pvt-v2": (pvt_v2, (100, 172), known.pvt_v2),
    "odd-twins": (twins, (100, 172), known.twins),
}


def require_side(layout, tokens, expected):
    """One side of an arrangement is as expected, prefix tokens before the cells."""
    prefix = len(layout.prefix)
    assert layout.grid == expected.grid
    assert layout.patch_size == expected.patch_size
    cells = np.where(tokens < 0, tokens, tokens - prefix)[:, prefix:]
    assert (tokens[:, :prefix] == np.arange(prefix)).all()
    np.testing.assert_array_equal(cells, expected.tokens)


@pytest.mark.parametrize("name", CASES)
def test_every_attentions_tokens_stand_where_the_library_puts_them(name):
    make, size, oracle = CASES[name]
    model = make(size).eval()
    found = vitscope.wrap(model).trace(size)
    expected = list(oracle(model, size))
    assert len(found.calls) == len(expected)
    for call, attention in zip(found.calls, expected, strict=True):
        assert (call.kind, call.heads) == (attention.kind, attention.heads), call.name
        require_side(call.arrangement.queries, call.arrangement.query_tokens, attention.queries)
        require_side(call.arrangement.keys, call.arrangement.key_tokens, attention.keys)
    first = found.calls[0].arrangement
    assert found.layout == first.queries
    assert found.layout.prefix == (("cls",) if "class-token" in name else ())
    assert found.readout == ("cls" if "class-token" in name else "mean")


@pytest.mark.parametrize("name", ["timm-swin-padded", "torchvision-swin-padded", "twins-padded", "sam-padded"])
def test_the_cases_have_padding_and_the_oracle_names_each_cell_once(name):
    make, size, oracle = CASES[name]
    expected = list(oracle(make(size), size))
    assert any((attention.queries.tokens < 0).any() for attention in expected)
    for attention in expected:
        for side in (attention.queries, attention.keys):
            assert sorted(side.tokens[side.tokens >= 0]) == list(range(side.grid[0] * side.grid[1]))
