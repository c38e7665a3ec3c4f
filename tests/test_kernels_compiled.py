"""The compiled body: its tiles, threads and products, and the calls that it leaves to others."""

import threading
from dataclasses import replace
from unittest import mock

import pytest
import torch

from calls import call_of, random_call
from kernel_cases import BASE, assert_close, assert_statistics_close, cut_small, draw, singles, stacks
from vitscope.attention.kernels import compiled, loops, products, reference, runs, threads
from vitscope.attention.kernels.products import times_transposed


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    cut_small(monkeypatch)


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
