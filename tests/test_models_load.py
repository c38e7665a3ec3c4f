"""Names to models: what loads, from where, and what every other name is told. No network is ever reached."""

import subprocess
import sys

import pytest
import timm
import torch
import transformers

from vitscope.errors import ArgumentError, MissingLibraryError, ModelError, NotFiniteError, UnknownModelError
from vitscope.images.transform import Transform
from vitscope.layout import LayoutHints
from vitscope.models import registry
from vitscope.models.registry import load_model


def run(loaded, size):
    with torch.no_grad():
        return loaded.forward(loaded.model, torch.randn(1, 3, *size))


# The bundled model.


@pytest.mark.parametrize("name", [None, "vitscope-tiny"])
def test_bundled_model(name):
    loaded = load_model(name)
    assert loaded.name == "vitscope-tiny"
    assert loaded.hints == LayoutHints(patch_size=(4, 4), prefix=("cls",))
    assert sum(parameter.numel() for parameter in loaded.model.parameters()) == 1_254_984  # its card
    assert loaded.transform.size == (64, 64)
    assert loaded.transform.resize == 64
    assert "non-commercial" in loaded.provenance["terms"]
    assert run(loaded, (64, 64)).shape == (1, 200)


def test_every_model_comes_ready_to_look_through():
    loaded = load_model()
    assert not loaded.model.training
    assert {(p.dtype, p.device.type, p.requires_grad) for p in loaded.model.parameters()} == {
        (torch.float32, "cpu", False)
    }


def test_bundled_model_takes_other_sizes():
    wide = load_model(image_size=(32, 96))
    assert wide.transform.size == (32, 96)
    assert run(wide, (32, 96)).shape == (1, 200)
    whole = load_model(fit="whole")
    assert (whole.transform.fit, whole.transform.multiple) == ("whole", (4, 4))
    assert run(whole, (40, 60)).shape == (1, 200)


# timm.


@pytest.mark.parametrize(
    "name", ["test_vit", "deit_tiny_distilled_patch16_224", "eva02_tiny_patch14_224", "vit_small_patch16_dinov3"]
)
def test_whole_leaves_the_numbers_at_the_native_size_alone(name):
    torch.manual_seed(1)
    crop = load_model(name, pretrained=False)
    whole = load_model(name, pretrained=False, fit="whole")
    whole.model.load_state_dict(crop.model.state_dict())
    images = torch.randn(1, 3, *crop.transform.size)
    assert torch.equal(crop.forward(crop.model, images), whole.forward(whole.model, images))
    height, width = crop.hints.patch_size
    run(whole, (3 * height, 5 * width))


@pytest.mark.parametrize("name", ["test_vit", "beit_base_patch16_224"])
def test_image_size_builds_the_model_for_it(name, monkeypatch):
    if name.startswith("beit"):
        shallow(monkeypatch)
    loaded = load_model(name, pretrained=False, image_size=(64, 96))
    assert loaded.transform.size == (64, 96)
    assert run(loaded, (64, 96)).shape == (1, 1000)


def shallow(monkeypatch):
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda *names, **options: create(*names, **options, depth=1))


def test_image_size_keeps_timms_rounding():
    transform = load_model("vit_tiny_patch16_224", pretrained=False, image_size=384).transform
    assert transform.resize == 426  # 384 / 0.9, rounded down; scaling the 248 of 224 px would give 425
    assert transform.size == (384, 384)


def test_whole_is_refused_where_the_size_is_fixed():
    with pytest.raises(ModelError, match="one size only"):
        load_model("beit_base_patch16_224", pretrained=False, fit="whole")


def test_image_size_is_refused_where_there_is_none():
    with pytest.raises(ModelError, match="leave image_size out"):
        load_model("resnet18", pretrained=False, image_size=64)


def test_image_size_must_be_whole_patches():
    with pytest.raises(ArgumentError, match="take 64 × 96"):
        load_model("test_vit", pretrained=False, image_size=(60, 100))


@pytest.mark.parametrize("size", [0, -16, (64, 0)])
def test_image_size_must_be_positive(size):
    with pytest.raises(ArgumentError, match="above 0"):
        load_model(image_size=size)


def test_fit_must_be_known():
    with pytest.raises(ArgumentError, match="did you mean whole"):
        load_model(fit="hole")


def test_weights_that_cannot_be_had_offline():
    with pytest.raises(ModelError, match=r"HF_HUB_OFFLINE.*HF_HOME.*pretrained=False"):
        load_model("vit_small_patch8_224.dino")


def test_architecture_without_any_weights():
    with pytest.raises(ModelError, match=r"no pretrained weights for vit_base_patch16_gap_224; pass checkpoint="):
        load_model("vit_base_patch16_gap_224")


# The other libraries.


def test_torchvision():
    loaded = load_model("torchvision:vit_b_32", pretrained=False, image_size=64)
    assert loaded.hints == LayoutHints(patch_size=(32, 32), prefix=("cls",))
    assert loaded.transform.size == (64, 64)
    assert run(loaded, (64, 64)).shape == (1, 1000)


def test_torchvision_weights_choose_the_size_and_the_preprocessing():
    weights = "torchvision:vit_b_16.IMAGENET1K_SWAG_E2E_V1"
    transform = load_model(weights, pretrained=False).transform
    assert (transform.size, transform.resize, transform.interpolation) == ((384, 384), 384, "bicubic")


def test_torchvision_pretrained_weights_are_stretched_to_the_size(monkeypatch):
    from torchvision.models import ViT_B_32_Weights, vit_b_32

    state = vit_b_32().state_dict()
    monkeypatch.setattr(ViT_B_32_Weights, "get_state_dict", lambda self, **options: dict(state))
    loaded = load_model("torchvision:vit_b_32", image_size=64)
    assert torch.equal(loaded.model.state_dict()["conv_proj.weight"], state["conv_proj.weight"])
    assert loaded.model.encoder.pos_embedding.shape == (1, 5, 768)
    assert "IMAGENET1K_V1" in loaded.provenance["weights"]


@pytest.mark.parametrize("options", [{"fit": "whole"}, {"image_size": (64, 96)}])
def test_torchvision_takes_squares_only(options):
    with pytest.raises(ModelError, match="square"):
        load_model("torchvision:vit_b_32", pretrained=False, **options)


@pytest.mark.parametrize("kind", ["vit", "deit", "dinov2", "dinov2_with_registers", "clip", "siglip", "beit"])
def test_transformers_types_with_random_weights(kind, monkeypatch):
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    if kind in ("clip", "siglip"):
        small = {"vision_config": small | {"image_size": 32, "patch_size": 8}}
    else:
        small |= {"image_size": 32, "patch_size": 8}
    config = transformers.AutoConfig.for_model(kind, **small)
    monkeypatch.setattr(transformers.AutoConfig, "for_model", lambda name: config)
    loaded = load_model(f"transformers:{kind}", pretrained=False)
    assert loaded.provenance["weights"] == "random"
    assert loaded.transform.size == (32, 32)  # the type's own processor, at the model's own size
    assert not any("text_model" in name for name, _ in loaded.model.named_parameters())
    run(loaded, (32, 32))


# What other names are told.


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Vit_Small_Patch16_224", "did you mean vit_small_patch16_224"),
        (" vit_small_patch16_224", "did you mean vit_small_patch16_224"),
        ("vit_smal_patch16_224.dino", "did you mean vit_small_patch16_224.dino"),
        ("vitscope_tiny", "did you mean vitscope-tiny"),
        ("vit_small_patch8_224.dinno", "no weights named 'dinno'; did you mean dino"),
        ("qqqqqqqqqqq", r"vitscope models '\*vit\*'"),
        ("facebook/dino-vits16", "hf-hub:facebook/dino-vits16.*transformers:facebook/dino-vits16"),
        ("./out/checkpoint-900", "local-dir:./out/checkpoint-900"),
        ("hfhub:org/repo", "did you mean hf-hub"),
        ("hf-hub:", "nothing after the colon"),
        ("torchvision:vit_b_61", "did you mean vit_b_16"),
        ("torchvision:vit_b_16.IMAGENET1K_V9", "did you mean IMAGENET1K_V1"),
        ("open_clip:ViT-B-33/openai", "did you mean ViT-B-32"),
        ("open_clip:ViT-B-32/openia", "did you mean openai"),
        ("transformers:dinov4", "did you mean dinov2"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(UnknownModelError, match=message):
        load_model(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf-hub:org/repo", r"config\.json.*HF_HUB_OFFLINE"),
        ("transformers:org/repo", "configuration.*HF_HUB_OFFLINE"),
        ("transformers:dinov2", "names an architecture and no weights"),
        ("open_clip:ViT-B-32", "names no weights"),
        ("open_clip:ViT-B-32/openai", "HF_HUB_OFFLINE"),
        ("local-dir:/no/such/folder", "no folder"),
        ("transformers:/no/such/folder", "no folder"),
    ],
)
def test_weights_or_files_that_cannot_be_had(name, message):
    with pytest.raises(ModelError, match=message):
        load_model(name)


def test_weights_with_nan_are_refused_from_every_source(monkeypatch):
    create = timm.create_model

    def diverged(*names, **options):
        model = create(*names, **options)
        model.blocks[2].mlp.fc1.bias.data[0] = float("nan")
        return model

    monkeypatch.setattr(timm, "create_model", diverged)
    with pytest.raises(NotFiniteError, match=r"blocks\.2\.mlp\.fc1\.bias of test_vit"):
        load_model("test_vit", pretrained=False)


def test_a_model_without_preprocessing_refuses_a_size(monkeypatch):
    from vitscope.models import timm as source

    monkeypatch.setattr(source, "from_timm", lambda *arguments: None)
    assert load_model("test_vit", pretrained=False).transform is None
    with pytest.raises(ModelError, match="does not say its preprocessing"):
        load_model("test_vit", pretrained=False, fit="whole")


def test_a_missing_library_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    monkeypatch.delitem(sys.modules, "vitscope.models.open_clip", raising=False)
    with pytest.raises(MissingLibraryError, match=r'pip install "vitscope\[open-clip\]"'):
        load_model("open_clip:ViT-B-32/openai")


def test_importing_the_registry_imports_no_model_library():
    code = (
        "import sys, vitscope.models.registry, vitscope.models.describe; "
        "print([name for name in ('timm', 'transformers', 'torchvision', 'open_clip', 'huggingface_hub') "
        "if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_prefix_has_a_source():
    assert {"hf-hub", "local-dir"} | set(registry._INSTALL) - {"timm"} == set(registry.PREFIXES)
    assert isinstance(load_model().transform, Transform)
