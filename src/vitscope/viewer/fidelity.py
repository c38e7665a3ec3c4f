"""How far the page's rows are from Python's own, over all rows of a layer, tile by tile."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.viewer.decode import Decoded

_TILE_BYTES = 4 * 2**20  # of a tile in float64
_LEAST = 1e-30  # maxima below this count as this: float32 tells weights far below it from nothing else


@dataclass(frozen=True, eq=False)
class Fidelity:
    """What one pass over Python's rows and the page's finds."""

    error: float  # largest difference, over the maximum of its row or of its column
    log_normaliser: Float[Tensor, "heads queries"] | None  # of the page's own logits
    mean_row: Float[Tensor, "heads keys"]  # of the patch queries' rows, Python's
    head: int  # of the row that the page missed most
    query: int
    row: Float[Tensor, " keys"]  # that row, Python's


def compare(call: AttentionCall, decoded: Decoded, prefix: int, *, tolerance: float = math.inf) -> Fidelity | None:
    """Compare every row and column of a call of one image; None as soon as the error exceeds `tolerance`."""
    comparison = _Comparison(call, prefix)
    for rows in _tiles(call):
        exact = call.weights(rows)[0].to(comparison.device, torch.float64)  # (heads, rows, keys)
        weights, log_normaliser = decoded.rows(rows)
        comparison.add(rows, exact, weights, log_normaliser)
        if not comparison.row_error <= tolerance:  # NaN too
            return None
    found = comparison.finish()
    return found if found.error <= tolerance else None


def device_of(call: AttentionCall) -> torch.device:
    """Where to compute in float64: the call's own device, or the CPU where that has no float64."""
    return call.device if call.device.type in ("cpu", "cuda") else torch.device("cpu")


class Sample:
    """Some rows of a call of one image, by which to tell quickly what is far from exact."""

    def __init__(self, call: AttentionCall, count: int = 64) -> None:
        self._rows = slice(0, call.query_count, max(1, call.query_count // count))
        self._exact = call.weights(self._rows)[0].to(device_of(call), torch.float64)  # (heads, rows, keys)

    def error(self, decoded: Decoded) -> float:
        """As `Fidelity.error`, over these rows, and over columns as far as these rows know them."""
        weights, _ = decoded.rows(self._rows)
        difference = weights.sub_(self._exact).abs_()
        worst = [
            (difference.amax(axis) / self._exact.abs().amax(axis).clamp_min(_LEAST)).max()
            for axis in (-1, -2)  # of rows, of columns
        ]
        return float(torch.stack(worst).max())


class _Comparison:
    """The running maxima and sums of the pass."""

    def __init__(self, call: AttentionCall, prefix: int) -> None:
        self.device = device_of(call)
        self.row_error = 0.0
        self._prefix = prefix
        self._patches = call.query_count - prefix
        self._worst = (0, 0, torch.zeros(call.key_count))  # head, query, row
        self._normalisers: list[Tensor] = []
        # Of each column, (heads, keys): the largest difference, the largest weight; and the sum over patch queries.
        shape = (call.heads, call.key_count)
        self._difference, self._maximum, self._sum = (
            torch.zeros(shape, dtype=torch.float64, device=self.device) for _ in range(3)
        )

    def add(self, rows: slice, exact: Tensor, weights: Tensor, log_normaliser: Tensor | None) -> None:
        """One tile: exact and decoded weights (heads, rows, keys)."""
        difference = weights.sub_(exact).abs_()
        size = exact.abs()  # mixed heads may have negative weights
        self._note_worst(rows, exact, difference.amax(-1) / size.amax(-1).clamp_min(_LEAST))
        torch.maximum(self._difference, difference.amax(1), out=self._difference)
        torch.maximum(self._maximum, size.amax(1), out=self._maximum)
        self._sum += exact[:, max(self._prefix - rows.start, 0) :].sum(1)
        if log_normaliser is not None:
            self._normalisers.append(log_normaliser)

    def _note_worst(self, rows: slice, exact: Tensor, errors: Tensor) -> None:
        """Keep the row with the largest of `errors` (heads, rows); the first row there is, if none has any."""
        head, row = divmod(int(errors.argmax()), errors.shape[1])  # argmax gives NaN precedence
        error = float(errors[head, row])
        if rows.start == 0 or not error <= self.row_error:
            self.row_error = error
            self._worst = (head, rows.start + row, exact[head, row].float())

    def finish(self) -> Fidelity:
        columns = self._difference / self._maximum.clamp_min(_LEAST)
        head, query, row = self._worst
        return Fidelity(
            error=max(self.row_error, float(columns.max())),
            log_normaliser=torch.cat(self._normalisers, 1) if self._normalisers else None,
            mean_row=(self._sum / self._patches).float(),
            head=head,
            query=query,
            row=row,
        )


def _tiles(call: AttentionCall) -> list[slice]:
    """Runs of query rows whose weights over all heads fit in a tile."""
    height = max(1, _TILE_BYTES // (8 * call.heads * call.key_count))
    return [slice(first, min(first + height, call.query_count)) for first in range(0, call.query_count, height)]
