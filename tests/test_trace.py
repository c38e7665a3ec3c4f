"""The layout is proven by experiment: right where it is plain, refused where it is not."""

import numpy as np
import pytest
import torch
from torch import nn

import toys
import vitscope
from toys import ToyViT
from vitscope import Look
from vitscope.attention.kernels import products
from vitscope.attention.kernels.products import linear
from vitscope.errors import (
    CaptureError,
    LayoutError,
    NoAttentionError,
    NotFiniteError,
    QueryError,
    VerificationError,
)
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
    assert [(call.name, call.kind) for call in found.calls] == [("layers.0", "global"), ("layers.1", "global")]
    assert found.readout == "cls"


def test_patches_dealt_at_random_are_refused():
    def deal(module, given, patches):
        return patches.flatten(2)[..., torch.randperm(15)].view_as(patches)

    model = ToyViT()
    model.patch_embed.register_forward_hook(deal)
    with pytest.raises(CaptureError, match=r"'layers\.0': its tokens change from one forward pass to the next"):
        traced(model)


def test_images_dealt_at_random_are_refused():
    def dealt(model, images):
        return model(images[torch.randperm(len(images))])

    with pytest.raises(CaptureError, match=r"'layers\.0': its tokens change from one forward pass to the next"):
        trace(ToyViT().eval(), dealt, (12, 20), HINTS, torch.zeros(()))


@pytest.mark.parametrize(("size", "bits"), [((12, 20), 5), ((44, 52), 8)])
def test_a_plain_model_is_proven_by_few_images(size, bits):
    model, shown = ToyViT(), []
    model.register_forward_pre_hook(lambda module, given: shown.append(len(given[0])))
    assert traced(model, size).layout.tokens.bit_length() == bits
    # a blank pair, one for every two bits, one for branches, one for what is read
    assert shown == [2] * (1 + -(-bits // 2) + 1 + 1)


@pytest.mark.parametrize("layer", [0, 1])
def test_permuted_tokens_are_placed_where_they_stand(layer):
    model, images = ToyViT(permute_before=layer).eval(), torch.randn(2, 3, 12, 20)
    found = traced(model)
    assert not found.plain
    order = [0, 1, 5, 3, 4, 2, *range(6, 16)]
    for index, call in enumerate(found.calls):
        expected = order if index >= layer else list(range(16))
        for side in (call.arrangement.query_tokens, call.arrangement.key_tokens):
            assert side.tolist() == [expected]
    permuted = vitscope.wrap(model).look(images)
    model.permute_before = None
    plain = vitscope.wrap(model).look(images)
    asks = (Look.rollout, Look.rollout_matrix, Look.mean_attention_distance, Look.entropy, Look.prefix_mass,
            lambda look: look.heatmaps(1, (0, 1)), lambda look: look.rollout("max", 0.5))  # fmt: skip
    for ask in asks:
        np.testing.assert_allclose(ask(permuted), ask(plain), rtol=1e-4, atol=1e-6)


SWAPPED = [0, 1, 5, 3, 4, 2, *range(6, 16)]


def test_keys_permuted_with_their_values_are_placed_so():
    def crossed(q, k, v, scale):
        return toys.fused(q, k[:, :, SWAPPED], v[:, :, SWAPPED], scale)

    call = traced(ToyViT(crossed)).calls[0]
    assert call.refusal is None
    assert call.arrangement.query_tokens.tolist() == [list(range(16))]
    assert call.arrangement.key_tokens.tolist() == [SWAPPED]


def test_queries_permuted_alone_answer_to_tokens_of_other_places():
    def crossed(q, k, v, scale):
        return toys.fused(q[:, :, SWAPPED], k, v, scale)

    call = traced(ToyViT(crossed)).calls[0]
    assert call.arrangement.query_tokens.tolist() == [SWAPPED]
    assert "layer 'layers.0': what its queries gather is given to tokens of other places" in call.refusal


@pytest.mark.parametrize("side", ["keys", "values"])
def test_keys_without_their_values_stand_on_two_places(side):
    def crossed(q, k, v, scale):
        if side == "keys":
            return toys.fused(q, k[:, :, SWAPPED], v, scale)
        return toys.fused(q, k, v[:, :, SWAPPED], scale)

    with pytest.raises(LayoutError, match=r"6 of its 45 tokens .* answer to several places"):
        traced(ToyViT(crossed))


def test_overlapping_patches_stand_where_their_middles_do():
    model = ToyViT()
    model.patch_embed = nn.Conv2d(3, 21, 7, 4, padding=3)
    assert traced(model).layout.describe() == "3 × 5 patches of 4 × 4 px, prefix tokens cls"


@pytest.mark.parametrize("mix", [lambda x: x + x.flip(1), lambda x: x + x.mean(1, keepdim=True)])
def test_tokens_that_mix_outside_attention_are_found_out(mix):
    class Mixing(ToyViT):
        def forward(self, images):
            x = self.patch_embed(images).flatten(2).transpose(1, 2)
            x = x + self.layers[0](self.norms[0](x))
            return self.layers[1](self.norms[1](mix(x)))

    model = Mixing().eval()
    first, second = traced(model, hints=LayoutHints((4, 4), ())).calls
    assert (first.kind, second.kind) == ("global", "unplaced")
    assert "mix outside attention" in second.refusal
    look = vitscope.wrap(model, layout=LayoutHints((4, 4), ())).look(torch.randn(1, 3, 12, 20))
    assert look.heatmaps(0, (1, 2)).shape == (1, 3, 3, 5)
    for ask in (look.heatmaps, look.rollout, look.mean_attention_distance, look.entropy):
        with pytest.raises(VerificationError, match=r"'layers\.1'.* answer to several places"):
            ask()


@pytest.mark.parametrize("size", [lambda x: x.mean((2, 3), keepdim=True), lambda x: x.norm(2, (2, 3), True),
                                  lambda x: torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)])  # fmt: skip
def test_normalisation_by_the_whole_pictures_size_moves_no_token(size):
    class Normalised(ToyViT):
        def forward(self, images):
            x = self.patch_embed(images)
            x = (x + x * size(x)).flatten(2).transpose(1, 2)
            for norm, layer in zip(self.norms, self.layers, strict=True):
                x = x + layer(norm(x))
            return self.head(x.mean(1))

    found = traced(Normalised().eval(), hints=LayoutHints((4, 4), ()))
    assert not found.plain
    assert [call.arrangement.plain for call in found.calls] == [True, True]


def test_class_tokens_at_the_end_are_named():
    class Last(ToyViT):
        def forward(self, images):
            x = self.patch_embed(images).flatten(2).transpose(1, 2)
            x = torch.cat([x, self.cls_token.expand(len(x), -1, -1)], 1)
            for norm, layer in zip(self.norms, self.layers, strict=True):
                x = x + layer(norm(x))
            return self.head(x[:, -1])

    found = traced(Last())
    assert found.calls[0].arrangement.key_tokens.tolist() == [[*range(1, 16), 0]]
    assert found.readout == "cls"


class Placing(ToyViT):
    """Tokens of its own under names that say nothing, put where `place` says, of patches and these."""

    def __init__(self, place, read):
        super().__init__()
        self.own, self.place, self.read = nn.Parameter(torch.randn(1, 3, 21)), place, read

    def forward(self, images):
        x = self.patch_embed(images).flatten(2).transpose(1, 2)
        x = self.place(x, self.own.expand(len(x), -1, -1))
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = x + layer(norm(x))
        return self.head(self.read(x))


def test_a_class_token_among_the_patches_and_registers_after_them_are_found():
    def middle(patches, own):
        return torch.cat([patches[:, :7], own[:, :1], patches[:, 7:], own[:, 1:]], 1)

    found = traced(Placing(middle, lambda x: x[:, 7]), hints=LayoutHints())
    assert found.layout.prefix == ("cls", "prefix2", "prefix3")
    assert found.readout == "cls"
    for call in found.calls:
        assert call.arrangement.key_tokens.tolist() == [[*range(3, 10), 0, *range(10, 18), 1, 2]]
        assert call.arrangement.query_tokens.tolist() == call.arrangement.key_tokens.tolist()


def test_registers_after_the_patches_are_no_padding():
    model = Placing(lambda patches, own: torch.cat([patches, own], 1), lambda x: x[:, :15].mean(1)).eval()
    look = vitscope.wrap(model).look(torch.randn(2, 3, 12, 20))
    assert (look.layout.prefix, look.readout) == (("prefix1", "prefix2", "prefix3"), "mean")
    first = Placing(lambda patches, own: torch.cat([own, patches], 1), lambda x: x[:, 3:].mean(1)).eval()
    first.load_state_dict(model.state_dict())
    images = torch.randn(2, 3, 12, 20)
    look, expected = (vitscope.wrap(one).look(images) for one in (model, first))
    for ask in (Look.rollout, Look.prefix_mass, Look.mean_attention_distance, Look.rollout_matrix):
        np.testing.assert_allclose(ask(look), ask(expected), rtol=1e-4, atol=1e-6)


def test_what_nothing_hears_of_is_padding():
    class Padding(Placing):
        def forward(self, images):
            x = self.patch_embed(images).flatten(2).transpose(1, 2)
            for norm, layer in zip(self.norms, self.layers, strict=True):
                x = x + layer(self.place(norm(x), self.own))[:, :15]
            return self.head(x.mean(1))

    found = traced(Padding(lambda x, own: torch.cat([x, own.expand(len(x), -1, -1) * 0], 1), None), hints=LayoutHints())
    assert found.layout.prefix == ()
    assert [call.arrangement.key_tokens.tolist() for call in found.calls] == [[[*range(15), *[-1] * 3]]] * 2


class Beside(ToyViT):
    """Both layers take the same tokens."""

    def forward(self, images):
        x = self.patch_embed(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
        x = x + sum(layer(norm(x)) for norm, layer in zip(self.norms, self.layers, strict=True))
        return self.head(x[:, 0])


class PoolingBetween(ToyViT):
    """What a learned query reads from the places comes back to all of them."""

    def __init__(self):
        super().__init__()
        self.probe, self.pool = nn.Parameter(torch.randn(1, 2, 21)), nn.MultiheadAttention(21, 3, batch_first=True)

    def forward(self, images):
        x = self.patch_embed(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
        x = x + self.layers[0](self.norms[0](x))
        x = x + self.pool(self.probe.expand(len(x), -1, -1), x, x)[0].mean(1, keepdim=True)
        x = x + self.layers[1](self.norms[1](x))
        return self.head(x[:, 0])


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Beside, r"'layers\.1' takes nothing from 'layers\.0' before it"),
        (PoolingBetween, r"'layers\.1' takes what 'pool' read from the places"),
    ],
)
def test_there_is_no_rollout_where_layers_do_not_follow_one_another_alone(model, reason):
    look = vitscope.wrap(model().eval()).look(torch.randn(1, 3, 12, 20))
    assert [layer.kind for layer in look.layers] == ["global", "global"]
    assert [layer.refusal for layer in look.layers] == [None, None]
    with pytest.raises(QueryError, match=rf"{reason}; the model has branches"):
        look.rollout()
    assert look.heatmaps().shape == (1, 3, 3, 5)


def test_more_layers_than_patches_follow_one_another():
    model = ToyViT(depth=9).eval()
    assert traced(model, size=(8, 8)).branching is None


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
    assert (pooled.calls[-1].name, pooled.calls[-1].kind) == ("pool", "pool")


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
        (LayoutHints((4, 4), ("cls", "reg1")), r"given has 2 prefix tokens \(cls, reg1\); found 3 × 5 patches"),
        (LayoutHints((2, 2), ("cls",)), r"given has patches of 2 × 2 px; found 3 × 5 patches of 4 × 4 px"),
    ],
)
def test_a_layout_given_that_is_not_so_is_refused_with_what_was_found(hints, message):
    with pytest.raises(LayoutError, match=message):
        traced(ToyViT(), hints=hints)


@pytest.mark.parametrize("hints", [LayoutHints(), LayoutHints((3, 3), guessed=True), LayoutHints((2, 2), guessed=True)])
def test_what_the_model_says_wrongly_or_not_at_all_is_found(hints):
    assert traced(ToyViT(), hints=hints).layout.describe() == "3 × 5 patches of 4 × 4 px, prefix tokens cls"


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
            if images[0].sum() != images[-1].sum():
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


def test_the_experiments_linear_maps_are_pytorchs_own(monkeypatch):
    monkeypatch.setattr(products, "_MKL_IS_QUICK", False)
    inputs, weight, bias = torch.randn(2, 3, 7), torch.randn(5, 7), torch.randn(5)
    for term in (bias, None):
        expected = torch.nn.functional.linear(inputs, weight, term)
        torch.testing.assert_close(linear(inputs, weight, term), expected)
    assert linear(inputs.double(), weight.double(), None) is None
    assert linear(inputs.half(), weight, None) is None
    monkeypatch.setattr(products, "_MKL_IS_QUICK", True)
    assert linear(inputs, weight, None) is None
