"""Which image stands in which shard: by ids alone."""

import hashlib
import os
import random
import shutil
import time
from collections import Counter
from itertools import pairwise
from types import MappingProxyType

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import survey_toys
from vitscope.errors import ArgumentError, ImageError, SourceError
from vitscope.surveys.engine import fill
from vitscope.surveys.layout import shard_folder
from vitscope.surveys.planning import plan_survey, share_of
from vitscope.surveys.progress import Progress
from vitscope.surveys.store import open_writer

IDS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5), min_size=1, unique=True)


class Listed:
    """A source of ids that holds nothing."""

    name = "listed"
    settings = MappingProxyType({})

    def __init__(self, ids, *, ordered=False, labels=None, chunks=1):
        self.ordered = ordered
        table = pa.table(
            {
                "id": pa.array(ids, pa.string()),
                "label": pa.array(labels or [None] * len(ids), pa.string()),
                "offset": list(range(len(ids))),
            }
        )
        ends = [i * len(ids) // chunks for i in range(chunks + 1)]
        self.table = pa.concat_tables([table.slice(a, b - a) for a, b in pairwise(ends)])

    def index(self):
        return self.table

    def require(self):
        raise NotImplementedError

    def read(self, row):
        raise NotImplementedError


def ids_of(plan) -> list[str]:
    return plan.index["id"].to_pylist()


@given(IDS, st.randoms(use_true_random=False), st.integers(1, 3), st.integers(1, 7))
def test_the_order_of_the_index_does_not_matter(ids, random, chunks, shard_size):
    plan = plan_survey(Listed(ids), shard_size=shard_size)
    shuffled = random.sample(ids, len(ids))
    again = plan_survey(Listed(shuffled, chunks=chunks), shard_size=shard_size)
    assert ids_of(plan) == ids_of(again)
    assert plan.sha256 == again.sha256
    assert sorted(ids_of(plan)) == sorted(ids)
    assert [shuffled[i] for i in again.index["offset"].to_pylist()] == ids_of(again)  # rows stay together


def test_the_order_is_that_of_the_hashes():
    ids = [f"{i}.png" for i in range(101)]
    by_hash = sorted(ids, key=lambda text: hashlib.blake2b(text.encode(), digest_size=16).digest())
    assert ids_of(plan_survey(Listed(ids))) == by_hash


def test_classes_are_spread_evenly():
    ids = [f"class{c}/{i}.png" for c in range(5) for i in range(1009)]
    plan = plan_survey(Listed(ids), shard_size=500)
    for shard in range(plan.shards - 1):
        ids = plan.rows(shard)["id"].to_pylist()
        counts = Counter(text.partition("/")[0] for text in ids)
        assert all(60 < counts[f"class{c}"] < 140 for c in range(5))  # 100 expected, standard deviation 9


@given(IDS, st.integers(1, 13), st.booleans())
def test_shards_are_the_whole_in_order(ids, shard_size, ordered):
    plan = plan_survey(Listed(ids, ordered=ordered), shard_size=shard_size)
    rows = [plan.rows(shard) for shard in range(plan.shards)]
    assert all(len(table) == shard_size for table in rows[:-1])
    assert 1 <= len(rows[-1]) <= shard_size
    assert pa.concat_tables(rows) == plan.index
    for shard in (-1, plan.shards):
        with pytest.raises(ArgumentError, match=f"found shard {shard}; expected 0 to {plan.shards - 1}"):
            plan.rows(shard)


@given(IDS, st.data(), st.booleans())
def test_a_sample_is_part_of_a_larger_one(ids, data, ordered):
    smaller = data.draw(st.integers(1, len(ids)))
    larger = data.draw(st.integers(smaller, len(ids) + 3))
    whole, many, few = (
        ids_of(plan_survey(Listed(ids, ordered=ordered), sample=sample)) for sample in (None, larger, smaller)
    )
    assert (len(many), len(few)) == (min(larger, len(ids)), smaller)
    assert [text for text in whole if text in set(many)] == many
    assert [text for text in many if text in set(few)] == few
    assert set(few) == set(ids_of(plan_survey(Listed(ids, ordered=not ordered), sample=smaller)))
    if ordered:
        assert whole == ids
    else:
        assert whole[:larger] == many


@given(st.integers(0, 101), st.integers(1, 17))
def test_shares_are_apart_and_cover_all(shards, parts):
    shares = [share_of(shards, part, parts) for part in range(1, parts + 1)]
    assert sorted(shard for share in shares for shard in share) == list(range(shards))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(shard % parts == part for part, share in enumerate(shares) for shard in share)


@pytest.mark.parametrize(("part", "parts"), [(0, 3), (4, 3), (1, 0), (-1, 3)])
def test_shares_that_are_none(part, parts):
    with pytest.raises(ArgumentError, match=f"found part {part} of {parts} of 7 shards; expected a part from 1 to"):
        share_of(7, part, parts)


def test_the_digest_tells_ids_labels_and_order_apart():
    ids = ["a", "b", "ab", "c"]
    plans = [
        plan_survey(Listed(ids, ordered=True)),
        plan_survey(Listed(ids[::-1], ordered=True)),
        plan_survey(Listed(["a", "b", "ab", "d"], ordered=True)),
        plan_survey(Listed(["a", "ba", "b", "c"], ordered=True)),
        plan_survey(Listed(ids, ordered=True, labels=["x", None, None, None])),
        plan_survey(Listed(ids, ordered=True, labels=[None, "x", None, None])),
        plan_survey(Listed(ids, ordered=True, labels=["", None, None, None])),
    ]
    assert len({plan.sha256 for plan in plans}) == len(plans)
    lines = '["a", null]\n["b", null]\n["ab", null]\n["c", null]\n'
    assert plans[0].sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_the_shard_size_is_not_in_the_digest():
    ids = [str(i) for i in range(1009)]
    random.Random(7).shuffle(ids)
    assert plan_survey(Listed(ids), shard_size=7).sha256 == plan_survey(Listed(ids), shard_size=11).sha256


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([], "listed: no image in it"),
        (["a", "", "b"], r"image 1 \(from 0\) has an empty id"),
        (["a", "b", None], r"image 2 \(from 0\) has an empty id"),
        (["a", "", None], r"has an empty id"),
        (["x\n", "b", "c", "b", "x\n"], "the id 'b' is there twice"),
    ],
)
@pytest.mark.parametrize("chunks", [1, 2])
def test_indices_that_cannot_be_planned(ids, message, chunks):
    with pytest.raises(SourceError, match=message):
        plan_survey(Listed(ids, chunks=chunks))


@pytest.mark.parametrize("arguments", [{"shard_size": 0}, {"sample": 0}, {"sample": -3}])
def test_numbers_of_no_meaning(arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ArgumentError, match=f"found {name}={value}; expected at least 1 image"):
        plan_survey(Listed(["a"]), **arguments)


@pytest.mark.long
def test_a_run_of_imagenet_s_size_is_planned_and_gone_on_with_in_a_minute(tmp_path):
    """All of its shards but the last are there, as links to one that was written."""
    images, begun = 1_281_167, time.monotonic()
    plan = plan_survey(Listed([f"n{i % 1000:08d}/n{i % 1000:08d}_{i}.JPEG" for i in range(images)]))
    seconds = [time.monotonic() - begun]
    settings = survey_toys.settings(images=images, shard_size=plan.shard_size, shards=plan.shards)
    with open_writer(tmp_path / "run", settings) as writer:
        writer.write(0, survey_toys.result_of(0))
    first, *others = (shard_folder(tmp_path / "run", shard, plan.shards) for shard in range(plan.shards - 1))
    for other in others:
        shutil.copytree(first, other, copy_function=os.link)

    def before(shard):
        seconds.append(time.monotonic() - begun)
        raise ImageError("gone on with")

    worker, begun = survey_toys.Worker(before=before), time.monotonic()
    with open_writer(tmp_path / "run", settings) as writer, pytest.raises(ImageError, match="gone on with"):
        fill(writer, range(plan.shards), worker, Progress(quiet=True))
    assert worker.computed == [plan.shards - 1] == [2502]
    assert sum(seconds) < 60
