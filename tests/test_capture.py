"""The tap sees each attention as the model computes it, changes nothing, and refuses what it cannot prove."""

import threading
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import toys
from calls import random_call
from toys import SPELLINGS, ToyViT
from vitscope.attention.axes import Axes
from vitscope.attention.bias import DenseBias
from vitscope.attention.fused import scaled_dot_product
from vitscope.attention.recorder import Expected, Recorder
from vitscope.attention.tap import Tap
from vitscope.errors import CaptureError, LimitError, NotFiniteError, VerificationError


def record(model, images, expected=None, **options) -> Recorder:
    recorder = Recorder(len(images), expected or [Expected(prefix=1)] * 9, every_row=True, **options)
    with torch.no_grad(), Tap(model, recorder):
        model(images)
    return recorder


def true_weights(spelling, q, k, v, scale):
    """The weights that a spelling applies: its output when the values are the identity."""
    eye = torch.eye(k.shape[-2], dtype=q.dtype).expand(*k.shape[:-2], -1, -1)
    return spelling(q, k, eye, scale)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda f: f.__name__)
def test_every_spelling_is_seen_exactly(spelling, images, dtype):
    taken = []

    def spy(q, k, v, scale):
        taken.append((q, k, v, scale))
        return spelling(q, k, v, scale)

    model = ToyViT(spy).eval().to(dtype)
    recorder = record(model, torch.randn(images, 3, 12, 20, dtype=dtype))
    assert [call.name for call in recorder.calls] == ["layers.0", "layers.1"]
    for call, operands in zip(recorder.calls, taken, strict=True):
        expected = true_weights(spelling, *operands)
        found = call.weights(slice(None))
        assert found.shape == expected.shape == (images, toys.HEADS, 16, 16)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 if dtype == torch.float64 else 2e-6)
        assert call.refusal is None


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda f: f.__name__)
def test_the_models_output_is_bit_for_bit_the_same(spelling):
    model = ToyViT(spelling).eval()
    images = torch.randn(2, 3, 12, 20)
    with torch.no_grad():
        plain = model(images)
        with Tap(model, Recorder(2)):
            observed = model(images)
    assert torch.equal(plain, observed)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "spelling", [toys.fused, toys.operators, toys.biased, toys.scaled_queries, toys.softmax_in_float32]
)
def test_half_precision_is_verified_within_its_rounding(spelling, dtype):
    model = ToyViT(spelling).eval().to(dtype)
    for call in record(model, torch.randn(2, 3, 12, 20, dtype=dtype)).calls:
        assert call.refusal is None
        assert 0 < call.error < 4 * torch.finfo(dtype).eps
        assert call.weights(slice(None)).dtype == torch.float32


def test_logits_that_the_model_rounds_are_rounded():
    taken = []

    def spy(q, k, v, scale):
        taken.append((q, k, v, 10 * scale))  # logits of some tens: a bfloat16 step there is a factor in the weights
        return toys.operators(*taken[-1])

    model = ToyViT(spy, depth=1).eval().bfloat16()
    (call,) = record(model, torch.randn(1, 3, 12, 20).bfloat16()).calls
    expected = true_weights(toys.operators, *taken[0]).float()
    assert float(call.logits(slice(None)).abs().max()) > 16
    torch.testing.assert_close(call.weights(slice(None)), expected, rtol=0, atol=torch.finfo(torch.bfloat16).eps)


@pytest.mark.parametrize("spelling", [toys.fused, toys.operators])
def test_autocast_is_honoured(spelling):
    def in_float32(q, k, v, scale):  # autocast narrows inside the function that attends
        return spelling(q.float(), k.float(), v.float(), scale)

    model = ToyViT(in_float32).eval()
    with torch.autocast("cpu", torch.bfloat16):
        calls = record(model, torch.randn(2, 3, 12, 20)).calls
    assert [call.queries.dtype for call in calls] == [torch.bfloat16, torch.bfloat16]
    assert all(call.refusal is None for call in calls)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_multi_head_attention_is_seen_through_its_arguments(batch_first, masked):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(15, 3, batch_first=batch_first)

        def forward(self, x):
            mask = torch.ones(x.shape[1 if batch_first else 0], 7, dtype=torch.bool).triu(2) if masked else None
            return self.attention(x, x, x, attn_mask=mask, need_weights=True, average_attn_weights=False)

    model = Model().eval().double()
    nn.init.normal_(model.attention.in_proj_weight)
    x = torch.randn(*((2, 7) if batch_first else (7, 2)), 15, dtype=torch.float64)
    recorder = Recorder(2, every_row=True)
    with torch.no_grad(), Tap(model, recorder):
        output, weights = model(x)
    (call,) = recorder.calls
    assert call.name == "attention"
    torch.testing.assert_close(call.weights(slice(None)), weights)
    assert call.refusal is None
    with torch.no_grad():
        assert torch.equal(output, model(x)[0])


def test_a_softmax_in_float32_within_a_float64_model_is_no_lie():
    for call in record(ToyViT(toys.softmax_in_float32).eval().double(), torch.randn(1, 3, 12, 20).double()).calls:
        assert call.refusal is None
        assert 1e-10 < call.error < 1e-6


def test_a_layer_that_lies_is_refused_and_its_neighbours_are_not():
    def lying(q, k, v, scale):
        weights = (q @ k.transpose(-2, -1) * scale).softmax(-1)
        if honest.pop():
            return weights @ v
        weights.numpy()[:] = weights.flip(-1).numpy()  # behind the back of every PyTorch function
        return weights @ v

    honest = [True, False]
    first, second = record(ToyViT(lying).eval(), torch.randn(1, 3, 12, 20)).calls
    assert second.refusal is None
    with pytest.raises(VerificationError, match=r"'layers\.0': recomputed attention differs"):
        first.require_verified()


def test_two_images_of_a_batch_are_verified_or_all_if_asked():
    recorder, call = Recorder(11), random_call(images=11)
    drawn = [recorder._verified_images(call) for _ in range(60)]
    assert all(len(set(images)) == 2 for images in drawn)
    assert set().union(*drawn) == set(range(11))  # over many layers every image has its turn
    own_masks = replace(call, bias=DenseBias(torch.randn(11, 1, 1, call.key_count)))
    assert recorder._verified_images(own_masks) == range(11)
    assert Recorder(2)._verified_images(random_call(images=2)) == range(2)
    windows = Recorder(5)._verified_images(random_call(images=15))  # 3 windows an image: all those of the images drawn
    assert sorted(windows) == sorted(3 * image + window for image in {i // 3 for i in windows} for window in range(3))
    assert len(windows) == 6
    assert Recorder(11, every_row=True)._verified_images(call) == range(11)


@pytest.mark.parametrize("leading", [(5, 3), (15,), (3, 5)])  # (images, heads), both in one, or heads first
@pytest.mark.parametrize("mask", [None, (7, 11), (1, 1, 1, 11), (5, 1, 1, 11), (5, 3, 7, 11)])
def test_the_models_own_output_of_some_images(leading, mask):
    axes = Axes(before=3) if leading == (3, 5) else Axes()
    queries, keys, values = (torch.randn(*leading, tokens, 4) for tokens in (7, 11, 11))
    mask = None if mask is None else torch.randn(mask if len(leading) == 2 or len(mask) == 2 else (15, 7, 11))
    if leading == (3, 5) and mask is not None and mask.shape[0] == 5:
        mask = mask.transpose(0, 1)
    event = replace(scaled_dot_product("layer", (queries, keys, values, mask), {}), axes=axes)
    expected = F.scaled_dot_product_attention(queries, keys, values, mask)
    found = event.own_output(torch.tensor([6, 2]), range(1, 3), images=5)
    torch.testing.assert_close(found, event.by_image(expected, 5)[1:3, :, [6, 2]])


def test_some_rows_are_verified_prefix_rows_among_them():
    watching, device, drawn = Recorder(1, [Expected(prefix=5)]), torch.device("cpu"), []
    for queries in (997, 10) * 17:  # more layers than are drawn at once
        rows = watching._rows(queries, device).tolist()
        assert len({row for row in rows if row < 5}) == 2
        assert sum(5 <= row < queries for row in rows) == 6
        drawn += [tuple(rows)] if queries == 997 else []
    assert len(set(drawn)) == len(drawn)  # other rows in each layer
    assert Recorder(1, [Expected(prefix=5)], every_row=True)._rows(1000, torch.device("cpu")) == slice(None)


def test_two_looks_at_once_do_not_mix():
    models = [ToyViT(toys.operators, depth=3).eval() for _ in range(2)]
    images = [torch.randn(1, 3, 12, 20), torch.randn(2, 3, 20, 12)]
    alone = [record(model, x).calls for model, x in zip(models, images, strict=True)]
    found: dict[int, list] = {}
    barrier = threading.Barrier(2)

    def work(index):
        barrier.wait()
        for _ in range(20):
            found[index] = record(models[index], images[index]).calls

    threads = [threading.Thread(target=partial(work, index)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in range(2):
        assert len(found[index]) == len(alone[index]) == 3
        for one, other in zip(found[index], alone[index], strict=True):
            assert torch.equal(one.queries, other.queries)


def test_calls_keep_no_view_of_the_models_tensors():
    model, images = ToyViT().eval(), torch.randn(1, 3, 12, 20)
    calls = record(model, images).calls
    for call in calls:
        assert call.queries.untyped_storage().nbytes() == call.queries.nbytes
        assert call.keys.untyped_storage().nbytes() == call.keys.nbytes


def test_a_bias_shared_by_layers_is_kept_once():
    table = torch.randn(1, toys.HEADS, 16, 16)

    def shared(q, k, v, scale):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=table)

    first, second = record(ToyViT(shared).eval(), torch.randn(3, 3, 12, 20)).calls
    assert first.bias is second.bias
    assert torch.equal(first.bias.term, table)


def test_what_grows_with_the_square_is_limited():
    with pytest.raises(LimitError, match="raise limit_bytes"):
        record(ToyViT(toys.capped).eval(), torch.randn(1, 3, 12, 20), limit_bytes=toys.HEADS * 16 * 16 * 4)


def test_what_nothing_is_computed_of_is_verified_but_neither_kept_nor_limited():
    expected = [Expected(prefix=1), Expected(prefix=1, kept=False)]
    weights_bytes = toys.HEADS * 16 * 16 * 4
    kept, dropped = record(
        ToyViT(toys.capped).eval(), torch.randn(1, 3, 12, 20), expected, limit_bytes=weights_bytes
    ).calls
    assert (kept.kept, dropped.kept) == (True, False)
    assert kept.probabilities.nbytes == weights_bytes
    assert dropped.probabilities.untyped_storage().nbytes() < 64
    assert dropped.error < 1e-5


def test_nan_is_named_with_its_layer():
    model = ToyViT().eval()
    with torch.no_grad():
        model.layers[1].qkv.weight[0, 0] = torch.nan
    with pytest.raises(NotFiniteError, match=r"'layers\.1': NaN or infinity in its queries"):
        record(model, torch.randn(1, 3, 12, 20))


def test_keys_and_values_may_each_have_fewer_heads_of_their_own():
    queries, keys, values = (torch.randn(2, heads, 7, 5) for heads in (8, 4, 2))
    event = scaled_dot_product("layer", (queries, keys, values), {"enable_gqa": True})
    assert torch.equal(event.keys, keys.repeat_interleave(2, 1))
    assert torch.equal(event.values, values.repeat_interleave(4, 1))


@pytest.mark.parametrize("wrong", [{"attn_scale": 1}, {"query": torch.zeros(2, 3)}])
def test_arguments_that_no_documented_call_has_are_refused(wrong):
    queries = torch.zeros(2, 3, 7, 5)
    with pytest.raises(CaptureError, match=r"layer: scaled_dot_product_attention was not called as it is documented"):
        scaled_dot_product("layer", (queries, queries, queries), wrong)


def test_dropout_that_is_on_is_refused():
    def dropping(q, k, v, scale):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=0.1)

    with pytest.raises(CaptureError, match=r"model\.eval\(\)"):
        record(ToyViT(dropping).eval(), torch.randn(1, 3, 12, 20))


def test_queries_that_see_no_key_are_refused():
    class Hidden(nn.Module):
        def forward(self, x):
            mask = torch.ones(5, 7, dtype=torch.bool)
            mask[3] = False
            return torch.nn.functional.scaled_dot_product_attention(x[:, :, :5], x, x, attn_mask=mask)

    model = Hidden()
    with (
        pytest.raises(CaptureError, match="hides every key from some queries"),
        torch.no_grad(),
        Tap(model, Recorder(2)),
    ):
        model(torch.randn(2, 3, 7, 4))


@pytest.mark.parametrize("mask", [None, (11,), (7, 11)])
def test_the_models_own_output_where_the_first_axis_is_no_images(mask):
    mask = None if mask is None else torch.randn(mask)
    rows = torch.tensor([6, 2])
    grouped = [torch.randn(length, tokens, 4) for length, tokens in ((5 * 6, 7), (5 * 2, 11), (5 * 2, 11))]
    expected = F.scaled_dot_product_attention(*grouped, mask, enable_gqa=True)  # 6 heads of queries, 2 of keys
    event = scaled_dot_product("layer", (*grouped, mask), {"enable_gqa": True})
    for entries in (range(1, 3), range(3, 5)):
        found = event.own_output(rows, entries, images=5)
        torch.testing.assert_close(found, event.by_image(expected, 5)[entries.start : entries.stop, :, rows])
    single = [tensor[0] for tensor in grouped]  # of one image and head, without axes for them
    event = scaled_dot_product("layer", (*single, mask), {})
    expected = F.scaled_dot_product_attention(*single, mask)
    torch.testing.assert_close(event.own_output(rows, range(1), images=1), expected[None, None, rows])
