"""Summaries of surveys: the numbers are those of the tables, whatever the order, and intervals are what they say."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from survey_runs import MEASURES, PlainRun, Synthetic, heads_table, images_table, write_run
from vitscope.errors import ArgumentError, RunError
from vitscope.render.surveys.telling import reservations
from vitscope.summaries import with_column
from vitscope.surveys.bootstrap import Deviations, Totals, deal, draws, estimate, hashes_of
from vitscope.surveys.census import census
from vitscope.surveys.run import open_run
from vitscope.surveys.summary import summarize
from vitscope.surveys.sums import cosine

UNEVEN = Synthetic(images=61, failed=2, heads=(3, 7, 2, 7, 1), classes=3, shards=4)


class Rows:
    """A run in memory whose rows come in any order and any pieces."""

    complete, shards_done, shards_total = True, 1, 1

    def __init__(self, run, heads, images):
        self.settings, self._run = run.settings, run
        self._tables = {"heads": heads, "images": images}

    def batches(self, name, columns=None):
        yield from (table.select(columns) for table in self._tables[name])

    def states(self):
        return self._run.states()


def in_pieces(run, order=None, size=10_000):
    """All rows of a run, images in `order`, in tables of `size` rows that may part an image's."""
    count = run.images + run.failed
    order = np.arange(count) if order is None else order
    done = np.arange(count) < run.images
    heads, images = heads_table(run, order[done[order]]), images_table(run, order, done)
    return Rows(run, *([table.slice(i, size) for i in range(0, len(table), size)] for table in (heads, images)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "uneven", UNEVEN)


@pytest.fixture(scope="module")
def summary(folder):
    return summarize(open_run(folder), replicates=500)


def test_means_are_those_of_the_tables(summary):
    for name, values in UNEVEN.columns.items():
        column, values = summary.columns[name], values.astype(np.float64)  # (images, layers, heads)
        np.testing.assert_allclose(column.heads.mean, values.mean(0), rtol=1e-12)
        np.testing.assert_allclose(column.layers.mean, np.nanmean(values.mean(0), axis=1), rtol=1e-12)
        assert column.overall.mean == pytest.approx(np.nanmean(values.mean(0)), rel=1e-12)
        np.testing.assert_allclose(column.deviation, values.std(0, ddof=1), rtol=1e-9)
        np.testing.assert_array_equal(column.images, np.where(np.isnan(values[0]), 0, 61))
    assert (summary.images, summary.failed, summary.complete) == (61, 2, True)
    assert list(summary.columns) == ["distance", "entropy", "prefix_mass", "prefix_mass_cls"]
    assert summary.columns["distance"].unit == "px"
    np.testing.assert_array_equal(summary.columns["distance"].uniform, [116.49] * 5)
    assert summary.columns["entropy"].uniform is None


def test_intervals_hold_the_mean_and_heads_that_are_lacking_have_none(summary):
    for column in summary.columns.values():
        for part in (column.heads, column.layers, column.overall):
            known = np.isfinite(part.mean)
            assert (part.low[known] < part.mean[known]).all()
            assert (part.mean[known] < part.high[known]).all()
            assert np.isnan(part.low[~known]).all()
        assert np.isnan(column.heads.mean[2, 2:]).all()
        assert np.isnan(column.deviation[4, 1:]).all()


def test_intervals_are_those_of_scipy(summary):
    values = UNEVEN.columns["distance"].astype(np.float64)
    per_image = np.nanmean(values, axis=(1, 2))  # every image has all heads: their mean is the overall one
    mine = summarize(in_pieces(UNEVEN), replicates=20_000).columns["distance"]
    for found, sample in ((mine.overall, per_image), (mine.heads, values[:, 1, 4])):
        expected = bootstrap((sample,), np.mean, n_resamples=20_000, method="percentile", random_state=3)
        at = (1, 4) if found.mean.ndim else ()
        width = expected.confidence_interval.high - expected.confidence_interval.low
        # 0.025 of 20,000 replicates: the quantile's own error is about 2 % of the width.
        assert float(found.low[at]) == pytest.approx(expected.confidence_interval.low, abs=0.05 * width)
        assert float(found.high[at]) == pytest.approx(expected.confidence_interval.high, abs=0.05 * width)


def test_images_are_drawn_whole():
    """Heads that all follow their image: the mean's interval is as wide as one head's, not narrower."""
    run = replace(UNEVEN, heads=(7, 7, 7), seed=5)
    shared = np.random.default_rng(1).normal(size=(61, 1, 1)) * np.ones((1, 3, 7))
    run.__dict__["columns"] = {name: shared.astype(np.float32) for name in run.columns}
    column = summarize(in_pieces(run), replicates=500).columns["distance"]
    assert column.overall.high - column.overall.low == pytest.approx(column.heads.high[0, 0] - column.heads.low[0, 0])


@settings(max_examples=15)
@given(order=st.permutations(range(63)), size=st.integers(1, 700))
def test_neither_order_nor_pieces_matter(order, size):
    expected = summarize(in_pieces(UNEVEN), replicates=100)
    found = summarize(in_pieces(UNEVEN, np.array(order), size), replicates=100)
    assert found.images_digest == expected.images_digest
    for name, column in expected.columns.items():
        other = found.columns[name]
        pairs = [(getattr(column, part), getattr(other, part)) for part in ("heads", "layers", "overall")]
        pairs += [(column.classes.layers, other.classes.layers), (column.classes.overall, other.classes.overall)]
        for one, two in pairs:
            for part in ("mean", "low", "high"):
                np.testing.assert_allclose(getattr(two, part), getattr(one, part), rtol=1e-9)
        np.testing.assert_allclose(other.deviation, column.deviation, rtol=1e-9)


def test_seeds_and_confidence_change_the_intervals_alone():
    one, other, wide = (
        summarize(in_pieces(UNEVEN), replicates=200, **options) for options in ({}, {"seed": 1}, {"confidence": 0.99})
    )
    first, second, third = (summary.columns["entropy"] for summary in (one, other, wide))
    np.testing.assert_array_equal(first.heads.mean, second.heads.mean)
    assert (first.layers.low != second.layers.low).all()
    assert (third.layers.low < first.layers.low).all()
    assert (third.layers.high > first.layers.high).all()


def test_classes(summary):
    values = UNEVEN.columns["entropy"].astype(np.float64)
    classes = summary.columns["entropy"].classes
    assert classes.labels == tuple(f"class {i}" for i in range(3))
    np.testing.assert_array_equal(classes.images, [21, 20, 20])
    for place in range(3):
        mine = values[place::3]
        np.testing.assert_allclose(classes.heads[place], mine.mean(0), rtol=1e-12)
        np.testing.assert_allclose(classes.layers.mean[place], np.nanmean(mine.mean(0), axis=1), rtol=1e-12)
        assert classes.overall.mean[place] == pytest.approx(np.nanmean(mine.mean(0)), rel=1e-12)
        sample = np.nanmean(mine, axis=(1, 2))
        expected = bootstrap((sample,), np.mean, method="percentile", random_state=3).confidence_interval
        width = expected.high - expected.low
        assert classes.overall.low[place] == pytest.approx(expected.low, abs=0.15 * width)
        assert classes.overall.high[place] == pytest.approx(expected.high, abs=0.15 * width)


def test_images_without_labels_have_no_classes_and_single_images_no_interval():
    assert summarize(in_pieces(replace(UNEVEN, classes=0))).columns["distance"].classes is None
    each = summarize(in_pieces(replace(UNEVEN, classes=63)), replicates=100).columns["distance"].classes
    assert len(each.labels) == 61  # those that failed are no class
    assert np.isnan(each.overall.low).all()
    assert np.isfinite(each.overall.mean).all()
    alone = summarize(in_pieces(replace(UNEVEN, images=1)), replicates=100).columns["distance"]
    assert np.isnan(alone.overall.high)
    assert np.isnan(alone.deviation).all()


def test_maps_similarities_and_alignments_are_means(summary):
    states = UNEVEN.states()
    rollout, heatmaps = summary.maps
    np.testing.assert_allclose(rollout.values, states["map.rollout.7x11.sum"] / 61)
    assert (rollout.measure, rollout.images, heatmaps.values.shape) == ("rollout", 61, (1, 7, 11))
    (similarity,) = summary.similarities
    np.testing.assert_allclose(similarity.values, states["similarity.head_similarity.sum"] / 61)
    a, b, c = (similarity.values[0][pair] for pair in ((0, 1), (0, 2), (1, 2)))
    assert similarity.layers[0] == pytest.approx((a + b + c) / 3)
    assert np.isnan(similarity.layers[4])  # one head has no pairs
    (alignment,) = summary.alignments
    sums = states["alignment.cka.sum"]
    assert alignment.values[1, 3] == pytest.approx(sums[1, 3] / np.sqrt(sums[1, 1] * sums[3, 3]))
    np.testing.assert_allclose(np.diagonal(alignment.values), 1)
    assert np.isnan(cosine(np.array([[0.0, 1.0], [1.0, 4.0]]))[0]).all()


def test_grids_come_with_most_images_first():
    run = in_pieces(UNEVEN)
    states = {"map.rollout.2x3.sum": np.ones((2, 3)), "map.rollout.2x3.count": np.array(4.0)}
    states |= {"map.rollout.5x3.sum": np.ones((5, 3)), "map.rollout.5x3.count": np.array(57.0)}
    run.states = lambda: states
    assert [(one.images, one.values.shape) for one in summarize(run, replicates=100).maps] == [
        (57, (5, 3)),
        (4, (2, 3)),
    ]


@given(images=st.integers(1, 300), groups=st.integers(1, 40))
def test_images_are_dealt_evenly(images, groups):
    dealt = deal(images, groups)
    sizes = np.bincount(dealt)
    assert len(sizes) == min(images, groups)
    assert sizes.max() - sizes.min() <= 1
    assert (np.diff(dealt) >= 0).all()


def test_groups_give_the_interval_that_images_give():
    sample = np.random.default_rng(2).gamma(2.0, size=20_011)
    expected = 2 * 1.959964 * sample.std(ddof=1) / np.sqrt(len(sample))  # the normal interval's width
    for groups in (251, 4096):
        dealt = deal(len(sample), groups)
        totals = Totals(groups, 1)
        totals.add(dealt, np.zeros(len(sample), np.int64), sample)
        found = estimate(np.array([sample.mean()]), totals.means(draws(groups, 4000, 0)), 0.95, groups)
        assert found.high[0] - found.low[0] == pytest.approx(expected, rel=0.12)
        assert found.low[0] + found.high[0] == pytest.approx(2 * sample.mean(), rel=1e-3)


def test_draws_are_as_many_as_groups():
    drawn = draws(31, 500, 0)
    np.testing.assert_array_equal(drawn.sum(axis=1), 31)
    assert drawn.var() == pytest.approx(30 / 31, rel=0.05)  # of a multinomial's count
    np.testing.assert_array_equal(drawn, draws(31, 500, 0))


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40), st.integers(0, 40))
def test_deviations_add_up(values, cut):
    values = np.array([*values, np.nan])
    deviations = Deviations(3)
    for part in (values[:cut], values[cut:]):
        deviations.add(np.ones(len(part), np.int64), part)
    found = deviations.deviation
    np.testing.assert_allclose(found[1], np.nanstd(values, ddof=1), atol=1e-9, rtol=1e-9)
    assert np.isnan(found[[0, 2]]).all()


def test_what_is_not_finite_enters_no_mean():
    run = replace(UNEVEN, heads=(2, 2))
    run.columns["distance"][3, 0, 1] = np.nan
    column = summarize(in_pieces(run), replicates=100).columns["distance"]
    assert column.images[0].tolist() == [61, 60]
    np.testing.assert_allclose(column.heads.mean[0, 1], np.nanmean(run.columns["distance"][:, 0, 1], dtype=np.float64))
    assert np.isfinite(column.heads.low).all()


def test_an_unfinished_run_is_what_is_there(tmp_path):
    run = replace(UNEVEN, missing=2)
    folder = write_run(tmp_path / "run", run)
    for opened in (open_run(folder), PlainRun(folder)):
        summary = summarize(opened, replicates=100)
        assert (summary.complete, summary.shards_done, summary.shards_total, summary.images) == (False, 2, 4, 32)
        mean = run.columns["distance"][:32].mean(0, dtype=np.float64)
        np.testing.assert_allclose(summary.columns["distance"].heads.mean, mean, rtol=1e-12)


def test_what_is_no_run_to_summarize():
    with pytest.raises(RunError, match="holds no measured image, 7 failed"):
        summarize(in_pieces(replace(UNEVEN, images=0, failed=7)))
    with pytest.raises(ArgumentError, match="found 99 replicates; expected 100 or more"):
        summarize(in_pieces(UNEVEN), replicates=99)
    with pytest.raises(ArgumentError, match="confidence of 1; expected a share between 0 and 1"):
        summarize(in_pieces(UNEVEN), confidence=1.0)
    mixed = in_pieces(UNEVEN)
    mixed._tables["images"] = in_pieces(replace(UNEVEN, ids=1))._tables["images"]
    with pytest.raises(RunError, match=r"heads hold 'set0/00000.jpg', which its images do not list"):
        summarize(mixed)
    other = in_pieces(UNEVEN)
    other.settings = replace(UNEVEN, heads=(3, 5)).settings
    with pytest.raises(RunError, match="found layer 0 to 4 in the run's heads; expected 0 to 1"):
        summarize(other)


def test_too_many_labels_are_left_out_with_a_note(monkeypatch):
    monkeypatch.setattr("vitscope.surveys.summary._MOST_CLASS_CELLS", 100)  # 3 classes, 5 layers, 7 heads: 105
    summary = summarize(in_pieces(UNEVEN), replicates=100)
    assert summary.columns["distance"].classes is None
    assert summary.notes == ("3 different labels are too many to be summarized one by one.",)
    assert "vit_toy_patch16_224: 3 different labels" in reservations([summary])[0]


def test_groups_within_classes_are_bounded(monkeypatch):
    monkeypatch.setattr("vitscope.surveys.census._CLASS_GROUPS", (2, 3))
    images = census(in_pieces(UNEVEN).batches("images", ["image_id", "label", "status"]))
    np.testing.assert_array_equal(images.class_starts, [0, 3, 6, 9])
    sizes = np.bincount(images.class_group)
    np.testing.assert_array_equal(np.add.reduceat(sizes, images.class_starts[:-1]), [21, 20, 20])
    assert set(sizes.tolist()) == {6, 7}
    for label, group in zip(images.label, images.class_group, strict=True):
        assert images.class_starts[label] <= group < images.class_starts[label + 1]


def test_places_of_ids_are_found_in_chunks(folder):
    images = census(open_run(folder).batches("images"))
    ids = pa.chunked_array([["set0/00007.jpg", "set0/00007.jpg"], ["set0/00060.jpg"]])
    expected = hashes_of(["set0/00007.jpg", "set0/00007.jpg", "set0/00060.jpg"])
    np.testing.assert_array_equal(images.hashes[images.places(ids)], expected)
    assert len(set(images.hashes.tolist())) == 61


def test_json_holds_everything_and_no_nan(summary):
    found = json.loads(json.dumps(summary.to_json(), allow_nan=False))
    assert found["columns"]["distance"]["heads"]["mean"][2][2:] == [None] * 5
    assert found["columns"]["distance"]["overall"]["mean"] == pytest.approx(
        float(summary.columns["distance"].overall.mean)
    )
    assert found["settings"] == json.loads(json.dumps(UNEVEN.settings))
    assert len(found["maps"][0]["values"]) == 7


def test_only_what_was_measured(tmp_path):
    maps = replace(UNEVEN, measures=[measure for measure in MEASURES if measure["kind"] == "map"])
    summary = summarize(open_run(write_run(tmp_path / "run", maps)))
    assert (summary.columns, summary.similarities, summary.alignments) == ({}, (), ())
    assert [one.measure for one in summary.maps] == ["rollout", "heatmaps"]
    with pytest.raises(ArgumentError, match="found no column 'distance'; expected one that was measured: none"):
        with_column([summary], "distance")


def test_classes_of_fewer_than_ten_images_have_no_interval():
    classes = summarize(in_pieces(replace(UNEVEN, images=29)), replicates=100).columns["distance"].classes
    np.testing.assert_array_equal(classes.images, [10, 10, 9])
    for part in (classes.overall.low, classes.overall.high, classes.layers.low):
        assert np.isfinite(part[:2]).all()
        assert np.isnan(part[2]).all()
    assert np.isfinite(classes.overall.mean).all()
