"""Finite numbers are told from others by their sum, whatever that comes to."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vitscope.attention.finite import is_finite

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


@given(
    place=st.integers(0, 5 * 7 * 11 - 1),
    wrong=st.sampled_from([math.nan, math.inf, -math.inf]),
    dtype=st.sampled_from(DTYPES),
)
def test_one_number_that_is_not_finite_is_found(place, wrong, dtype):
    numbers = torch.randn(5, 7, 11).to(dtype).transpose(0, 2)
    assert is_finite(numbers)
    numbers[place % 11, place // 11 % 7, place // 77] = wrong
    assert not is_finite(numbers)


def test_infinities_of_both_signs_do_not_cancel():
    assert not is_finite(torch.tensor([math.inf, 1.0, -math.inf]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_finite_numbers_whose_sum_overflows_are_finite(dtype):
    assert is_finite(torch.full((1009,), torch.finfo(dtype).max, dtype=dtype))
