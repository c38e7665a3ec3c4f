"""Layers of which nothing is computed: what is known of them, and that NaN and infinity in them are told."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

import vitscope
from toys import ToyViT, operators
from vitscope import Heatmaps
from vitscope.attention.axes import Axes
from vitscope.attention.event import AttentionEvent
from vitscope.attention.recorder import Expected, Recorder, Reducer
from vitscope.errors import NotFiniteError


class _Nothing(Reducer):
    """Of no layer anything is computed."""

    def wants(self, number):
        return False


def test_layers_of_which_nothing_is_computed_keep_their_own_names_and_shapes():
    shapes = [("a", 3, 17, 5), ("b", 3, 17, 5), ("c", 7, 11, 5), ("d", 3, 17, 13), ("e", 1, 17, 5), ("f", 3, 17, 5)]
    watching = Recorder(
        2, [Expected(Axes(windows=3 if heads == 1 else 1)) for _, heads, _, _ in shapes], reducer=_Nothing()
    )
    for name, heads, tokens, width in shapes:
        queries = torch.randn(2, max(heads, 3), tokens, width)
        watching.after(AttentionEvent(name, queries, queries, queries), queries)
    found = [(call.name, call.heads, call.key_count, call.queries.shape[-1]) for call in watching.calls]
    assert found == shapes
    assert [call.images for call in watching.calls] == [2, 2, 2, 2, 6, 2]
    assert not any(call.kept for call in watching.calls)


@pytest.mark.parametrize("layer", [0, 3])
def test_nan_is_named_where_it_comes_from_though_nothing_is_computed_there(layer):
    scope = vitscope.wrap(ToyViT(depth=5).eval())
    scope.trace((8, 12))
    with torch.no_grad():
        scope.model.layers[1].qkv.weight[-1, 0] = torch.nan  # of the values
    with pytest.raises(NotFiniteError, match=r"'layers\.1': NaN or infinity in its values"):
        list(scope.measure(torch.randn(1, 3, 8, 12), [Heatmaps(layer)]))


@pytest.mark.parametrize("axes", ["as they are", "sequence first", "tokens before heads"])
@pytest.mark.parametrize("wrong", ["keys", "values"])
def test_one_row_tells_of_keys_and_values_that_are_not_finite(axes, wrong):
    operands = {name: torch.randn(2, 3, 7, 5) for name in ("queries", "keys", "values")}
    operands[wrong][1, 2, 4, 3] = torch.nan
    output = F.scaled_dot_product_attention(*operands.values())
    event = AttentionEvent("layer", **operands)
    if axes == "sequence first":
        event, output = replace(event, sequence_first=True), output.permute(2, 0, 1, 3).flatten(2)
    elif axes == "tokens before heads":
        event, output = replace(event, output_axes=(0, 2, 1, 3)), output.transpose(1, 2)
    row = event.one_row(output)
    assert row.numel() == 2 * 3 * 5
    with pytest.raises(NotFiniteError, match=rf"'layer': NaN or infinity in its {wrong}"):
        Recorder(2, reducer=_Nothing()).after(event, output)


@pytest.mark.parametrize("wrong", ["a query", "a key that the last row does not see"])
def test_what_one_row_does_not_show_is_told_by_the_next_layer(wrong):
    def with_one(q, k, v, scale):
        q, k = q.clone(), k.clone()
        if wrong == "a query":
            q[..., 1, :] = torch.nan
        else:
            k[..., 1, :] = -torch.inf * q[..., -1, :].sign()  # of the last row's logits it makes −∞
        return operators(q, k, v, scale)

    scope = vitscope.wrap(ToyViT(depth=5).eval())
    scope.trace((8, 12))
    scope.model.layers[1].spelling = with_one
    with pytest.raises(NotFiniteError, match=r"'layers\.2': NaN or infinity"):
        list(scope.measure(torch.randn(1, 3, 8, 12), [Heatmaps(4)]))
