"""Summaries in words: what tells models apart, what to beware of, and what is printed."""

from dataclasses import replace

import numpy as np
import pytest

from survey_runs import MEASURES, UNEVEN, write_run
from vitscope.measures.moments import Moments
from vitscope.measures.spread import Entropy, PrefixMass
from vitscope.render.surveys.telling import reservations, told_apart
from vitscope.surveys.run import open_run
from vitscope.surveys.summary import summarize
from vitscope.surveys.sums import column_convention


def test_models_of_one_name_are_told_apart(summary):
    def like(**changes):
        settings = {**summary.settings, **changes}
        return replace(summary, settings=settings)

    name = "vit_toy_patch16_224"
    other = {**summary.settings["model"], "weights_sha256": "f" * 64}
    assert told_apart([summary]) == (name,)
    assert told_apart([summary, like(model=other)]) == (f"{name}, weights 01234567", f"{name}, weights ffffffff")
    assert told_apart([summary, like(source={"name": "train/"})]) == (f"{name}, on set0/", f"{name}, on train/")
    assert told_apart([summary, like(input=None)]) == (f"{name}, 224 × 224 px", f"{name}, own aspect")
    assert told_apart([summary, summary]) == (f"{name} (1)", f"{name} (2)")
    three = told_apart([summary, like(model=other), like(model=other)])
    assert three == (f"{name}, weights 01234567", f"{name}, weights ffffffff (1)", f"{name}, weights ffffffff (2)")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"name": "val/", "kind": "folder"}, "val/"),
        ({"kind": "folder", "path": "/data/val"}, "/data/val"),
        ({"kind": "glob", "path": "/data", "pattern": "*.png"}, "/data/*.png"),
        ({"kind": "glob", "path": "/", "pattern": "*.png"}, "/*.png"),
        ({"kind": "datasets", "path": "org/name", "split": "test"}, "org/name test"),
        ({"kind": "parquet", "paths": ["a.parquet"]}, "a.parquet"),
        ({"kind": "webdataset", "paths": ["a.tar", "b.tar", "c.tar"]}, "a.tar and 2 more"),
        ({"kind": "joined", "parts": [{"path": "a"}, {"kind": "sequence"}]}, "a and a sequence in Python"),
        ({}, "an unknown source"),
    ],
)
def test_sources_have_words(summary, source, words):
    assert replace(summary, settings={**summary.settings, "source": source}).source == words


def test_reservations_name_what_differs(summary):
    assert reservations([summary, summary]) == ()
    other = replace(summary, images_digest="0" * 64)
    assert "different images" in reservations([summary, other])[0]
    columns = {**summary.columns, "entropy": replace(summary.columns["entropy"], convention="in bits")}
    assert reservations([summary, replace(summary, columns=columns)]) == (
        "entropy is not of one convention in all models.",
    )
    wider = replace(summary, settings={**summary.settings, "input": [384, 384]})
    assert "inputs differ in size" in reservations([summary, wider])[0]
    unfinished = reservations([replace(summary, complete=False, shards_done=3)])
    assert unfinished == ("vit_toy_patch16_224 is unfinished: 3 of 4 shards, 61 images.",)


def test_summaries_are_short_in_words(summary, tmp_path):
    assert repr(summary) == (
        "Summary(vit_toy_patch16_224: 61 images; distance, entropy, prefix_mass, rollout, heatmaps, head_similarity, "
        "cka)"
    )
    column = summary.columns["distance"].overall
    mean, low, high = (f"{float(part):#.4g}" for part in (column.mean, column.low, column.high))
    assert repr(summary.columns["distance"]) == (
        f"ColumnSummary('distance', 5 layers × 7 heads, mean {mean} px [{low} to {high}])"
    )
    lines = str(summary).splitlines()
    assert lines[0] == "vit_toy_patch16_224: 61 images"
    assert lines[1].split("  ")[-1] == "95% interval"
    negative = {part: np.array(-getattr(summary.columns["distance"].overall, part)) for part in ("mean", "low", "high")}
    below = replace(summary.columns["distance"], overall=replace(summary.columns["distance"].overall, **negative))
    assert f"mean −{mean} px" in repr(below)
    assert lines[2].split() == ["distance", "px", mean, low, "to", high]
    assert [line.split()[0] for line in lines[3:]] == ["entropy", "prefix_mass", "prefix_mass_cls"]
    model = {**summary.settings["model"], "weights": "random"}
    rest = replace(summary, columns={}, complete=False, shards_done=3, settings={**summary.settings, "model": model})
    assert str(rest) == "vit_toy_patch16_224, random weights: 61 images, unfinished: 3 of 4 shards"
    alone = summarize(open_run(write_run(tmp_path / "run", replace(UNEVEN, images=1))), replicates=100)
    assert "[" not in repr(alone.columns["entropy"])
    assert "nan" not in str(alone)


@pytest.mark.parametrize(
    ("measure", "column", "words"),
    [
        (PrefixMass(), "prefix_mass", "attention mass on all prefix tokens together, mean over patch queries"),
        (PrefixMass(), "prefix_mass_reg1", "attention mass on the prefix token reg1, mean over patch queries"),
        (
            Moments(),
            "offset_y",
            "mean offset of the attention's centroid from the query's own place, downwards, in pixels of the model's "
            "input; prefix tokens dropped on both axes, rows rescaled to 1 over the patches",
        ),
        (
            Moments(),
            "offset_x",
            "mean offset of the attention's centroid from the query's own place, to the right, in pixels of the "
            "model's input; prefix tokens dropped on both axes, rows rescaled to 1 over the patches",
        ),
        (
            Moments(unit="patches"),
            "spread",
            "mean spread about the attention's centroid, in patches; prefix tokens dropped on both axes, rows rescaled "
            "to 1 over the patches",
        ),
        (Entropy(), "entropy", Entropy.convention),
    ],
)
def test_columns_have_conventions_of_their_own(measure, column, words):
    name = "prefix_mass" if column.startswith("prefix_mass") else "other"
    assert column_convention({"name": name, "convention": measure.convention}, column) == words


def test_a_summarys_columns_have_them(made):
    measures = [{**MEASURES[2], "convention": PrefixMass.convention}]
    columns = made(measures=measures).columns
    assert columns["prefix_mass"].convention.startswith("attention mass on all prefix tokens together")
    assert columns["prefix_mass_cls"].convention.startswith("attention mass on the prefix token cls")


def test_the_size_of_minibatches_is_the_plans(made, summary):
    assert [(one.minibatches, one.minibatch) for one in summary.alignments] == [(1, 32)]
    assert made(measures=[{"name": "cka", "kind": "alignment"}]).alignments[0].minibatch is None
