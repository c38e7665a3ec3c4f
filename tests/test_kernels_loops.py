"""The compiled loops against NumPy's formulas, in every library that this processor can run; and which is taken."""

import importlib.util
import platform
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vitscope.attention.kernels import choice, library, threads
from vitscope.attention.kernels import loops as chosen

CAPABILITIES = ("default", "avx2", "avx512")  # each can do what those before it can


def runnable():
    """The libraries that this machine can run."""
    machine = library.find().name.rpartition("-")[0]
    best = torch.backends.cpu.get_cpu_capability().lower()
    names = CAPABILITIES[: CAPABILITIES.index(best) + 1] if best in CAPABILITIES else CAPABILITIES[:1]
    return [path for name in names if (path := library.find().with_name(f"{machine}-{name}.so")).exists()]


@pytest.fixture(scope="module", params=runnable(), ids=lambda path: path.stem)
def loops(request):
    """The module with this library, and without the tests' checks of shapes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "find", lambda: request.param)
        spec = importlib.util.spec_from_file_location(f"{chosen.__name__}_of_one", chosen.__file__)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def exponentials(loops, x):
    """exp of numbers up to 88, as the loops compute it."""
    row = np.float32(x)[None, None].copy()
    loops.fuse(row, np.zeros((1, 1), np.float32), loops.MEAN, 1, True, np.zeros((1, row.size), np.float32))
    return row[0, 0]


def normaliser(loops, row):
    """ln Σ exp of a row."""
    found = np.zeros((1, 1), np.float32)
    loops.normalise(np.float32(row)[None, None], found)
    return found[0, 0]


@pytest.mark.parametrize(("start", "stop"), [(-87, -40), (-40, -1), (-1, 1), (1, 40), (40, 87.9)])
def test_the_exponential_is_right_to_the_last_digit(loops, start, stop):
    x = np.linspace(start, stop, 100_003).astype(np.float32)
    error = exponentials(loops, x) / np.exp(x.astype(np.float64)) - 1
    assert np.abs(error).max() < 2**-23
    assert abs(error.mean()) < 0.03 * 2**-23  # sums of many lean to no side


def test_the_exponential_of_nothing_is_nothing(loops):
    assert list(exponentials(loops, [-np.inf, -1e30, -88.1, -0.0, 0.0])) == [0, 0, 0, 1, 1]
    assert (np.abs(exponentials(loops, np.linspace(-90, -87, 997))) < 2e-38).all()


def test_the_logarithm_is_right_to_the_last_digit(loops):
    for count in [*range(1, 300), 1009, 65_537, 2**20 + 7]:
        found = normaliser(loops, np.zeros(count))
        assert abs(found - np.log(count)) <= np.spacing(found) / 2
    for total in np.linspace(1.001, 1.999, 499):
        assert normaliser(loops, [0, np.log(total - 1)]) == pytest.approx(np.log(total), rel=3e-7, abs=1e-7)


@given(row=arrays(np.float32, st.integers(1, 97), elements=st.floats(-88, 88, width=32) | st.just(-np.inf)))
def test_weights_are_relative_to_the_largest_of_their_row(loops, row):
    for one in (row, -np.abs(row)):
        logits = one[None, None].copy()
        normalisers, totals = np.zeros((2, 1, 1), np.float32)
        nowhere, sums = np.zeros((0, one.size - 1), np.float32), np.zeros((1, 6))
        loops.add_statistics(logits, 1, nowhere, sums, normalisers, totals, loops.MEAN, 1, False, None)
        with np.errstate(divide="ignore"):
            expected = np.log(np.exp(one.astype(np.float64)).sum())
        np.testing.assert_allclose(normalisers[0, 0], expected, rtol=1e-6, atol=1e-6)
        assert logits.max() == (0 if np.isneginf(one).all() else 1)
        assert not sums.any()


@pytest.mark.parametrize("keys", [9, 37, 211])  # fewer than a vector; some, and some left over
@pytest.mark.parametrize("first", [0, 3])
def test_statistics_are_the_formulas(loops, keys, first):
    heads, rows, prefix = 3, 5, 2
    logits = random(heads, rows, keys, spread=3)
    distances = random(rows - first, keys - prefix)
    weights = softmax(logits)
    fused = np.full((3, rows, keys), np.nan, np.float32)  # what is there before the first head counts for nothing
    for fusion in (loops.MEAN, loops.MAX, loops.MIN):
        tile, sums = logits.copy(), np.zeros((heads, 5 + prefix))
        normalisers, totals = some_rows_of_more(heads, rows), some_rows_of_more(heads, rows, more=9)
        for part in (slice(0, 2), slice(2, heads)):
            of_part = sums[part], normalisers[part], totals[part]
            into = fusion, 1 / heads, part.start == 0, fused[fusion]
            loops.add_statistics(tile[part], first, distances, *of_part, *into)
    close(tile / totals[..., None], weights)
    close(normalisers, np.log(np.exp(logits).sum(-1)))
    close(fused, [weights.mean(0), weights.max(0), weights.min(0)])
    ours, patches = weights[:, first:], weights[:, first:, prefix:]
    means = [
        (patches * distances).sum(-1),
        (patches * distances**2).sum(-1),
        (patches * distances).sum(-1) / patches.sum(-1),
        -(ours * np.log(ours)).sum(-1),
        ours.max(-1),
    ]
    close(sums, np.concatenate([np.stack(means, -1), ours[..., :prefix]], -1).sum(1))


@pytest.mark.parametrize("keys", [9, 37, 211])
def test_what_follows_from_normalisers_is_the_formulas(loops, keys):
    heads, rows = 3, 5
    logits, vector = random(heads, rows, keys, spread=3), random(rows)
    weights, normalisers = softmax(logits), some_rows_of_more(heads, rows)
    loops.normalise(logits, normalisers)
    close(normalisers, np.log(np.exp(logits).sum(-1)))
    columns = np.ones((heads, keys), np.float32)
    loops.add_columns(logits, normalisers, vector, columns)
    close(columns, 1 + np.einsum("r,hrk->hk", vector, weights))
    fused = np.full((rows, keys), np.nan, np.float32)
    for part in (slice(0, 2), slice(2, heads)):
        loops.fuse(logits[part].copy(), normalisers[part], loops.MAX, 0, part.start == 0, fused)
    close(fused, weights.max(0))


@pytest.mark.parametrize("keys", [9, 37, 211])
def test_what_is_done_to_fused_heads_is_the_formulas(loops, keys):
    rows, first = 5, 2
    fused, vector = random(rows, keys), random(rows)
    levels, (steps, sums), columns = np.zeros((rows, keys), np.int16), random(2, rows), np.ones(keys, np.float32)
    loops.store(fused, levels, steps, sums)
    close(steps, fused.max(-1) / 32_767)
    close(sums, fused.sum(-1))
    assert np.abs(levels - fused / steps[:, None]).max() < 0.51
    loops.add_rollout_rows(fused, vector, first, columns)
    close(columns, 1 + (vector / (1 + fused.sum(-1))) @ (fused + np.eye(rows, keys, first)))
    columns[:] = 1
    loops.add_levels(levels, vector, columns)
    close(columns, 1 + vector @ levels)


@pytest.mark.parametrize("features", [3, 37])
def test_distances_and_quotients_are_the_formulas(loops, features):
    queries, keys, out = random(5, 2), random(2, features), random(5, features)
    loops.fill_distances(queries, keys, out)
    close(out, np.hypot(queries[:, :1] - keys[0], queries[:, 1:] - keys[1]))
    outputs, totals = random(5, 7, features), some_rows_of_more(7, 5)
    totals[:] = 1 + random(7, 5)
    expected = outputs / totals.T[..., None]
    loops.divide(outputs, totals)
    close(outputs, expected)


def some_rows_of_more(heads, rows, more=4):
    """Memory for a number a row that lies in steps, as a tile's part of all rows does."""
    return np.full((heads, rows + more), np.nan, np.float32)[:, 2 : 2 + rows]


def random(*shape, spread=1):
    return np.random.default_rng(7).uniform(0, spread, shape).astype(np.float32)


def softmax(logits):
    weights = np.exp(logits.astype(np.float64))
    return weights / weights.sum(-1, keepdims=True)


def close(ours, expected):
    np.testing.assert_allclose(ours, np.asarray(expected, np.float32), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("keys", [9, 37])
@pytest.mark.parametrize("first", [0, 3])
@pytest.mark.parametrize("nothing", [-np.inf, np.nan], ids=str)
def test_rows_without_a_number_stop_nothing(loops, keys, first, nothing):
    logits = np.full((1, 3, keys), 0.5, np.float32)
    logits[0, 1] = nothing
    (normalisers, totals), fused = np.zeros((2, 1, 3), np.float32), np.zeros((3, keys), np.float32)
    distances, sums = random(3 - first, keys - 1), np.zeros((1, 6))
    loops.add_statistics(logits, first, distances, sums, normalisers, totals, loops.MEAN, 1, True, fused)
    assert not totals[0, 1] > 0
    assert np.isnan(fused[1]).all()
    assert np.isnan(sums).any() == (first == 0)
    close(totals[0, [0, 2]], [keys, keys])
    close(normalisers[0, [0, 2]], 0.5 + np.log([keys, keys]))
    close(fused[[0, 2]], np.full((2, keys), 1 / keys))


@pytest.mark.parametrize("place", [0, 5, 32, 36])
def test_one_number_that_is_none_makes_its_row_none(loops, place):
    for first in (0, 1):
        logits = np.zeros((1, 1, 37), np.float32)
        logits[0, 0, place] = np.nan
        (normalisers, totals), sums = np.zeros((2, 1, 1), np.float32), np.zeros((1, 6))
        assert np.isnan(normaliser(loops, logits[0, 0]))
        loops.add_statistics(
            logits, first, random(1 - first, 36), sums, normalisers, totals, loops.MEAN, 1, False, None
        )
        assert np.isnan([normalisers, totals]).all()


def test_a_row_without_keys_has_the_normaliser_of_nothing(loops):
    assert normaliser(loops, [-np.inf] * 9) == -np.inf


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((3, 2)), np.zeros((2, 3), np.float32).T, np.zeros((2, 3), np.float32)],
    ids=["float64", "gaps", "shape"],
)
def test_arrays_that_loops_cannot_read_are_refused(loops, wrong):
    with pytest.raises(ValueError, match=r"expected float32 \(3, 2\), rows without gaps"):
        loops.divide(np.zeros((2, 3, 5), np.float32), wrong)
    with pytest.raises(ValueError, match=r"expected float32 \(3, 2\) without gaps"):
        loops.fill_distances(wrong, np.zeros((2, 5), np.float32), np.zeros((3, 5), np.float32))


def test_a_library_of_another_source_is_refused(monkeypatch, tmp_path):
    (tmp_path / "loops.c").write_text("/* newer */")
    monkeypatch.setattr(library, "_SOURCE", tmp_path / "loops.c")
    with pytest.raises(ImportError, match=r"made of another loops.c; install vitscope again"):
        library.load(library.find())


def test_the_library_fits_the_system_and_the_processor(monkeypatch, tmp_path):
    monkeypatch.setattr(library, "_FOLDER", tmp_path)
    monkeypatch.setattr(sys, "platform", "plan9")
    monkeypatch.setattr(platform, "machine", lambda: "VAX")
    assert library.find() is None
    assert "compiled" not in choice.installed.__wrapped__()
    for capability in ("default", "avx2"):
        (tmp_path / f"loops-plan9-vax-{capability}.so").touch()
    assert "compiled" in choice.installed.__wrapped__()
    for capability, expected in (("AVX2", "avx2"), ("AVX512", "default"), ("DEFAULT", "default")):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda name=capability: name)
        assert library.find().name == f"loops-plan9-vax-{expected}.so"


@pytest.mark.parametrize("size", [17, 1009, 600_011])
def test_what_loops_work_in_begins_on_a_cache_line(size):
    assert threads.scratch(f"test of {size}", size).data_ptr() % 64 == 0


def test_memory_is_lent_again_whatever_the_mode_and_the_shape():
    with torch.inference_mode():
        first = threads.scratch("test of lending", 5, 7)
    assert threads.scratch("test of lending", 5, 7) is first
    first.zero_()  # which memory of that mode would not allow
    second = threads.scratch("test of lending", 3, 11)
    assert (first.shape, second.shape) == ((5, 7), (3, 11))
    assert first.data_ptr() == second.data_ptr() == threads.scratch("test of lending", 5, 7).data_ptr()
    assert threads.scratch("test of lending", 2, 29).shape == (2, 29)


def test_memory_of_no_size_is_what_all_is():
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.bfloat16)
        spec = importlib.util.spec_from_file_location("threads_of_another_default", threads.__file__)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.scratch("nothing", 0, 5).dtype == torch.float32
    finally:
        torch.set_default_dtype(before)
