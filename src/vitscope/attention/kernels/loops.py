"""The compiled inner loops, loops.c, called with arrays: what is done to a tile of logits while it is in the cache.

Each is over some heads' float32 logits of some query rows, and holds neither the GIL nor memory. Arrays lie in C's
order, without gaps, but that numbers of rows, (heads, rows), may be some of more rows. Importing this raises
ImportError where the loops were not compiled for this machine.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int16

from vitscope.attention.kernels import library
from vitscope.attention.kernels.fused_matrix import LEVELS
from vitscope.attention.kernels.statistics import MEANS, NO_MASS

MEAN, MAX, MIN = 0, 1, 2  # ways to fuse heads

_TYPES = {"i": ctypes.c_ssize_t, "a": ctypes.c_void_p, "f": ctypes.c_float}  # an integer, an array, a number
_path = library.find()
if _path is None:
    raise ImportError("no loops were compiled for this machine")
_functions = library.load(_path)


def _loop(name: str, types: str) -> Callable[..., None]:
    """One of the library's functions, by the types of what it takes."""
    found = getattr(_functions, name)
    found.argtypes, found.restype = [_TYPES[kind] for kind in types], None
    return found


_fill_distances = _loop("fill_distances", "iiaaa")
_add_statistics = _loop("add_statistics", "iiiiiaafaaiaiifia")
_divide = _loop("divide", "iiiaai")
_normalise = _loop("normalise", "iiiaai")
_fuse = _loop("fuse", "iiiaaiifia")
_add_columns = _loop("add_columns", "iiiaaiaa")
_store = _loop("store", "iiaffaaa")
_add_levels = _loop("add_levels", "iiaaa")
_add_rollout_rows = _loop("add_rollout_rows", "iiaaia")


def _at(array: np.ndarray, *shape: int, kind: Any = np.float32) -> int:
    """Where an array begins; ValueError unless it is as the loops read it."""
    if array.shape != shape or array.dtype != kind or not array.flags.c_contiguous:
        found = f"{array.dtype} {array.shape}, strides {array.strides}"
        raise ValueError(f"found {found}; expected {np.dtype(kind)} {shape} without gaps")
    return array.ctypes.data


def _rows_at(array: np.ndarray, heads: int, rows: int) -> tuple[int, int]:
    """Where numbers of heads' rows begin, and the step from head to head; ValueError as above."""
    gaps = rows > 1 and array.strides[1] != array.itemsize
    if array.shape != (heads, rows) or array.dtype != np.float32 or gaps:
        found = f"{array.dtype} {array.shape}, strides {array.strides}"
        raise ValueError(f"found {found}; expected float32 {heads, rows}, rows without gaps")
    return array.ctypes.data, array.strides[0] // array.itemsize


def fill_distances(
    queries: Float32[np.ndarray, "rows 2"],
    keys: Float32[np.ndarray, "2 keys"],
    out: Float32[np.ndarray, "rows keys"],
) -> None:
    """‖query − key‖ of places, (y, x)."""
    rows, patches = out.shape
    _fill_distances(rows, patches, _at(queries, rows, 2), _at(keys, 2, patches), _at(out, rows, patches))


def add_statistics(
    logits: Float32[np.ndarray, "heads rows keys"],
    first: int,
    distances: Float32[np.ndarray, "patch_rows patch_keys"],
    sums: Float64[np.ndarray, "heads statistics"],
    normalisers: Float32[np.ndarray, "heads rows"],
    totals: Float32[np.ndarray, "heads rows"],
    fusion: int,
    share: float,
    fresh: bool,
    fused: Float32[np.ndarray, "rows keys"] | None,
) -> None:
    """Add what `RowStatistics` lists, in its order, of rows of patch queries to `sums`.

    These are the rows from `first` on; `distances` are theirs to the keys after the prefix. Of all rows `normalisers`
    and `totals` are written, the logits become weights · total, and the weights are fused into `fused` while they are
    at hand; `fresh` says that nothing is in it yet.
    """
    heads, rows, keys = logits.shape
    prefix = sums.shape[1] - MEANS
    _add_statistics(
        *(heads, rows, keys, prefix, first),
        _at(logits, heads, rows, keys),
        _at(distances, rows - first, keys - prefix),
        NO_MASS,
        _at(sums, heads, MEANS + prefix, kind=np.float64),
        *_rows_at(normalisers, heads, rows),
        *_rows_at(totals, heads, rows),
        *(fusion, share, fresh),
        None if fused is None else _at(fused, rows, keys),
    )


def divide(outputs: Float32[np.ndarray, "rows heads features"], totals: Float32[np.ndarray, "heads rows"]) -> None:
    """Divide `outputs` by `totals`."""
    rows, heads, features = outputs.shape
    _divide(rows, heads, features, _at(outputs, rows, heads, features), *_rows_at(totals, heads, rows))


def normalise(logits: Float32[np.ndarray, "heads rows keys"], normalisers: Float32[np.ndarray, "heads rows"]) -> None:
    """ln Σ_k exp(logit) of each row into `normalisers`."""
    heads, rows, keys = logits.shape
    _normalise(heads, rows, keys, _at(logits, heads, rows, keys), *_rows_at(normalisers, heads, rows))


def fuse(
    logits: Float32[np.ndarray, "heads rows keys"],
    normalisers: Float32[np.ndarray, "heads rows"],
    fusion: int,
    share: float,
    fresh: bool,
    fused: Float32[np.ndarray, "rows keys"],
) -> None:
    """Fuse some heads into `fused`, nothing yet if `fresh`; the logits become weights, exp(logit − normaliser)."""
    heads, rows, keys = logits.shape
    given = _at(logits, heads, rows, keys), *_rows_at(normalisers, heads, rows)
    _fuse(heads, rows, keys, *given, fusion, share, fresh, _at(fused, rows, keys))


def add_columns(
    logits: Float32[np.ndarray, "heads rows keys"],
    normalisers: Float32[np.ndarray, "heads rows"],
    vector: Float32[np.ndarray, " rows"],
    columns: Float32[np.ndarray, "heads keys"],
) -> None:
    """Add Σ_r vector[r]·exp(logit − normaliser) to `columns`."""
    heads, rows, keys = logits.shape
    given = _at(logits, heads, rows, keys), *_rows_at(normalisers, heads, rows), _at(vector, rows)
    _add_columns(heads, rows, keys, *given, _at(columns, heads, keys))


def store(
    fused: Float32[np.ndarray, "rows keys"],
    levels: Int16[np.ndarray, "rows keys"],
    steps: Float32[np.ndarray, " rows"],
    sums: Float32[np.ndarray, " rows"],
) -> None:
    """Keep rows of fused heads as `FusedMatrix` holds them."""
    rows, keys = fused.shape
    out = _at(levels, rows, keys, kind=np.int16), _at(steps, rows), _at(sums, rows)
    _store(rows, keys, _at(fused, rows, keys), LEVELS, NO_MASS, *out)


def add_levels(
    levels: Int16[np.ndarray, "rows keys"],
    vector: Float32[np.ndarray, " rows"],
    columns: Float32[np.ndarray, " keys"],
) -> None:
    """Add vector · levels to `columns`."""
    rows, keys = levels.shape
    _add_levels(rows, keys, _at(levels, rows, keys, kind=np.int16), _at(vector, rows), _at(columns, keys))


def add_rollout_rows(
    fused: Float32[np.ndarray, "rows keys"],
    vector: Float32[np.ndarray, " rows"],
    first: int,
    columns: Float32[np.ndarray, " keys"],
) -> None:
    """Add vector · (rows of the rollout's factor) to `columns`: plus identity, divided by the row's sum.

    Row r of `fused` is the factor's row `first` + r, which has at least as many keys.
    """
    rows, keys = fused.shape
    _add_rollout_rows(rows, keys, _at(fused, rows, keys), _at(vector, rows), first, _at(columns, keys))
