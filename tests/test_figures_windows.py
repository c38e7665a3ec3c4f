"""Figures of models that attend in windows or on several grids: each map on its own layer's grid."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

from arranged_looks import MODELS, arranged_look
from vitscope.errors import QueryError
from vitscope.measures.uniform import allowed, uniform
from vitscope.render.files import Choices, report_of, write_look
from vitscope.render.heatmaps import draw_heatmap
from vitscope.render.lattices import map_lattice, rollout_query, window_of


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("kind", MODELS)
def test_a_look_is_written_whole(kind, tmp_path):
    look = arranged_look(kind)
    files = {path.name for path in write_look(look, tmp_path / kind)}
    assert {"heatmaps.png", "rollout.png", "distance.png", "look.json", "maps.safetensors"} <= files
    report = json.loads((tmp_path / kind / "look.json").read_text())
    assert [layer["windows"] for layer in report["layers"]] == [layer.windows for layer in look.layers]
    assert look.plot.png().startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", MODELS)
def test_a_map_covers_what_its_own_lattice_covers(kind):
    look = arranged_look(kind)
    for layer in range(len(look.layers)):
        axes = draw_heatmap(plt.figure().subplots(), look, layer=layer, query=(0, 0))
        lattice = look.attention_seen.arrangement(layer).keys
        drawn = axes.images[-1]
        assert drawn.get_array().shape[:2] == lattice.grid
        height, width = lattice.image_size
        assert tuple(drawn.get_extent()) == (0, width, height, 0)
        assert axes.get_xlim() == (0, look.shown[0].seen.width)


def test_the_window_of_a_patch_is_where_it_has_weight():
    look = arranged_look("swin")
    for layer in (0, 1):
        for query in ((0, 0), (13, 9), (27, 27)):
            weights = np.asarray(look.heatmaps(layer, query))[0].max(0)
            assert (window_of(look, layer, query) == (weights > 1e-20)).all()
    assert window_of(look, 2, (0, 0)) is not None
    assert window_of(look, 0, "mean") is None
    assert window_of(arranged_look("cait"), 0, (0, 0)) is None


def test_the_window_is_outlined_on_what_the_model_saw():
    look = arranged_look("swin")
    figure = look.plot.heatmaps(layer=1, query=(13, 9))
    original, seen = figure.axes[:2]
    assert not original.collections
    rows, columns = np.nonzero(window_of(look, 1, (13, 9)))
    corners = np.concatenate([np.concatenate(lines.get_segments()) for lines in seen.collections])
    low, high = np.array([columns.min(), rows.min()]) * 4, np.array([columns.max() + 1, rows.max() + 1]) * 4
    assert (corners.min(0) == low).all()
    assert (corners.max(0) == high).all()
    assert len(seen.images) == 1
    assert "Dashed: what it may attend to" in figure.texts[0].get_text().replace("\n", " ")


def test_a_rollout_takes_the_patch_of_the_last_layer_at_the_same_place():
    look = arranged_look("swin")
    assert look.layers[-1].grid == (14, 14)
    assert rollout_query(look, 0, (27, 6)) == (13, 3)
    assert rollout_query(look, 0, "mean") == "mean"
    with pytest.raises(QueryError, match="outside the grid"):
        rollout_query(look, -1, (27, 6))
    assert report_of(look, Choices(layer=0, query=(27, 6)))["conventions"]["rollout"].startswith("attention rollout")


def test_class_attention_has_its_own_lattice():
    look = arranged_look("volo")
    assert map_lattice(look, -1, None).prefix == ("cls",)
    assert map_lattice(look, 0, (0, 0)).prefix == ()


def test_heads_that_a_layer_has_not_are_not_drawn():
    look = arranged_look("swin")
    axes = look.plot.distance(ax=plt.figure().subplots())
    drawn = [
        np.isfinite(np.ma.filled(dots.get_offsets().astype(float), np.nan)).all(1).sum() for dots in axes.collections
    ]
    assert drawn[: len(look.layers)] == [layer.heads for layer in look.layers]


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_uniform_attention_is_uniform_over_what_is_allowed(layer):
    look = arranged_look("swin")
    call, arrangement = look.attention_seen.layers[layer], look.attention_seen.arrangement(layer)
    masks = allowed(call, arrangement)
    assert (masks is None) == (layer != 1)
    places = arrangement.queries.centres()
    distances, entropies = [], []
    for window in range(arrangement.windows):
        for position, query in enumerate(arrangement.query_tokens[window]):
            keys = arrangement.key_tokens[window]
            keys = keys if masks is None else keys[masks[window, position]]
            distances.append(np.linalg.norm(places[keys] - places[query], axis=1).mean())
            entropies.append(np.log(len(keys)))
    found = uniform(call, arrangement)
    assert found.distance == pytest.approx(np.mean(distances))
    assert found.rescaled_distance == pytest.approx(np.mean(distances))
    assert found.entropy == pytest.approx(np.mean(entropies))
