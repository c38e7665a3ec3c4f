"""Windows of one image as further heads, so that one form carries any attention; and where its tokens stand."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from vitscope.arrangement import Arrangement
from vitscope.attention.bias import Bias, Rows
from vitscope.attention.call import AttentionCall
from vitscope.layout import Layout
from vitscope.look import Look
from vitscope.measures.uniform import allowed, uniform
from vitscope.viewer.blocks import Blocks


@dataclass(frozen=True, eq=False)
class WindowsBias:
    """The bias of windows as heads: windows have one of a few terms, as masks differ at the picture's edge alone."""

    term: Shaped[Tensor, "kinds #heads #queries keys"]
    kinds: Int[Tensor, " windows"]
    heads: int  # of one window

    @property
    def nbytes(self) -> int:
        return self.term.nbytes

    @property
    def per_image(self) -> bool:
        return False

    def rows(self, rows: Rows) -> Shaped[Tensor, "1 windows_heads rows keys"]:
        term = self.term if self.term.shape[2] == 1 else self.term[:, :, rows]
        return term.expand(-1, self.heads, -1, -1)[self.kinds].flatten(0, 1)[None]

    def run(self, entries: range) -> "WindowsBias":
        return self

    def picked(self, entries: Tensor) -> "WindowsBias":
        return self

    def equals(self, other: Bias) -> bool:
        return isinstance(other, WindowsBias) and torch.equal(self.rows(slice(None)), other.rows(slice(None)))


def one_image(call: AttentionCall, windows: int, image: int) -> AttentionCall:
    """A call's part of one image; of several windows, these count as heads: window 0's, window 1's …"""
    if windows == 1:
        return call.image(image)
    entries = torch.arange(image * windows, (image + 1) * windows)
    bias = None if call.bias is None else call.bias.picked(entries).rows(slice(None))  # (1 | windows, 1 | heads, …)
    folded = replace(call, bias=None).picked(entries).map_operands(lambda operand: operand.flatten(0, 1)[None])
    return folded if bias is None else replace(folded, bias=_of_kinds(bias, windows, call.heads))


def _of_kinds(term: Tensor, windows: int, heads: int) -> WindowsBias:
    """Windows that have equal terms share one."""
    known: dict[bytes, int] = {}
    kinds = [known.setdefault(_digest(one), len(known)) for one in term]
    firsts = [kinds.index(kind) for kind in range(len(known))]
    every = torch.tensor(kinds if len(kinds) == windows else kinds * windows, device=term.device)
    return WindowsBias(term[firsts], every, heads)


def _digest(tensor: Tensor) -> bytes:
    return hashlib.sha256(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data).digest()


def windows_of(look: Look, index: int) -> int:
    """How many windows a layer has; 1 for one that could not be placed."""
    arrangement = look.attention_seen.known_arrangement(index)
    return 1 if arrangement is None else arrangement.windows


def lattice_entry(layout: Layout) -> dict[str, Any]:
    """The payload's `Lattice`."""
    return {"grid": list(layout.grid), "patch_size": list(layout.patch_size), "prefix": list(layout.prefix)}


def is_own(look: Look, index: int) -> bool:
    """Whether a layer's tokens stand as the look's layout says, each attending to all."""
    arrangement = look.attention_seen.known_arrangement(index)
    return arrangement is None or (arrangement.plain and arrangement.queries == look.layout)


def arrangement_entry(look: Look, index: int, blocks: Blocks) -> dict[str, Any] | None:
    """The payload's `Arrangement` of a layer; None where it is the look's layout."""
    arrangement = look.attention_seen.known_arrangement(index)
    if arrangement is None or is_own(look, index):
        return None
    call = look.attention_seen.layers[index]
    expected = uniform(call, arrangement)
    return {
        "kind": arrangement.kind,
        "words": arrangement.describe(),
        "queries": lattice_entry(arrangement.queries),
        "keys": lattice_entry(arrangement.keys),
        "windows": None if arrangement.plain else _windows_entry(call, arrangement, blocks),
        "uniform_distance": expected.distance,
        "uniform_rescaled_distance": expected.rescaled_distance,
        "uniform_entropy": expected.entropy,
    }


def _windows_entry(call: AttentionCall, arrangement: Arrangement, blocks: Blocks) -> dict[str, Any]:
    return {
        "query_tokens": blocks.put_once(_whole(arrangement.query_tokens)),
        "key_tokens": blocks.put_once(_whole(arrangement.key_tokens)),
        "allowed": _allowed_entry(call, arrangement, blocks),
    }


def _allowed_entry(call: AttentionCall, arrangement: Arrangement, blocks: Blocks) -> dict[str, Any] | None:
    """Who may attend to whom, once for all windows in which it is the same."""
    masks = allowed(call, arrangement)
    if masks is None:
        return None
    known: dict[bytes, int] = {}
    kinds = [known.setdefault(mask.tobytes(), len(known)) for mask in masks]
    firsts = masks[[kinds.index(kind) for kind in range(len(known))]]
    return {
        "kinds": blocks.put_once(np.array(kinds, np.int16)),
        "masks": blocks.put_once(np.packbits(firsts, axis=-1).astype(np.int16)),
    }


def mean_rows(look: Look, index: int) -> Float[Tensor, "images heads keys"]:
    """The mean of the patch queries' rows over the lattice of a layer's keys."""
    return torch.as_tensor(np.asarray(look.attention(index, "mean")), dtype=torch.float32)


def _whole(tokens: np.ndarray) -> np.ndarray:
    """Token numbers in a type that blocks hold: float32 tells those of 2²⁴ apart."""
    return tokens.astype(np.int16 if tokens.max(initial=0) < 2**15 else np.float32)
