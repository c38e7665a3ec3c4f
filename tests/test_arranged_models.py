"""Measures through windows and merged tokens, in models whose answer is known or can be worked out by hand."""

import numpy as np
import pytest
import timm
import torch
from torch import nn

import vitscope
from calls import random_call
from known_layouts import close, cut
from vitscope.arrangement import Arrangement
from vitscope.layout import Layout
from vitscope.measures.seen import Seen


def swin(size, depths, *, embed_dim=30, heads=3, **options):
    model = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=size, embed_dim=embed_dim, depths=depths, num_classes=2,
        num_heads=(heads,) * len(depths), **options,
    )  # fmt: skip
    return model.eval().double()


@torch.no_grad()
def uniform(model):
    """The same with uniform attention over what the masks leave: queries and keys as good as zero, and no bias."""
    for block in (block for stage in model.layers for block in stage.blocks):
        attention, width = block.attn, block.attn.qkv.in_features
        attention.qkv.weight[: 2 * width] *= 1e-8  # not 0: it must be seen where they stand
        attention.qkv.bias[: 2 * width] = 0
        attention.relative_position_bias_table.zero_()
    return model


def runs_of(side, shift, window=7):
    """The rows of cells that see one another: windows, those cut by the picture's edge in two."""
    if not shift:
        return [range(first, first + window) for first in range(0, side, window)]
    inner = [range(first, first + window) for first in range(shift, side - window + shift, window)]
    return [*inner, range(side - window + shift, side), range(shift)]


def regions(side, shift):
    """Cells (row, column) of every region."""
    runs = runs_of(side, shift)
    return [[(row, column) for row in rows for column in columns] for rows in runs for columns in runs]


def mean_distance(side, shift, patch):
    """Of uniform attention within regions, by its definition."""
    total = 0.0
    for region in regions(side, shift):
        places = patch * np.array(region, dtype=float)
        total += np.linalg.norm(places[:, None] - places, axis=-1).mean(1).sum()
    return total / side**2


def test_mean_distance_of_uniform_windows_has_the_closed_form():
    look = vitscope.wrap(uniform(swin(224, (2, 2, 2)))).look(torch.randn(1, 3, 224, 224, dtype=torch.float64))
    for rescale in (False, True):
        found = look.mean_attention_distance(rescale)[0]  # (layers, heads)
        for stage, side in enumerate((56, 28, 14)):
            np.testing.assert_allclose(found[2 * stage], 14.437862 * 2**stage, rtol=1e-7)
            np.testing.assert_allclose(found[2 * stage + 1], mean_distance(side, 3, 4 * 2**stage), rtol=1e-9)
        np.testing.assert_allclose(found[1], 13.593857, rtol=1e-7)
    sizes = [len(region) for region in regions(56, 3) for _ in region]
    np.testing.assert_allclose(look.entropy()[0, :2], [[np.log(49)] * 3, [np.log(sizes).mean()] * 3])


def block_uniform(side, shift):
    """(cells, cells) of uniform attention within regions."""
    matrix = np.zeros((side**2, side**2))
    for region in regions(side, shift):
        numbers = [row * side + column for row, column in region]
        matrix[np.ix_(numbers, numbers)] = 1 / len(region)
    return matrix


def merging(side):
    """(coarse cells, cells): each the mean of two by two."""
    matrix = np.zeros((side**2 // 4, side**2))
    for row in range(side):
        for column in range(side):
            matrix[row // 2 * (side // 2) + column // 2, row * side + column] = 1 / 4
    return matrix


def require_rollout(look, factors, arguments=()):
    """Every rollout of a look equals the product of dense factors (of one image), each with its merging."""
    fine = look.layout.grid
    coarse = look.layers[-1].grid
    whole = np.linalg.multi_dot(factors[::-1])
    close(look.rollout_matrix(*arguments)[0], whole)
    close(look.rollout(*arguments)[0], whole.mean(0).reshape(fine))
    query = (coarse[0] - 2, 1)
    row = whole[query[0] * coarse[1] + query[1]].reshape(fine)
    close(look.rollout(*arguments, query=query)[0], row)
    every = look.rollout_by_start_layer(*arguments, query=query)[0]
    close(every[0], row)
    return every, query


def half(attention):
    return (attention + np.eye(len(attention))) / 2


def test_rollout_of_uniform_windows_is_as_by_hand():
    look = vitscope.wrap(uniform(swin(56, (2, 2)))).look(torch.randn(1, 3, 56, 56, dtype=torch.float64))
    first, second = half(block_uniform(14, 0)), half(block_uniform(14, 3))
    last = half(np.full((49, 49), 1 / 49))
    factors = [first, second, last @ merging(14), last]
    for arguments in ((), ("max",)):
        every, (row, column) = require_rollout(look, factors, arguments)
        token = row * 7 + column
        close(every[1], (last @ last @ merging(14) @ second)[token].reshape(14, 14))
        close(every[2], (last @ last @ merging(14))[token].reshape(14, 14))
        close(every[3], (last @ merging(14))[token].reshape(14, 14))
        close(look.rollout_matrix(*arguments, start_layer=2)[0], last @ last @ merging(14))


def test_rollout_through_attention_to_itself_is_the_merging_alone():
    """Every token looks at itself, so that only merging is left."""

    class Itself(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.qk = nn.Linear(width, width)

        def forward(self, x):
            keys = nn.functional.normalize(self.qk(x), dim=-1)[:, None]  # (images, 1, tokens, width)
            return nn.functional.scaled_dot_product_attention(keys, keys, x[:, None], scale=1e9)[:, 0]

    class Merging(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch_embed, self.merge = nn.Conv2d(3, 13, 4, 4), nn.Conv2d(13, 11, 2, 2)
            self.fine, self.coarse, self.head = Itself(13), Itself(11), nn.Linear(11, 2)

        def forward(self, images):
            x = self.patch_embed(images)
            x = x + self.fine(x.flatten(2).mT).mT.unflatten(2, x.shape[2:])
            x = self.merge(x).flatten(2).mT
            return self.head((x + self.coarse(x)).mean(1))

    look = vitscope.wrap(Merging().eval().double()).look(torch.randn(1, 3, 32, 32, dtype=torch.float64))
    assert [layer.grid for layer in look.layers] == [(8, 8), (4, 4)]
    require_rollout(look, [np.eye(64), merging(8)])
    require_rollout(look, [np.eye(64), merging(8)], ("max", 0.4))


# A Swin with random, sharp attention, against the weights that its own softmax gives


@pytest.fixture(scope="module")
def random_swin():
    """A look at two images; and of each layer the weights and the cells of its windows."""
    torch.manual_seed(5)
    model = swin((56, 112), (2, 2))
    with torch.no_grad():
        for module in model.modules():
            if hasattr(module, "qkv"):
                module.qkv.weight.normal_(std=0.4)
    images = torch.randn(2, 3, 56, 112, dtype=torch.float64)
    look = vitscope.wrap(model).look(images)
    taken = []
    for block in (block for stage in model.layers for block in stage.blocks):
        block.attn.fused_attn = False
        block.attn.softmax.register_forward_hook(lambda _module, _inputs, output: taken.append(output))
    with torch.no_grad():
        model(images)
    grids = [(14, 28), (14, 28), (7, 14), (7, 14)]
    shifts = [(0, 0), (3, 3), (0, 0), (0, 3)]
    windows = [cut(grid, (7, 7), shift) for grid, shift in zip(grids, shifts, strict=True)]
    weights = [part.unflatten(0, (2, -1)).numpy() for part in taken]  # (images, windows, heads, 49, 49)
    return look, weights, windows


def scattered(weights, windows, count):
    """(images, windows, …, queries, keys) → (images, …, all tokens, all tokens)."""
    out = np.zeros((*weights.shape[:1], *weights.shape[2:-2], count, count))
    for index, numbers in enumerate(windows):
        out[..., numbers[:, None], numbers] = weights[:, index]
    return out


def test_a_query_looks_into_its_own_window_as_the_model_does(random_swin):
    look, weights, windows = random_swin
    for layer, query in ((0, (9, 20)), (1, (13, 0)), (2, (5, 2)), (3, (6, 13))):
        rows, columns = look.layers[layer].grid
        dense = scattered(weights[layer], windows[layer], rows * columns)
        token = query[0] * columns + query[1]
        maps = look.heatmaps(layer, query)
        assert maps.shape == (2, 3, rows, columns)
        close(maps.reshape(2, 3, -1), dense[:, :, token])
        own = next(window for window in windows[layer] if token in window)
        outside = np.setdiff1d(np.arange(rows * columns), own)
        assert (maps.reshape(2, 3, -1)[..., outside] == 0).all()
        np.testing.assert_allclose(maps.sum((2, 3)), 1)
        mean = look.heatmaps(layer, "mean")
        close(mean.reshape(2, 3, -1), dense.mean(2))
        every = [look.heatmaps(layer, (r, c)) for r in range(rows) for c in range(columns)] if layer > 1 else [mean]
        close(np.mean(every, 0), np.asarray(mean))


@pytest.mark.parametrize("fusion", ["mean", "max"])
@pytest.mark.parametrize("discard", [0.0, 0.4])
def test_rollout_through_windows_equals_the_product_of_dense_matrices(random_swin, fusion, discard):
    look, weights, windows = random_swin
    merge = np.zeros((7 * 14, 14 * 28))
    for row in range(14):
        for column in range(28):
            merge[row // 2 * 14 + column // 2, row * 28 + column] = 1 / 4
    factors = []
    for layer, count in enumerate((14 * 28, 14 * 28, 7 * 14, 7 * 14)):
        fused = getattr(weights[layer], fusion)(2)  # (images, windows, 49, 49)
        least = np.sort(fused.reshape(2, -1), -1)[:, int(discard * fused[0].size)]
        fused = np.where(fused < least[:, None, None, None], 0, fused)
        factor = scattered(fused, windows[layer], count) + np.eye(count)
        factors.append(factor / factor.sum(-1, keepdims=True))
    partial = [factors[3] @ factors[2] @ merge @ factors[1] @ factors[0]]
    partial += [factors[3] @ factors[2] @ merge @ factors[1], factors[3] @ factors[2] @ merge, factors[3] @ merge]
    close(look.rollout_matrix(fusion, discard), partial[0])
    close(look.rollout(fusion, discard), partial[0].mean(1).reshape(2, 14, 28))
    token = 5 * 14 + 11
    close(look.rollout(fusion, discard, query=(5, 11)), partial[0][:, token].reshape(2, 14, 28))
    every = look.rollout_by_start_layer(fusion, discard, query=(5, 11))
    for start, product in enumerate(partial):
        close(every[:, start], product[:, token].reshape(2, 14, 28))


def test_rollout_where_queries_or_keys_are_coarser_is_the_product_by_hand():
    """Fine layer with coarse keys; windows with queries pooled to the coarse lattice, as in Hiera; coarse layer."""
    fine, coarse = Layout((4, 6), (4, 4), ()), Layout((2, 3), (8, 8), ())
    down = Arrangement(fine, coarse, np.arange(24)[None], np.arange(6)[None])
    quarters = np.array([[r * 6 + c for r in (2 * row, 2 * row + 1) for c in (2 * col, 2 * col + 1)]
                         for row in range(2) for col in range(3)])  # fmt: skip
    pool = Arrangement(coarse, fine, np.arange(6)[:, None], quarters)
    whole = Arrangement.whole(coarse)
    calls = [random_call(2, 3, 24, 5, keys=6), random_call(12, 3, 1, 5, keys=4), random_call(2, 3, 6, 5)]
    seen = Seen(fine, tuple(calls), "mean", arrangements=(down, pool, whole))
    merge = np.zeros((6, 24))
    merge[np.arange(6)[:, None], quarters] = 1 / 4
    fused = [call.weights(slice(None)).mean(1).numpy() for call in calls]
    pooled = np.zeros((2, 6, 24))
    for window, keys in enumerate(quarters):
        pooled[:, window, keys] = fused[1].reshape(2, 6, 4)[:, window]
    factors = [(fused[0] @ merge + np.eye(24)) / 2, (pooled + merge) / 2, (fused[2] + np.eye(6)) / 2]
    product = factors[2] @ factors[1] @ factors[0]
    close(vitscope.Rollout().matrix(seen), product)
    close(vitscope.Rollout().measure(seen), product.mean(1).reshape(2, 4, 6))
    close(vitscope.Rollout(query=(1, 2)).measure(seen), product[:, 5].reshape(2, 4, 6))
    every = vitscope.Rollout(query=(1, 2)).by_start_layer(seen)
    close(every[:, 1], (factors[2] @ factors[1])[:, 5].reshape(2, 4, 6))
    close(every[:, 2], (factors[2] @ merge)[:, 5].reshape(2, 4, 6))
    np.testing.assert_allclose(product.sum(-1), 1)


def test_a_query_in_overlapping_windows_has_their_mean():
    """VOLO's outlook: each window of 3 × 3 around every other cell gives each of its cells a row of weights."""
    from timm.models.volo import VOLO

    model = VOLO(
        (2, 1), img_size=48, in_chans=3, num_classes=2, patch_size=8, embed_dims=(24, 30), num_heads=(3, 5),
        downsamples=(True, False), outlook_attention=(True, False), stem_hidden_dim=8, use_mix_token=False,
        post_layers=None, use_aux_head=False,
    ).eval().double()  # fmt: skip
    outlook = model.network[0][1].attn
    taken = []
    handle = outlook.register_forward_pre_hook(lambda _module, inputs: taken.append(inputs[0]))
    look = vitscope.wrap(model).look(torch.randn(2, 3, 48, 48, dtype=torch.float64))
    handle.remove()
    rows, columns = taken[-1].shape[1:3]
    assert look.layers[1].grid == (rows, columns)
    with torch.no_grad():
        pooled = outlook.pool(taken[-1].permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        logits = outlook.attn(pooled).unflatten(-1, (3, 9, 9)) * outlook.scale  # (images, y, x, heads, 9, 9)
    weights = logits.softmax(-1).numpy()
    for query in ((0, 0), (4, 3), (5, 5)):
        expected, count = np.zeros((2, 3, rows, columns)), 0
        for y in range(weights.shape[1]):
            for x in range(weights.shape[2]):
                around = [(2 * y + dy, 2 * x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
                if query not in around:
                    continue
                count += 1
                for position, (row, column) in enumerate(around):
                    if 0 <= row < rows and 0 <= column < columns:
                        expected[:, :, row, column] += weights[:, y, x, :, around.index(query), position]
        found = look.heatmaps(1, query)
        close(found, expected / count)
    assert look.layers[1].kind == "local"
