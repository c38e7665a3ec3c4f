"""Logits in few columns of float16: their product is the logits', and no column is carried for nothing."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from calls import random_call
from vitscope.viewer.decode import Product
from vitscope.viewer.encode import TOLERANCE, encode
from vitscope.viewer.factors import Factors, Split


def operands(tokens: int = 29, dim: int = 13, seed: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    queries, keys = (torch.randn(3, tokens, dim, dtype=torch.float64, generator=generator) for _ in range(2))
    return queries, keys


@settings(deadline=None)
@given(tokens=st.sampled_from([5, 11, 29]), dim=st.sampled_from([2, 7, 13]), seed=st.integers(0, 1000))
def test_factors_multiply_to_the_logits(tokens, dim, seed):
    queries, keys = operands(tokens, dim, seed)
    factors = Factors.of(queries, keys)
    torch.testing.assert_close(factors.queries @ factors.keys.mT, queries @ keys.mT, rtol=0, atol=1e-12)
    assert factors.queries.shape == factors.keys.shape == (3, tokens, min(tokens, dim))


def test_the_first_columns_carry_most():
    factors = Factors.of(*operands())
    sizes = (factors.queries.square().sum(1) * factors.keys.square().sum(1)).sqrt()  # (heads, columns)
    torch.testing.assert_close(sizes, sizes.sort(descending=True).values)
    queries, keys = operands()
    torch.testing.assert_close(sizes, torch.linalg.svdvals(queries @ keys.mT)[:, :13])


def test_doubled_columns_are_as_good_as_thousands_of_times_finer_ones():
    queries, keys = operands()
    factors, logits = Factors.of(queries, keys), queries @ keys.mT

    def error(split: Split) -> float:
        left, right = factors.columns(split)
        assert left.dtype == right.dtype == torch.float16
        assert left.shape[-1] == right.shape[-1] == split.columns
        return float((left.double() @ right.double().mT - logits).abs().max())

    plain, doubled = error(Split(13, 0)), error(Split(13, 13))
    assert doubled < plain / 300
    assert error(Split(13, 5)) < plain
    assert error(Split(11, 11)) > 100 * doubled  # what the last two columns held is gone


def test_the_smallest_split_that_is_good_is_found():
    factors = Factors.of(*operands(tokens=97, dim=64))

    def good(split: Split) -> bool:
        return split.rank >= 20 and split.doubled >= 8

    assert factors.smallest_split(good, 128) == Split(20, 8)
    assert factors.smallest_split(good, 36) is None  # 36 are not fewer than 36
    assert factors.smallest_split(good, 37) == Split(20, 8)
    assert factors.smallest_split(lambda split: False, 128) is None


@pytest.mark.parametrize("sharpness", [0.5, 5.0])
def test_logits_of_low_rank_are_carried_in_few_columns(sharpness):
    call = random_call(images=1, heads=3, tokens=211, dim=61, dtype=torch.float32, sharpness=sharpness)
    low = replace(call, queries=call.queries * (torch.arange(61) < 5), scale=call.scale * 3)
    encoded = encode(low, 1)
    assert isinstance(encoded.decoded, Product)
    assert encoded.decoded.queries.dtype == torch.float16
    assert encoded.decoded.queries.shape[-1] <= 24  # of 61
    assert encoded.fidelity.error <= TOLERANCE
