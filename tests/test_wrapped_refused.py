"""Programs whose attention cannot be seen are refused, with what to do."""

import pytest
import torch
from torch.nn.attention.flex_attention import flex_attention

import vitscope
from toys import ToyViT
from vitscope.errors import CaptureError


@torch.library.custom_op("vitscope_test::flash_attn_func", mutates_args=())
def flash_attn_func(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.scaled_dot_product_attention(queries, keys, values)


def by_operator(q, k, v, scale):
    return flash_attn_func(q, k, v)


def by_flex(q, k, v, scale):
    return flex_attention(q, k, v, scale=scale)


class HalfHidden(ToyViT):
    """One layer that PyTorch shows, and one by an operator of its own."""

    def __init__(self, spelling):
        super().__init__(width=48)
        self.layers[1].spelling = spelling


@pytest.mark.parametrize("spelling", [by_operator, by_flex])
def test_a_layer_is_never_missing_in_silence(spelling):
    with pytest.raises(CaptureError, match=r"layer 'layers\.1' attends by the operator .*switch it off"):
        vitscope.wrap(HalfHidden(spelling).eval()).look(torch.randn(1, 3, 12, 20))


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_torchscript_is_refused():
    script = torch.jit.trace(ToyViT().eval(), torch.zeros(1, 3, 12, 20))
    with pytest.raises(CaptureError, match=r"TorchScript.*wrap the model that it was made from"):
        vitscope.wrap(script)


def test_an_exported_program_is_refused():
    exported = torch.export.export(ToyViT().eval(), (torch.zeros(2, 3, 12, 20),)).module()
    with pytest.raises(CaptureError, match=r"exported program.*wrap the model that it was exported from"):
        vitscope.wrap(exported)


def test_weights_that_are_not_here_are_refused():
    with pytest.raises(CaptureError, match=r"parameter cls_token is on the meta device .*load the weights"):
        vitscope.wrap(ToyViT().to("meta").eval())
