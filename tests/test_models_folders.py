"""Folders and hub caches in the formats that libraries write, and folders that are broken."""

import json
import os
import shutil
import subprocess
import sys
from importlib.resources import files

import open_clip
import pytest
import safetensors.torch
import timm
import torch
import transformers

from vitscope.errors import CheckpointError, ModelError
from vitscope.layout import LayoutHints
from vitscope.models.fingerprint import weights_sha256
from vitscope.models.registry import load_model

REGISTERS = ("cls", "reg1", "reg2", "reg3", "reg4")
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
TINY = SIZE | {"image_size": 32, "patch_size": 8}
TEXT = SIZE | {"vocab_size": 99}
CLIP_TEXT = TEXT | {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


def classifier():
    return transformers.ViTForImageClassification(transformers.ViTConfig(**TINY, num_labels=3)).eval()


def save_trainer_folder(folder, model=None):
    """What transformers' Trainer leaves: the model, its processor, its own state beside."""
    model = model or classifier()
    model.save_pretrained(folder)
    processor = transformers.ViTImageProcessor(size={"height": 32, "width": 32}, image_mean=[0.4, 0.5, 0.6])
    processor.save_pretrained(folder)
    torch.save(torch.zeros(3), folder / "optimizer.pt")
    (folder / "trainer_state.json").write_text("{}")
    return model


def save_timm_folder(folder):
    """What timm's save_for_hf writes, for a model with preprocessing of its own."""
    model = timm.create_model("test_vit").eval()
    model.pretrained_cfg |= {"mean": (0.1, 0.2, 0.3), "interpolation": "bilinear", "hf_hub_id": None}
    timm.models.save_for_hf(model, folder, safe_serialization=True)
    return model


def test_trainer_folder(tmp_path):
    model = save_trainer_folder(tmp_path)
    loaded = load_model(f"local-dir:{tmp_path}")
    assert isinstance(loaded.model, transformers.ViTForImageClassification)
    assert weights_sha256(loaded.model) == weights_sha256(model)
    assert loaded.hints == LayoutHints(patch_size=(8, 8), prefix=("cls",))
    assert loaded.transform.mean == (0.4, 0.5, 0.6)
    assert loaded.transform.size == loaded.transform.resize == (32, 32)
    assert loaded.provenance["weights"] == str(tmp_path)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded.forward(loaded.model, images).logits, model(images).logits)


def test_transformers_prefix_takes_a_folder_too(tmp_path):
    model = save_trainer_folder(tmp_path)
    assert weights_sha256(load_model(f"transformers:{tmp_path}").model) == weights_sha256(model)


def test_whole_pictures_through_a_trainer_folder(tmp_path):
    save_trainer_folder(tmp_path)
    loaded = load_model(f"local-dir:{tmp_path}", fit="whole")
    assert (loaded.transform.fit, loaded.transform.multiple) == ("whole", (8, 8))
    with torch.no_grad():
        loaded.forward(loaded.model, torch.zeros(1, 3, 24, 48))
    assert load_model(f"local-dir:{tmp_path}", image_size=(48, 64)).transform.size == (48, 64)


def test_a_size_that_the_model_cannot_take_is_refused(tmp_path, monkeypatch):
    model = save_trainer_folder(tmp_path)

    def forward(self, pixel_values):
        raise ValueError("this model was built for 32 × 32")

    monkeypatch.setattr(type(model), "forward", forward)
    with pytest.raises(ModelError, match=r"takes no input of 32 × 40 px.*built for 32 × 32"):
        load_model(f"local-dir:{tmp_path}", fit="whole")


def test_dinov2_with_registers_folder(tmp_path):
    config = transformers.Dinov2WithRegistersConfig(**TINY, num_register_tokens=4)
    model = transformers.Dinov2WithRegistersModel(config)
    model.save_pretrained(tmp_path)
    processor = transformers.BitImageProcessor(size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32})
    processor.save_pretrained(tmp_path)
    loaded = load_model(f"local-dir:{tmp_path}")
    assert loaded.hints.prefix == REGISTERS
    assert (loaded.transform.resize, loaded.transform.size) == (40, (32, 32))
    assert loaded.provenance["preprocessing"] == "preprocessor_config.json"
    assert weights_sha256(loaded.model) == weights_sha256(model)


def test_folder_without_processor_takes_the_types_own_at_the_models_size(tmp_path):
    transformers.Dinov2Model(transformers.Dinov2Config(**TINY)).save_pretrained(tmp_path)
    loaded = load_model(f"local-dir:{tmp_path}")
    assert loaded.transform.size == (32, 32)
    assert loaded.transform.mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))
    assert "no preprocessor_config.json" in loaded.provenance["preprocessing"]


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_of_two_towers_only_the_vision_tower_loads(tmp_path, kind):
    if kind == "clip":
        config = transformers.CLIPConfig(text_config=CLIP_TEXT, vision_config=TINY, projection_dim=16)
        model = transformers.CLIPModel(config).eval()
    else:
        model = transformers.SiglipModel(transformers.SiglipConfig(text_config=TEXT, vision_config=TINY)).eval()
    model.save_pretrained(tmp_path)
    loaded = load_model(f"local-dir:{tmp_path}")
    assert not any("text" in name for name, _ in loaded.model.named_modules())
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        found = loaded.forward(loaded.model, images).pooler_output
        assert torch.equal(found, model.vision_model(images).pooler_output)


def test_backbone_saved_without_pooler_gets_no_random_one(tmp_path):
    transformers.ViTModel(transformers.ViTConfig(**TINY), add_pooling_layer=False).save_pretrained(tmp_path)
    loaded = load_model(f"local-dir:{tmp_path}")
    assert not any("pooler" in name for name, _ in loaded.model.named_parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 64}, "differ in shape in classifier.weight"),
        ({"num_hidden_layers": 3}, r"lack vit\.\S*2\."),
        ({"num_hidden_layers": 1}, r"more layers than its config\.json says"),
    ],
)
def test_folder_whose_weights_are_not_its_configs(tmp_path, change, message):
    save_trainer_folder(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match=message):
        load_model(f"local-dir:{tmp_path}")


def test_random_weights_from_a_folders_config(tmp_path):
    model = save_trainer_folder(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    loaded = load_model(f"local-dir:{tmp_path}", pretrained=False)
    assert loaded.provenance["weights"] == "random"
    assert weights_sha256(loaded.model) != weights_sha256(model)
    with pytest.raises(ModelError, match="weights of local-dir"):
        load_model(f"local-dir:{tmp_path}")


def test_timm_folder(tmp_path):
    model = save_timm_folder(tmp_path)
    loaded = load_model(f"local-dir:{tmp_path}")
    assert loaded.provenance["library"] == "timm"
    assert loaded.provenance["weights"] == str(tmp_path)
    assert weights_sha256(loaded.model) == weights_sha256(model)
    assert (loaded.transform.mean, loaded.transform.interpolation) == ((0.1, 0.2, 0.3), "bilinear")
    assert load_model(f"local-dir:{tmp_path}", fit="whole").transform.fit == "whole"


class Runs:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("save", [save_trainer_folder, save_timm_folder])
def test_code_in_a_folders_pickle_is_never_run(tmp_path, save):
    folder = tmp_path / "model"
    folder.mkdir()
    save(folder)
    (folder / "model.safetensors").unlink()
    torch.save({"weight": Runs(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"posix\.system\); it was not run"):
        load_model(f"local-dir:{folder}")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("save", [save_trainer_folder, save_timm_folder])
def test_truncated_weights_in_a_folder(tmp_path, save):
    save(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="local-dir"):
        load_model(f"local-dir:{tmp_path}")


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("{}", "neither architecture"),
        ("{", "as JSON"),
        ("[]", "expected a JSON object"),
        ('{"architecture": "vit_of_nobody"}', "vit_of_nobody"),
        ('{"model_type": "vit_of_nobody"}', "vit_of_nobody"),
        ('{"model_type": "bert"}', "expected a vision model"),
    ],
)
def test_broken_configs(tmp_path, contents, message):
    (tmp_path / "config.json").write_text(contents)
    with pytest.raises(ModelError, match=message):
        load_model(f"local-dir:{tmp_path}")


def test_a_trainers_output_folder_names_its_checkpoints(tmp_path):
    save_trainer_folder(tmp_path / "checkpoint-900")
    with pytest.raises(ModelError, match="checkpoint-900 have one"):
        load_model(f"local-dir:{tmp_path}")


def put_in_cache(home, repository, folder):
    """A repository as the hub's cache lays it out: refs/main names the snapshot that holds the files."""
    place = home / "hub" / f"models--{repository.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("0123abc")
    shutil.move(folder, place / "snapshots" / "0123abc")


def test_hub_cache_offline(tmp_path):
    """In a process of its own: huggingface_hub reads HF_HOME once, when it is imported."""
    home = tmp_path / "home"
    vit = save_timm_folder(tmp_path / "timm")
    put_in_cache(home, "timm/test_vit.r160_in1k", tmp_path / "timm")
    own = save_timm_folder(tmp_path / "own")
    put_in_cache(home, "someone/own-vit", tmp_path / "own")
    trained = save_trainer_folder(tmp_path / "trained")
    put_in_cache(home, "someone/trained-vit", tmp_path / "trained")
    names = [
        "test_vit.r160_in1k",
        "hf-hub:someone/own-vit",
        "hf-hub:someone/trained-vit",
        "transformers:someone/trained-vit",
        "transformers:someone/trained-vit@main",
    ]
    code = f"""
from vitscope.models.fingerprint import weights_sha256
from vitscope.models.registry import load_model
for name in {names}:
    loaded = load_model(name)
    p = loaded.provenance
    print("|".join((name, p["library"], p["weights"], weights_sha256(loaded.model))))
"""
    environment = os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    found = [line.split("|") for line in result.stdout.splitlines()]
    assert [line[0] for line in found] == names
    assert [line[1] for line in found] == ["timm", "timm", "transformers", "transformers", "transformers"]
    assert found[0][2] == "hf-hub:timm/test_vit.r160_in1k"
    assert found[1][2] == "hf-hub:someone/own-vit"
    assert [found[0][3], found[1][3]] == [weights_sha256(vit), weights_sha256(own)]
    assert {line[3] for line in found[2:]} == {weights_sha256(trained)}


@pytest.fixture
def tiny_open_clip(tmp_path, monkeypatch):
    """An architecture of open_clip's, from a file of the form of its own, with weights in a file."""
    vision = {"image_size": 32, "patch_size": 8, "width": 64, "head_width": 32, "layers": 2}
    text = {"context_length": 8, "vocab_size": 99, "width": 32, "heads": 2, "layers": 1}
    path = tmp_path / "ViT-test.json"
    path.write_text(json.dumps({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(path)
    model = open_clip.create_model("ViT-test", load_weights=False)
    weights = tmp_path / "open_clip_model.safetensors"
    safetensors.torch.save_file(model.state_dict(), weights)
    settings = {"file": str(weights), "mean": (0.1, 0.2, 0.3), "resize_mode": "squash"}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "ViT-test", {"own": settings})
    yield model
    path.unlink()
    open_clip.factory._MODEL_CONFIGS.pop("ViT-test")
    open_clip.factory._MODEL_CONFIG_PATHS.remove(path)


def test_open_clip(tiny_open_clip):
    loaded = load_model("open_clip:ViT-test/own")
    assert loaded.provenance["weights"] == "ViT-test/own"
    assert weights_sha256(loaded.model) == weights_sha256(tiny_open_clip.visual)
    assert loaded.hints == LayoutHints(patch_size=(8, 8), prefix=("cls",))
    assert (loaded.transform.mean, loaded.transform.resize) == ((0.1, 0.2, 0.3), (32, 32))
    oblong = load_model("open_clip:ViT-test", pretrained=False, image_size=(16, 48))
    assert oblong.transform.size == (16, 48)
    with torch.no_grad():
        assert oblong.forward(oblong.model, torch.zeros(1, 3, 16, 48)).shape == (1, 16)
    with pytest.raises(ModelError, match="one size"):
        load_model("open_clip:ViT-test/own", fit="whole")


def test_the_card_travels_with_the_bundled_weights():
    card = files("vitscope") / "assets" / "vitscope-tiny.md"
    assert "not under the code's licence" in card.read_text(encoding="utf-8")
