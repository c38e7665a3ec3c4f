"""The Triton kernels compile for a Hopper GPU, on a machine without one."""

from dataclasses import replace

import pytest
import torch

from calls import random_call, relative_bias
from triton_cases import INTERPRETED
from vitscope.attention.kernels.statistics import Places

triton = pytest.importorskip("triton")
kernels = pytest.importorskip("vitscope.attention.kernels.triton")


class _Hopper:
    """A driver without a device: what the compiler asks of one."""

    def get_current_target(self) -> object:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """Kernels that are launched are compiled for Hopper instead; theirs are the names in this list."""
    names = []

    def compile_only(kernel, grid):
        def launch(*arguments, **constants):
            names.append(kernel.warmup(*arguments, grid=grid, **constants).metadata.name)

        return launch

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(triton.runtime.JITFunction, "__getitem__", compile_only)
    monkeypatch.setattr(triton.runtime.driver, "_active", _Hopper())
    return names


# The compiler, stricter than the interpreter, also reads 1 as a constant wherever it is given: heads, tokens, strides.
ONE = replace(
    random_call(images=1, heads=1, tokens=1, dim=1, dtype=torch.float32, bias=True), logits_dtype=torch.bfloat16
)
MANY = replace(random_call(tokens=82, dim=64, dtype=torch.bfloat16), bias=relative_bias((11, 7), 5, heads=3))


@pytest.mark.skipif(INTERPRETED, reason="the interpreter compiles nothing")
@pytest.mark.skipif(torch.cuda.is_available(), reason="run on the device")
@pytest.mark.parametrize(("call", "prefix"), [(ONE, 0), (MANY, 5)])
def test_kernels_compile_for_hopper(call, prefix, compiled):
    positions = torch.zeros(call.query_count - prefix, 2)
    places, vector = Places(positions, positions), torch.zeros(call.images, call.query_count)
    for whole in (True, False):
        kernels.attend(call, torch.zeros_like(call.keys), places, whole=whole)
        kernels.row_statistics(call, places, whole=whole)
    kernels.moments(call, places)
    kernels.column_sums(call, vector, kernels.normalisers(call))
    kernels.fused(call, "mean")
    kernels.vector_times_rollout_layer(call, vector, "max", torch.zeros(call.images))
    expected = ["rows", "means", "moments", "column_sums", "fused", "fused_row_sums", "fused_column_sums"]
    assert set(compiled) == {f"{name}_kernel" for name in expected}
