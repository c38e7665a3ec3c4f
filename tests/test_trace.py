"""The layout is proven by experiment: right where it is plain, refused where it is not."""

import pytest
import torch
from torch import nn

import toys
from toys import ToyViT
from vitscope.attention.kernels.products import linear
from vitscope.errors import CaptureError, LayoutError, NoAttentionError, NotFiniteError
from vitscope.layout import LayoutHints
from vitscope.trace import trace

HINTS = LayoutHints((4, 4), ("cls",))


def traced(model, size=(12, 20), hints=HINTS):
    return trace(model.eval(), lambda m, x: m(x), size, hints, torch.zeros(()))


@pytest.mark.parametrize("spelling", toys.SPELLINGS, ids=lambda f: f.__name__)
def test_a_plain_model_is_proven(spelling):
    found = traced(ToyViT(spelling))
    assert found.layout.grid == (3, 5)
    assert found.layout.prefix == ("cls",)
    assert [(call.name, call.kind) for call in found.calls] == [("layers.0", "layer"), ("layers.1", "layer")]
    assert found.readout == "cls"


@pytest.mark.parametrize("layer", [0, 1])
def test_permuted_tokens_are_found_out(layer):
    with pytest.raises(LayoutError, match=rf"layers\.{layer}.*query token 2 .* patch \(row 0, column 1\).*column 4"):
        traced(ToyViT(permute_before=layer))


@pytest.mark.parametrize("side", ["query", "key"])
def test_one_side_alone_that_is_permuted_is_found_out(side):
    order = torch.arange(16)
    order[[2, 5]] = order[[5, 2]]

    def crossed(q, k, v, scale):
        if side == "query":
            return toys.fused(q[:, :, order], k, v, scale)
        return toys.fused(q, k[:, :, order], v, scale)

    with pytest.raises(LayoutError, match=rf"{side} token 2"):
        traced(ToyViT(crossed))


def test_overlapping_patches_are_found_out():
    model = ToyViT()
    model.patch_embed = nn.Conv2d(3, 21, 7, 4, padding=3)
    with pytest.raises(LayoutError, match="overlap"):
        traced(model)


def test_class_tokens_at_the_end_are_found_out():
    class Last(ToyViT):
        def forward(self, images):
            x = self.patch_embed(images).flatten(2).transpose(1, 2)
            x = torch.cat([x, self.cls_token.expand(len(x), -1, -1)], 1)
            for norm, layer in zip(self.norms, self.layers, strict=True):
                x = x + layer(norm(x))
            return self.head(x[:, -1])

    with pytest.raises(LayoutError, match="query token 0 should stand for no patch"):
        traced(Last())


def test_the_readout_is_what_the_answer_follows():
    class Mean(ToyViT):
        def forward(self, images):
            kept, self.head = self.head, nn.Identity()
            x = self.patch_embed(images).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
            for norm, layer in zip(self.norms, self.layers, strict=True):
                x = x + layer(norm(x))
            self.head = kept
            return self.head(x[:, 1:].mean(1))

    class Pooled(ToyViT):
        def __init__(self):
            super().__init__()
            self.probe = nn.Parameter(torch.randn(1, 1, 21))
            self.pool = nn.MultiheadAttention(21, 3, batch_first=True)

        def forward(self, images):
            x = self.patch_embed(images).flatten(2).transpose(1, 2)
            for norm, layer in zip(self.norms, self.layers, strict=True):
                x = x + layer(norm(x))
            return self.pool(self.probe.expand(len(x), -1, -1), x, x)[0][:, 0]

    assert traced(Mean()).readout == "mean"
    pooled = traced(Pooled(), hints=LayoutHints((4, 4), ()))
    assert pooled.readout == "pool"
    assert (pooled.calls[-1].name, pooled.calls[-1].kind) == ("pool", "readout")


def test_a_lone_unnamed_prefix_token_that_is_read_is_the_class_token():
    assert traced(ToyViT(), hints=LayoutHints((4, 4))).layout.prefix == ("cls",)


def test_the_random_state_is_left_as_it_was():
    model = ToyViT()
    before = torch.get_rng_state()
    traced(model)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        (LayoutHints((4, 4), ("cls", "reg1")), r"found 16 tokens; expected 3 × 5 patches .* 2 prefix tokens"),
        (LayoutHints((2, 2), ("cls",)), r"found 16 tokens; expected 6 × 10 patches"),
        (LayoutHints(), "nothing in the model that tells its patch size"),
    ],
)
def test_hints_that_do_not_fit_are_refused_with_the_numbers(hints, message):
    with pytest.raises(LayoutError, match=message):
        traced(ToyViT(), hints=hints)


def test_a_model_without_attention_is_refused_with_the_usual_causes():
    model = nn.Sequential(nn.Conv2d(3, 5, 4, 4), nn.Flatten())
    with pytest.raises(NoAttentionError, match=r"flash-attn.*TorchScript.*linear attention"):
        traced(model)


def test_a_softmax_that_gets_lost_is_not_passed_over_in_silence():
    def talking(q, k, v, scale):
        weights = (q @ k.transpose(-2, -1) * scale).softmax(-1)
        mixed = weights.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        return mixed @ v

    with pytest.raises(CaptureError, match="cannot be followed"):
        traced(ToyViT(talking))


def test_nan_is_no_prefix_token():
    model = ToyViT()
    with torch.no_grad():
        model.layers[1].qkv.bias[3] = torch.nan
    with pytest.raises(NotFiniteError, match=r"'layers\.1': NaN or infinity in its queries or keys"):
        traced(model)


def test_a_path_that_depends_on_the_picture_is_refused():
    class Varying(ToyViT):
        def forward(self, images):
            if images.any():
                self.layers[1](self.norms[1](self.patch_embed(images).flatten(2).transpose(1, 2)))
            return super().forward(images)

    with pytest.raises(LayoutError, match="in some runs only"):
        traced(Varying())


def test_an_input_that_the_model_refuses_is_said():
    class Fixed(ToyViT):
        def forward(self, images):
            if images.shape[-1] != 24:
                raise AssertionError("Input width (20) doesn't match model (24).")
            return super().forward(images)

    with pytest.raises(CaptureError, match=r"refused an input of 12 × 20 px: Input width .* image_size"):
        traced(Fixed())


def test_the_experiments_linear_maps_are_pytorchs_own():
    inputs, weight, bias = torch.randn(2, 3, 7), torch.randn(5, 7), torch.randn(5)
    for term in (bias, None):
        expected = torch.nn.functional.linear(inputs, weight, term)
        torch.testing.assert_close(linear(inputs, weight, term), expected)
    assert linear(inputs.double(), weight.double(), None) is None
    assert linear(inputs.half(), weight, None) is None
