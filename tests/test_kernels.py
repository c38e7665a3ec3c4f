"""Every body of the kernels equals the plain one on random shapes."""

import threading
from dataclasses import fields, replace
from unittest import mock

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from calls import call_of, random_call, relative_bias
from vitscope.attention.bias import DenseBias
from vitscope.attention.kernels import compiled, loops, products, reference, runs, threads, tiled
from vitscope.attention.kernels.products import times_transposed
from vitscope.attention.kernels.statistics import Places

SHAPES = st.fixed_dictionaries(
    {
        "images": st.sampled_from([1, 2, 3]),
        "heads": st.sampled_from([1, 2, 5]),
        "grid": st.sampled_from([(1, 1), (3, 7), (5, 2), (11, 13)]),
        "prefix": st.sampled_from([0, 1, 2, 5]),
        "keys": st.sampled_from(["same", "fewer", "more"]),
        "dim": st.sampled_from([1, 7]),
        "bias": st.sampled_from(["none", "dense", "one for all heads", "relative", "hidden keys"]),
        "sharpness": st.sampled_from([0.1, 3.0, 40.0]),
        "seed": st.integers(0, 999),
    }
)


class CompiledWith:
    """The compiled body as it is on machines where MKL is quick, or is not."""

    def __init__(self, *, mkl_is_quick):
        self._quick = mkl_is_quick

    def __getattr__(self, name):
        def run(*given, **options):
            with mock.patch.object(products, "_MKL_IS_QUICK", self._quick):
                return getattr(compiled, name)(*given, **options)

        return run


stacks, singles = CompiledWith(mkl_is_quick=True), CompiledWith(mkl_is_quick=False)
# (body, dtype of queries and keys, tolerance as a fraction of the largest): sums are in float32 but for float64
BODIES = [
    pytest.param(tiled, torch.float64, 1e-12, id="tiled-float64"),
    pytest.param(tiled, torch.float32, 2e-5, id="tiled-float32"),
    *(
        pytest.param(body, dtype, 2e-5, id=f"compiled-{name}-{str(dtype).removeprefix('torch.')}")
        for name, body in {"stacks": stacks, "singles": singles}.items()
        for dtype in (torch.float32, torch.float16, torch.bfloat16)
    ),
]


def draw(shape, dtype, *, square=False):
    """A random call, and where its queries and keys stand."""
    (rows, columns), prefix = shape["grid"], shape["prefix"]
    tokens = prefix + rows * columns
    relative = shape["bias"] == "relative"
    same = square or relative or shape["keys"] == "same"
    key_places = rows * columns if same else {"fewer": 1, "more": rows * columns + 6}[shape["keys"]]
    keys = prefix + key_places
    names = ("images", "heads", "dim", "sharpness", "seed")
    call = random_call(tokens=tokens, keys=keys, dtype=dtype, **{name: shape[name] for name in names})
    generator = torch.Generator().manual_seed(shape["seed"])
    if relative:
        call = replace(call, bias=relative_bias(shape["grid"], prefix, shape["heads"], shape["seed"]))
    elif shape["bias"] == "hidden keys":
        hidden = torch.rand(1, 1, 1, keys, generator=generator) < 0.4
        hidden[..., -1] = False
        call = replace(call, bias=DenseBias(torch.zeros(hidden.shape).masked_fill(hidden, -torch.inf)))
    elif shape["bias"] != "none":
        heads = 1 if shape["bias"] == "one for all heads" else shape["heads"]
        call = replace(call, bias=DenseBias(torch.randn(1, heads, tokens, keys, generator=generator)))
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    places = torch.stack([y.flatten() * 3.0, x.flatten() * 2.0], 1).double()
    own = places if same else torch.rand(key_places, 2, generator=generator).double() * 9
    fewer = 0 if same else prefix // 2  # on the other side, of tokens that stand nowhere
    return call, Places(torch.cat([places[:fewer], places]), own)


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    monkeypatch.setattr(tiled, "_TILE_BYTES", 4096)  # so that even small layers take many tiles
    for kind in (runs._Stacks, runs._Singles):
        monkeypatch.setattr(kind, "tile_bytes", 4096)
    monkeypatch.setattr(runs, "_LEAST_ROWS", 1)


def test_weights_that_do_not_sum_to_one_are_taken_as_they_are():
    generator = torch.Generator().manual_seed(0)
    call = call_of(torch.rand(2, 3, 29, 29, generator=generator, dtype=torch.float64) - 0.1)  # some below 0
    places = Places(*[torch.rand(27, 2, generator=generator, dtype=torch.float64)] * 2)
    found, expected = (body.row_statistics(call, places) for body in (tiled, reference))
    for name in ("distance", "squared_distance", "rescaled_distance", "largest", "prefix_mass"):
        assert_close(getattr(found, name), getattr(expected, name), 1e-8)


@pytest.mark.parametrize("body", [stacks, singles])
@pytest.mark.parametrize("rows", [1, 2])
def test_tiles_of_prefix_tokens_alone(monkeypatch, rows, body):
    call, places = draw({**BASE, "prefix": 5}, torch.float32)
    for kind in (runs._Stacks, runs._Singles):
        monkeypatch.setattr(kind, "tile_bytes", 4 * call.key_count * rows)
    monkeypatch.setattr(runs, "_LEAST_ROWS", 1)
    assert_statistics_close(body.row_statistics(call, places), reference.row_statistics(call, places), 1e-5)


@pytest.mark.parametrize("body", [stacks, singles])
@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
@pytest.mark.parametrize("queries", [[0], [4, 5], [1, 8], []])
def test_rows_that_weigh_nothing_are_not_computed(monkeypatch, body, fusion, queries):
    call, _ = draw(BASE, torch.float32, square=True)
    for kind in (runs._Stacks, runs._Singles):
        monkeypatch.setattr(kind, "tile_bytes", 4 * call.key_count * 3)
    monkeypatch.setattr(runs, "_LEAST_ROWS", 1)
    vector = torch.zeros(call.images, call.query_count)
    vector[:, queries] = torch.rand(len(queries))
    known = reference.normalisers(call)
    spies = [mock.Mock(wraps=loop) for loop in (loops.fuse, loops.add_columns)]
    for name, spy in zip(("fuse", "add_columns"), spies, strict=True):
        monkeypatch.setattr(loops, name, spy)
    found = body.vector_times_rollout_layer(call, vector, fusion, None, known)
    assert_close(found, reference.vector_times_rollout_layer(call, vector, fusion), 1e-5)
    tiles = [each.args[0] for spy in spies for each in spy.call_args_list]  # of three rows or fewer
    assert sum(tile.shape[0] * tile.shape[1] for tile in tiles) <= call.images * call.heads * 3 * len(queries)


@pytest.mark.parametrize("bias", ["dense", "one for all heads"])
@pytest.mark.parametrize("share", [2, 0.4])  # of the rows of a head, in a tile: 2, 2 and 1 heads; or some rows of one
def test_heads_that_share_a_tile(monkeypatch, share, bias):
    call, places = draw({**BASE, "bias": bias}, torch.float32)
    monkeypatch.setattr(runs._Stacks, "tile_bytes", int(4 * call.key_count * call.query_count * share))
    values = torch.randn(call.images, call.heads, call.key_count, 3)
    output, statistics, matrix = stacks.attend(call, values, places, "mean")
    expected, known, _ = reference.attend(call, values, places)
    assert_close(output, expected, 1e-5)
    assert_statistics_close(statistics, known, 1e-5)
    vector = torch.rand(call.images, call.query_count)
    assert_close(
        stacks.vector_times_stored_layer(call, matrix, vector),
        reference.vector_times_rollout_layer(call, vector, "mean"),
        1e-4,
    )
    columns = reference.column_sums(call, vector, known.normalisers)
    assert_close(stacks.column_sums(call, vector, known.normalisers), columns, 1e-5)


def test_work_that_was_shared_leaves_the_setting_of_threads_be():
    before, inside, after = torch.get_num_threads(), [], []
    try:
        torch.set_num_threads(3)
        threads.share(lambda _: inside.append(torch.get_num_threads()), range(9))
        other = threading.Thread(target=lambda: after.append(torch.get_num_threads()))
        other.start()
        other.join()
        assert inside == [1] * 9
        assert after == [torch.get_num_threads()] == [3]
    finally:
        torch.set_num_threads(before)


def assert_close(found, expected, tolerance):
    """Equal to a fraction of the largest entry, or of 1; NaN where NaN is expected."""
    assert found.shape == expected.shape
    scale = float(expected.nan_to_num().abs().max()) if expected.numel() else 0
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance * max(scale, 1), equal_nan=True)


def assert_statistics_close(found, expected, tolerance):
    for field in fields(expected):
        assert_close(getattr(found, field.name), getattr(expected, field.name), tolerance)


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES)
@settings(max_examples=40)
@given(shape=SHAPES)
def test_row_statistics_equal_the_reference(body, dtype, tolerance, shape):
    call, places = draw(shape, dtype)
    expected = reference.row_statistics(call, places)
    assert_statistics_close(body.row_statistics(call, places), expected, tolerance)
    assert_close(body.normalisers(call), expected.normalisers, tolerance)


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES)
@settings(max_examples=25)
@given(shape=SHAPES)
def test_output_and_statistics_together_equal_the_reference(body, dtype, tolerance, shape):
    call, places = draw(shape, dtype)
    values = torch.randn(call.images, call.heads, call.key_count, 3).to(dtype)
    found, statistics, nothing = body.attend(call, values, places)
    expected, plain, _ = reference.attend(call, values, places)
    assert nothing is None
    assert_close(found, expected, tolerance)
    assert_statistics_close(statistics, plain, tolerance)


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES[1:])
@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
@settings(max_examples=15)
@given(shape=SHAPES)
def test_statistics_and_fused_heads_equal_the_reference(body, dtype, tolerance, fusion, shape):
    call, places = draw(shape, dtype, square=True)
    values = torch.randn(call.images, call.heads, call.key_count, 3)
    vector = torch.rand(call.images, call.query_count)
    expected = reference.vector_times_rollout_layer(call, vector, fusion)
    for found, matrix in (
        body.statistics_and_fused(call, places, fusion),
        body.attend(call, values, places, fusion)[1:],
        reference.statistics_and_fused(call, places, fusion),
    ):
        assert_statistics_close(found, reference.row_statistics(call, places), tolerance)
        stored = reference.vector_times_stored_layer(call, matrix, vector)
        assert_close(stored, expected, 1e-4)  # 16 bits
        column_major = vector.T.contiguous().T
        assert_close(body.vector_times_stored_layer(call, matrix, column_major), stored, 1e-5)


@pytest.mark.parametrize("body", [compiled, tiled])
def test_fused_heads_are_kept_to_half_a_step_of_their_rows_largest(body):
    call, places = draw({**BASE, "sharpness": 9.0}, torch.float32, square=True)
    _, matrix = body.statistics_and_fused(call, places, "max")
    expected = reference.fused(call, "max")
    step = expected.amax(-1, keepdim=True) / (2**15 - 1)
    assert (
        float(((matrix.levels * matrix.steps[..., None] - expected).abs() / step).max()) < 0.6
    )  # the rest is float32's own rounding


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES)
@settings(max_examples=25)
@given(shape=SHAPES)
def test_moments_equal_the_reference(body, dtype, tolerance, shape):
    call, places = draw(shape, dtype)
    found, expected = body.moments(call, places), reference.moments(call, places)
    known = expected.mass > 1e-6  # below, next to nothing is divided by next to nothing
    assert_close(found.mass, expected.mass, tolerance)
    assert_close(found.centroid[known], expected.centroid[known], 10 * tolerance)
    extent = float((places.keys - places.keys.mean(0)).square().sum(1).max())  # covariances are differences of such
    wrong = (found.covariance - expected.covariance)[known].abs()
    assert not known.any() or float(wrong.max()) <= 10 * tolerance * max(extent, 1)


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES)
@settings(max_examples=25)
@given(shape=SHAPES)
def test_column_sums_equal_the_reference(body, dtype, tolerance, shape):
    call, _ = draw(shape, dtype)
    vector = torch.rand(call.images, call.query_count).to(call.dtype)
    arguments = (call, vector, reference.normalisers(call))
    assert_close(body.column_sums(*arguments), reference.column_sums(*arguments), tolerance)


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES)
@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
@settings(max_examples=15)
@given(shape=SHAPES, discard=st.sampled_from([0.0, 0.3, 0.9]), known=st.booleans())
def test_rollout_kernels_equal_the_reference(body, dtype, tolerance, fusion, shape, discard, known):
    call, _ = draw(shape, dtype, square=True)
    least = body.threshold(call, fusion, discard) if discard else None
    if discard:
        assert_close(least, reference.threshold(call, fusion, discard), tolerance)
        least = between_entries(call, fusion, least)
    vector = torch.rand(call.images, call.query_count).to(call.dtype)
    assert_close(body.rollout_layer(call, fusion, least), reference.rollout_layer(call, fusion, least), 10 * tolerance)
    normalisers = body.normalisers(call) if known else None
    found = body.vector_times_rollout_layer(call, vector, fusion, least, normalisers)
    assert_close(found, reference.vector_times_rollout_layer(call, vector, fusion, least), 10 * tolerance)


def between_entries(call, fusion, least):
    """Bounds as near `least` as can be with no entry close by, which rounding would put on either side."""
    bounds = []
    for entries, bound in zip(reference.fused(call, fusion).flatten(1), least, strict=True):
        ordered = torch.cat([entries.new_zeros(1), entries]).sort().values
        gaps = ordered[1:] / ordered[:-1].clamp_min(1e-30)
        wide = torch.nonzero((gaps > 1.01) & (ordered[:-1] >= bound * 0.5))
        if len(wide):
            first = int(wide[0])
            bounds.append((ordered[first] * ordered[first + 1]).sqrt())
        else:
            bounds.append(2 * ordered[-1])
    return torch.stack(bounds)


@pytest.mark.parametrize(("body", "dtype", "tolerance"), BODIES)
@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
def test_ties_at_the_threshold_stay(body, dtype, tolerance, fusion):
    call, _ = draw({**BASE, "sharpness": 0.0, "bias": "none"}, dtype, square=True)  # uniform: all entries are equal
    vector = torch.rand(call.images, call.query_count).to(call.dtype)
    least = body.threshold(call, fusion, 0.9)
    found = body.vector_times_rollout_layer(call, vector, fusion, least, body.normalisers(call))
    assert_close(found, body.vector_times_rollout_layer(call, vector, fusion), 10 * tolerance)


@pytest.mark.parametrize("body", [tiled, stacks, singles])
def test_hidden_keys_receive_nothing_at_all(body):
    call, _ = draw({**BASE, "bias": "hidden keys"}, torch.float32)
    hidden = call.bias.term[0, 0, 0] == -torch.inf
    vector = torch.ones(call.images, call.query_count)
    columns = body.column_sums(call, vector, body.normalisers(call))
    assert hidden.any()
    assert (columns[..., hidden] == 0).all()
    assert (columns[..., ~hidden] > 0).all()


@settings(max_examples=25)
@given(shape=SHAPES)
def test_fused_matrix_equals_the_reference(shape):
    call, _ = draw(shape, torch.float64)
    torch.testing.assert_close(tiled.fused(call, "max"), reference.fused(call, "max"))


BASE = {"images": 2, "heads": 5, "grid": (11, 13), "prefix": 2, "keys": "same", "dim": 7, "bias": "dense",
        "sharpness": 3.0, "seed": 3}  # fmt: skip


@pytest.mark.parametrize("body", [stacks, singles])
@pytest.mark.parametrize("threads", [2, 3, 80])  # with 80, the first run is of prefix tokens alone
def test_threads_change_nothing(threads, body):
    call, places = draw(BASE, torch.float32)
    values = torch.randn(call.images, call.heads, call.key_count, 3)
    vector = torch.rand(call.images, call.query_count)

    def all_of_it():
        statistics, fused = body.statistics_and_fused(call, places, "max")
        output, together, also_fused = body.attend(call, values, places, "max")
        results = [output, body.column_sums(call, vector, statistics.normalisers), body.normalisers(call)]
        results += [body.vector_times_stored_layer(call, matrix, vector) for matrix in (fused, also_fused)]
        return results, [statistics, together, body.row_statistics(call, places)]

    alone = all_of_it()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        results, statistics = all_of_it()
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for found, expected in zip(results, alone[0], strict=True):
        assert_close(found, expected, 1e-6)
    for found, expected in zip(statistics, alone[1], strict=True):
        assert_statistics_close(found, expected, 1e-6)


def test_distances_that_were_interrupted_are_computed_again(monkeypatch):
    call, places = draw(BASE, torch.float32)
    with monkeypatch.context() as patch:
        patch.setattr(compiled.loops, "fill_distances", mock.Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            compiled.row_statistics(call, places)
    assert_statistics_close(compiled.row_statistics(call, places), reference.row_statistics(call, places), 1e-5)


def test_compiled_loops_leave_other_calls_to_the_tiled_body():
    call = random_call(dtype=torch.float32)
    assert compiled.supports(call)
    assert not compiled.supports(random_call(dtype=torch.float64))
    assert not compiled.supports(replace(call, logits_dtype=torch.bfloat16))
    assert not compiled.supports(call_of(torch.rand(1, 1, 3, 3)))


def test_threshold_is_an_entry_of_the_float32_matrix():
    call = random_call(images=1, tokens=67, dtype=torch.float32)
    entries = reference.fused(call, "mean").flatten().sort().values
    found = tiled.threshold(call, "mean", 0.9)
    assert float(found) == pytest.approx(float(entries[int(0.9 * 67 * 67)]), rel=1e-6)


def test_products_equal_pytorchs_own():
    rows, keys = torch.randn(13, 7), torch.randn(29, 7)
    torch.testing.assert_close(times_transposed(rows, keys), rows @ keys.T)


@pytest.mark.parametrize(
    ("processor", "quick"), [("Intel Xeon", True), ("AMD EPYC 9R14", False), ("", False), (None, False)]
)
def test_mkl_is_taken_to_be_quick_on_intels_processors_alone(monkeypatch, processor, quick):
    known = {} if processor is None else {"cpu_name": processor}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    assert products._mkl_is_quick() is quick
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    assert not products._mkl_is_quick()


def test_statistics_by_hand():
    # two patches 10 apart and a prefix token; the first looks half away, the second all at home
    weights = torch.tensor([[0.2, 0.3, 0.5], [0.0, 0.5, 0.5], [0.4, 0.0, 0.6]], dtype=torch.float64)
    places = torch.tensor([[0.0, 0.0], [6.0, 8.0]], dtype=torch.float64)
    for module in (reference, tiled):
        rows = module.row_statistics(call_of(weights[None, None]), Places(places, places))
        assert float(rows.distance) == pytest.approx((5.0 + 0.0) / 2)
        assert float(rows.squared_distance) == pytest.approx((50.0 + 0.0) / 2)
        assert float(rows.rescaled_distance) == pytest.approx((5.0 + 0.0) / 2)
        assert float(rows.largest) == pytest.approx((0.5 + 0.6) / 2)
        assert float(rows.prefix_mass) == pytest.approx(0.2)
        assert float(rows.entropy) == pytest.approx((0.693147 + 0.673012) / 2, abs=1e-6)
        moments = module.moments(call_of(weights[None, None]), Places(places, places))
        assert moments.centroid[0, 0, 1].tolist() == pytest.approx([3.0, 4.0])  # half on each patch
        assert moments.covariance[0, 0, 1].tolist() == pytest.approx([9.0, 16.0, 12.0])
        assert moments.covariance[0, 0, 2].tolist() == pytest.approx([0.0, 0.0, 0.0])


def test_biases_reach_the_weights():
    call = random_call(images=1, bias=True)
    without = random_call(images=1)
    expected = torch.softmax(without.logits(slice(None)) + call.bias.term, -1)
    torch.testing.assert_close(call.weights(slice(None)), expected)
