"""What is computed while the model runs equals what is computed afterwards, and leaves the model's output be."""

import weakref
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import vitscope
import vitscope.scope as scope_module
from families import FAMILIES
from toys import ToyViT
from vitscope import Entropy, Heatmaps, MeanAttentionDistance, PrefixMass, Rollout, observing
from vitscope.attention import recorder
from vitscope.attention.kernels import compiled, reference
from vitscope.attention.recorder import Recorder, Reducer
from vitscope.attention.tap import Tap
from vitscope.errors import CaptureError, NotFiniteError, VerificationError
from vitscope.measures.arranged import places_of
from vitscope.measures.needs import Needs
from vitscope.measures.reduction import Reduction
from vitscope.observing import observe, plan_pass

ALL = [MeanAttentionDistance(), MeanAttentionDistance(unit="unit_square"), Entropy(), PrefixMass(), Heatmaps(),
       Rollout(), Rollout("mean", start_layer=1)]  # fmt: skip


def seen_of(scope, images, measures, **changes):
    """What is seen, and the model's output, as `measure` would have it; `changes` to the plan."""
    traced = scope.trace(tuple(images.shape[-2:]))
    planned = replace(plan_pass(traced, len(images), images, measures, 2**30), **changes)
    return observe(scope.loaded, images, traced, planned, every_row=False, limit_bytes=2**30)


@pytest.fixture(scope="module")
def toy():
    return vitscope.wrap(ToyViT().eval())


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_measures_named_beforehand_equal_those_of_a_look(family):
    scope = vitscope.wrap(family.make().eval())
    images = family.images(3, torch.float32)
    look = scope.look(images).attention_seen
    for (_, found), index in zip(scope.measure(list(images), ALL, batch_size=3), range(3), strict=True):
        for measure in ALL:
            expected = measure.measure(look)[index]
            scale = np.abs(expected).max(initial=0)
            np.testing.assert_allclose(found[measure], expected, rtol=1e-4, atol=1e-4 * scale)


def test_the_models_output_is_its_own_but_for_rounding(toy):
    images = torch.randn(5, 3, 8, 12)
    _, plain = seen_of(toy, images, ALL, together=0)
    _, output = seen_of(toy, images, ALL)
    assert torch.equal(plain, toy.model(images))
    torch.testing.assert_close(output, plain, rtol=1e-5, atol=1e-5 * float(plain.abs().max()))


@pytest.mark.parametrize("measures", [[Heatmaps(0)], [Entropy(), Heatmaps(0)]])
def test_what_is_not_kept_takes_no_memory_that_outlives_its_layer(toy, measures):
    first, second = (seen_of(toy, torch.randn(2, 3, 8, 12), measures)[0] for _ in range(2))
    assert first.layers[1].queries is second.layers[1].queries
    assert first.layers[1].keys.shape == second.layers[0].keys.shape


def test_a_bias_of_which_nothing_is_asked_is_not_looked_at():
    class Nothing(Reducer):
        def wants(self, number):
            return False

    queries, mask = torch.randn(2, 3, 19, 5), torch.zeros(19, 19)
    mask[7] = -torch.inf  # hides every key
    for reducer, refused in ((Nothing(), nullcontext()), (Reducer(), pytest.raises(CaptureError, match="every key"))):
        watched = Recorder(2, careful=False, reducer=reducer)
        with torch.no_grad(), Tap(torch.nn.Identity(), watched), refused:
            F.scaled_dot_product_attention(queries, queries, queries, mask)


def test_what_no_measure_needs_is_not_kept(toy):
    seen, _ = seen_of(toy, torch.randn(2, 3, 8, 12), [Entropy(), Heatmaps(0)])
    assert [call.kept for call in seen.layers] == [True, *[False] * (len(seen.layers) - 1)]
    assert all(call.queries.untyped_storage().nbytes() < 64 for call in seen.layers[1:])
    assert (seen.layers[1].images, seen.layers[1].heads) == (2, seen.layers[0].heads)
    with pytest.raises(CaptureError, match="not kept"):
        Heatmaps(1).measure(seen)
    with pytest.raises(CaptureError, match="not kept"):
        Rollout(discard=0.5).measure(seen)


@pytest.fixture(params=["waits", "runs on"])
def hasty(request, monkeypatch):
    """Whether nothing is waited for before the end of the pass, as on CUDA."""
    if request.param == "runs on":
        monkeypatch.setattr(observing, "_ASYNCHRONOUS", ("cpu",))
    return request.param == "runs on"


def test_what_is_verified_at_the_end_is_verified_alike(toy, monkeypatch):
    images = torch.randn(3, 3, 8, 12)
    expected, _ = seen_of(toy, images, ALL)
    monkeypatch.setattr(observing, "_ASYNCHRONOUS", ("cpu",))
    real = recorder.Comparison.verification
    monkeypatch.setattr(recorder.Comparison, "verification", lambda self, numbers: real(self, numbers))  # read together
    count_passes(monkeypatch, passes := [])
    found, _ = seen_of(toy, images, ALL)
    assert passes == [False]
    assert [call.error for call in found.layers] == pytest.approx([call.error for call in expected.layers], rel=1e-6)
    assert all(call.error > 0 for call in found.layers)


def count_passes(monkeypatch, passes):
    """Whether each pass was a careful one."""
    real = observing._pass

    def counted(*given, careful, **options):
        passes.append(careful)
        return real(*given, careful=careful, **options)

    monkeypatch.setattr(observing, "_pass", counted)


def test_nan_is_named_by_a_careful_pass(monkeypatch):
    monkeypatch.setattr(observing, "_ASYNCHRONOUS", ("cpu",))
    count_passes(monkeypatch, passes := [])
    toy = vitscope.wrap(ToyViT().eval())
    toy.trace((8, 12))
    with torch.no_grad():
        toy.model.layers[1].qkv.weight[-1, 0] = torch.nan  # of the values
    with pytest.raises(NotFiniteError, match=r"layers\.1"):
        toy.look(torch.randn(1, 3, 8, 12))
    assert passes == [False, True]


def test_what_a_hasty_pass_kept_is_let_go_before_the_careful_one(monkeypatch):
    monkeypatch.setattr(observing, "_ASYNCHRONOUS", ("cpu",))
    real, kept = observing._pass, []

    def watched(*given, careful, **options):
        assert not any(reference() for reference in kept)
        passed = real(*given, careful=careful, **options)
        kept.append(weakref.ref(passed.recorder))
        return passed

    monkeypatch.setattr(observing, "_pass", watched)
    monkeypatch.setattr(recorder.Recorder, "settle", lambda self: self._careful)
    vitscope.wrap(ToyViT().eval()).look(torch.randn(1, 3, 8, 12))
    assert len(kept) == 2


def test_a_size_at_which_something_was_wrong_is_looked_at_carefully_from_then_on(monkeypatch):
    monkeypatch.setattr(observing, "_ASYNCHRONOUS", ("cpu",))
    count_passes(monkeypatch, passes := [])
    real = recorder.compare
    monkeypatch.setattr(recorder, "compare", lambda *given: replace(real(*given), numbers=torch.ones(3)))
    toy = vitscope.wrap(ToyViT().eval())
    list(toy.measure(torch.randn(3, 3, 8, 12), [_Everything()], batch_size=1))
    assert passes == [False, True, True, True]
    list(toy.measure(torch.randn(1, 3, 12, 8), [_Everything()]))
    assert passes[4:] == [False, True]


@pytest.mark.parametrize("hasty", [False, True])
def test_layers_of_which_nothing_is_computed_are_not_verified(monkeypatch, hasty):
    if hasty:
        monkeypatch.setattr(observing, "_ASYNCHRONOUS", ("cpu",))
    verified = []

    def seen(call, *given, by):
        verified.append(call.name)
        return by(call, *given)

    for name in ("compare", "compare_outputs"):
        monkeypatch.setattr(recorder, name, partial(seen, by=getattr(recorder, name)))
    toy = vitscope.wrap(ToyViT().eval())
    for measures, expected in (
        ([vitscope.Heatmaps()], 1),
        ([_Shape()], 0),
        ([vitscope.MeanAttentionDistance()], len(toy.loaded.model.layers)),
        ([_Everything()], len(toy.loaded.model.layers)),
    ):
        verified.clear()
        list(toy.measure(torch.randn(1, 3, 8, 12), measures))
        assert len(verified) == expected
    ((_, errors),) = toy.measure(torch.randn(1, 3, 8, 12), [last := _Errors()])
    assert np.isnan(errors[last][:-1]).all()
    assert 0 < errors[last][-1] < 1e-5


class _Errors:
    """The verification errors of all layers; needs the last alone."""

    needs = Needs(layers=frozenset({-1}))

    def measure(self, seen):
        return np.array([[call.error for call in seen.layers]])


class _Everything:
    """A measure that does not say what it needs, and so gets all; its value is the largest error of a layer."""

    def measure(self, seen):
        return np.full(seen.images, max(call.error for call in seen.layers))


class _Shape:
    """A measure that needs no layer."""

    needs = Needs()

    def measure(self, seen):
        return np.zeros(seen.images)


def test_entropy_that_was_not_asked_for_is_refused(toy, monkeypatch):
    class Sly(Entropy):
        needs = Needs(statistics=frozenset({False}))

    real = compiled.attend

    def without(*given, **options):
        output, rows, matrix = real(*given, **options)
        return output, rows if options["whole"] else replace(rows, entropy=None), matrix

    monkeypatch.setattr(compiled, "attend", without)
    with pytest.raises(CaptureError, match="entropy=True"):
        list(toy.measure(torch.randn(1, 3, 8, 12), [Sly()]))
    list(toy.measure(torch.randn(1, 3, 8, 12), [Entropy()]))


@pytest.mark.parametrize("fault", ["output", "nan", "statistics only"])
@pytest.mark.usefixtures("hasty")
def test_an_output_that_is_not_the_models_is_not_used(toy, monkeypatch, fault):
    real = compiled.attend

    def attend(call, values, places, fusion=None, *, whole=True):
        output, *others = real(call, values, places, fusion, whole=whole)
        if fault == "output":
            output[:, -1] *= 1.01
        elif fault == "nan":
            output[0, 0, -1] = torch.nan
        return output, *others

    monkeypatch.setattr(compiled, "attend", attend)
    images = torch.randn(2, 3, 8, 12)
    seen, output = seen_of(toy, images, ALL)
    same = torch.equal(output, toy.model(images))
    assert same == (fault != "statistics only")
    assert all(call.refusal is None for call in seen.layers)


@pytest.mark.usefixtures("hasty")
def test_nan_in_a_row_that_is_not_verified_is_seen_too(toy, monkeypatch):
    real = compiled.attend

    def attend(call, values, places, fusion=None, *, whole=True):
        output, *others = real(call, values, places, fusion, whole=whole)
        output[0, 0, -1] = torch.nan
        return output, *others

    monkeypatch.setattr(compiled, "attend", attend)
    monkeypatch.setattr(recorder.Recorder, "_rows", lambda self, queries, device: torch.tensor([0]))
    images = torch.randn(1, 3, 8, 12)
    _, output = seen_of(toy, images, ALL)
    assert torch.equal(output, toy.model(images))


@pytest.mark.usefixtures("hasty")
def test_nan_in_a_layer_of_which_nothing_is_computed_is_told():
    scope = vitscope.wrap(ToyViT().eval())
    scope.trace((8, 12))
    with torch.no_grad():
        next(scope.model.layers[-1].parameters()).fill_(torch.nan)
    with pytest.raises(NotFiniteError, match="NaN or infinity"):
        list(scope.measure(torch.randn(1, 3, 8, 12), [_Shape()]))


def test_what_came_with_an_output_that_was_not_used_is_not_used(toy):
    images = torch.randn(1, 3, 8, 12)
    traced = toy.trace((8, 12))
    planned = plan_pass(traced, 1, images, [Entropy()], 2**30)
    one, other = (toy.look(torch.randn(1, 3, 8, 12)).attention_seen.layers[0] for _ in range(2))
    reduction = Reduction(planned, [(0, traced.calls[0].arrangement)])
    reduction.attend(0, one, torch.randn(1, one.heads, one.key_count, 3))
    reduction.take(0, other, attended=False)
    found = reduction.computed.statistics[0, False]
    expected = reference.row_statistics(other, places_of(traced.layout, False))
    torch.testing.assert_close(found.entropy, expected.entropy, rtol=1e-5, atol=1e-5)


def test_a_measure_that_says_nothing_of_its_needs_gets_everything(toy):
    class Queries:
        def measure(self, seen):
            return seen.layer(1).queries.numpy()

    ((_, found),) = toy.measure(torch.randn(1, 3, 8, 12), [measure := Queries()])
    assert np.isfinite(found[measure]).all()


@pytest.mark.usefixtures("hasty")
def test_a_refused_layer_raises_where_it_is_needed(toy, monkeypatch):
    doubted = toy.look(torch.zeros(1, 3, 8, 12)).layers[1].name

    def doubt(call, *others, by):
        found = by(call, *others)
        return replace(found, numbers=torch.ones(3)) if call.name == doubted else found

    for name in ("compare", "compare_outputs"):
        monkeypatch.setattr(recorder, name, partial(doubt, by=getattr(recorder, name)))
    images = torch.randn(1, 3, 8, 12)
    with pytest.raises(VerificationError, match=doubted):
        list(toy.measure(images, [Entropy()]))
    with pytest.raises(VerificationError, match=doubted):
        list(toy.measure(images, [Rollout()]))
    ((_, found),) = toy.measure(images, [Heatmaps(0)])
    assert np.isfinite(found[Heatmaps(0)]).all()


def test_inference_mode_and_threads(toy):
    images = torch.randn(2, 3, 8, 12)
    expected = [values for _, values in toy.measure(images, ALL)]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with torch.inference_mode():
            found = [values for _, values in toy.measure(images, ALL)]
            look = toy.look(images)
            look.rollout()
    finally:
        torch.set_num_threads(before)
    for one, other in zip(found, expected, strict=True):
        for measure in ALL:
            np.testing.assert_allclose(one[measure], other[measure], rtol=1e-4, atol=1e-6)


def test_the_default_dtype_does_not_reach_the_output(toy):
    images = torch.randn(2, 3, 8, 12)
    expected = toy.model(images).detach()
    try:
        torch.set_default_dtype(torch.bfloat16)
        _, output = seen_of(toy, images, ALL)
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_all_images_of_a_size_are_computed_alike(toy, monkeypatch):
    plans = []
    real = scope_module.plan_pass
    monkeypatch.setattr(scope_module, "plan_pass", lambda *given: plans.append(given[1]) or real(*given))
    list(toy.measure(torch.randn(5, 3, 8, 12), ALL, batch_size=2))
    assert plans == [2]
