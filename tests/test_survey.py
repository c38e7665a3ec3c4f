"""Surveys of a model: the numbers of looks, whatever the batches, the workers, the order or the split."""

import numpy as np
import pyarrow as pa
import pytest
import torch

import vitscope
from survey_images import CKA, IMAGES, assert_same, by_image, pictures, pixels, toy_survey
from toys import ToyViT, capped
from vitscope import Entropy, Heatmaps, MeanAttentionDistance, PrefixMass, Rollout
from vitscope.errors import ArgumentError, RunError
from vitscope.measures.distance import uniform_distance

ALL = ["distance", "distance_rescaled", "entropy", "prefix_mass", "moments", "rollout", "heatmaps", "head_similarity"]


@pytest.fixture(scope="module")
def scope():
    return vitscope.load()


@pytest.fixture(scope="module")
def survey(scope, tmp_path_factory):
    """A survey of the pictures, into a folder of its own."""

    def run(source=None, **options):
        settings = {"measures": [*ALL, CKA], "shard_size": 10, "maps": True, "workers": 0, "progress": False}
        folder = tmp_path_factory.mktemp("survey") / "run"
        return vitscope.survey(pictures() if source is None else source, scope, folder, **settings | options)

    return run


@pytest.fixture(scope="module")
def usual(survey):
    return survey()


def test_tables_hold_what_looks_give(scope, usual):
    assert usual.complete
    heads, images = usual.table("heads"), usual.table("images").to_pylist()
    assert {image["image_id"] for image in images} == set(pictures())
    for image in images:
        assert (image["height"], image["width"], image["input_height"], image["input_width"]) == (37, 53, 64, 64)
        assert (image["status"], image["reason"], len(image["input_blake2b"])) == ("done", None, 32)
    assert len({image["input_blake2b"] for image in images}) == IMAGES
    looked = list(pictures().items())[7]
    look = scope.look(looked[1])
    rows = heads.filter(pa.compute.equal(heads["image_id"], looked[0])).to_pydict()
    layers = [(i, head) for i, layer in enumerate(look.layers) for head in range(layer.heads)]
    assert list(zip(rows["layer"], rows["head"], strict=True)) == layers
    where = tuple(np.array(layers).T)
    expected = {
        "distance": look.mean_attention_distance(),
        "distance_rescaled": look.mean_attention_distance(rescale=True),
        "entropy": look.entropy(),
        "prefix_mass": look.prefix_mass().sum(-1),
        "prefix_mass_cls": look.prefix_mass()[..., 0],
        "spread": vitscope.Moments().measure(look.attention_seen)[..., 2],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(rows[name], np.asarray(values)[0][where], rtol=1e-5, err_msg=name)
    maps = usual.table("maps").to_pylist()
    own = {(row["measure"], row["head"]): row for row in maps if row["image_id"] == looked[0]}
    assert len(own) == 1 + look.layers[-1].heads
    for (name, head), row in own.items():
        found = np.reshape(row["values"], (row["rows"], row["columns"]))
        value = look.rollout()[0] if name == "rollout" else look.heatmaps()[0, head]
        np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-6)


def test_states_hold_means_over_images(scope, usual):
    looks = [scope.look(array) for array in pictures().values()]
    states, grid = usual.states(), looks[0].layout.grid
    expected = {
        f"map.rollout.{grid[0]}x{grid[1]}": [look.rollout()[0] for look in looks],
        f"map.heatmaps.{grid[0]}x{grid[1]}": [look.heatmaps()[0] for look in looks],
        "similarity.head_similarity": [vitscope.HeadSimilarity().measure(look.attention_seen)[0] for look in looks],
    }
    for name, values in expected.items():
        assert states[f"{name}.count"] == IMAGES
        np.testing.assert_allclose(states[f"{name}.sum"] / IMAGES, np.mean(values, 0), rtol=1e-4, atol=1e-5)
    # Shards of 10, 10 and 3 images give minibatches of 5, 5, 5, 5 and 3, the last too small to compare.
    (cka,) = {name.rpartition(".")[0] for name in states if name.startswith("alignment.")}
    assert states[f"{cka}.count"] == 4
    assert states[f"{cka}.sum"].shape == (len(looks[0].layers),) * 2


@pytest.mark.parametrize(
    "options", [{"batch_size": 1}, {"batch_size": 7}, {"workers": 2, "batch_size": 3}], ids=["one", "seven", "workers"]
)
def test_batches_and_workers_change_nothing(survey, usual, options):
    assert_same(survey(**options), usual)


def test_order_changes_nothing(survey, usual):
    items = list(pictures().items())
    np.random.default_rng(3).shuffle(items)
    assert_same(survey(dict(items)), usual)
    assert_same(survey(iter(items)), usual)


def test_parts_make_the_whole(scope, usual, tmp_path):
    runs = [
        vitscope.survey(
            pictures(), scope, tmp_path / "run", measures=[*ALL, CKA], shard_size=10, maps=True, part=(part, 2),
            workers=0, progress=False,
        )
        for part in (1, 2)
    ]  # fmt: skip
    assert [run.complete for run in runs] == [False, True]
    assert_same(runs[1], usual)


def test_shard_size_changes_nothing(survey, usual):
    assert_same(survey(shard_size=100), usual)


class Hungry(ToyViT):
    """Runs out of memory with more than three images, as CUDA says it."""

    largest = 0  # batch that went through

    def forward(self, images):
        if len(images) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        self.largest = max(self.largest, len(images))
        return super().forward(images)


def test_batches_are_halved_until_they_fit(tmp_path):
    torch.manual_seed(5)
    expected = toy_survey(ToyViT(), tmp_path / "plenty")
    torch.manual_seed(5)
    hungry = Hungry()
    found = toy_survey(hungry, tmp_path / "hungry", batch_size=8)
    assert hungry.largest == 2
    for column, values in by_image(found).items():
        assert values == pytest.approx(by_image(expected)[column]), column
    for name, values in found.states().items():
        np.testing.assert_allclose(values, expected.states()[name], rtol=1e-4)


def test_batches_are_halved_until_they_keep_to_the_limit(tmp_path):
    """Where logits cannot be followed, weights are kept: 3 heads × 7 × 7 × 4 bytes in each of two layers."""
    model, options = ToyViT(capped), {"measures": [Rollout(discard=0.5)], "maps": True, "batch_size": 8}
    expected = toy_survey(model, tmp_path / "plenty", **options)
    found = toy_survey(model, tmp_path / "limited", limit_bytes=3 * 3 * 7 * 7 * 4 * 2, **options)
    assert found.complete
    assert_same(found, expected)


def test_the_memory_at_hand_changes_nothing(survey, usual, monkeypatch):
    monkeypatch.setattr("vitscope.observing._free_bytes", lambda like: 0)
    assert by_image(survey(), "maps") == by_image(usual, "maps")
    streamed = by_image(survey(limit_bytes=1), "maps")  # by the limit alone, in other numbers
    assert streamed != by_image(usual, "maps")


def test_whole_pictures_of_many_sizes(tmp_path):
    scope = vitscope.load(fit="whole")
    shapes = {"wide": (31, 53), "tall": (53, 31), "wider": (31, 53), "square": (41, 41)}
    images = {name: pixels(i, *shape) for i, (name, shape) in enumerate(shapes.items())}
    run = vitscope.survey(
        images, scope, tmp_path / "run", measures=["distance", "rollout"], workers=0, batch_size=2, progress=False
    )
    for name, image in images.items():
        rows = run.table("heads").filter(pa.compute.equal(run.table("heads")["image_id"], name))
        found = scope.look(image).mean_attention_distance()[0].ravel()
        np.testing.assert_allclose(rows["distance"], found, rtol=1e-5)
    counts = {name: int(value) for name, value in run.states().items() if name.endswith(".count")}
    assert sorted(counts.values()) == [1, 1, 2]
    assert run.settings["input"] is None
    with pytest.raises(ArgumentError, match=r'cka compares images place by place.*fit="crop"'):
        vitscope.survey(images, scope, tmp_path / "cka", measures=["cka"], progress=False)
    assert not (tmp_path / "cka").exists()


def test_a_finished_run_is_not_computed_again(scope, usual, survey, tmp_path, monkeypatch):
    options = {"measures": ["entropy"], "shard_size": 10, "workers": 0, "progress": False}
    first = vitscope.survey(pictures(), scope, tmp_path / "run", **options)
    monkeypatch.setattr("vitscope.surveys.worker.chunks", None)
    again = vitscope.survey(pictures(), scope, tmp_path / "run", **options)
    assert by_image(again) == by_image(first)
    with pytest.raises(RunError, match="measures"):
        vitscope.survey(pictures(), scope, tmp_path / "run", **options | {"measures": ["distance"]})
    for changed in ({"maps": True}, {"sample": 23}, {"limit_bytes": 2**31}):
        with pytest.raises(RunError, match=next(iter(changed))):
            vitscope.survey(pictures(), scope, tmp_path / "run", **options | changed)
    other = vitscope.load(image_size=96)
    with pytest.raises(RunError, match=r"preprocessing\.size.*64") as told:
        vitscope.survey(pictures(), other, tmp_path / "run", **options)
    assert "layers" not in str(told.value)  # nor what else follows from it
    with pytest.raises(RunError, match="index_sha256"):
        vitscope.survey(dict(list(pictures().items())[:-1]), scope, tmp_path / "run", **options)


def test_other_pictures_of_the_same_names_are_found_out(scope, tmp_path):
    options = {"measures": ["entropy"], "shard_size": 10, "workers": 0, "progress": False}
    vitscope.survey(pictures(), scope, tmp_path / "run", **options)
    others = {name: 255 - array for name, array in pictures().items()}
    with pytest.raises(RunError, match=r"is another picture than the one that .*run holds numbers of"):
        vitscope.survey(others, scope, tmp_path / "run", **options)


def test_settings_say_what_was_measured_of_what(scope, usual):
    settings = usual.settings
    assert settings["images"] == IMAGES
    assert settings["shards"] == 3
    assert settings["model"]["weights_sha256"] == scope.weights_sha256()
    names = {measure["name"]: measure for measure in settings["measures"]}
    assert names["distance"]["convention"] == MeanAttentionDistance().convention
    assert names["entropy"]["convention"] == Entropy().convention
    assert names["prefix_mass"]["columns"] == ["prefix_mass", "prefix_mass_cls"]
    assert names["prefix_mass"]["convention"] == PrefixMass().convention
    assert names["rollout"]["kind"] == "map"
    assert names["cka_minibatch_5"]["kind"] == "alignment"
    look = scope.look(pixels(0))
    assert settings["layers"][2] == {
        "index": 2, "name": look.layers[2].name, "kind": "global", "heads": 4, "grid": list(look.layout.grid),
    }  # fmt: skip
    assert settings["uniform"]["distance"] == pytest.approx([uniform_distance(look.layout)] * 6, rel=1e-6)
    assert settings["uniform"]["distance_rescaled"] == pytest.approx(
        [uniform_distance(look.layout, True)] * 6, rel=1e-6
    )
    assert settings["uniform"]["entropy"] == pytest.approx([np.log(look.layout.tokens)] * len(look.layers))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"measures": []}, "no measure was given.*distance"),
        ({"measures": "attention"}, "no measure 'attention'.*head_similarity"),
        ({"measures": ["entropy", Entropy()]}, "entropy was given twice"),
        ({"measures": [max]}, "cannot be surveyed"),
        ({"measures": [vitscope.LinearCKA(7)]}, "multiple of it, found 10"),
        ({"batch_size": 0}, "batch_size must be at least 1; found 0"),
        ({"workers": -1}, "workers must be at least 0; found -1"),
        ({"part": (3, 2)}, "3"),
    ],
)
def test_arguments_that_mean_nothing(survey, options, words):
    with pytest.raises(ArgumentError, match=words):
        survey(**options)


def test_too_few_images_to_compare(scope, tmp_path):
    with pytest.raises(ArgumentError, match="needs 4 at least; found 3"):
        vitscope.survey(dict(list(pictures().items())[:3]), scope, tmp_path / "run", measures=["cka"])


def test_a_model_may_be_named(usual, tmp_path):
    run = vitscope.survey(pictures(), "vitscope-tiny", tmp_path / "run", sample=5, workers=0, progress=False)
    assert run.settings["model"] == usual.settings["model"]
    assert set(run.table("heads")["image_id"].to_pylist()) == set(
        usual.table("heads")["image_id"].to_pylist()[: 5 * 24]
    )


def test_parameters_that_differ_stand_in_the_names(survey):
    measures = [Rollout("max"), Rollout(), Heatmaps(layer=0), MeanAttentionDistance(unit="diagonal")]
    run = survey(measures=measures, maps=False)
    names = [measure["name"] for measure in run.settings["measures"]]
    assert names == ["rollout_fusion_max", "rollout", "heatmaps_layer_0", "distance_unit_diagonal"]
    assert "distance_unit_diagonal" in run.table("heads").column_names
