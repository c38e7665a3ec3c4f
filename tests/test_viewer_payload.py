"""The payload: by its schema, with every number the look's own, whatever the model."""

import base64
import io
import os
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image

import toys
import vitscope
from families import FAMILIES, sharpened
from pages import column_errors, row_errors
from payloads import carried, document_of, photo, toy
from vitscope.attention.kernels import reference
from vitscope.errors import ArgumentError
from vitscope.measures.distance import uniform_distance
from vitscope.viewer import facts, html, payload
from vitscope.viewer.blocks import Blocks
from vitscope.viewer.payload import Builder, build


@pytest.fixture(autouse=True)
def _viewer(monkeypatch):
    monkeypatch.setattr(html, "static", lambda name: "/* the viewer */")


def holed(q, k, v, scale):
    """A mask without any order in it; every token sees itself."""
    generator = torch.Generator().manual_seed(5)
    mask = torch.rand(q.shape[-2], k.shape[-2], generator=generator) < 0.7
    return torch.nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=mask | torch.eye(len(mask)).bool(), scale=scale
    )


@cache
def beit():
    """BEiT with random tables of biases, and its rows by timm itself, layer by layer."""
    torch.manual_seed(11)
    one = next(family for family in FAMILIES if family.name.startswith("timm-beit"))
    model, images = one.make().eval(), one.images(2, torch.float32)
    for name, parameter in model.named_parameters():
        if "relative_position_bias" in name:
            torch.nn.init.normal_(parameter)
    return vitscope.wrap(model).look(images), one.oracle(model, images)[:3]


@cache
def family(name):
    torch.manual_seed(11)
    one = next(family for family in FAMILIES if family.name == name)
    images = one.images(2, torch.float32)
    model = sharpened(one.make().eval(), lambda candidate: one.oracle(candidate, images[:1])[:3])
    return vitscope.wrap(model).look(images)


@cache
def half(dtype):
    """A model that computes its logits in `dtype`, in the open."""
    torch.manual_seed(11)
    one = next(family for family in FAMILIES if family.name == "timm-vit_tiny_patch16_224")
    model = one.make().eval().to(dtype)
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False
    return vitscope.wrap(model).look(one.images(2, dtype))


LOOKS = {
    "bundled": lambda bundled, whole: photo(bundled),
    "oblong": lambda bundled, whole: photo(whole),
    "mask": lambda bundled, whole: toy(holed),
    "mask by offset": lambda bundled, whole: toy(toys.fused_masked),
    "bias": lambda bundled, whole: toy(toys.biased),
    "bare weights": lambda bundled, whole: toy(toys.capped),
    "grouped": lambda bundled, whole: toy(toys.fused_grouped),
    "float64": lambda bundled, whole: toy(toys.fused, torch.float64),
    "bfloat16": lambda bundled, whole: half(torch.bfloat16),
    "float16": lambda bundled, whole: half(torch.float16),
    "relative bias": lambda bundled, whole: beit()[0],
    "registers": lambda bundled, whole: family("timm-vit_small_patch14_reg4_dinov2"),
    "pooling head": lambda bundled, whole: family("timm-vit_base_patch16_siglip_224"),
    "multi-head": lambda bundled, whole: family("torchvision-vit"),
}


@pytest.fixture(params=LOOKS)
def look(request, bundled, whole):
    return LOOKS[request.param](bundled, whole)


def test_every_row_of_every_layer_is_the_looks_own(look):
    document = document_of(build(look))
    header = document.header["looks"][0]
    assert header["omitted"] is None
    prefix = len(look.layout.prefix)
    for index, call in enumerate(look.attention_seen.layers):
        exact = reference.probabilities(call).double().numpy()
        assert header["layers"][index]["heads"] == call.heads
        for image in range(len(look.shown)):
            entry = document.image(image=image)["attention"][index]
            rows = document.rows(entry, look.layout.grid)
            error = max(row_errors(rows, exact[image]).max(), column_errors(rows, exact[image]).max())
            assert error <= 1e-3
            assert entry["error"] == pytest.approx(error, rel=1e-3, abs=1e-9)
            np.testing.assert_allclose(
                document.numbers(entry["mean_row"]), exact[image][:, prefix:].mean(1), rtol=2e-5, atol=1e-9
            )


def test_statistics_rollouts_and_the_pooling_row_are_the_looks_own(look):
    document = document_of(build(look))
    header = document.header["looks"][0]
    assert header["uniform_distance"] == uniform_distance(look.layout)
    assert header["uniform_rescaled_distance"] == uniform_distance(look.layout, rescale=True)
    expected = {
        "distance": look.mean_attention_distance(),
        "rescaled_distance": look.mean_attention_distance(rescale=True),
        "entropy": look.entropy(),
        "prefix_mass": look.prefix_mass(),
        "rollout": look.rollout_by_start_layer().reshape(len(look.shown), len(look.layers), -1),
    }
    for image in range(len(look.shown)):
        entry = document.image(image=image)
        for name, values in expected.items():
            np.testing.assert_array_equal(document.numbers(entry[name]), values[image].astype(np.float32), name)
        assert (entry["pool"] is not None) == (look.readout == "pool")
        if look.readout == "pool":
            np.testing.assert_array_equal(document.numbers(entry["pool"]), look.attention(-1)[image])


def test_beits_rows_are_timms_own():
    look, weights = beit()
    document = document_of(build(look))
    for index, exact in enumerate(weights):
        for image in (0, 1):
            entry = document.image(image=image)["attention"][index]
            assert entry["bias"]["form"] == "relative"
            assert row_errors(document.rows(entry, (7, 11)), exact[image].numpy()).max() < 2e-3


def test_the_models_tokens_are_described(bundled):
    header = document_of(build(photo(bundled))).header["looks"][0]
    assert header["layout"] == {
        "grid": [16, 16],
        "patch_size": [4, 4],
        "prefix": ["cls"],
        "description": "16 × 16 patches of 4 × 4 px, prefix tokens cls",
    }
    assert header["readout"] == "cls"
    assert header["rows_compared"] == "all 257 rows and columns of every head"
    look = family("timm-vit_small_patch14_reg4_dinov2")
    layout = document_of(build(look)).header["looks"][0]["layout"]
    assert layout["prefix"] == ["cls", "reg1", "reg2", "reg3", "reg4"]
    assert (layout["grid"], layout["patch_size"]) == ([7, 11], [14, 14])


def test_numbers_say_what_they_mean_and_where_they_come_from(bundled):
    look = photo(bundled)
    header = document_of(build(look)).header["looks"][0]
    conventions = header["conventions"]
    assert conventions["distance"] == look.mean_attention_distance().convention
    assert conventions["rescaled_distance"] == look.mean_attention_distance(rescale=True).convention
    assert conventions["entropy"] == look.entropy().convention
    assert conventions["prefix_mass"] == look.prefix_mass().convention
    assert conventions["rollout"] == look.rollout().convention
    facts = dict(header["facts"])
    assert facts["weights sha256"] == look.settings["model"]["weights_sha256"]
    assert facts["model"] == "vitscope-tiny"
    assert facts["resized to"] == "short side 64 px, aspect kept"
    assert facts["mean subtracted (red, green, blue)"] == "0.485, 0.456, 0.406"
    assert facts["torch version"] == torch.__version__
    assert facts["verification error"].startswith(f"{look.verification_error:.1e}")
    whole_facts = dict(document_of(build(photo(vitscope.load(fit="whole", device="cpu")))).header["looks"][0]["facts"])
    assert whole_facts["sides are multiples of"] == "4 × 4 px"
    assert "resized to" not in whole_facts
    tensors = dict(document_of(build(toy(toys.fused))).header["looks"][0]["facts"])
    assert tensors["preprocessing"].startswith("none: the model was shown tensors")


# Pictures.


def picture(url):
    kind, _, data = url.partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == f"data:image/{image.format.lower()}"
    return image


def test_pictures_are_the_models_input_and_the_original(bundled, whole):
    for scope in (bundled, whole):
        look = photo(scope)
        entry = document_of(build(look)).image()
        shown = look.shown[0]
        assert entry["input_size"] == [shown.seen.height, shown.seen.width]
        assert entry["original_size"] == [300, 451]
        assert entry["box"] == list(shown.placement.box)
        np.testing.assert_array_equal(picture(entry["seen"]), shown.seen)
        found = np.asarray(picture(entry["original"])).astype(int)
        assert np.abs(found - np.asarray(shown.original.image)).mean() < 3


def test_large_pictures_are_carried_smaller(bundled):
    pixels = np.random.default_rng(0).integers(0, 256, (700, 1900, 3), dtype=np.uint8)
    look = bundled.look(pixels)
    noise = Image.fromarray(pixels[:, :700])  # a PNG of noise takes all its bytes
    shown = replace(look.shown[0], render=lambda: noise)
    entry = document_of(build(replace(look, shown=(shown,)))).image()
    assert picture(entry["original"]).size == (1280, 472)
    assert entry["original_size"] == [700, 1900]
    assert (picture(entry["seen"]).format, picture(entry["seen"]).size) == ("JPEG", (700, 700))


def test_a_tensor_has_no_original(bundled):
    entry = document_of(build(bundled.look(bundled.transform(vitscope.sample_photo())))).image()
    assert (entry["original"], entry["original_size"], entry["box"]) == (None, None, None)
    assert (entry["name"], entry["note"]) == ("tensor", "drawn from a preprocessed tensor")


# Several looks.


def test_looks_share_the_limit_and_are_told_apart(bundled, whole):
    one, other = photo(bundled), photo(whole)
    both = build([one, other], limit_bytes=2_000_000)
    document = document_of(both)
    counts = [len(carried(document, look)) for look in (0, 1)]
    assert all(2 <= count < 6 for count in counts)
    assert len(html.to_html(both)) + payload._VIEWER_BYTES <= 2_000_000 * 1.02
    height, width = other.shown[0].seen.height, other.shown[0].seen.width
    assert [look["label"] for look in document.header["looks"]] == [
        "vitscope-tiny at 64 × 64 px",
        f"vitscope-tiny at {height} × {width} px",
    ]
    assert document.header["compare"] is True
    assert document.header["title"] == "chelsea.jpg · vitscope-tiny"
    for index in (0, 1):
        shape = document.numbers(document.image(index)["rollout"]).shape
        assert shape == (6, (one, other)[index].layout.patches)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([("a", "7 × 7", ["x"]), ("b", "7 × 7", ["x"])], ["a", "b"]),
        ([("a", "7 × 7", ["x"]), ("a", "7 × 7", ["y"])], ["a", "a"]),  # the pictures' names tell
        ([("a", "7 × 7", ["x", "y"]), ("a", "7 × 7", ["z", "y"]), ("a", "7 × 7", ["y"])], ["a", "a (2)", "a (3)"]),
        (
            [("a", "7 × 7", ["x"]), ("b", "7 × 7", ["x"]), ("a", "7 × 11", ["x"])],
            ["a at 7 × 7 px", "b", "a at 7 × 11 px"],
        ),
    ],
)
def test_labels_tell_looks_apart_where_the_pictures_names_do_not(looks, expected):
    assert facts.labels(looks) == expected


def test_titles_and_comparison_can_be_given(bundled):
    look = photo(bundled)
    given = document_of(build([look, toy(toys.fused)], title="Two", compare=False)).header
    assert (given["title"], given["compare"]) == ("Two", False)
    assert [entry["label"] for entry in given["looks"]] == ["vitscope-tiny", "ToyViT"]
    assert document_of(build(look)).header["compare"] is False
    assert document_of(build([look, toy(toys.fused)])).header["title"] == "3 images · vitscope-tiny and ToyViT"
    with pytest.raises(ArgumentError, match="no look to make a page of"):
        build([])


def test_images_of_one_model_and_size_can_be_one_look(bundled, whole):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    looks = [photo(bundled), photo(whole), bundled.look(pixels)]
    builder = Builder(layers=[0, 5])
    for look in looks:
        builder.add(look, merge=True)
    document = document_of(builder.payload())
    assert [[image["name"] for image in look["images"]] for look in document.header["looks"]] == [
        ["chelsea.jpg", "array"],
        ["chelsea.jpg"],
    ]
    for look, image, source in ((0, 0, looks[0]), (1, 0, looks[1]), (0, 1, looks[2])):
        attention = document.image(look, image)["attention"]
        assert [index for index, entry in enumerate(attention) if entry] == [0, 5]
        exact = reference.probabilities(source.attention_seen.layers[5])[0].numpy()
        assert row_errors(document.rows(attention[5], None), exact).max() < 1e-3


def test_images_that_join_a_look_carry_its_layers_and_raise_its_errors(bundled):
    first, second = photo(bundled), photo(bundled)
    seen = second.attention_seen
    doubtful = tuple(replace(call, error=error) for call, error in zip(seen.layers, (0.5, 0, 0, 0, 0, 0), strict=True))
    second = replace(second, attention_seen=replace(seen, layers=doubtful))
    builder = Builder(limit_bytes=1_500_000)
    builder.add(first, share=0.35, merge=True)
    builder.add(second, merge=True)  # with room for more
    document = document_of(builder.payload())
    layers = carried(document)
    assert {0, 5} <= set(layers) < set(range(6))
    assert [i for i, entry in enumerate(document.image(image=1)["attention"]) if entry] == layers
    header = document.header["looks"][0]
    errors = [layer["verification_error"] for layer in header["layers"]]
    assert errors == [0.5] + [layer.error for layer in first.layers[1:]]
    assert header["verification_error"] == 0.5
    assert dict(header["facts"])["verification error"].startswith("5.0e-01")


def test_a_bias_that_is_shared_is_written_once():
    look = toy(holed)  # one mask for two layers and two images
    document = document_of(build(look))
    terms = [entry["bias"]["term"] for image in (0, 1) for entry in document.image(image=image)["attention"]]
    assert len(terms) == 4
    assert all(term == terms[0] for term in terms)
    assert terms[0]["shape"] == [1, 78, 78]


# Blocks.


def test_blocks_are_aligned_little_endian_and_told_apart():
    blocks = Blocks()
    half, single = np.arange(3, dtype=np.float16), np.arange(5, dtype=">f8")
    own = blocks.new()
    entries = [blocks.put(half), blocks.put(single), blocks.put(half, own)]
    assert [(entry["block"], entry["offset"], entry["dtype"]) for entry in entries] == [
        (0, 0, "float16"), (0, 8, "float32"), (own, 0, "float16"),
    ]  # fmt: skip
    large = np.zeros((257, 257), np.float32)
    shared = [blocks.put_once(large), blocks.put_once(large + 1), blocks.put_once(large.copy()), blocks.put_once(half)]
    assert [entry["block"] for entry in shared] == [2, 3, 2, 0]
    assert blocks.sizes == [28 + 6, 6, large.nbytes, large.nbytes]
    data = blocks.take()
    assert data[0][:28] == half.astype("<f2").tobytes() + b"\0\0" + single.astype("<f4").tobytes()
    assert data[1] == half.astype("<f2").tobytes()
    assert data[3] == (large + 1).tobytes()


def test_names_that_are_no_unicode_become_replacement_characters(bundled):
    look = photo(bundled)
    odd = os.fsdecode(b"caf\xe9.png")
    shown = replace(look.shown[0], name=odd, note=odd)
    document = document_of(build(replace(look, shown=(shown,)), title=odd))
    assert document.image()["name"] == document.image()["note"] == document.header["title"] == "caf\ufffd.png"


def test_what_is_idle_for_one_model_is_still_said_of_the_next():
    square = {"fit": "crop", "resize": [7, 11], "aspect": "keep"}
    before = facts._preprocessing(square)
    facts._preprocessing({"fit": "crop", "resize": 7, "aspect": "keep"})  # one side: the aspect goes without saying
    assert facts._preprocessing(square) == before
    assert len(before) == len(facts._preprocessing({"fit": "crop", "resize": 7, "aspect": "keep"})) + 1


@pytest.mark.parametrize("looks", ["photo.jpg", None, 7, ["photo.jpg"]])
def test_what_is_no_look_is_said(looks):
    with pytest.raises(ArgumentError, match="expected a Look, as scope"):
        payload._looks(looks)


@pytest.mark.parametrize("layers", [3, "5", "blocks.0.attn"])
def test_layers_that_are_no_list_are_said(layers):
    with pytest.raises(ArgumentError, match=r"expected a list of indexes or names, as \[0, 5, 11\]"):
        payload._require_layers(layers)
