"""The merge law: whatever the batches, their order and the split into shards, tables and states are the same."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import vitscope
from vitscope import Heatmaps, LinearCKA, MeanAttentionDistance, PrefixMass, Rollout
from vitscope.surveys.chosen import choose
from vitscope.surveys.collecting import Collected, Columns
from vitscope.surveys.loading import Read
from vitscope.surveys.minibatches import Minibatches
from vitscope.surveys.results import merged

IMAGES, LAYERS, HEADS, MINIBATCH = 29, 3, 5, 6
OWN = (5, 2, 3)  # heads of each layer
CHOSEN = choose(["distance", "prefix_mass", "moments", "rollout", "heatmaps", "head_similarity", LinearCKA(MINIBATCH)])
COLUMNS = Columns(OWN, tuple(name for one in CHOSEN for name in one.columns(("cls", "reg1"))))


def values():
    """Of every measure but CKA, what each image has: random, NaN where a layer has no such head."""
    random = np.random.default_rng(11)
    shapes = {
        MeanAttentionDistance: (LAYERS, HEADS),
        PrefixMass: (LAYERS, HEADS, 2),
        vitscope.Moments: (LAYERS, HEADS, 3),
        Rollout: (7, 11),
        Heatmaps: (HEADS, 7, 11),
        vitscope.HeadSimilarity: (LAYERS, HEADS, HEADS),
    }
    found = {one: random.random((IMAGES, *shapes[type(one.measure)])) for one in CHOSEN if one.kind != "alignment"}
    for one, array in found.items():
        if one.kind in ("column", "similarity"):
            for layer, heads in enumerate(OWN):
                array[:, layer, heads:] = np.nan
    return found


VALUES = values()
FEATURES = [torch.randn(IMAGES, width, generator=torch.Generator().manual_seed(width)) for width in (13, 17, 19)]
(CKA,) = (one for one in CHOSEN if one.kind == "alignment")


def shard(images, batches, failed=()):
    """What one shard of these images collects, that come in these batches of numbers."""
    collected = Collected(COLUMNS, keep_maps=True)
    collected.images = [Read(f"{image}", None, (7, 11)) for image in images]
    minibatches = Minibatches(CKA.name, CKA.measure, len(images))
    for batch in batches:
        kept = [number for number in batch if images[number] not in failed]
        for number in set(batch) - set(kept):
            collected.failed(number, ValueError("broken"))
            minibatches.failed(number, collected)
        if kept:
            which = [images[number] for number in kept]
            collected.take(kept, {one: array[which] for one, array in VALUES.items()})
            minibatches.take(kept, [layer[which] for layer in FEATURES], collected)
    return collected.result()


WHOLE = shard(range(IMAGES), [list(range(IMAGES))])


@st.composite
def splits(draw):
    """Shards of whole minibatches, in any order; in each, its images in batches of any size and order."""
    counts = draw(st.lists(st.integers(1, 3), min_size=1, max_size=5))
    ends = [min(end * MINIBATCH, IMAGES) for end in np.cumsum(counts)]
    bounds = sorted({0, *ends, IMAGES})
    shards = []
    for start, end in pairwise(bounds):
        numbers = draw(st.permutations(range(end - start)))
        size = draw(st.integers(1, end - start))
        batches = [list(numbers[first : first + size]) for first in range(0, len(numbers), size)]
        shards.append((range(start, end), batches))
    return draw(st.permutations(shards))


@given(splits())
@settings(max_examples=40)
def test_no_split_and_no_order_matters(split):
    results = [shard(images, batches) for images, batches in split]
    states = merged(result.states for result in results)
    assert sorted(states) == sorted(WHOLE.states)
    for name, expected in WHOLE.states.items():
        np.testing.assert_allclose(states[name], expected, rtol=1e-9, atol=1e-9, err_msg=name)
    for (images, _), result in zip(split, results, strict=True):
        assert list(dict.fromkeys(result.tables["heads"]["image_id"].to_pylist())) == [f"{image}" for image in images]
    for name in ("heads", "maps"):
        rows = [row for result in results for row in result.tables[name].to_pylist()]
        expected = WHOLE.tables[name].to_pylist()
        where = {row["image_id"]: i for i, row in reversed(list(enumerate(expected)))}
        assert sorted(rows, key=lambda row: where[row["image_id"]]) == expected


def test_states_are_the_sums_that_they_say():
    states = WHOLE.states
    for one, array in VALUES.items():
        if one.kind == "column":
            continue
        name = f"map.{one.name}.7x11" if one.kind == "map" else f"similarity.{one.name}"
        assert states[f"{name}.count"] == IMAGES
        np.testing.assert_allclose(states[f"{name}.sum"], array.sum(0), rtol=1e-12)
    # 29 images in runs of 6, the last of 5.
    expected = merged(CKA.measure.state([layer[i : i + 6] for layer in FEATURES]) for i in range(0, 29, 6))
    assert states[f"alignment.{CKA.name}.count"] == 5
    np.testing.assert_allclose(states[f"alignment.{CKA.name}.sum"], expected["sum"], rtol=1e-12)


def test_maps_have_a_row_a_head_or_one_of_none():
    maps = WHOLE.tables["maps"]
    assert maps.column_names == ["image_id", "measure", "head", "rows", "columns", "values"]
    found = [row for row in maps.to_pylist() if row["image_id"] == "13"]
    assert [(row["measure"], row["head"]) for row in found] == [
        *(("heatmaps", i) for i in range(HEADS)),
        ("rollout", -1),
    ]
    for row in found:
        (values,) = (array[13] for one, array in VALUES.items() if one.name == row["measure"])
        expected = values if row["head"] < 0 else values[row["head"]]
        np.testing.assert_array_equal(np.reshape(row["values"], (row["rows"], row["columns"])), np.float32(expected))


def test_heads_that_a_layer_lacks_have_no_row():
    rows = WHOLE.tables["heads"].to_pylist()
    assert len(rows) == IMAGES * sum(OWN)
    assert not any(np.isnan(value) for row in rows for value in row.values() if isinstance(value, float))
    row = next(row for row in rows if (row["image_id"], row["layer"], row["head"]) == ("13", 2, 1))
    found = {one.name: array[13, 2, 1] for one, array in VALUES.items() if one.kind == "column"}
    assert row["distance"] == pytest.approx(found["distance"])
    assert row["prefix_mass"] == pytest.approx(found["prefix_mass"].sum())
    assert [row["prefix_mass_cls"], row["prefix_mass_reg1"]] == pytest.approx(found["prefix_mass"])
    assert [row["offset_y"], row["offset_x"], row["spread"]] == pytest.approx(found["moments"])


def test_images_that_failed_are_in_no_sum_and_no_table_but_their_own():
    result = shard(range(IMAGES), [list(range(0, 16)), list(range(16, IMAGES))], failed={3, 21})
    assert {row["image_id"] for row in result.tables["failures"].to_pylist()} == {"3", "21"}
    assert len({*result.tables["heads"]["image_id"].to_pylist()}) == IMAGES - 2
    kept = [i for i in range(IMAGES) if i not in (3, 21)]
    rollout = next(array for one, array in VALUES.items() if one.name == "rollout")
    np.testing.assert_allclose(result.states["map.rollout.7x11.sum"], rollout[kept].sum(0))
    runs = [[i for i in range(first, first + 6) if i in kept] for first in range(0, 29, 6)]
    expected = merged(CKA.measure.state([layer[run] for layer in FEATURES]) for run in runs)
    np.testing.assert_allclose(result.states[f"alignment.{CKA.name}.sum"], expected["sum"])


def test_a_shard_of_failures_has_empty_tables_with_their_columns():
    result = shard(range(5), [list(range(5))], failed=set(range(5)))
    assert result.tables["heads"].num_rows == 0
    assert result.tables["heads"].schema == WHOLE.tables["heads"].schema
    assert result.states == {}
