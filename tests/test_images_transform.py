"""What the model is shown equals, pixel for pixel, what its own library would show it."""

import json

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from timm.data import create_transform
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from vitscope.errors import ArgumentError
from vitscope.images.decode import Picture
from vitscope.images.sizes import centre_offset, whole_size
from vitscope.images.transform import Transform

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZES = [(97, 131), (131, 97), (57, 57), (61, 62), (2, 1), (224, 224), (1, 1), (3, 1), (2, 601), (601, 3), (300, 451)]


def picture(height: int, width: int) -> Picture:
    noise = np.random.default_rng(height * 10_007 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Picture("noise", Image.fromarray(noise))


def transform(**fields) -> Transform:
    return Transform(**{"size": (53, 53), "resize": 59, "mean": MEAN, "std": STD} | fields)


def pixels(image) -> np.ndarray:
    return np.asarray(image)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "lanczos", "nearest"])
def test_timm_centre_crop(size, interpolation):
    theirs = create_transform(53, interpolation=interpolation, crop_pct=0.9, mean=MEAN, std=STD)
    ours = transform(resize=58, interpolation=interpolation)  # floor(53 / 0.9)
    assert torch.equal(ours(picture(*size)), theirs(picture(*size).image))


@pytest.mark.parametrize("size", SIZES)
def test_timm_oblong_input(size):
    theirs = create_transform((37, 71), interpolation="bicubic", crop_pct=0.875, mean=MEAN, std=STD)
    ours = transform(size=(37, 71), resize=(42, 81), aspect="cover")
    assert torch.equal(ours(picture(*size)), theirs(picture(*size).image))


@pytest.mark.parametrize("size", SIZES)
def test_timm_squash(size):
    theirs = create_transform((53, 41), interpolation="bicubic", crop_pct=0.9, crop_mode="squash", mean=MEAN, std=STD)
    ours = transform(size=(53, 41), resize=(58, 45))
    assert torch.equal(ours(picture(*size)), theirs(picture(*size).image))


@pytest.mark.parametrize("size", [size for size in SIZES if min(size) > 10 or max(size) < 10])
@pytest.mark.parametrize("crop", [1.0, 0.8])
def test_timm_border(size, crop):
    theirs = create_transform((53, 40), interpolation="bicubic", crop_pct=crop, crop_mode="border", mean=MEAN, std=STD)
    resize = (int(53 / crop), int(40 / crop))
    fill = tuple(round(255 * value) for value in MEAN)
    ours = transform(size=(53, 40), resize=resize, aspect="contain", fill=fill)
    assert torch.equal(ours(picture(*size)), theirs(picture(*size).image))


def test_timm_model_configuration():
    model = timm.create_model("vit_tiny_patch16_224", pretrained=False)
    config = timm.data.resolve_model_data_config(model)
    ours = Transform(size=(224, 224), resize=248, mean=config["mean"], std=config["std"])
    shown = picture(301, 457)
    assert torch.equal(ours(shown), create_transform(**config)(shown.image))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("crop", "resize"), [(53, 60), (52, 59), (53, 53), (61, 40)])
def test_torchvision_preset_with_padding_where_the_crop_is_larger(size, crop, resize):
    theirs = ImageClassification(crop_size=crop, resize_size=resize, interpolation=InterpolationMode.BILINEAR)
    ours = transform(size=(crop, crop), resize=resize, interpolation="bilinear")
    assert torch.equal(ours(picture(*size)), theirs(picture(*size).image))


@pytest.mark.parametrize("size", SIZES)
def test_transformers_squash(size):
    theirs = ViTImageProcessorPil(size={"height": 53, "width": 41}, do_rescale=False, do_normalize=False)
    ours = transform(size=(53, 41), resize=(53, 41), interpolation="bilinear")
    expected = theirs(picture(*size).image)["pixel_values"][0]
    assert np.array_equal(pixels(ours.render(picture(*size))), expected.transpose(1, 2, 0))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("crop", "resize"), [((53, 53), 60), ((52, 43), 59), ((53, 53), 53), ((62, 61), 41)])
def test_transformers_short_side_then_crop(size, crop, resize):
    theirs = CLIPImageProcessorPil(
        size={"shortest_edge": resize},
        crop_size={"height": crop[0], "width": crop[1]},
        do_rescale=False,
        do_normalize=False,
    )
    ours = transform(size=crop, resize=resize, centring="floor")
    expected = theirs(picture(*size).image)["pixel_values"][0]
    assert np.array_equal(pixels(ours.render(picture(*size))), expected.transpose(1, 2, 0))


def test_transformers_normalisation():
    theirs = CLIPImageProcessorPil(size={"shortest_edge": 59}, crop_size={"height": 53, "width": 53})
    ours = transform(mean=tuple(theirs.image_mean), std=tuple(theirs.image_std), centring="floor")
    expected = theirs(picture(97, 131).image)["pixel_values"][0]
    np.testing.assert_allclose(ours(picture(97, 131)).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("size", [size for size in SIZES if min(size) > 10 or max(size) < 10])
@pytest.mark.parametrize(
    ("mode", "fields"),
    [
        ("shortest", {"resize": 53}),
        ("longest", {"resize": (53, 53), "aspect": "contain", "fill": (7, 7, 7)}),
        ("squash", {"resize": (53, 53)}),
    ],
)
def test_open_clip(size, mode, fields):
    config = PreprocessCfg(size=53, mean=MEAN, std=STD, resize_mode=mode, fill_color=7)
    theirs = image_transform_v2(config, is_train=False)
    assert torch.equal(transform(**fields)(picture(*size)), theirs(picture(*size).image))


def test_centring_rules_by_hand():
    left_over = [5, 4, 3, 0, -3, -4, -5]
    assert [centre_offset(n, "round") for n in left_over] == [2, 2, 2, 0, -1, -2, -2]
    assert [centre_offset(n, "floor") for n in left_over] == [2, 2, 1, 0, -2, -2, -3]
    assert [centre_offset(n, "truncate") for n in left_over] == [2, 2, 1, 0, -1, -2, -2]


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (3, 20_000)])
def test_extremely_oblong_pictures_cost_only_their_crop(size):
    seen = transform(size=(224, 223), resize=224).render(picture(*size))
    assert seen.size == (223, 224)
    assert len(np.unique(pixels(seen))) > 1


@pytest.mark.parametrize("size", [(7, 601), (601, 7), (300, 451)])
@pytest.mark.parametrize("crop", [(53, 47), (61, 401)])
@pytest.mark.parametrize("interpolation", ["bicubic", "lanczos", "bilinear"])
def test_the_crop_made_alone_is_the_crop_of_the_whole(size, crop, interpolation, monkeypatch):
    ours = transform(size=crop, resize=59, interpolation=interpolation)
    # Mid greys, as overshoot clips in an order that depends on the size.
    shown = Picture("grey", picture(*size).image.point(lambda value: 70 + value * 115 // 255))
    expected = pixels(ours.render(shown)).astype(int)
    monkeypatch.setattr("vitscope.images.transform._LARGE", 0)
    found = pixels(ours.render(shown)).astype(int)
    assert np.abs(found - expected).max() <= 2
    assert expected.std() > 4


def test_normalisation_by_hand():
    red = Picture("red", Image.new("RGB", (3, 5), (255, 51, 0)))
    tensor = Transform(size=(5, 3), resize=(5, 3), mean=(0.5, 0.1, 0.25), std=(0.25, 0.5, 0.5))(red)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    assert tensor[:, 4, 2].tolist() == pytest.approx([2.0, 0.2, -0.5])


# ---- where the input lies on the original


def marked(height: int, width: int, row: int, column: int) -> Picture:
    array = np.zeros((height, width, 3), np.uint8)
    array[row, column] = 255
    return Picture("marked", Image.fromarray(array))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"size": (37, 71), "resize": (42, 81), "aspect": "cover"},
        {"size": (80, 81), "resize": 40},
        {"size": (53, 40), "resize": (53, 40), "aspect": "contain"},
        {"size": (60, 90), "resize": (60, 90)},
        {"size": (56, 56), "fit": "whole", "multiple": (7, 14)},
    ],
)
def test_a_marked_pixel_lands_where_the_placement_says(fields):
    ours, size, (row, column) = transform(interpolation="bilinear", **fields), (29, 23), (17, 9)
    seen = pixels(ours.render(marked(*size, row, column)))[..., 0].astype(float)
    place = ours.place(size)
    y, x = (np.average(axis, weights=seen) + 0.5 for axis in np.indices(seen.shape))
    assert place.to_input(column + 0.5, row + 0.5) == pytest.approx((x, y), abs=0.5)
    assert place.to_original(x, y) == pytest.approx((column + 0.5, row + 0.5), abs=0.5)
    assert place.input == seen.shape


def test_placement_by_hand():
    place = transform(size=(50, 50), resize=100).place((200, 400))
    assert place.box == (150.0, 50.0, 250.0, 150.0)
    assert place.to_input(150, 50) == (0, 0)
    assert place.to_input(250, 100) == (50, 25)
    assert place.to_original(25, 50) == (200, 150)
    assert place.stretch == 1.0


def test_placement_of_a_squashed_picture_by_hand():
    place = transform(size=(50, 50), resize=(100, 200)).place((200, 200))
    assert place.box == (75.0, 50.0, 125.0, 150.0)
    assert place.stretch == 2.0


def test_placement_of_padding_reaches_outside():
    place = transform(size=(100, 100), resize=(100, 100), aspect="contain").place((30, 60))
    assert place.box == (0.0, -15.0, 60.0, 45.0)


@given(st.integers(1, 3000), st.integers(1, 3000), st.floats(-50, 50), st.floats(-50, 50))
@settings(max_examples=60)
def test_the_map_and_its_inverse(height, width, x, y):
    for ours in (transform(), transform().whole((7, 11))):
        place = ours.place((height, width))
        assert place.to_original(*place.to_input(x, y)) == pytest.approx((x, y), abs=1e-6)


# ---- the whole picture


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from([(16, 16), (14, 14), (8, 4), (1, 1)]))
@settings(max_examples=200)
def test_whole_keeps_area_and_multiples(height, width, multiple):
    found = whole_size((height, width), (224, 224), multiple)
    assert found[0] % multiple[0] == found[1] % multiple[1] == 0
    assert min(found) >= 1
    assert found[0] * found[1] <= 1.25 * 224 * 224
    if 1 / 3 < height / width < 3:
        assert found[0] * found[1] >= 0.8 * 224 * 224
        assert found[0] / found[1] == pytest.approx(height / width, rel=0.15)


def test_whole_by_hand():
    whole = transform(size=(224, 224)).whole((16, 16))
    assert whole.place((480, 640)).input == (192, 256)
    assert whole.place((480, 640)).box == (0.0, 0.0, 640.0, 480.0)
    assert whole.place((480, 640)).stretch == 1.0
    assert whole.place((224, 224)).input == (224, 224)
    oblong = whole.place((20_000, 1))
    assert oblong.input == (3920, 16)
    assert oblong.stretch > 80
    assert whole(picture(20_000, 1)).shape == (3, 3920, 16)


def test_whole_is_one_resize_of_the_entire_picture():
    whole = transform(size=(56, 56)).whole((7, 14))
    expected = picture(97, 131).image.resize((70, 49), Image.Resampling.BICUBIC)
    assert np.array_equal(pixels(whole.render(picture(97, 131))), pixels(expected))


# ---- other sizes, words, refusals


def test_another_size_keeps_the_proportion():
    assert transform(size=(224, 224), resize=256).with_size((448, 448)).resize == 512
    assert transform(size=(224, 224), resize=224).with_size((336, 336)).resize == 336
    assert transform(size=(60, 40), resize=(60, 40)).with_size((30, 80)).resize == (30, 80)
    oblong = transform(size=(224, 224), resize=256).with_size((224, 448))
    assert (oblong.resize, oblong.aspect, oblong.size) == ((256, 512), "cover", (224, 448))
    assert oblong.place((300, 300)).box == pytest.approx((18.75, 84.375, 281.25, 215.625), abs=0.3)


def test_description_and_settings():
    ours = transform(size=(224, 224), resize=248)
    assert ours.describe() == (
        "short side to 248 (bicubic), centre crop 224 × 224, mean 0.485, 0.456, 0.406, std 0.229, 0.224, 0.225"
    )
    assert "squashed to 53 × 41 (bicubic), mean" in transform(size=(53, 41), resize=(53, 41)).describe()
    assert "to fit within 53 × 53" in transform(resize=(53, 53), aspect="contain").describe()
    whole = ours.whole((16, 8))
    assert whole.describe().startswith("whole picture, aspect kept, area of about 224 × 224 (bicubic)")
    assert "multiples of 16 × 8" in whole.describe()
    restored = json.loads(json.dumps(whole.settings()))
    assert Transform(**{k: tuple(v) if isinstance(v, list) else v for k, v in restored.items()}) == whole


@pytest.mark.parametrize(
    "fields",
    [
        {"size": (0, 5)},
        {"resize": 0},
        {"multiple": (0, 1)},
        {"std": (0.0, 1.0, 1.0)},
        {"interpolation": "area"},
        {"fit": "fill"},
        {"aspect": "wide"},
        {"centring": "left"},
    ],
)
def test_settings_without_a_meaning_are_refused(fields):
    with pytest.raises(ArgumentError, match="found"):
        transform(**fields)
