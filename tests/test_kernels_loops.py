"""What the compiled loops are made of: the exponential and the largest number of a row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vitscope.attention.kernels import loops


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


@settings(deadline=None)  # the first compiles
@given(row=arrays(np.float32, st.integers(1, 97), elements=st.floats(-88, 88, width=32) | st.just(-np.inf)))
def test_the_largest_of_a_row(row):
    assert loops._largest(row) == row.max()
    assert loops._largest(-np.abs(row)) == -np.abs(row).min()
