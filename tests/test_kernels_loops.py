"""What the compiled loops are made of: the exponential and the largest number of a row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vitscope.attention.kernels import loops, threads


def exponentials(x):
    """exp of numbers up to 88, as the loops compute it."""
    row = np.float32(x)[None, None].copy()
    loops.fuse(row, np.zeros((1, 1), np.float32), loops.MEAN, np.float32(1), np.zeros((1, row.size), np.float32))
    return row[0, 0]


@pytest.mark.parametrize(("start", "stop"), [(-87, -40), (-40, -1), (-1, 1), (1, 40), (40, 87.9)])
def test_the_exponential_is_right_to_the_last_digit(start, stop):
    x = np.linspace(start, stop, 100_003).astype(np.float32)
    error = exponentials(x) / np.exp(x.astype(np.float64)) - 1
    assert np.abs(error).max() < 2**-23
    assert abs(error.mean()) < 0.03 * 2**-23  # sums of many lean to no side


def test_the_exponential_of_nothing_is_nothing():
    assert list(exponentials([-np.inf, -1e30, -88.1, -0.0, 0.0])) == [0, 0, 0, 1, 1]
    assert (np.abs(exponentials(np.linspace(-90, -87, 997))) < 2e-38).all()


@given(row=arrays(np.float32, st.integers(1, 97), elements=st.floats(-88, 88, width=32) | st.just(-np.inf)))
def test_the_largest_of_a_row(row):
    for one in (row, -np.abs(row)):
        assert loops._largest(one) == max(one.max(), np.finfo(np.float32).min)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("nothing", [-np.inf, np.nan])
def test_rows_without_a_number_have_no_total_and_stop_nothing(nothing, first):
    logits = np.float32([[[0.5] * 9, [nothing] * 9, [0.5] * 9]])
    totals, normalisers = np.zeros((2, 1, 3), np.float32)
    distances, sums = np.ones((3 - first, 8), np.float32), np.zeros((1, 6))
    fusion = loops.MEAN, np.float32(1), np.zeros((3, 9), np.float32)
    loops.add_statistics(logits, first, distances, sums, normalisers, totals, *fusion)
    assert not totals[0, 1] > 0
    np.testing.assert_allclose(totals[0, [0, 2]], 9)
    np.testing.assert_allclose(normalisers[0, [0, 2]], 0.5 + np.log(9), rtol=1e-6)


def test_a_row_without_keys_has_the_normaliser_of_nothing():
    normalisers = np.zeros((1, 2), np.float32)
    loops.normalise(np.float32([[[-np.inf] * 9, [0] * 9]]), normalisers)
    np.testing.assert_allclose(normalisers, [[-np.inf, np.log(9)]], rtol=1e-6)


@pytest.mark.parametrize("size", [17, 1009, 600_011])
def test_what_loops_work_in_begins_on_a_cache_line(size):
    assert threads.scratch(f"test of {size}", size).ctypes.data % 64 == 0
