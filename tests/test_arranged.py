"""Measures of windows and lattices, against dense siblings and answers worked out by hand."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch

from calls import call_of, random_call
from known_layouts import close, cut, numbered
from vitscope.arrangement import NOWHERE, Arrangement
from vitscope.attention.bias import DenseBias
from vitscope.attention.kernels.choice import body_for
from vitscope.layout import Layout
from vitscope.measures.arranged import Arranged
from vitscope.measures.lattices import spread

# Arrangements of every sort, and their plain sibling


def holes(tokens, count, seed):
    """Each window with so many tokens of padding put in at random."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation([*row, *[NOWHERE] * count]) for row in tokens])


def arrangement_of(name):
    layout = Layout((4, 6), (8, 5), ())
    coarse = Layout((2, 3), (16, 10), ())
    named, coarse_named = replace(layout, prefix=("cls", "reg1")), replace(coarse, prefix=("cls",))
    windows = cut((4, 6), (2, 3))
    moved = cut((4, 6), (2, 3), (1, 2))
    mixed = np.stack([windows[0], windows[1][::-1], *windows[2:]])
    rng = np.random.default_rng(3)
    some_keys = np.stack([rng.choice(24, 7, replace=False) for _ in range(4)])
    neighbours = np.stack([rng.choice(24, 5, replace=False) for _ in range(11)])
    neighbours[:5, 0] = range(5)  # so that all stand somewhere
    neighbours = np.concatenate([neighbours, np.arange(25).reshape(5, 5) % 24])
    return {
        "windows": Arrangement(layout, layout, windows, windows),
        "shifted": Arrangement(layout, layout, moved, moved),
        "one-backwards": Arrangement(layout, layout, mixed, mixed),
        "padded": Arrangement(layout, layout, holes(moved, 3, 1), holes(moved, 2, 2)),
        "padding-alone": Arrangement(layout, layout, *[np.concatenate([windows, np.full((1, 6), NOWHERE)])] * 2),
        "other-keys": Arrangement(layout, layout, windows, some_keys),
        "coarse-keys": Arrangement(layout, coarse, windows, cut((2, 3), (2, 3)).repeat(4, 0)),
        "coarse-queries": Arrangement(coarse, layout, np.array([[0, 1, 2], [3, 4, 5]]), cut((4, 6), (2, 6))),
        "overlapping": Arrangement(layout, layout, neighbours, neighbours),
        "overlapping-padded": Arrangement(layout, layout, holes(neighbours, 2, 4), holes(neighbours, 1, 5)),
        "prefix": Arrangement(named, named, np.r_[2:26, 0, 1][None], np.r_[0, 5, 2:5, 6:15, 1, 15:26][None]),
        "prefix-coarse-keys": Arrangement(named, coarse_named, np.arange(26)[None], np.arange(7)[None]),
    }[name]


NAMES = [
    "windows", "shifted", "one-backwards", "padded", "padding-alone", "other-keys", "coarse-keys", "coarse-queries",
    "overlapping", "overlapping-padded", "prefix", "prefix-coarse-keys",
]  # fmt: skip
IMAGES, HEADS = 2, 3


def arranged(name, body="tiled", dtype=torch.float64, kind="operands", seed=0):
    """A random call with a mask for each window, and the arrangement of that name."""
    arrangement = arrangement_of(name)
    (windows, queries), keys = arrangement.query_tokens.shape, arrangement.key_tokens.shape[1]
    call = random_call(IMAGES * windows, HEADS, queries, 5, keys=keys, dtype=dtype, seed=seed)
    mask = torch.randn(windows, 1, queries, keys, dtype=torch.float64).to(dtype)
    call = replace(call, bias=DenseBias(mask))
    if kind == "weights":
        call = call_of(call.weights(slice(None)))
    return Arranged(call, arrangement, body_for(call, body))


class Plain:
    """What `Arranged` gives, token by token, on NumPy arrays in float64."""

    def __init__(self, subject):
        self.arrangement = subject.arrangement
        weights = subject.call.weights(slice(None)).double()
        self.weights = weights.unflatten(0, (IMAGES, -1)).numpy()  # (images, windows, heads, queries, keys)
        self.windows_of = defaultdict(int)
        for _, _, query in self.placed(self.arrangement.query_tokens):
            self.windows_of[query] += 1

    @staticmethod
    def placed(tokens):
        """(window, position, number) of every token that is not padding."""
        return [
            (window, position, int(number))
            for window, row in enumerate(tokens)
            for position, number in enumerate(row)
            if number != NOWHERE
        ]

    def place(self, layout, number):
        """(y, x) in pixels; None for prefix tokens."""
        cell = number - len(layout.prefix)
        (height, width), (row, column) = layout.patch_size, divmod(cell, layout.grid[1])
        return None if cell < 0 else np.array([(row + 0.5) * height, (column + 0.5) * width])

    def dense(self, per_window):
        """(images, windows, …, queries, keys) → (images, …, all queries, all keys); means where windows overlap."""
        sides = (self.arrangement.queries.tokens, self.arrangement.keys.tokens)
        out = np.zeros((*per_window.shape[:1], *per_window.shape[2:-2], *sides))
        for window, row, query in self.placed(self.arrangement.query_tokens):
            for other, column, key in self.placed(self.arrangement.key_tokens):
                if other == window:
                    share = per_window[:, window, ..., row, column] / self.windows_of[query]
                    out[..., query, key] += share
        return out

    def fused(self, fusion):
        """(images, windows, queries, keys); without padding as keys."""
        fused = getattr(self.weights, fusion)(2)
        return np.where(self.arrangement.key_tokens[:, None] == NOWHERE, 0, fused)

    def threshold(self, fusion, discard):
        """Of each image: the k-th smallest of what is not padding, k = ⌊discard·n⌋ + 1."""
        real = [side != NOWHERE for side in (self.arrangement.query_tokens, self.arrangement.key_tokens)]
        both = real[0][:, :, None] & real[1][:, None]
        entries = np.sort(self.fused(fusion)[:, both], -1)
        return entries[:, int(discard * entries.shape[-1])]

    def factor(self, fusion, discard):
        """To the keys (images, queries, keys), and what stays (images, queries)."""
        fused = self.fused(fusion)
        if discard:
            fused = np.where(fused < self.threshold(fusion, discard)[:, None, None, None], 0, fused)
        shares = 1 / (fused.sum(-1, keepdims=True) + 1)
        diagonal = np.zeros((IMAGES, self.arrangement.queries.tokens))
        for window, row, query in self.placed(self.arrangement.query_tokens):
            diagonal[:, query] += shares[:, window, row, 0] / self.windows_of[query]
        return self.dense(fused * shares), diagonal

    def statistics(self):
        """Means over all queries of all windows that stand on a place: (images, heads)."""
        queries, keys = self.arrangement.queries, self.arrangement.keys
        found = defaultdict(list)
        for window, row, query in self.placed(self.arrangement.query_tokens):
            here = self.place(queries, query)
            if here is None:
                continue
            weights = self.weights[:, window, :, row]  # (images, heads, keys)
            walks, mass = defaultdict(int), 0
            prefix = [0] * len(keys.prefix)
            for other, column, key in self.placed(self.arrangement.key_tokens):
                if other != window:
                    continue
                there = self.place(keys, key)
                if there is None:
                    prefix[key] = weights[..., column]
                    continue
                apart = np.hypot(*(here - there))
                mass = mass + weights[..., column]
                for power in (1, 2):
                    walks[power] = walks[power] + weights[..., column] * apart**power
            found["distance"].append(walks[1])
            found["squared_distance"].append(walks[2])
            found["rescaled_distance"].append(walks[1] / mass)
            found["entropy"].append(-(weights * np.log(weights)).sum(-1))
            found["largest"].append(weights.max(-1))
            found["prefix_mass"].append(np.stack(prefix, -1) if prefix else np.zeros((*weights.shape[:2], 0)))
        return {name: np.mean(rows, 0) for name, rows in found.items()}


BODIES = [("tiled", torch.float64, "operands"), ("tiled", torch.float32, "operands"),
          ("compiled", torch.float32, "operands"), ("tiled", torch.float64, "weights")]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("body", "dtype", "kind"), BODIES)
def test_statistics_columns_and_rows_equal_those_of_dense_matrices(name, body, dtype, kind):
    subject = arranged(name, body, dtype, kind)
    assert subject.body.__name__.endswith(body)
    plain = Plain(subject)
    statistics = subject.row_statistics()
    for field, expected in plain.statistics().items():
        close(getattr(statistics, field), expected, dtype)
    expected = subject.call.logits(slice(None)).logsumexp(-1)
    np.testing.assert_allclose(statistics.normalisers, expected, atol=1e-5)
    dense = plain.dense(plain.weights)  # (images, heads, queries, keys)
    vector = torch.rand(IMAGES, dense.shape[2], dtype=dtype)
    for normalisers in (None, statistics.normalisers):
        sums = subject.column_sums(vector, normalisers)
        close(sums, np.einsum("iq,ihqk->ihk", vector.double(), dense), dtype)
    for token in sorted(plain.windows_of):
        close(subject.row(token), dense[:, :, token], dtype)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
@pytest.mark.parametrize("discard", [0.0, 0.4])
@pytest.mark.parametrize("tile", [2**20, 200])
def test_factors_of_the_rollout_equal_those_of_dense_matrices(name, fusion, discard, tile, monkeypatch):
    monkeypatch.setattr("vitscope.measures.arranged._TILE_ENTRIES", tile)
    for dtype in (torch.float64, torch.float32):
        subject = arranged(name, dtype=dtype)
        plain = Plain(subject)
        expected, stays = plain.factor(fusion, discard)
        if discard:
            close(subject.threshold(fusion, discard), plain.threshold(fusion, discard), dtype)
        factor, diagonal = subject.factor(fusion, discard)
        close(factor, expected, dtype)
        close(diagonal, stays, dtype)
        asked = np.array(sorted(plain.windows_of))
        np.testing.assert_allclose((factor.sum(-1) + diagonal)[:, asked], 1, rtol=1e-5)
        vector = torch.rand(IMAGES, expected.shape[1], dtype=dtype)
        to_keys, kept = subject.vector_times_fused(vector, fusion, discard)
        close(to_keys, np.einsum("iq,iqk->ik", vector.double(), expected), dtype)
        close(kept, vector.double().numpy() * stays, dtype)


@pytest.mark.parametrize("axes", [(1,), (2,), (1, 2)])
def test_flips_of_the_picture_change_no_statistic(axes):
    for name in ("padded", "overlapping", "coarse-keys"):
        subject = arranged(name)
        arrangement = subject.arrangement

        def flipped(tokens, layout):
            order = np.append(torch.flip(numbered(layout.grid), axes).flatten() - 1, NOWHERE)
            return order[tokens]

        queries = flipped(arrangement.query_tokens, arrangement.queries)
        keys = flipped(arrangement.key_tokens, arrangement.keys)
        mirrored = replace(subject, arrangement=Arrangement(arrangement.queries, arrangement.keys, queries, keys))
        one, other = subject.row_statistics(), mirrored.row_statistics()
        for field in ("distance", "squared_distance", "rescaled_distance", "entropy", "largest"):
            close(getattr(one, field), getattr(other, field).numpy())


def test_windows_that_stand_alike_share_a_pass_and_cover_all():
    for name in NAMES:
        arrangement = arrangement_of(name)
        groups = arrangement.alike
        assert sorted(np.concatenate([group.windows for group in groups])) == list(range(arrangement.windows))
    assert [len(arrangement_of(name).alike) for name in ("windows", "one-backwards", "shifted")] == [1, 2, 4]


# From lattice to lattice


def pooling(source, target):
    """What `spread` multiplies by: (source tokens, target tokens)."""
    return spread(torch.eye(source.tokens, dtype=torch.float64), source, target)


@pytest.mark.parametrize(
    ("source", "target"), [((2, 3), (4, 6)), ((4, 6), (2, 3)), ((4, 3), (2, 6)), ((3, 5), (7, 11)), ((7, 11), (3, 5))]
)
def test_each_token_is_a_mean_of_others(source, target):
    layouts = [Layout(grid, (84 / grid[0], 330 / grid[1]), ()) for grid in (source, target)]
    matrix = pooling(*layouts)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(1), 1)
    assert torch.equal(pooling(layouts[0], layouts[0]), torch.eye(layouts[0].patches, dtype=torch.float64))


def test_coarse_cells_are_the_mean_of_four_and_fine_ones_lie_in_the_nearest():
    coarse, fine = Layout((2, 3), (8, 10), ()), Layout((4, 6), (4, 5), ())
    expected = np.zeros((6, 24))
    for row in range(4):
        for column in range(6):
            expected[row // 2 * 3 + column // 2, row * 6 + column] = 1 / 4
    np.testing.assert_array_equal(pooling(coarse, fine), expected)
    np.testing.assert_array_equal(pooling(fine, coarse), (expected > 0).T)


def test_prefix_tokens_go_by_their_names():
    source, target = Layout((1, 2), (4, 4), ("reg1", "cls", "reg2")), Layout((1, 2), (4, 4), ("cls", "dist", "reg1"))
    found = spread(torch.tensor([[3.0, 5.0, 7.0, 11.0, 13.0]]), source, target)
    np.testing.assert_array_equal(found, [[5, 0, 3, 11, 13]])


@pytest.mark.parametrize("count", range(3, 32, 4))
def test_an_odd_row_alone_in_its_coarse_one_keeps_its_share(count):
    fine, coarse = Layout((count, 1), (4, 4), ()), Layout(((count + 1) // 2, 1), (8, 4), ())
    matrix = pooling(coarse, fine).numpy()
    assert (matrix.sum(0) > 0).all()
    assert matrix[-1, -1] == 1
