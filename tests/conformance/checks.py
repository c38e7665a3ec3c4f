"""What a look at one family must hold, each as a function that asserts it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import vitscope
from conformance.families import Family, Layer, Size
from vitscope.arrangement import NOWHERE, Arrangement
from vitscope.errors import CaptureError, LayoutError, QueryError, VitscopeError
from vitscope.trace import Traced, TracedCall, find_answer
from vitscope.trace.arrange import BETWEEN_PLACES

# Why a rollout is not defined, as its error says; every other family has one.
_BRANCHES, _READS_ONLY = "the model has branches", "no layer is between them"
NO_ROLLOUT = {
    "timm:gcvit": "asks the same queries in every window",
    "timm:crossvit": _BRANCHES,
    "timm:tnt": _BRANCHES,
    "timm:vision_transformer/parallel": _BRANCHES,
    "timm:vision_transformer/differential": _BRANCHES,
    "timm:xcit": _READS_ONLY,
    "transformers:perceiver/learned": _READS_ONLY,
    "transformers:perceiver/conv": _READS_ONLY,
}
# Weights are mixed between heads after the softmax ("talking heads"): they may be negative, and need not sum to 1.
MIXED_AFTER_SOFTMAX = {"timm:cait", "timm:efficientformer_v2"}
# Windows that are not of one size: crops of the picture at several scales.
SEVERAL_SCALES = {"transformers:depth_pro"}


def check(family: Family) -> None:
    """Everything that the list expects of a family."""
    scope = vitscope.wrap(family.build(), forward=family.forward)
    (check_works if family.expect == "works" else check_nothing)(family, scope)


def check_works(family: Family, scope: vitscope.Scope) -> None:
    traced, images = scope.trace(family.input), family.images()
    check_kinds(family, traced)
    torch.manual_seed(3)
    look = scope.look(images)
    refused = [f"{layer.kind}: {layer.refusal}" for layer in look.layers if layer.refusal is not None]
    assert not refused, refused[0]
    assert look.verification_error < 1e-3
    if family.readout != "none":
        assert look.readout == {"class attention": "cls"}.get(family.readout, family.readout)
    check_output(scope, look, images)
    listed = [layer for layer in family.layers if layer.seen_as is not None]
    for layer, call in zip(listed, traced.calls, strict=True):
        if call.is_layer and family.key not in SEVERAL_SCALES:
            assert call.arrangement is not None
            check_window(layer, call.arrangement)
            if call.kind in ("global", "window", "reduced"):
                check_strides(layer, call.arrangement)
    check_measures(family, look, [call for call in traced.calls if call.is_layer])


def check_nothing(family: Family, scope: vitscope.Scope) -> None:
    """No call between places, no map, and an error that says why."""
    try:
        traced = scope.trace(family.input)
    except (CaptureError, LayoutError):
        return
    assert not [call.kind for call in traced.calls if call.kind in BETWEEN_PLACES]
    with pytest.raises(VitscopeError):
        scope.look(family.images()).heatmaps()


def found_kinds(family: Family, traced: Traced) -> tuple[str, ...]:
    """What was found, in the list's sense: Perceiver's latents, which read before all else, are a pool to vitscope."""
    latents = family.key.startswith("transformers:perceiver/")
    return tuple("cross" if latents and call.kind == "pool" else call.kind for call in traced.calls)


def check_kinds(family: Family, traced: Traced) -> None:
    found = found_kinds(family, traced)
    refusal = next((call.refusal for call in traced.calls if call.refusal is not None), "")
    assert found == family.kinds, f"{found} != {family.kinds} {refusal}"


def check_output(scope: vitscope.Scope, look: vitscope.Look, images: Tensor) -> None:
    """The model's own answer is untouched: bit for bit, but where multi-head attention leaves its fast path."""
    torch.manual_seed(3)
    with torch.no_grad():
        plain = first_tensor(scope.loaded.forward(scope.model, images))
    found = first_tensor(look.output)
    if any(isinstance(module, nn.MultiheadAttention) for module in scope.model.modules()):
        assert (found - plain).abs().max() <= 1e-5 * plain.abs().max()
    else:
        assert torch.equal(found, plain)


def first_tensor(output: Any) -> Tensor:
    answer = find_answer(output)
    if answer is None:  # tensors in lists in the output
        parts = output.values() if hasattr(output, "values") else output
        answer = next(part[0] for part in parts if isinstance(part, list | tuple))
    assert isinstance(answer, Tensor)
    return answer


def check_window(layer: Layer, found: Arrangement) -> None:
    """The side of the largest window, and how windows lie."""
    if layer.window is None:
        assert (found.windows > 1) == (layer.kind == "outlook")
        return
    if layer.how == "halo":  # the queries' window; the keys' reaches beyond it
        assert _extent(found) == tuple(side // layer.queries for side in layer.window)
        assert "overlapping" in found.describe()
        return
    # where padding is in every row or column of windows, less is seen: as much as the grid has, or less if shifted
    padded = bool((found.key_tokens == NOWHERE).any())
    most = tuple(min(*sides) for sides in zip(layer.window, found.keys.grid, strict=True))
    shape = found.window_shape()
    assert shape == most or (padded and layer.how == "shifted" and shape <= most), f"{shape} windows, listed {most}"
    assert _aligned(found, layer.window) == (layer.how not in ("shifted", "grid", "dilated")), found.describe()
    if not padded:
        assert (layer.how == "shifted") == ("shifted" in found.describe()), found.describe()
    if layer.how != "shifted":
        apart = found.window_steps() - {1}
        assert bool(apart) == (layer.how in ("grid", "dilated")), found.describe()


def _aligned(found: Arrangement, side: Size) -> bool:
    """Whether each window lies in one block of a division into windows from the first row and column on."""
    for window in found.key_tokens:
        cells = np.divmod(window[window != NOWHERE] - len(found.keys.prefix), found.keys.grid[1])
        if any(len(np.unique(axis // length)) > 1 for axis, length in zip(cells, side, strict=True)):
            return False
    return True


def _extent(found: Arrangement) -> tuple[int, int]:
    """(rows, columns) of the largest window of queries."""
    cells = [np.divmod(row[row != NOWHERE], found.queries.grid[1]) for row in found.query_tokens]
    rows, columns = (max(len(np.unique(axis)) for axis in axes) for axes in zip(*cells, strict=True))
    return rows, columns


def check_strides(layer: Layer, found: Arrangement) -> None:
    """The lattices of queries and keys, one relative to the other."""
    queries, keys = found.queries.grid, found.keys.grid
    if layer.fixed is not None:
        assert keys == layer.fixed
    elif layer.how == "shared":
        assert queries == layer.window
    elif layer.queries == 1:
        assert all(_coarser(*sides) for sides in zip(keys, queries, layer.keys, strict=True)), (queries, keys)
    else:
        strides = [layer.queries // key for key in layer.keys]
        assert all(_coarser(*sides) for sides in zip(queries, keys, strides, strict=True)), (queries, keys)


def _coarser(count: int, of: int, stride: int) -> bool:
    """Whether so many places are every `stride`-th of others, the last a whole or a part."""
    return count in (of // stride, -(-of // stride))


def check_measures(family: Family, look: vitscope.Look, layers: list[TracedCall]) -> None:
    """Finite numbers of the right shapes, and weights that can be ones."""
    weights = family.key not in MIXED_AFTER_SOFTMAX
    check_maps(look.heatmaps(), weights=weights)
    for index, call in enumerate(layers):
        assert call.arrangement is not None
        maps = look.heatmaps(index, "mean")
        assert maps.shape == (2, call.heads, *call.arrangement.keys.grid)
        check_maps(maps, weights=weights)
    most = max((call.heads for call in layers), default=0)
    measures = (look.mean_attention_distance(), look.entropy()) if weights else (look.mean_attention_distance(),)
    for values in measures if layers else ():
        assert values.shape == (2, len(layers), most)
        for index, call in enumerate(layers):
            assert call.arrangement is not None
            if not call.arrangement.queries.patches:  # a mean over places that query, of which there are none
                assert np.isnan(values[:, index]).all()
                continue
            assert np.isfinite(values[:, index, : call.heads]).all()
            assert np.isnan(values[:, index, call.heads :]).all()
            assert not weights or values[:, index, : call.heads].min() >= -1e-5
    if family.key in NO_ROLLOUT:
        with pytest.raises(QueryError, match=NO_ROLLOUT[family.key]):
            look.rollout()
    elif layers:
        rollout = look.rollout()
        assert rollout.shape == (2, *look.layout.grid)
        check_maps(rollout, weights=weights)


def check_maps(maps: np.ndarray, *, weights: bool) -> None:
    """Finite, and the shares of a whole if they are `weights`."""
    assert np.isfinite(maps).all()
    if weights:
        assert maps.min() >= 0
        assert maps.sum((-2, -1)).max() <= 1 + 1e-4
