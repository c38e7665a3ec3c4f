"""The plan: which body computes, what is kept and what is stored, from facts alone, with the reason."""

import re
from dataclasses import replace

import pytest
import torch

import vitscope
from toys import ToyViT, fused_masked
from vitscope import Entropy, Heatmaps, MeanAttentionDistance, PrefixMass, Rollout, observing
from vitscope.attention.kernels import choice
from vitscope.attention.kernels.choice import Choice, choose
from vitscope.attention.kernels.fused_matrix import FusedMatrix
from vitscope.errors import ArgumentError, LimitError
from vitscope.measures.needs import EVERYTHING, Needs
from vitscope.measures.plan import Facts, LayerFacts, plan
from vitscope.observing import plan_pass

BOTH = frozenset({"compiled", "triton"})
GIGABYTE = 10**9
FACTS = Facts(
    images=2,
    layers=tuple(LayerFacts(f"blocks.{i}.attn", 3, 17, 211, 211) for i in range(5)),
    dtype=torch.float32,
    device="cpu",
)


def plan_of(*measures, facts=FACTS, free=GIGABYTE, limit=GIGABYTE, installed=BOTH):
    needs = Needs()
    for measure in measures:
        needs |= measure.needs
    return plan(facts, needs, free_bytes=free, limit_bytes=limit, installed=installed)


@pytest.mark.parametrize(
    ("device", "dtype", "installed", "name", "reason"),
    [
        ("cpu", torch.float32, BOTH, "compiled", "compiled loops, on the CPU"),
        ("cpu", torch.bfloat16, BOTH, "compiled", "compiled loops, on the CPU"),
        ("cpu", torch.float32, frozenset(), "tiled", "not compiled for this machine"),
        ("cpu", torch.float64, BOTH, "tiled", "float64"),
        ("cuda", torch.float16, BOTH, "triton", "CUDA"),
        ("cuda", torch.float16, frozenset({"compiled"}), "tiled", "Triton is not installed"),
        ("mps", torch.float32, BOTH, "tiled", "mps"),
    ],
)
def test_the_body_is_chosen_with_its_reason(device, dtype, installed, name, reason):
    found = choose(device, dtype, installed)
    assert found.name == name
    assert re.search(reason, found.reason)


def test_a_look_keeps_everything_for_measures_to_come():
    found = plan(FACTS, None, free_bytes=GIGABYTE, limit_bytes=GIGABYTE, installed=BOTH)
    assert found.kept == (0, 1, 2, 3, 4)
    assert (found.early, found.together, found.fusion) == (False, 0, None)
    assert found.kept_bytes == 5 * 2 * (2 * 3 * 211 * 17 * 4)  # layers, queries and keys, float32


def test_measures_keep_what_they_need():
    assert plan_of(Heatmaps(-2)).kept == (3,)
    assert plan_of(Heatmaps("blocks.1.attn"), Heatmaps(4)).kept == (1, 4)
    assert plan_of(Entropy()).kept == ()
    assert plan_of(MeanAttentionDistance(unit="unit_square"), Entropy()).statistics == {True, False}
    assert plan_of(Rollout(discard=0.5)).kept == (0, 1, 2, 3, 4)
    assert not plan_of(Heatmaps()).together
    assert plan_of(Heatmaps(), Entropy()).together
    assert (Needs() | EVERYTHING).layers is None


def test_fused_heads_are_stored_where_they_fit():
    size = 5 * FusedMatrix.nbytes(2, 211, 211)
    assert size == 5 * 2 * 211 * (2 * 211 + 8)  # 16 bits an entry; a step and a sum a row
    stored = plan_of(Rollout("max"))
    assert (stored.fusion, stored.kept, stored.kept_bytes) == ("max", (), size)
    for streamed, reason in (
        (plan_of(Rollout(), limit=size - 1), "limit_bytes is"),
        (plan_of(Rollout(), free=4 * size - 1), "MB are free"),
        (plan_of(Rollout("max"), Rollout("min")), "two fusions"),
        (plan_of(Rollout(), facts=replace(FACTS, dtype=torch.float64)), "float64"),
        (plan_of(Rollout(), facts=replace(FACTS, device="cuda")), "on CUDA"),
    ):
        assert (streamed.fusion, streamed.kept) == (None, (0, 1, 2, 3, 4))
        assert reason in streamed.rollout
    assert plan_of(Rollout(), limit=size, free=4 * size).fusion == "mean"


def test_the_plan_can_be_read(whole):
    text = str(whole.plan((48, 80), images=3, measures=[MeanAttentionDistance(), Rollout(), Heatmaps()]))
    assert "3 × 241 tokens, 6 layers of 4 heads, float32 on cpu" in text
    assert "while the model runs, together with its output" in text
    assert "stored in 16 bits" in text
    assert "kept of layer 5" in text
    assert str(whole.plan()).splitlines()[0].endswith("float32 on cpu")


def test_a_plan_needs_a_size():
    with pytest.raises(ArgumentError, match="image_size"):
        vitscope.wrap(ToyViT().eval()).plan()


def test_layers_of_which_only_weights_are_seen_are_counted():
    facts = replace(FACTS, layers=(LayerFacts("open", 3, 0, 211, 211, replaceable=False), *FACTS.layers[1:]))
    found = plan_of(Heatmaps(0), Entropy(), facts=facts)
    assert found.kept_bytes == 2 * 3 * 211 * 211 * 4
    assert found.together == 4
    assert "together with its output (in 4 of 5 layers)" in str(found)


def test_a_body_that_does_not_load_is_not_chosen(monkeypatch):
    chosen = Choice("compiled", "compiled loops")
    assert choice.settle(chosen) is chosen
    monkeypatch.setattr(choice, "_trouble_of", lambda name: "of another loops.c")
    settled = choice.settle(chosen)
    assert settled.name == "tiled"
    assert "do not load here: of another loops.c" in settled.reason


def test_what_cannot_be_imported_is_told_in_its_own_words(monkeypatch):
    def refuse(name):
        raise OSError("invalid ELF header\nno more")

    choice._trouble_of.cache_clear()
    monkeypatch.setattr(choice, "import_module", refuse)
    assert choice._trouble_of("compiled") == "invalid ELF header"
    choice._trouble_of.cache_clear()


def test_what_an_image_may_store_depends_on_no_batch(monkeypatch):
    scope = vitscope.wrap(ToyViT().eval())
    traced, like = scope.trace((8, 12)), torch.zeros(())
    one = plan_pass(traced, 1, like, [Rollout()], 2**30).facts.fused_bytes
    monkeypatch.setattr(observing, "_free_bytes", lambda like: 0)
    for images in (1, 7, 61):
        assert plan_pass(traced, images, like, [Rollout()], 1, one).fusion == "mean"
        assert plan_pass(traced, images, like, [Rollout()], 2**30, one - 1).fusion is None
        assert plan_pass(traced, images, like, [Rollout()], 2**30).fusion is None  # no memory is free


def test_what_is_stored_counts_for_the_images_that_are_shown():
    """A mask of 7 × 7 bytes or more is kept beside it, of the layer whose heatmaps are asked for."""
    scope = vitscope.wrap(ToyViT(fused_masked).eval())
    one = plan_pass(scope.trace((8, 12)), 1, torch.zeros(()), [Rollout()], 2**30).facts.fused_bytes
    options = {"batch_size": 61, "limit_bytes": 7 * one, "image_bytes": one}
    see = scope.observer([Rollout(), Heatmaps()], **options)
    assert see(torch.randn(1, 3, 8, 12)).fused(0, "mean") is not None
    with pytest.raises(LimitError, match="a position bias or mask"):
        see(torch.randn(7, 3, 8, 12))


@pytest.mark.parametrize(("dtype", "together"), [(torch.bfloat16, 5), (torch.float16, 5), (torch.float32, 0)])
def test_on_cuda_outputs_come_with_statistics_in_half_precision(dtype, together):
    found = plan_of(MeanAttentionDistance(), facts=replace(FACTS, device="cuda", dtype=dtype))
    assert (found.choice.name, found.together) == ("triton", together)
    assert plan_of(Heatmaps(), facts=replace(FACTS, device="cuda", dtype=dtype)).together == 0


def test_entropy_is_computed_where_it_is_asked_for():
    assert plan_of(MeanAttentionDistance(), Entropy()).entropy
    assert not plan_of(MeanAttentionDistance(), PrefixMass(), Heatmaps(), Rollout()).entropy
    assert EVERYTHING.entropy
