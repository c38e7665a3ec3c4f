"""The layout proven by experiment: attention is switched off, and the image perturbed cell by cell.

With every attention answered by zeros, nothing mixes between tokens any more, so that each query
and key depends on its own pixels alone. Each cell of the patch grid is given a binary code; run b
perturbs the cells whose code has bit b. The runs in which a token changes spell out its cell, in
every layer and whatever happened to the tokens on the way. Prefix tokens never change.

What the model reads its answer from is found likewise: attention stays off, but for a disturbance
of chosen rows of the last layer; rows that the answer does not follow are not read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from vitscope.attention.event import AttentionEvent, Observer
from vitscope.attention.tap import Tap
from vitscope.errors import CaptureError, LayoutError, NoAttentionError
from vitscope.layout import Layout, LayoutHints, ReadoutKind, fit_layout

_TOKENS_AT_ONCE = 8192  # bounds the memory of one run
_SEED = 20260211


@dataclass(frozen=True)
class TracedCall:
    """One attention of the model, in the order of the forward pass."""

    name: str
    kind: Literal["layer", "readout"]


@dataclass(frozen=True)
class Traced:
    """What the trace proved for one model and one input size."""

    layout: Layout
    calls: tuple[TracedCall, ...]
    readout: ReadoutKind


@dataclass(eq=False)
class _CallCodes:
    """What is known of one call: the cell code of each query and key, 0 where none changes it."""

    name: str
    queries: np.ndarray  # (queries,) int
    keys: np.ndarray  # (keys,) int
    visible: bool  # queries and keys were seen, not bare weights


class _SwitchOff(Observer):
    """Answers every attention with zeros, noting in which images its queries and keys change."""

    def __init__(self, images: int) -> None:
        self.images = images
        self.changes: list[tuple[str, np.ndarray, np.ndarray, bool]] = []  # name, (images, tokens) twice

    def before(self, event: AttentionEvent) -> Tensor:
        if event.queries is not None and event.keys is not None:
            queries, keys = (_changed(event.by_image(t, self.images)) for t in (event.queries, event.keys))
            self.changes.append((event.name, queries, keys, True))
        else:
            keys = _changed(event.by_image(event.values, self.images))
            queries = keys if event.query_count == event.key_count else np.zeros((self.images, event.query_count), bool)
            self.changes.append((event.name, queries, keys, False))
        return event.zeros(self.images)


class _Disturb(Observer):
    """Answers with zeros, but image i gets noise on the query rows `rows[i]` of the call number `call`."""

    def __init__(self, call: int, rows: Sequence[slice]) -> None:
        self._call = call
        self._rows = rows
        self._seen = -1

    def before(self, event: AttentionEvent) -> Tensor:
        self._seen += 1
        answer = event.zeros(len(self._rows))
        if self._seen == self._call:
            for image, rows in enumerate(self._rows):
                answer[image, :, rows] = _noise(answer[image, :, rows].shape, answer)
        return answer


def trace(
    model: nn.Module,
    forward: Callable[[nn.Module, Tensor], Any],
    image_size: tuple[int, int],
    hints: LayoutHints,
    like: Tensor,
) -> Traced:
    """Find and prove the layout of `model` for inputs of `image_size` (height, width) pixels.

    `like` gives the input's dtype and device. Raises NoAttentionError where nothing is seen, and
    LayoutError where tokens do not stand on a plain grid, naming the layer and the token.
    """
    tokens = _count_tokens(model, forward, image_size, hints, like)
    layout = fit_layout(tokens, image_size, hints)
    codes = _read_codes(model, forward, image_size, layout, like)
    calls = tuple(TracedCall(call.name, _kind(call, layout)) for call in codes)
    if not any(call.kind == "layer" for call in calls):
        raise LayoutError("every attention found reads an answer out; none is between places of the picture")
    return _with_readout(model, forward, image_size, Traced(layout, calls, "mean"), hints, like)


def _count_tokens(
    model: nn.Module,
    forward: Callable[..., Any],
    image_size: tuple[int, int],
    hints: LayoutHints,
    like: Tensor,
) -> int:
    """Number of tokens of the first layer."""
    observer = _SwitchOff(images=1)
    _run(model, forward, like.new_zeros(1, 3, *image_size), observer)
    if not observer.changes:
        raise NoAttentionError(
            "the forward pass ended without an attention that PyTorch shows. Usual causes: flash-attn or xFormers "
            "kernels called directly (switch them off), TorchScript (load the plain model), linear attention or no "
            "attention at all (there is nothing to see)"
        )
    return observer.changes[0][1].shape[1]


def _read_codes(
    model: nn.Module, forward: Callable[..., Any], image_size: tuple[int, int], layout: Layout, like: Tensor
) -> list[_CallCodes]:
    """The cell code of every token of every call; codes count cells from 1 in row-major order."""
    cells = np.arange(1, layout.patches + 1).reshape(layout.grid)
    bits = int(layout.patches).bit_length()
    noise = _noise((3, *image_size), like)
    at_once = max(1, _TOKENS_AT_ONCE // layout.tokens - 1)
    found: list[_CallCodes] = []
    for first in range(0, bits, at_once):
        chunk = range(first, min(first + at_once, bits))
        masks = [_enlarge(cells >> bit & 1, layout.patch_size, image_size, like) for bit in chunk]
        images = torch.stack([torch.zeros_like(noise), *(noise * mask for mask in masks)])  # image 0 is unperturbed
        observer = _SwitchOff(len(images))
        _run(model, forward, images, observer)
        _add_bits(found, observer.changes, chunk)
    return found


def _add_bits(found: list[_CallCodes], changes: list[tuple[str, np.ndarray, np.ndarray, bool]], bits: range) -> None:
    weights = np.array([1 << bit for bit in bits])
    for index, (name, queries, keys, visible) in enumerate(changes):
        if index == len(found):
            found.append(_CallCodes(name, np.zeros(queries.shape[1], int), np.zeros(keys.shape[1], int), visible))
        found[index].queries += weights @ queries[1:]
        found[index].keys += weights @ keys[1:]


def _kind(call: _CallCodes, layout: Layout) -> Literal["layer", "readout"]:
    """Whether a call is between places or reads an answer out; LayoutError where it is neither."""
    prefix = len(layout.prefix)
    expected = np.concatenate([np.zeros(prefix, int), np.arange(1, layout.patches + 1)])
    keys_stand = len(call.keys) == len(expected) and np.array_equal(call.keys, expected)
    if keys_stand and len(call.queries) == len(expected) and np.array_equal(call.queries, expected):
        return "layer"
    if (keys_stand or np.array_equal(call.keys, expected[prefix:])) and not call.queries.any():
        return "readout"
    raise LayoutError(_explain(call, expected, layout))


def _explain(call: _CallCodes, expected: np.ndarray, layout: Layout) -> str:
    where = f"layer {call.name!r}"
    if not len(call.queries) == len(call.keys) == len(expected):
        return (
            f"{where} attends from {len(call.queries)} queries to {len(call.keys)} keys; expected "
            f"{layout.tokens} of each ({layout.describe()}). Models that attend in windows, pool, merge or drop "
            "tokens are not supported yet; a plain ViT (ViT, DeiT, DINO, DINOv2, DINOv3, BEiT, CLIP, SigLIP, "
            "EVA-02) is"
        )
    side, codes = ("query", call.queries) if not np.array_equal(call.queries, expected) else ("key", call.keys)
    token = int(np.flatnonzero(codes != expected)[0])
    return (
        f"{where}: {side} token {token} should stand for {_cell(int(expected[token]), layout)} but the picture "
        f"shows that it answers to {_cell(int(codes[token]), layout)} ({layout.describe()}). The tokens are "
        "permuted, overlap or mix outside attention; vitscope shows no map that it cannot place"
    )


def _cell(code: int, layout: Layout) -> str:
    if code == 0:
        return "no patch (a prefix token)"
    if code > layout.patches:
        return "several patches"
    row, column = divmod(code - 1, layout.grid[1])
    return f"patch (row {row}, column {column})"


def _with_readout(
    model: nn.Module,
    forward: Callable[..., Any],
    image_size: tuple[int, int],
    traced: Traced,
    hints: LayoutHints,
    like: Tensor,
) -> Traced:
    """Complete `traced` by what the answer follows: class token, pooling head or patches."""
    if any(call.kind == "readout" for call in traced.calls):
        return replace(traced, readout="pool")
    read = _tokens_read(model, forward, image_size, traced, like)
    layout = traced.layout
    if hints.prefix is None and layout.prefix and read == ["prefix1"]:  # read alone: it is the class token
        layout = replace(layout, prefix=("cls", *layout.prefix[1:]))
        read = ["cls"]
    if not read:  # all tokens, or (a head of zeros) none
        kind: ReadoutKind = "cls" if "cls" in layout.prefix else "mean"
    else:
        kind = "cls" if "cls" in read else "mean"
    return replace(traced, layout=layout, readout=kind)


def _tokens_read(
    model: nn.Module, forward: Callable[..., Any], image_size: tuple[int, int], traced: Traced, like: Tensor
) -> list[str] | None:
    """Names of the prefix tokens, and "patches", that the answer follows; None where it is all tokens."""
    layout = traced.layout
    prefix = len(layout.prefix)
    rows = [slice(0, 0), *(slice(i, i + 1) for i in range(prefix)), slice(prefix, None)]
    last = len(traced.calls) - 1
    output = _run(model, forward, like.new_zeros(len(rows), 3, *image_size), _Disturb(last, rows))
    answer = find_answer(output)
    if answer is None or answer.dim() > 2 or answer.shape[0] != len(rows):
        return None
    changed = _changed(answer[:, None, None])[1:, 0]  # (prefix + 1,)
    return [name for name, moved in zip((*layout.prefix, "patches"), changed, strict=True) if moved]


def find_answer(output: Any) -> Tensor | None:
    """The tensor that a model is asked for: logits, else pooled features, else all features."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        mapping = cast(Mapping[str, Any], output)
        for key in ("logits", "pooler_output", "image_embeds", "last_hidden_state"):
            if isinstance(mapping.get(key), Tensor):
                return mapping[key]
        output = list(mapping.values())
    if isinstance(output, list | tuple):
        parts = cast(Sequence[Any], output)
        return next((part for part in parts if isinstance(part, Tensor)), None)
    return None


def _run(model: nn.Module, forward: Callable[..., Any], images: Tensor, observer: Observer) -> Any:
    """A forward pass under observation; CaptureError where the model or the tap cannot follow.

    The random state is fixed for the run and afterwards as it was before.
    """
    tap = Tap(model, observer)
    with torch.random.fork_rng(devices=[]), torch.no_grad(), tap:
        torch.manual_seed(_SEED)
        output = _forward(model, forward, images)
    if tap.lost:
        raise CaptureError(
            f"layer {tap.lost[0]!r} takes a softmax whose way to its values cannot be followed "
            f"({len(tap.lost)} layers in all); its attention would be missing, so nothing is shown"
        )
    return output


def _forward(model: nn.Module, forward: Callable[..., Any], images: Tensor) -> Any:
    try:
        return forward(model, images)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        size = f"{images.shape[-2]} × {images.shape[-1]}"
        raise CaptureError(
            f"the model refused an input of {size} px: {error}. If it takes one size only, load it with that "
            "image_size; if it is called otherwise than model(images), pass forward= to wrap"
        ) from error


def _changed(tensor: Tensor) -> np.ndarray:
    """(images, heads, tokens, dim) → (images, tokens) bool: which tokens differ from image 0's.

    Unchanged tokens may differ by the rounding of differently blocked products, and no more.
    """
    values = tensor.float()
    difference = (values - values[:1]).abs().amax(dim=(1, 3))  # (images, tokens)
    size = values.abs().amax(dim=(1, 3)).clamp_min(torch.finfo(torch.float32).tiny)
    tolerance = 32 * torch.finfo(tensor.dtype).eps
    return (difference > tolerance * torch.maximum(size, size[:1])).cpu().numpy()


def _noise(shape: tuple[int, ...], like: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(_SEED)
    return torch.randn(shape, generator=generator).to(like.device, like.dtype)


def _enlarge(bits: np.ndarray, patch: tuple[int, int], image_size: tuple[int, int], like: Tensor) -> Tensor:
    """(rows, columns) of 0 and 1 → (height, width), zero where the grid does not reach."""
    mask = torch.zeros(image_size, dtype=like.dtype, device=like.device)
    pixels = torch.from_numpy(np.kron(bits, np.ones(patch, int)))
    mask[: pixels.shape[0], : pixels.shape[1]] = pixels.to(mask)
    return mask
