"""Layers in few bytes: read back from the bytes by another program, they are Python's rows within the tolerance."""

import math
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from calls import call_of, random_call
from pages import Document, column_errors, row_errors
from vitscope.attention.bias import DenseBias, RelativeBias
from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels import reference
from vitscope.errors import NotFiniteError
from vitscope.viewer import encode as encoding
from vitscope.viewer import fidelity
from vitscope.viewer.blocks import Blocks
from vitscope.viewer.decode import Product, Weights
from vitscope.viewer.encode import encode, estimated_bytes
from vitscope.viewer.entries import attention_entry
from vitscope.viewer.fidelity import compare

GRID = (3, 5)


class Bytes(Document):
    """Blocks as they were written, without a document around them."""

    def __init__(self, blocks):
        self.blocks = blocks.take()


def written(encoded):
    """What was written of a layer, and its rows as a reader of the bytes computes them."""
    blocks = Blocks()
    entry = attention_entry(encoded, blocks)
    document = Bytes(blocks)
    return document, entry, document.rows(entry, GRID)


def exact_rows(call):
    return reference.probabilities(call)[0].double().numpy()


def form_of(encoded):
    operand = encoded.decoded.operands[0]
    return type(encoded.decoded), operand.dtype


CALLS = st.fixed_dictionaries(
    {
        "heads": st.sampled_from([1, 2, 5]),
        "tokens": st.sampled_from([2, 17, 29, 67]),
        "dim": st.sampled_from([1, 3, 7, 13]),
        "bias": st.booleans(),
        "dtype": st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]),
        "sharpness": st.sampled_from([0.1, 3.0, 30.0]),
        "seed": st.integers(0, 999),
    }
)


@settings(max_examples=80)
@given(shape=CALLS, prefix=st.sampled_from([0, 1]))
def test_what_is_read_back_is_pythons_own_within_the_tolerance(shape, prefix):
    call = random_call(images=1, **shape)
    encoded = encode(call, prefix)
    document, entry, rows = written(encoded)
    exact = exact_rows(call)
    assert rows.shape == exact.shape
    by_row, by_column = row_errors(rows, exact), column_errors(rows, exact)
    error = max(by_row.max(), by_column.max())
    assert error <= 1e-3
    assert entry["error"] == pytest.approx(error, rel=1e-3, abs=1e-9)
    np.testing.assert_allclose(rows.sum(-1), 1, atol=2e-5 if entry["form"] == "product" else 1e-3)
    np.testing.assert_allclose(document.numbers(entry["mean_row"]), exact[:, prefix:].mean(1), rtol=1e-5, atol=1e-12)
    probe = entry["probe"]
    np.testing.assert_allclose(
        document.numbers(probe["row"]), exact[probe["head"], probe["query"]], rtol=1e-6, atol=1e-40
    )
    assert by_row[probe["head"], probe["query"]] == pytest.approx(by_row.max(), rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("bias", [False, True])
def test_pythons_sibling_of_the_browser_decodes_what_was_written(bias):
    call = random_call(images=1, bias=bias, dtype=torch.float32)
    for decoded in (
        encoding.encode(call, 1, bias_shares=97).decoded,
        Weights(reference.probabilities(call)[0].half()),
    ):
        found = compare(call, decoded, 1)
        _, _, rows = written(encoding.Encoded(decoded, found, found.mean_row))
        ours, normaliser = decoded.rows(slice(3, 19))
        np.testing.assert_allclose(ours, rows[:, 3:19], rtol=1e-12, atol=1e-15)
        if normaliser is not None:
            assert torch.equal(normaliser, found.log_normaliser[:, 3:19])
        assert row_errors(rows, exact_rows(call)).max() < 1e-2


def test_queries_and_keys_are_carried_less_their_means():
    call = random_call(images=1, tokens=101, dim=13, sharpness=0.5)
    shifted = encode(replace(call, keys=call.keys - 50), 1)  # as real keys are, but more so
    plain = encode(call, 1)
    assert form_of(shifted) == form_of(plain) == (Product, torch.int16)
    assert shifted.decoded.queries.shape == plain.decoded.queries.shape
    assert float(shifted.decoded.queries.double().mean(1).abs().max()) < 0.5  # of a step
    assert float(shifted.decoded.keys.double().mean(1).abs().max()) < 0.5  # of a step
    pulled = encode(replace(call, queries=call.queries + 5), 1)
    assert float(pulled.decoded.queries.double().mean(1).abs().max()) < 0.5  # of a step


@pytest.mark.parametrize(
    ("change", "form"),
    [
        ({"sharpness": 0.5}, (Product, torch.int16)),
        ({"sharpness": 30.0}, (Product, torch.float32)),
        ({"sharpness": 5.0, "tokens": 11}, (Weights, torch.float16)),  # 11 keys are fewer bytes than 13 + 13 floats
        ({"sharpness": 0.5, "dtype": torch.bfloat16}, (Product, torch.int16)),
        ({"sharpness": 0.5, "tokens": 13, "dim": 31}, (Weights, torch.float16)),
    ],
)
def test_the_smallest_form_that_is_exact_enough_is_taken(change, form):
    call = random_call(**{"images": 1, "tokens": 101, "dim": 13, "dtype": torch.float32} | change)
    encoded = encode(call, 1)
    assert form_of(encoded) == form
    assert encoded.fidelity.error <= 1e-3


def test_logits_that_the_model_rounded_are_carried_as_weights():
    call = replace(random_call(images=1, tokens=101, dim=2, dtype=torch.float32), logits_dtype=torch.bfloat16)
    encoded = encode(call, 1)
    assert form_of(encoded) == (Weights, torch.float16)
    assert encoded.fidelity.error <= 1e-3


def test_bare_weights_are_carried_in_float16_where_that_tells_them_apart_and_else_in_float32():
    weights = torch.softmax(torch.randn(1, 3, 17, 17, dtype=torch.float64), -1)
    assert form_of(encode(call_of(weights), 1)) == (Weights, torch.float16)
    weights[..., 5] *= 1e-7  # float16 knows no number between 0 and 6e-8
    encoded = encode(call_of(weights), 1)
    assert form_of(encoded) == (Weights, torch.float32)
    assert encoded.fidelity.error < 1e-6


def test_numbers_beyond_float16_are_not_carried_in_it():
    call = random_call(images=1, tokens=101, dim=13, dtype=torch.float32, sharpness=0.5)
    wide = replace(call, queries=call.queries * 1e6, keys=call.keys / 1e6)
    assert form_of(encode(wide, 1)) == (Product, torch.int16)  # whose factors are balanced
    sharp = encode(replace(call, scale=1e12), 1)
    assert all(bool(operand.isfinite().all()) for operand in sharp.decoded.operands)
    assert form_of(sharp) != (Product, torch.int16)
    assert sharp.fidelity.error <= 1e-3


def test_a_bias_counts_for_its_part_where_layers_share_it():
    call = random_call(images=1, tokens=101, dim=13, dtype=torch.float32, bias=True, sharpness=0.5)
    assert form_of(encode(call, 1)) == (Weights, torch.float16)  # alone, it is twice as large as the weights
    assert form_of(encode(call, 1, bias_shares=12)) == (Product, torch.int16)


def test_masks_stay_infinite_and_the_least_numbers_finite():
    hidden = torch.ones(29, 29, dtype=torch.bool).triu(5)
    for value, infinite in ((-math.inf, True), (torch.finfo(torch.float64).min, False)):
        term = torch.zeros(1, 1, 29, 29, dtype=torch.float64).masked_fill_(hidden, value)
        call = replace(random_call(images=1), bias=DenseBias(term))
        encoded = encode(call, 1, bias_shares=100)
        document, entry, rows = written(encoded)
        assert entry["bias"]["term"]["shape"] == [1, 29, 29]
        assert np.isinf(document.numbers(entry["bias"]["term"])).any() == infinite
        assert (rows[:, hidden] == 0).all()
        np.testing.assert_allclose(rows, exact_rows(call), atol=1e-3)


@pytest.mark.parametrize("heads", [1, 7])
def test_relative_biases_are_carried_as_their_tables(heads):
    prefix, tokens = 2, 17
    torch.manual_seed(3)
    parts = ((5, 9), (prefix, tokens), (15, prefix))
    bias = RelativeBias(GRID, *(torch.randn(1, heads, *shape, dtype=torch.float64) * 2 for shape in parts))
    call = replace(random_call(images=1, heads=7, tokens=tokens, dim=2), bias=bias)
    _, entry, rows = written(encode(call, prefix, bias_shares=100))
    assert entry["bias"]["form"] == "relative"
    assert entry["bias"]["table"]["shape"] == [heads, 5, 9]
    np.testing.assert_allclose(rows, exact_rows(call), atol=1e-3)


def test_one_bad_row_or_column_is_found_wherever_it_lies(monkeypatch):
    call = random_call(images=1, heads=3, tokens=29, dtype=torch.float64)
    exact = reference.probabilities(call)[0]
    for tile in (1, 2000, 2**22):
        monkeypatch.setattr(fidelity, "_TILE_BYTES", tile)
        for query in (0, 13, 28):
            wrong = exact.clone()
            wrong[2, query] *= 1.25
            found = compare(call, Weights(wrong), 1)
            assert (found.head, found.query) == (2, query)
            assert found.error >= 0.25 - 1e-9
            np.testing.assert_allclose(found.row, exact[2, query].float())
            np.testing.assert_allclose(found.mean_row, exact[:, 1:].mean(1).float(), rtol=1e-6)
    least = exact[1].amax(0).argmin()  # a column so small that its rows do not show its error
    wrong = exact.clone()
    wrong[1, :, least] *= 1.0625
    assert compare(call, Weights(wrong), 1).error == pytest.approx(0.0625)
    assert compare(call, Weights(wrong), 1, tolerance=0.06) is None


def test_no_more_than_a_tile_of_rows_is_held(monkeypatch):
    call = random_call(images=1, heads=2, tokens=1201, dim=3, dtype=torch.float32, sharpness=0.5)
    sizes = []
    real = AttentionCall.weights

    def watched(self, rows):
        out = real(self, rows)
        sizes.append(out.numel() * 8)
        return out

    monkeypatch.setattr(AttentionCall, "weights", watched)
    encode(call, 1)
    encode(replace(call, logits_dtype=torch.bfloat16), 1)
    assert max(sizes) <= 2**22
    assert sum(sizes) >= 2 * 8 * 2 * 1201**2


def test_nan_is_no_attention():
    weights = torch.full((1, 2, 5, 5), 0.2)
    weights[0, 1, 3, 2] = math.nan
    with pytest.raises(NotFiniteError, match="'given': NaN in its attention weights"):
        encode(call_of(weights), 1)


@pytest.mark.parametrize("change", [{}, {"bias": True}, {"tokens": 13, "dim": 31}])
def test_bytes_are_estimated_before_they_are_written(change):
    call = random_call(**{"images": 1, "heads": 3, "tokens": 101, "dim": 13, "sharpness": 0.1} | change)
    for shares in (1, 7):
        encoded = encode(call, 1, bias_shares=shares)
        assert encoded.fidelity.error <= 1e-3
        assert encoded.decoded.operands[0].dtype.itemsize == 2
        blocks = Blocks()
        attention_entry(encoded, blocks)
        bias = getattr(encoded.decoded, "bias", None)
        taken = sum(blocks.sizes) - (0 if bias is None else bias.nbytes * (1 - 1 / shares))
        assert encoded.nbytes(shares) == pytest.approx(taken, abs=16)  # alignment
        assert estimated_bytes(call, bias_shares=shares) == pytest.approx(taken, rel=0.05)
