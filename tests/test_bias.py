"""Biases are held small, and give back exactly what the model added."""

from dataclasses import replace

import pytest
import torch

import vitscope
from calls import random_call
from vitscope.attention.bias import DenseBias, RelativeBias, compress

GRID, PREFIX, HEADS = (3, 5), 2, 7
TOKENS = PREFIX + 15


def relative_term() -> torch.Tensor:
    """A bias by offset, with rows and columns of its own for the prefix tokens."""
    table = torch.randn(HEADS, 5, 9)
    term = torch.randn(1, HEADS, TOKENS, TOKENS)
    for query in range(15):
        for key in range(15):
            offset = (key // 5 - query // 5 + 2, key % 5 - query % 5 + 4)
            term[0, :, PREFIX + query, PREFIX + key] = table[:, offset[0], offset[1]]
    return term


@pytest.mark.parametrize("rows", [slice(None), slice(1, 9), slice(4, 5), torch.tensor([0, 16, 3, 1])])
def test_a_relative_bias_is_held_as_its_table_and_given_back_exactly(rows):
    term = relative_term()
    bias = compress(term, GRID, PREFIX)
    assert isinstance(bias, RelativeBias)
    assert bias.nbytes < term.nbytes / 2
    assert torch.equal(bias.rows(rows), term[:, :, rows])


def test_a_single_entry_that_differs_keeps_it_dense():
    term = relative_term()
    term[0, 6, PREFIX + 7, PREFIX + 3] += 1
    bias = compress(term, GRID, PREFIX)
    assert isinstance(bias, DenseBias)
    assert torch.equal(bias.rows(slice(2, 11)), term[:, :, 2:11])


def test_biases_of_each_image_stay_apart():
    term = torch.randn(3, HEADS, TOKENS, TOKENS)
    bias = compress(term, GRID, PREFIX)
    assert torch.equal(bias.run(range(2, 3)).rows(slice(5, 6)), term[2:, :, 5:6])
    mask = torch.randn(3, 1, 1, TOKENS)
    assert torch.equal(compress(mask, GRID, PREFIX).run(range(1, 2)).rows(slice(0, 4)), mask[1:2])


def test_beits_biases_are_held_as_tables():
    import timm

    model = timm.create_model("beit_base_patch16_224", img_size=(112, 176), depth=3, embed_dim=48, num_heads=3).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    look = vitscope.wrap(model).look(torch.randn(2, 3, 112, 176), every_row=True)
    biases = [call.bias for call in look.attention_seen.layers]
    assert [type(bias) for bias in biases] == [RelativeBias] * 3
    assert all(layer.refusal is None for layer in look.layers)


@pytest.mark.parametrize("entries", [range(2, 4), range(5, 9), range(6, 12), range(11, 12)])
@pytest.mark.parametrize("terms", [0, 1, 3, 12])  # none, one for all, one for each of 3 windows, one for each entry
def test_successive_images_are_those_picked_one_by_one(terms, entries):
    call = random_call(images=12, heads=2, tokens=5)
    if terms:
        call = replace(call, bias=DenseBias(torch.randn(terms, 2, 5, 5)))
    found, expected = call.run(entries), call.picked(torch.tensor(entries))
    assert found.images == len(entries)
    torch.testing.assert_close(found.weights(slice(None)), expected.weights(slice(None)))
