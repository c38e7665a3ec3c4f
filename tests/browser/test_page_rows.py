"""The numbers that the page computes in the browser, read back from it, are Python's."""

import numpy as np
import pytest

from browser.looks import FAMILY_OF, TOYS
from browser.viewer import mass_words
from vitscope import top_mass

TOLERANCE = 1e-3  # of the maximum of what Python has
KINDS = [*FAMILY_OF, *TOYS]


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def look(kind, looks):
    return looks(kind)


@pytest.fixture
def viewer(kind, look, files, shared_page):
    return shared_page(files(kind, [look], compare=False)).show()


def heads_rows(look, layer, query, image=0):
    """Python's own rows of one query, (heads, tokens)."""
    return np.asarray(look.attention(layer, query))[image]


def heads_columns(look, layer, token, image=0):
    """What every query gives one token, (heads, tokens)."""
    return look.attention_seen.layers[layer].weights(slice(None))[image, :, :, token].numpy()


def token_of(look, query) -> int:
    prefix = look.layout.prefix
    return prefix.index(query) if isinstance(query, str) else len(prefix) + query[0] * look.layout.grid[1] + query[1]


def queries_of(look) -> list:
    """Prefix tokens, patches at the corners and inside."""
    rows, columns = look.layout.grid
    return [*look.layout.prefix, (0, 0), (2, columns - 1), (rows - 1, 3)]


def assert_close(found, expected, maximum=None):
    """Within the tolerance of the largest of what is expected."""
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= TOLERANCE * (expected.max() if maximum is None else maximum)


def test_the_page_names_tokens_in_their_order(viewer, look):
    shown = viewer.map()
    assert list(shown.prefix) == list(look.layout.prefix)
    assert shown.patches.shape == look.layout.grid


def test_each_heads_row_is_pythons(viewer, look):
    for at, query in enumerate(queries_of(look)):
        layer = at % len(look.layers)
        expected = heads_rows(look, layer, query)
        head = at % len(expected)
        shown = viewer.show(layer=layer, head=head, locked=[query]).map()
        assert_close(shown.row, expected[head])
        assert_close(shown.times, expected[head] * look.layout.tokens)


def test_each_heads_column_is_pythons(viewer, look):
    for at, query in enumerate(queries_of(look)):
        layer = at % len(look.layers)
        expected = heads_columns(look, layer, token_of(look, query))
        head = (at + 1) % len(expected)
        shown = viewer.show(layer=layer, head=head, locked=[query], direction="to").map()
        assert_close(shown.row, expected[head])


def test_the_readouts_map_is_what_heatmaps_gives(viewer, look):
    layer = len(look.layers) - 1
    expected = np.asarray(look.heatmaps())[0]  # (heads, rows, columns)
    for head in (0, len(expected) - 1):
        assert_close(viewer.show(layer=layer, head=head).map().patches, expected[head])


def test_the_mean_over_patch_queries_is_pythons(viewer, look):
    for layer in range(len(look.layers)):
        expected = heads_rows(look, layer, "mean")
        head = layer % len(expected)
        assert_close(viewer.show(layer=layer, head=head, locked=["mean"]).map().row, expected[head])


def test_the_mean_over_heads_is_pythons(viewer, look):
    query = queries_of(look)[-1]
    rows, columns = heads_rows(look, 0, query), heads_columns(look, 0, token_of(look, query))
    mean_queries = heads_rows(look, 0, "mean")
    for expected, state in [
        (rows, {"locked": [query]}),
        (columns, {"locked": [query], "direction": "to"}),
        (mean_queries, {"locked": ["mean"]}),
    ]:
        shown = viewer.show(layer=0, head="mean", **state).map()
        assert_close(shown.row, expected.mean(0), expected.max(-1).mean())


def test_the_mean_over_layers_is_pythons(viewer, look):
    query = queries_of(look)[-1]
    rows = np.stack([heads_rows(look, layer, query) for layer in range(len(look.layers))])  # (layers, heads, tokens)
    columns = np.stack([heads_columns(look, layer, token_of(look, query)) for layer in range(len(look.layers))])
    for expected, direction in [(rows, "from"), (columns, "to")]:
        shown = viewer.show(layer="mean", head=1, locked=[query], direction=direction).map()
        assert_close(shown.row, expected[:, 1].mean(0), expected[:, 1].max(-1).mean())
        shown = viewer.show(layer="mean", head="mean", locked=[query], direction=direction).map()
        assert_close(shown.row, expected.mean((0, 1)), expected.max(-1).mean())


def test_rollout_is_pythons_for_every_start_layer(viewer, look):
    expected = np.asarray(look.rollout_by_start_layer())[0]  # (layers, rows, columns)
    for start, rollout in enumerate(expected):
        shown = viewer.show(method="rollout", start=start).map()
        np.testing.assert_allclose(shown.patches, rollout, rtol=1e-6)


def test_the_second_image_has_its_own_numbers(viewer, look):
    query = queries_of(look)[-1]
    expected = heads_rows(look, 1, query, image=1)[1]
    assert np.abs(expected - heads_rows(look, 1, query, image=0)[1]).max() > TOLERANCE * expected.max()
    assert_close(viewer.show(shown=1, layer=1, head=1, locked=[query]).map().row, expected)


def test_the_mask_holds_the_patches_of_top_mass(viewer, look):
    query = queries_of(look)[-1]
    for mass in (0.35, 0.6):
        viewer.show(layer=1, head=0, locked=[query], method="mask", mass=mass)
        painted = viewer.pixels()[:, :, 3] > 0
        expected = top_mass(viewer.map().patches, mass)
        assert (painted == expected).all()
        held = 100 * viewer.map().patches[expected].sum() / viewer.map().patches.sum()
        assert mass_words(viewer.caption()) == (pytest.approx(held, abs=0.6), expected.sum(), expected.size)


def test_the_strongest_patches_are_pythons(viewer, look):
    expected = heads_rows(look, 1, queries_of(look)[-2])[1]
    prefix, patches = np.split(expected, [len(look.layout.prefix)])
    strongest = np.sort(patches)[::-1][:10]
    found = viewer.show(layer=1, head=1, locked=[queries_of(look)[-2]]).top_patches()
    ranked = [patches[int(row) * look.layout.grid[1] + int(column)] for row, column, *_ in found[:10]]
    np.testing.assert_allclose(ranked, strongest, atol=TOLERANCE * expected.max())
    shown = [(percentage(weight), float(times.lstrip("<"))) for *_, weight, times in found]
    exact = np.concatenate([strongest, prefix])
    expected_words = np.stack([100 * exact, look.layout.tokens * exact], 1)
    np.testing.assert_allclose(shown, expected_words, rtol=0.06, atol=1e-3)  # written with two digits


def percentage(text: str) -> float:
    return float(text.removesuffix(" %").removeprefix("<"))


def test_the_caption_says_what_the_numbers_are(viewer, look):
    row, column = queries_of(look)[-1]
    for layer, head, words in [(1, 2, "layer 1, head 2"), ("mean", "mean", "mean over layers, mean over heads")]:
        shown = viewer.show(layer=layer, head=head, locked=[(row, column)]).map()
        assert f"patch row {row}, column {column} attends to, {words}." in shown.caption
        assert shown.caption == viewer.caption()
