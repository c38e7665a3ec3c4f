"""The kernels on the CPU: products of queries and keys by the quicker library, what follows in compiled loops.

Every function is `reference`'s function of the same name; what is not here is `tiled`'s. `supports`
tells which calls it can take.
"""

import threading
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels import loops, tiled
from vitscope.attention.kernels.fused_matrix import FusedMatrix
from vitscope.attention.kernels.products import onednn_is_quicker, product_into, times_transposed
from vitscope.attention.kernels.reference import Fusion
from vitscope.attention.kernels.runs import Run, Tile, part_of, runs_of, tiles_of
from vitscope.attention.kernels.statistics import MEANS, Places, RowStatistics
from vitscope.attention.kernels.threads import scratch, share

_CODES: dict[Fusion, int] = {"mean": loops.MEAN, "max": loops.MAX, "min": loops.MIN}

NEEDS_NORMALISERS = True
fused, rollout_layer, threshold, moments = tiled.fused, tiled.rollout_layer, tiled.threshold, tiled.moments
mean_moments, head_distances = tiled.mean_moments, tiled.head_distances


def supports(call: AttentionCall) -> bool:
    """Whether the loops can take this call: float32 logits of queries and keys, on the CPU."""
    plain = call.queries is not None and call.logits_dtype is None
    return plain and call.device.type == "cpu" and call.dtype == torch.float32


def row_statistics(call: AttentionCall, places: Places, *, whole: bool = True) -> RowStatistics:
    """What `RowStatistics` describes; always the whole."""
    return _Pass(call, places).run()


def statistics_and_fused(call: AttentionCall, places: Places, fusion: Fusion) -> tuple[RowStatistics, FusedMatrix]:
    """The statistics, and the heads fused, from the same products."""
    matrix = FusedMatrix.empty(call)
    return _Pass(call, places, fusion=fusion, matrix=matrix).run(), matrix


def attend(
    call: AttentionCall,
    values: Float[Tensor, "images heads keys features"],
    places: Places,
    fusion: Fusion | None = None,
    *,
    whole: bool = True,
) -> tuple[Float[Tensor, "images heads queries features"], RowStatistics, FusedMatrix | None]:
    """The attention's own output, its statistics and, if asked for, the heads fused, from the same products."""
    output = _Output(values, call.query_count)
    matrix = None if fusion is None else FusedMatrix.empty(call)
    found = _Pass(call, places, fusion=fusion or "mean", matrix=matrix, output=output).run()
    return output.whole, found, matrix


class _Output:
    """Weights times values (images, heads, keys, features), a tile at a time: `whole` in the end."""

    whole: Float[Tensor, "images heads queries features"]

    def __init__(self, values: Tensor, queries: int) -> None:
        images, heads, _, features = values.shape
        # heads of a token lie side by side, as models join them next
        tokens = torch.empty(images, queries, heads, features, dtype=torch.float32, device="cpu")
        self._tokens, self.whole = tokens.numpy(), tokens.transpose(1, 2)
        self._single = onednn_is_quicker()
        values = values.float().transpose(-2, -1).contiguous() if self._single else values.float()
        self._images = list(zip(self.whole.unbind(), values.unbind(), strict=True))

    def multiply(self, image: int, rows: slice, heads: slice, tile: Tile) -> None:
        """Each row of the tile may be some number of times too large, until `divide`."""
        out, values = self._images[image]
        out, values = part_of(part_of(out, 1, rows), 0, heads), part_of(values, 0, heads)
        if self._single:
            for i in range(len(out)):
                out[i] = times_transposed(tile[i], values[i])
        else:
            product_into(out, tile, values)

    def divide(self, image: int, rows: slice, totals: Float[np.ndarray, "heads rows"]) -> None:
        loops.divide(self._tokens[image, rows], totals)


class _Pass:
    """One pass over the rows for their statistics, and what else is wanted of its tiles while they are at hand.

    `matrix` is filled with the heads fused, `output` with weights times values.
    """

    def __init__(
        self,
        call: AttentionCall,
        places: Places,
        *,
        fusion: Fusion = "mean",
        matrix: FusedMatrix | None = None,
        output: _Output | None = None,
    ) -> None:
        self._call, self._places = call, places
        self._output = output
        self._fused = None if matrix is None else _Fused(fusion, call, matrix)
        self._tiles = tiles_of(call)
        self._query_prefix, self._key_prefix = places.prefixes(call)
        self._queries, self._keys = _arrays(places)
        self._normalisers = np.empty((call.images, call.heads, call.query_count), np.float32)
        self._totals = np.empty_like(self._normalisers)

    def run(self) -> RowStatistics:
        call = self._call
        runs = runs_of(call)  # as many of each image, one image after the other
        sums = np.zeros((len(runs), call.heads, MEANS + self._key_prefix))
        share(self._add, list(zip(runs, sums, strict=True)))
        means = sums.reshape(call.images, -1, *sums.shape[1:]).sum(1)
        means = means / len(self._queries) if len(self._queries) else means * np.nan
        return RowStatistics.of(torch.from_numpy(means).float(), torch.from_numpy(self._normalisers))

    def _add(self, part: tuple[Run, Float[np.ndarray, "heads statistics"]]) -> None:
        """Add up a run's patch queries."""
        run, sums = part
        for rows, tiles in self._tiles.over(run):
            skipped = max(0, min(rows.stop, self._query_prefix) - rows.start)  # rows of prefix queries
            distances = self._distances(rows.start + skipped, rows.stop)
            normalisers, totals = self._normalisers[run.image, :, rows], self._totals[run.image, :, rows]
            for heads, tile in tiles:
                of_heads = sums[heads], normalisers[heads], totals[heads]
                into = _NOT_FUSED if self._fused is None else self._fused.parts(rows, heads)
                loops.add_statistics(tile.numpy(), skipped, distances, *of_heads, *into)
                if self._output is not None:
                    self._output.multiply(run.image, rows, heads, tile)
            if self._output is not None:
                self._output.divide(run.image, rows, totals)
            if self._fused is not None:
                self._fused.keep(run.image, rows)

    def _distances(self, start: int, stop: int) -> Float[np.ndarray, "rows patches"]:
        """From the patch queries among rows `start` to `stop` to all patch keys."""
        wanted = (self._places, self._query_prefix, start, stop)
        if wanted != _last.wanted:
            queries = self._queries[start - self._query_prefix : stop - self._query_prefix]
            _last.wanted = _Last.wanted  # until they are there
            _last.distances = scratch("distances", len(queries), self._keys.shape[1]).numpy()
            loops.fill_distances(queries, self._keys, _last.distances)
            _last.wanted = wanted
        return _last.distances


@lru_cache(maxsize=16)
def _arrays(places: Places) -> tuple[Float[np.ndarray, "patch_queries 2"], Float[np.ndarray, "2 patch_keys"]]:
    """The places as `loops.fill_distances` takes them; those of most layers are the same."""
    return places.queries.float().contiguous().numpy(), places.keys.float().T.contiguous().numpy()


class _Last(threading.local):
    """The distances that this thread computed last: other images and layers often need the same."""

    wanted: tuple[Places | None, int, int, int] = (None, 0, 0, 0)
    distances: np.ndarray = np.empty(0)


_last = _Last()


_NOT_FUSED = (loops.MEAN, 0.0, False, None)  # `_Fused.parts` where heads are not fused


class _Fused:
    """A call's heads fused by the loops, some rows of some heads after others, and kept in a matrix if there is one."""

    def __init__(self, fusion: Fusion, call: AttentionCall, matrix: FusedMatrix | None = None) -> None:
        self._code, self._heads, self._keys = _CODES[fusion], call.heads, call.key_count
        self._kept = () if matrix is None else (matrix.levels.numpy(), matrix.steps.numpy(), matrix.sums.numpy())

    def tile(self, rows: slice) -> Float[np.ndarray, "rows keys"]:
        """This thread's memory for these rows, until it asks for others."""
        return scratch("fused", rows.stop - rows.start, self._keys).numpy()

    def parts(self, rows: slice, heads: slice) -> tuple[int, float, bool, np.ndarray]:
        """What the loops are told to fuse these heads into the rows' tile, which holds nothing before the first."""
        return self._code, 1 / self._heads, heads.start == 0, self.tile(rows)

    def keep(self, image: int, rows: slice) -> None:
        """Store the rows' tile, all heads of which are fused."""
        loops.store(self.tile(rows), *(part[image, rows] for part in self._kept))


def normalisers(call: AttentionCall) -> Float[Tensor, "images heads queries"]:
    """ln Σ_k exp(logit) of every row."""
    tiles = tiles_of(call)
    out = np.empty((call.images, call.heads, call.query_count), np.float32)

    def fill(run: Run) -> None:
        for rows, some in tiles.over(run):
            for heads, logits in some:
                loops.normalise(logits.numpy(), out[run.image, heads, rows])

    share(fill, runs_of(call))
    return torch.from_numpy(out)


def column_sums(
    call: AttentionCall, vector: Float[Tensor, "images queries"], normalisers: Float[Tensor, "images heads queries"]
) -> Float[Tensor, "images heads keys"]:
    """Σ_q vector[q]·A[q, k]: what each key receives of every head, the queries weighted by `vector`."""
    tiles = tiles_of(call)
    known, weights = normalisers.contiguous().numpy(), vector.float().contiguous().numpy()

    def columns_of(run: Run) -> Float[np.ndarray, "heads keys"]:
        columns = np.zeros((call.heads, call.key_count), np.float32)
        for rows, some in tiles.over(run, weights[run.image]):
            for heads, logits in some:
                of_rows = known[run.image, heads, rows], weights[run.image, rows]
                loops.add_columns(logits.numpy(), *of_rows, columns[heads])
        return columns

    return _summed_by_image(columns_of, call)


def vector_times_rollout_layer(
    call: AttentionCall,
    vector: Float[Tensor, "images tokens"],
    fusion: Fusion,
    least: Float[Tensor, " images"] | None = None,
    normalisers: Float[Tensor, "images heads tokens"] | None = None,
) -> Float[Tensor, "images tokens"]:
    """A row vector times `rollout_layer`, without forming that; `normalisers`, where they are known, save a pass."""
    if least is not None:  # a bound must meet the very entries that it was taken from, to the last bit, or ties fall
        return tiled.vector_times_rollout_layer(call, vector, fusion, least)
    sums = _normalisers_of(call) if normalisers is None else normalisers
    if fusion == "mean":  # rows of A sum to 1, so the identity halves each row of the factor
        return (column_sums(call, vector, sums).mean(1) + vector) / 2
    tiles, fused = tiles_of(call), _Fused(fusion, call)
    known, weights = sums.contiguous().numpy(), vector.float().contiguous().numpy()

    def columns_of(run: Run) -> Float[np.ndarray, " tokens"]:
        columns = np.zeros(call.key_count, np.float32)
        for rows, some in tiles.over(run, weights[run.image]):
            for heads, logits in some:
                loops.fuse(logits.numpy(), known[run.image, heads, rows], *fused.parts(rows, heads))
            loops.add_rollout_rows(fused.tile(rows), weights[run.image, rows], rows.start, columns)
        return columns

    return _summed_by_image(columns_of, call)


def vector_times_stored_layer(
    call: AttentionCall, matrix: FusedMatrix, vector: Float[Tensor, "images tokens"]
) -> Float[Tensor, "images tokens"]:
    """A row vector times `rollout_layer`, from the call's heads fused and stored."""
    shares = vector.float() / (matrix.sums + 1)  # the identity adds 1 to each row's sum
    levels, weights = matrix.levels.numpy(), (shares * matrix.steps).contiguous().numpy()

    def columns_of(run: Run) -> Float[np.ndarray, " tokens"]:
        columns, rows = np.zeros(call.key_count, np.float32), slice(run.rows.start, run.rows.stop)
        loops.add_levels(levels[run.image, rows], weights[run.image, rows], columns)
        return columns

    return _summed_by_image(columns_of, call) + shares


_normalisers_of = normalisers  # where a parameter has the function's name


def _summed_by_image(work: Callable[[Run], np.ndarray], call: AttentionCall) -> Tensor:
    """The sums over each image's runs, stacked."""
    runs = runs_of(call)
    sums: dict[int, np.ndarray] = {}
    for run, part in zip(runs, share(work, runs), strict=True):
        sums[run.image] = sums[run.image] + part if run.image in sums else part
    return torch.from_numpy(np.stack([sums[i] for i in range(call.images)]))
