"""Checkpoints in the formats that people have, and in those that must be refused."""

import argparse
import hashlib
import os
import re

import pytest
import safetensors.torch
import timm
import torch

from vitscope.errors import CheckpointError, NotFiniteError
from vitscope.models.checkpoint import load_checkpoint
from vitscope.models.fingerprint import weights_sha256
from vitscope.models.registry import load_model

SIZE = {"depth": 2, "embed_dim": 32, "num_heads": 2}


def dino(**options):
    return timm.create_model("vit_small_patch16_224", **(SIZE | {"num_classes": 0, "img_size": 64} | options)).eval()


def dinov2(**options):
    return timm.create_model("vit_small_patch14_reg4_dinov2", **(SIZE | {"img_size": 56} | options)).eval()


def trained(model):
    """The model with weights that no initialisation gives, so that a parameter left behind shows."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    return model


def same_output(left, right, size):
    images = torch.randn(2, 3, size, size)
    with torch.no_grad():
        return torch.allclose(left(images), right(images), atol=1e-5)


def dino_file(path, model):
    """As facebookresearch/dino's main_dino.py saves it: the teacher inside DistributedDataParallel and a head."""
    teacher = {f"module.backbone.{name}": value for name, value in model.state_dict().items()}
    teacher |= {"module.head.mlp.0.weight": torch.zeros(8, 32), "module.head.last_layer.weight_g": torch.ones(9, 1)}
    student = {name: torch.zeros_like(value) for name, value in teacher.items()}
    arguments = argparse.Namespace(arch="vit_small", patch_size=16)
    torch.save({"student": student, "teacher": teacher, "epoch": 9, "args": arguments}, path)


def dinov2_weights(model):
    """A timm model's weights under DINOv2's names: class token and position embedding apart, register_tokens."""
    weights = dict(model.state_dict())
    position = torch.randn(1, 1, 32)
    weights["register_tokens"] = weights.pop("reg_token")
    weights["cls_token"] = weights["cls_token"] - position
    weights["pos_embed"] = torch.cat([position, weights["pos_embed"]], dim=1)
    return weights | {"mask_token": torch.zeros(1, 32)}


def chunked(weights):
    """As DINOv2 trains, in chunks of blocks: blocks.chunk.block.…, the block counted from the first of all."""
    return {re.sub(r"^blocks\.(\d+)", r"blocks.0.\1", name): value for name, value in weights.items()}


def test_dino_training_checkpoint(tmp_path):
    source, target = trained(dino()), dino()
    dino_file(tmp_path / "checkpoint.pth", source)
    report = load_checkpoint(target, tmp_path / "checkpoint.pth")
    assert same_output(source, target, 64)
    assert report["checkpoint entry"] == "teacher"
    assert report["dropped"] == "head.last_layer, head.mlp"
    assert "classifier" not in report


def test_dino_checkpoint_into_a_classifier_says_that_the_classifier_is_random(tmp_path):
    dino_file(tmp_path / "checkpoint.pth", trained(dino()))
    report = load_checkpoint(dino(num_classes=5), tmp_path / "checkpoint.pth")
    assert report["classifier"].startswith("not in the file, so random")


@pytest.mark.parametrize("blocks", [dict, chunked], ids=["released", "in chunks"])
def test_dinov2_names(tmp_path, blocks):
    source, target = trained(dinov2()), dinov2()
    weights = {f"backbone.{name}": value for name, value in blocks(dinov2_weights(source)).items()}
    weights |= {"dino_head.mlp.0.weight": torch.zeros(3, 3), "ibot_head.last_layer.weight_v": torch.zeros(3, 3)}
    torch.save({"teacher": weights}, tmp_path / "teacher_checkpoint.pth")
    report = load_checkpoint(target, tmp_path / "teacher_checkpoint.pth")
    assert same_output(source, target, 56)
    assert report["dropped"] == "dino_head.mlp, ibot_head.last_layer, mask_token"


def test_dinov3_names(tmp_path):
    source = trained(timm.create_model("vit_small_patch16_dinov3", **SIZE)).eval()
    target = timm.create_model("vit_small_patch16_dinov3", **SIZE).eval()
    renamed = {"reg_token": "storage_tokens", "gamma_1": "ls1.gamma", "gamma_2": "ls2.gamma"}
    weights = {}
    for name, value in source.state_dict().items():
        for ours, theirs in renamed.items():
            name = name.replace(ours, theirs)
        weights[name] = value
    weights |= {"mask_token": torch.zeros(1, 32), "rope_embed.periods": torch.ones(4)}
    weights |= {f"blocks.{i}.attn.qkv.{part}": torch.zeros(96) for i in (0, 1) for part in ("bias", "bias_mask")}
    torch.save(weights, tmp_path / "dinov3.pth")
    load_checkpoint(target, tmp_path / "dinov3.pth")
    assert same_output(source, target, 64)


@pytest.mark.parametrize("wrapper", ["state_dict", "teacher", "model", "model_state", "state_dict_ema"])
@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "_orig_mod.module."])
def test_wrappers_and_prefixes(tmp_path, wrapper, prefix):
    source, target = trained(dino()), dino()
    weights = {prefix + name: value for name, value in source.state_dict().items()}
    torch.save({wrapper: weights, "epoch": 3}, tmp_path / "weights.pth")
    assert load_checkpoint(target, tmp_path / "weights.pth")["checkpoint entry"] == wrapper
    assert weights_sha256(target) == weights_sha256(source)


def test_averaged_weights_come_before_the_last(tmp_path):
    source, last, target = trained(dino()), dino(), dino()
    torch.save({"state_dict": last.state_dict(), "state_dict_ema": source.state_dict()}, tmp_path / "last.pth.tar")
    assert load_checkpoint(target, tmp_path / "last.pth.tar")["checkpoint entry"] == "state_dict_ema"
    assert weights_sha256(target) == weights_sha256(source)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_safetensors(tmp_path, dtype):
    source, target = trained(dino()).to(dtype), dino()
    safetensors.torch.save_file(source.state_dict(), tmp_path / "model.safetensors")
    load_checkpoint(target, tmp_path / "model.safetensors")
    assert weights_sha256(target) == weights_sha256(source.float())


def test_position_embedding_of_another_grid_is_resampled_and_said(tmp_path):
    source = trained(dino())
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    report = load_checkpoint(dino(img_size=96), tmp_path / "weights.pth")
    assert "resampled" in report["position embedding"]
    assert "position embedding" not in load_checkpoint(dino(), tmp_path / "weights.pth")


class Runs:
    """Unpickling it makes a file: what a checkpoint must never be able to do."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_code_in_a_pickle_is_never_run(tmp_path):
    torch.save({"model": dino().state_dict(), "extra": Runs(tmp_path / "ran")}, tmp_path / "evil.pth")
    with pytest.raises(CheckpointError, match=r"posix\.system\); it was not run") as caught:
        load_checkpoint(dino(), tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()
    assert "weights_only" not in str(caught.value)  # PyTorch's advice would run it


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (truncated, "truncated"),
        (lambda path: path.write_bytes(b""), "empty file"),
        (lambda path: path.unlink(), "no file"),
        (lambda path: path.write_text("<html>not found</html>"), "of another format"),
    ],
    ids=["truncated", "empty", "missing", "a web page"],
)
def test_files_that_cannot_be_read(tmp_path, name, spoil, message):
    path = tmp_path / name
    if name.endswith("pth"):
        torch.save(dino().state_dict(), path)
    else:
        safetensors.torch.save_file(dino().state_dict(), path)
    spoil(path)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(dino(), path)


def test_a_folder_and_a_file_without_tensors(tmp_path):
    with pytest.raises(CheckpointError, match="local-dir:"):
        load_checkpoint(dino(), tmp_path)
    torch.save({"optimizer": {"lr": 0.1}, "epoch": 3}, tmp_path / "state.pth")
    with pytest.raises(CheckpointError, match="only optimizer, epoch and no tensor"):
        load_checkpoint(dino(), tmp_path / "state.pth")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: dino(embed_dim=48), r"cls_token is 1 × 1 × 48 in the file and 1 × 1 × 32 in the model"),
        (lambda: dino(depth=3), r"the model lacks blocks\.2\.norm1\.weight.* and 7 more"),
        (lambda: dino(depth=1), r"the file lacks blocks\.1\.norm1\.weight.* and 7 more"),
        (lambda: timm.create_model("vit_small_patch8_224", **SIZE, num_classes=0), r"32 × 3 × 8 × 8 in the file"),
        (dinov2, "14 × 14 in the file"),
        (lambda: timm.create_model("resnet18"), r"the model lacks conv1\.weight, bn1"),
    ],
    ids=["wider", "deeper", "shallower", "other patches", "DINOv2", "ResNet"],
)
def test_another_architecture_is_refused_and_leaves_the_model_alone(tmp_path, other, message):
    torch.save(other().state_dict(), tmp_path / "other.pth")
    target = dino()
    before = weights_sha256(target)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(target, tmp_path / "other.pth")
    assert weights_sha256(target) == before


def test_missing_keys_are_named_at_most_five(tmp_path):
    weights = {name: value for name, value in dino().state_dict().items() if "mlp" not in name}
    torch.save(weights, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"the file lacks (blocks\S+, ){4}blocks\S+ and 3 more\."):
        load_checkpoint(dino(), tmp_path / "weights.pth")


def test_half_a_classifier_is_refused(tmp_path):
    weights = dict(dino(num_classes=5).state_dict())
    del weights["head.bias"]
    torch.save(weights, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"the file lacks head\.bias"):
        load_checkpoint(dino(num_classes=5), tmp_path / "weights.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path, value):
    model = dino()
    model.blocks[1].attn.qkv.weight.data[3, 4] = value
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    with pytest.raises(NotFiniteError, match=r"1 of 3072 values NaN or infinite in blocks\.1\.attn\.qkv\.weight"):
        load_checkpoint(dino(), tmp_path / "weights.pth")


def test_fingerprint_follows_the_weights_alone():
    model = trained(dino())
    again = dino()
    again.load_state_dict(model.state_dict())
    again._modules = dict(reversed(again._modules.items()))  # the same weights, registered in another order
    assert weights_sha256(again) == weights_sha256(model)
    again.blocks[0].norm1.bias.data[0] += 1e-3
    assert weights_sha256(again) != weights_sha256(model)
    assert weights_sha256(model.bfloat16()) != weights_sha256(again)


def test_fingerprint_by_hand():
    model = torch.nn.Linear(1, 1, bias=False, dtype=torch.bfloat16)
    model.weight.data.fill_(1.0)
    # bfloat16's 1.0 is 0x3F80, little-endian.
    expected = hashlib.sha256(b'["weight", "torch.bfloat16", [1, 1]]\n\x80\x3f').hexdigest()
    assert weights_sha256(model) == expected


def test_load_model_takes_a_checkpoint_and_fetches_nothing(tmp_path):
    model = timm.create_model("vit_tiny_patch16_224", num_classes=3)
    torch.save(model.state_dict(), tmp_path / "own.pth")
    with pytest.raises(CheckpointError, match=r"head\.weight is 3 × 192"):
        load_model("vit_tiny_patch16_224", checkpoint=tmp_path / "own.pth")
    backbone = {name: value for name, value in model.state_dict().items() if not name.startswith("head.")}
    torch.save(backbone, tmp_path / "own.pth")
    loaded = load_model("vit_tiny_patch16_224", checkpoint=str(tmp_path / "own.pth"))
    assert torch.equal(loaded.model.state_dict()["pos_embed"], model.pos_embed)
    assert loaded.provenance["weights"] == str(tmp_path / "own.pth")
