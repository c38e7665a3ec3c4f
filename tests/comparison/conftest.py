"""Summaries of synthetic runs, for figures and the page."""

import json

import pytest

from survey_runs import LONG, UNEVEN, PlainRun, Synthetic, write_run
from vitscope.surveys.summary import summarize


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The summary of a synthetic run, made once each."""
    known = {}
    root = tmp_path_factory.mktemp("runs")

    def make(**options):
        key = json.dumps(options, sort_keys=True)
        if key not in known:
            known[key] = summarize(PlainRun(write_run(root / str(len(known)), Synthetic(**options))), replicates=200)
        return known[key]

    return make


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    return summarize(PlainRun(write_run(tmp_path_factory.mktemp("run") / "uneven", UNEVEN)), replicates=200)


@pytest.fixture(scope="module")
def four(made):
    return [
        made(heads=[3, 3, 3], model="vit_tiny"),
        made(heads=[12] * 12, model=LONG, seed=3, level=10.0),
        made(heads=[16] * 24, model="vit_large_patch14_clip_224.openai_ft_in12k_in1k", seed=5, classes=30, images=113),
        made(heads=[6] * 12, model="$cost$ <b>写真</b>", seed=9, missing=1, grid=(13, 5)),
    ]
