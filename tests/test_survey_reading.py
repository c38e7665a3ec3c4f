"""Images that cannot be read, or of which there are no numbers: each is a failure of its own, and in no mean."""

import hashlib
import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

import vitscope
from survey_images import CKA, IMAGES, assert_same, pixels, tensors, toy_survey
from toys import ToyViT
from vitscope.errors import ImageError, NotFiniteError, SourceError
from vitscope.surveys.collecting import Collected, Columns
from vitscope.surveys.loading import read_image
from vitscope.surveys.minibatches import Minibatches
from vitscope.surveys.sources.python import MappingSource


class Picky(ToyViT):
    """Gives NaN for images whose first pixel is 9."""

    def forward(self, images):
        return super().forward(torch.where(images[:, :1, :1, :1] == 9, torch.nan, images))


def test_an_image_that_gives_no_numbers_is_a_failure_of_its_own(tmp_path):
    images = tensors()
    images["13"] = torch.full((3, 8, 12), 9.0)
    run = toy_survey(Picky(), tmp_path / "run", images)
    (failure,) = run.table("failures").to_pylist()
    assert (failure["image_id"], failure["error"]) == ("13", NotFiniteError.__name__)
    assert "13" not in run.table("heads")["image_id"].to_pylist()
    assert len(set(run.table("heads")["image_id"].to_pylist())) == IMAGES - 1
    assert run.states()["alignment.cka_minibatch_5.count"] == 4  # its minibatch is compared without it
    statuses = {row["image_id"]: row["status"] for row in run.table("images").to_pylist()}
    assert statuses.pop("13") == "failed"
    assert set(statuses.values()) == {"done"}


def test_broken_images_are_named_and_enter_no_mean(bundled, tmp_path):
    folder = tmp_path / "photos"
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
    for i in range(7):
        Image.fromarray(pixels(i)).save(folder / ("cat", "dog")[i % 2] / f"{i}.png")
    (folder / "cat" / "broken.jpg").write_bytes(b"no picture")
    (folder / "dog" / "empty.png").write_bytes(b"")
    run = vitscope.survey(
        str(folder), bundled, tmp_path / "run", measures=["distance", "rollout", CKA], shard_size=10, workers=0,
        progress=False,
    )  # fmt: skip
    failures = {row["image_id"]: row for row in run.table("failures").to_pylist()}
    assert set(failures) == {"cat/broken.jpg", "dog/empty.png"}
    assert all(row["error"] == "ImageError" and row["image_id"] in row["reason"] for row in failures.values())
    assert failures["cat/broken.jpg"]["label"] == "cat"
    rollouts = [bundled.look(pixels(i)).rollout()[0] for i in range(7)]
    assert run.states()["alignment.cka_minibatch_5.count"] == 1  # of 9 images planned, 5 and 4; the broken are in one
    (name,) = {key.rpartition(".")[0] for key in run.states() if key.startswith("map")}
    np.testing.assert_allclose(run.states()[f"{name}.sum"] / 7, np.mean(rollouts, 0), rtol=1e-4, atol=1e-6)
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert manifest["counts"] == {"done": 7, "failed": 2}


class Moody:
    """A data set of the user's, one image of which raises what it likes."""

    def __len__(self):
        return 5

    def __getitem__(self, number):
        if number == 3:
            raise ZeroDivisionError("my own data set")
        return pixels(number)


def test_what_a_data_set_raises_is_a_failure_of_its_image(bundled, tmp_path):
    run = vitscope.survey(Moody(), bundled, tmp_path / "run", measures=["entropy"], workers=0, progress=False)
    (failure,) = run.table("failures").to_pylist()
    assert failure["image_id"] == "00000003"
    assert "my own data set" in failure["reason"]
    assert run.table("heads").num_rows == 4 * 24


def test_where_nothing_can_be_read(bundled, tmp_path):
    for i in range(5):
        (tmp_path / f"{i}.jpg").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"none of the first 5 images .* can be shown"):
        vitscope.survey(tmp_path, bundled, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def read(image):
    return read_image(MappingSource({"7": image}), {"id": "7", "label": None}, None)


def blake2b(array):
    return hashlib.blake2b(array.tobytes(), digest_size=16).hexdigest()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_of_every_precision_are_told_apart_by_their_bytes(dtype):
    image = torch.randn(3, 5, 7).to(dtype)
    found, tensor = read(image)
    assert torch.equal(tensor, image)
    assert tensor.dtype == dtype
    assert (found.failure, found.size, found.input_size) == (None, (5, 7), (5, 7))
    assert found.blake2b == blake2b(image.view(torch.uint8).numpy())
    other = image.clone()
    other[2, 4, 6] += 1
    assert read(other)[0].blake2b != found.blake2b


@pytest.mark.parametrize(
    "laid_out",
    [
        lambda image: image.contiguous(memory_format=torch.channels_last),
        lambda image: image.clone().requires_grad_(),
        lambda image: torch.empty_strided(image.shape, (5000, 1000, 100, 9)).copy_(image),
    ],
    ids=["channels_last", "needs_grad", "odd_strides"],
)
@pytest.mark.parametrize("width", [1, 7])
def test_how_a_tensor_lies_in_memory_changes_nothing(laid_out, width):
    image = torch.randn(1, 3, 5, width)
    found, tensor = read(laid_out(image))
    assert found.blake2b == blake2b(image.numpy())
    assert not tensor.requires_grad
    assert torch.equal(tensor, image[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_tensor_on_a_gpu_is_handed_on_from_the_cpu():
    image = torch.randn(3, 5, 7)
    found, tensor = read(image.cuda())
    assert found.blake2b == blake2b(image.numpy())
    assert tensor.device.type == "cpu"


def test_tensors_that_need_grad_are_surveyed(tmp_path):
    plain = toy_survey(model := ToyViT(), tmp_path / "plain")
    images = {name: image.requires_grad_() for name, image in tensors().items()}
    found = toy_survey(model, tmp_path / "grad", images)
    assert found.table("failures").num_rows == 0
    assert_same(found, plain, ["heads", "images"])


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
def test_file_names_that_are_no_text_are_told_in_print(bundled, tmp_path):
    folder = tmp_path / "photos"
    (folder / os.fsdecode(b"c\xe9")).mkdir(parents=True)
    Image.fromarray(pixels(0)).save(folder / "0.png")
    Image.fromarray(pixels(1)).save(folder / os.fsdecode(b"c\xe9/\xff.jpg"))
    (folder / os.fsdecode(b"c\xe9/\xfe.jpg")).write_bytes(b"no picture")
    (folder / os.fsdecode(b"\xfd.jpg")).symlink_to(os.fsdecode(b"nowhere/\xfc"))
    run = vitscope.survey(folder, bundled, tmp_path / "run", measures=["entropy"], workers=0, progress=False)
    assert set(run.table("heads")["image_id"].to_pylist()) == {"0.png", r"c\xe9/\xff.jpg"}
    reasons = {row["image_id"]: row["reason"] for row in run.table("failures").to_pylist()}
    assert set(reasons) == {r"c\xe9/\xfe.jpg", r"\xfd.jpg"}
    assert all(name.rpartition("/")[2] in reason for name, reason in reasons.items())


@pytest.mark.parametrize("kind", [ImageError, ValueError])
def test_reasons_are_one_line_of_text_that_tables_can_hold(bundled, tmp_path, kind):
    class Odd(dict):
        def __getitem__(self, name):
            if name == "2":
                raise kind("found \udcff.jpg\nand more")
            return super().__getitem__(name)

    images = Odd({f"{i}": pixels(i) for i in range(3)})
    run = vitscope.survey(Custom(images), bundled, tmp_path / "run", measures=["entropy"], workers=0, progress=False)
    (failure,) = run.table("failures").to_pylist()
    assert failure["error"] == kind.__name__
    assert failure["reason"].endswith(r"found \xff.jpg\nand more")


class Custom(MappingSource):
    """A source of the user's, which raises what it likes."""

    def read(self, row):
        return self.images[row["id"]]


class Bursting(ToyViT):
    """The last block's output is infinite for images whose first pixel is 9, which no attention sees."""

    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.ModuleList(map(Block, self.layers))
        del self.layers

    def forward(self, images):
        bursts = images[:, 0, 0, 0] == 9
        x = self.patch_embed(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
        x = self.blocks[0](x, torch.zeros_like(bursts))
        return self.head(self.blocks[1](x, bursts)[:, 0].nan_to_num(0, 0))


class Block(torch.nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def forward(self, x, bursts):
        x = x + self.attention(x)
        return torch.where(bursts[:, None, None], torch.inf, x)


def test_an_image_whose_blocks_give_infinity_is_a_failure_of_its_own(tmp_path):
    images = tensors()
    plain = toy_survey(model := Bursting(), tmp_path / "plain", {**images})
    images["13"] = torch.full((3, 8, 12), 9.0)
    run = toy_survey(model, tmp_path / "run", images)
    (failure,) = run.table("failures").to_pylist()
    assert (failure["image_id"], failure["error"]) == ("13", NotFiniteError.__name__)
    assert "layer 'blocks.1.attention': NaN or infinity in the output of the block around it" in failure["reason"]
    name = "alignment.cka_minibatch_5"
    assert run.states()[f"{name}.count"] == plain.states()[f"{name}.count"] == 4
    assert np.isfinite(CKA.finish({"sum": run.states()[f"{name}.sum"], "count": 4})).all()


class Distant(torch.Tensor):
    """Features on another device, which come to the CPU as plain tensors."""

    def cpu(self):
        return self.as_subclass(torch.Tensor)


def test_features_wait_on_the_cpu_and_whole_minibatches_stay_where_they_are():
    compared = []

    class Watched(vitscope.LinearCKA):
        def state(self, features):
            compared.append([(type(layer), len(layer)) for layer in features])
            return super().state([layer.as_subclass(torch.Tensor) for layer in features])

    collected = Collected(Columns((1,), ()), keep_maps=False)
    minibatches = Minibatches("cka", Watched(5), 17)
    features = [torch.randn(17, width).as_subclass(Distant) for width in (11, 13)]
    for first, last in ((0, 3), (3, 10), (10, 14)):
        minibatches.take(range(first, last), [layer[first:last] for layer in features], collected)
    assert {type(layer) for parts in minibatches._waiting.values() for part in parts for layer in part} == {
        torch.Tensor
    }
    minibatches.failed(14, collected)
    minibatches.take([15, 16], [layer[15:] for layer in features], collected)
    assert compared == [
        [(torch.Tensor, 5)] * 2,  # in two parts
        [(Distant, 5)] * 2,
        [(torch.Tensor, 4)] * 2,  # the fifth failed after they came
        [(Distant, 2)] * 2,
    ]
    assert not minibatches._waiting
