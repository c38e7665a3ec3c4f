"""Logits in few columns of integers: their product is the logits', and no column is carried for nothing."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from calls import random_call
from vitscope.viewer.decode import Product
from vitscope.viewer.encode import TOLERANCE, encode
from vitscope.viewer.factors import Factors, Integers


def operands(tokens: int = 29, dim: int = 13, seed: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    queries, keys = (torch.randn(3, tokens, dim, dtype=torch.float64, generator=generator) for _ in range(2))
    return queries, keys


def product_of(integers: Integers) -> torch.Tensor:
    """(heads, queries, keys), as the payload's schema says it."""
    queries, keys = integers.queries.double(), integers.keys.double()
    return torch.einsum("hc,hqc,hkc->hqk", integers.steps.double(), queries, keys)


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


@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_integers_are_within_half_a_step_of_every_column(seed, scale):
    queries, keys = operands(seed=seed)
    factors = Factors.of(queries * scale, keys)
    integers = factors.integers(11)
    for found, exact in ((integers.queries, factors.queries), (integers.keys, factors.keys)):
        assert found.dtype == torch.int16
        assert found.shape == (3, 29, 11)
        step = exact[..., :11].abs().amax(1, keepdim=True) / 32767
        assert float((found * step - exact[..., :11]).abs().div(step).max()) <= 0.5 + 1e-6
    expected = factors.queries[..., :11] @ factors.keys[..., :11].mT
    assert float((product_of(integers) - expected).abs().max()) < 2e-4 * float(expected.abs().max())


def test_integers_are_several_times_as_exact_as_float16():
    factors = Factors.of(*operands(tokens=197, dim=61))
    exact = factors.queries @ factors.keys.mT
    halves = factors.queries.half().double() @ factors.keys.half().double().mT
    error, of_halves = (float((found - exact).abs().max()) for found in (product_of(factors.integers(61)), halves))
    assert 3 * error < of_halves


def test_what_is_nowhere_stays_nothing():
    queries, keys = operands()
    zeros = Factors(queries * 0, keys).integers(13)
    assert not product_of(zeros).any()
    assert zeros.steps.isfinite().all()


def test_the_smallest_rank_that_is_good_is_found():
    factors = Factors.of(*operands(tokens=97, dim=61))
    for least in (1, 2, 20, 60, 61):
        assert factors.smallest_rank(lambda rank, least=least: rank >= least) == least
    assert factors.smallest_rank(lambda rank: False) is None


@pytest.mark.parametrize("sharpness", [0.5, 5.0])
def test_logits_of_low_rank_are_carried_in_few_columns(sharpness):
    call = random_call(images=1, heads=3, tokens=211, dim=61, dtype=torch.float32, sharpness=sharpness)
    low = replace(call, queries=call.queries * (torch.arange(61) < 5), scale=call.scale * 3)
    encoded = encode(low, 1)
    assert isinstance(encoded.decoded, Product)
    assert encoded.decoded.queries.dtype == torch.int16
    assert encoded.decoded.queries.shape[-1] == 5
    assert encoded.fidelity.error <= TOLERANCE
