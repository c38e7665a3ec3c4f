"""The two proofs of an output: rows recomputed beside it, and rows of the model's own function beside it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

import vitscope
from calls import random_call
from toys import ToyViT
from vitscope.attention import recorder
from vitscope.attention.event import AttentionEvent
from vitscope.attention.kernels import compiled
from vitscope.attention.tap import Tap
from vitscope.attention.verify import compare, compare_outputs
from vitscope.measures.distance import MeanAttentionDistance

EVENT = AttentionEvent("random", torch.zeros(2, 3, 19, 7))
ROWS = torch.tensor([0, 5, 11, 17])


@given(
    seed=st.integers(0, 10**6),
    disturbance=st.floats(-9, 0).map(lambda power: 10**power),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
    offset=st.sampled_from([0.0, 30.0]),
)
def test_an_output_that_passes_beside_the_models_own_passes_beside_recomputed_rows(seed, disturbance, dtype, offset):
    call = random_call(images=2, heads=3, tokens=19, dim=5, seed=seed, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(2, 3, 19, 7, generator=generator) + offset
    own = (call.weights(ROWS) @ values).to(dtype)
    output = (own.float() + disturbance * torch.randn(own.shape, generator=generator)).to(dtype)
    quick = compare_outputs(call, EVENT, output, own).verification
    whole = compare(call, EVENT, values, torch.stack([own, output]), range(2), ROWS).verification
    largest = float(own.abs().max())
    difference = float((output.float() - own.float()).abs().max())
    assert quick.error == pytest.approx(difference / largest)
    if quick.passed:
        assert whole.error <= whole.allowed + torch.finfo(dtype).eps  # up to the own output's rounding


def test_a_wrong_row_of_one_head_fails():
    call = random_call(images=2, heads=3, tokens=19, dim=5, dtype=torch.float32)
    own = call.weights(ROWS) @ torch.randn(2, 3, 19, 7)
    assert compare_outputs(call, EVENT, own.clone(), own).verification.passed
    output = own.clone()
    output[1, 2, 3, 4] += 1e-3
    assert not compare_outputs(call, EVENT, output, own).verification.passed
    output[1, 2, 3, 4] = torch.nan
    assert not compare_outputs(call, EVENT, output, own).verification.passed


def test_beside_an_own_output_of_zeros_only_zeros_pass():
    call = random_call(images=2, heads=3, tokens=19, dim=5, dtype=torch.float32)
    own = torch.zeros(2, 3, 4, 7)
    assert not compare_outputs(call, EVENT, own + 1e-9, own).verification.passed
    assert compare_outputs(call, EVENT, own, own).verification.passed


@pytest.mark.parametrize("right", [True, False])
def test_rows_are_recomputed_where_the_models_own_function_differs(monkeypatch, right):
    scope = vitscope.wrap(ToyViT().eval())
    scope.trace((8, 12))
    asked = []

    def counted(*given):
        asked.append(given)
        return compare(*given)

    monkeypatch.setattr(recorder, "compare", counted)
    real = compiled.attend

    def attend(*given, **options):
        output, *others = real(*given, **options)
        return (output if right else output + 1e-2), *others

    monkeypatch.setattr(compiled, "attend", attend)
    images = torch.randn(1, 3, 8, 12)
    ((_, found),) = scope.measure(images, [MeanAttentionDistance()])
    assert len(asked) == (0 if right else len(scope.model.layers))
    monkeypatch.setattr(compiled, "attend", real)
    ((_, expected),) = scope.measure(images, [MeanAttentionDistance()])
    torch.testing.assert_close(*(torch.from_numpy(it[MeanAttentionDistance()]) for it in (found, expected)))


def test_an_output_in_which_values_cancel_is_held_against_their_magnitude(monkeypatch):
    queries, keys = torch.randn(2, 3, 19, 5), torch.randn(2, 3, 23, 5)
    values = torch.randn(2, 3, 23, 7)
    weights = torch.softmax(queries @ keys.mT / 5**0.5, -1)
    values -= torch.linalg.pinv(weights) @ weights @ values  # what is left is rounding
    asked = []
    monkeypatch.setattr(recorder, "compare", lambda *given: asked.append(compare(*given)) or asked[-1])
    watched = recorder.Recorder(2)
    with torch.no_grad(), Tap(torch.nn.Identity(), watched):
        own = F.scaled_dot_product_attention(queries, keys, values)
    (call,), (check,) = watched.calls, asked
    assert call.refusal is None
    assert call.error == check.verification.error
    assert float(own.abs().max()) < 1e-4 < 0.1 < float((weights @ values.abs()).max())
