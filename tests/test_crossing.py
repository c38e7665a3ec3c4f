"""Cross-attention of decoders: rows over the picture's places, equal to the library's own account."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers

import vitscope
from vitscope import Heatmaps
from vitscope.errors import QueryError, VerificationError

SIZE = (96, 160)  # on the backbone's grid: 3 × 5
QUERIES = 11


def small_detr(encoder_layers):
    torch.manual_seed(4)
    backbone = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1] * 4, out_features=["stage4"]
    )
    sizes = {f"{part}_{name}": count for part in ("encoder", "decoder") for name, count in
             {"attention_heads": 3, "ffn_dim": 64}.items()}  # fmt: skip
    config = transformers.DetrConfig(
        use_timm_backbone=False, backbone_config=backbone, d_model=48, num_queries=QUERIES,
        encoder_layers=encoder_layers, decoder_layers=2, **sizes,
    )  # fmt: skip
    return transformers.DetrForObjectDetection(config).eval()


@pytest.fixture(scope="module")
def detr():
    return small_detr(encoder_layers=2)


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def look(detr, images):
    return vitscope.wrap(detr).look(images)


def test_rows_are_the_librarys_own(detr, images, look):
    eager = copy.deepcopy(detr)
    eager.set_attn_implementation("eager")
    with torch.no_grad():
        expected = eager(pixel_values=images, output_attentions=True).cross_attentions
    names = [crossing.name for crossing in look.cross_attention]
    assert len(names) == len(expected) == 2
    for name, weights in zip(names, expected, strict=True):  # (images, heads, queries, keys)
        for number in (1, 7, QUERIES):
            row = look.attention(name, f"query{number}")
            np.testing.assert_allclose(row, weights[:, :, number - 1], atol=1e-6)
            maps = look.heatmaps(name, f"query{number}")
            np.testing.assert_allclose(maps, weights[:, :, number - 1].unflatten(-1, (3, 5)), atol=1e-6)
            assert maps.convention.startswith(f"cross-attention of query{number} ({name})")
        np.testing.assert_allclose(look.heatmaps(name), weights.mean(2).unflatten(-1, (3, 5)), atol=1e-6)
        assert np.array_equal(look.heatmaps(name, "mean"), look.heatmaps(name))
        assert look.places(name).tolist() == [[y * 32 + 16, x * 32 + 16] for y in range(3) for x in range(5)]


def test_cross_attention_is_listed_apart_from_layers(look):
    assert [layer.kind for layer in look.layers] == ["global", "global"]
    assert [(one.kind, one.heads, one.refusal) for one in look.cross_attention] == [("cross", 3, None)] * 2
    assert look.verification_error < 1e-5
    assert look.mean_attention_distance().shape == (2, 2, 3)


def test_what_was_not_the_models_own_is_not_shown(look):
    first, second = look.attention_seen.crossings
    reason = "its recomputed answers were not the model's own"
    refused = replace(first, call=replace(first.call, error=0.5, refusal=reason))
    look = replace(look, attention_seen=replace(look.attention_seen, crossings=(refused, second)))
    assert look.verification_error == 0.5
    assert look.cross_attention[0].refusal == reason
    with pytest.raises(VerificationError, match=reason):
        look.heatmaps(first.call.name)
    look.heatmaps(second.call.name)


def test_where_a_model_has_nothing_else_they_are_its_layers(images):
    look = vitscope.wrap(small_detr(encoder_layers=0)).look(images)
    assert [layer.name for layer in look.layers] == [f"model.decoder.layers.{i}.encoder_attn" for i in range(2)]
    assert look.cross_attention == ()


def test_queries_and_layers_that_do_not_exist(look):
    name = look.cross_attention[1].name
    for query in ("query12", "cls", (1, 2)):
        with pytest.raises(QueryError, match=rf"no query .* in {name}.*query1 to query11"):
            look.heatmaps(name, query)
    with pytest.raises(QueryError, match=rf"no layer is named 'decoder'.*and cross-attention .*{name}"):
        look.heatmaps("decoder")


def test_measure_names_the_layers_it_has(detr, images, look):
    name = look.cross_attention[0].name
    with pytest.raises(QueryError, match="no layer is named"):
        list(vitscope.wrap(detr).measure(list(images), [Heatmaps(name)]))
