"""The compiled inner loops: what is done to a tile of logits while it is in the cache.

Numba compiles them for the machine at hand, once, and keeps the result on disk. Each is over one
head's float32 logits of some query rows, (rows, keys), and holds neither the GIL nor memory.
`no_type_check`: Numba compiles the function itself, not one wrapped to check shapes.
"""
# pyright: basic
# Numba publishes no types.

from typing import no_type_check

import numba
import numpy as np

from vitscope.attention.kernels.statistics import NO_MASS

_float, _int = np.float32, np.int32
# Sums may be taken in any order, so that they run in vector lanes. Logits of −∞ are expected, NaN is not.
_FLAGS = {"nnan", "nsz", "reassoc", "contract", "arcp"}
_LEAST = _float(-87.0)  # exp of what is below has no normal float32 and counts as 0
_NO_MASS = _float(NO_MASS)
MEAN, MAX, MIN = 0, 1, 2  # ways to fuse heads
_loop = numba.njit(nogil=True, cache=True, fastmath=_FLAGS, error_model="numpy")


@numba.njit(inline="always")
@no_type_check
def _exp(logit):
    """exp of a logit < 88 to two units in the last place: 2ⁿ·exp(r), |r| ≤ ln 2 / 2, as Cephes does it."""
    x = max(logit, _LEAST)
    n = np.floor(x * _float(1.44269504088896341) + _float(0.5))
    r = x - n * _float(0.693359375) + n * _float(2.12194440e-4)  # ln 2 in two parts
    p = _float(1.9875691500e-4)
    p = p * r + _float(1.3981999507e-3)
    p = p * r + _float(8.3334519073e-3)
    p = p * r + _float(4.1665795894e-2)
    p = p * r + _float(1.6666665459e-1)
    p = p * r + _float(5.0000001201e-1)
    p = p * r * r + r + _float(1)
    p *= _int((_int(n) + _int(127)) << _int(23)).view(np.float32)
    return p if logit >= _LEAST else _float(0)


@numba.njit(inline="always")
@no_type_check
def _ordered(bits):
    """Integers in the order of the floats of these bit patterns, and back: LLVM vectorises an integer maximum only."""
    return bits ^ ((bits >> _int(31)) & _int(0x7FFFFFFF))


@numba.njit(fastmath=_FLAGS)
@no_type_check
def _largest(row):
    bits = row.view(np.int32)
    largest = _ordered(bits[0])
    for k in range(bits.shape[0]):
        largest = max(largest, _ordered(bits[k]))
    return _int(_ordered(largest)).view(np.float32)


@_loop
@no_type_check
def fill_distances(queries, keys, out):
    """‖query − key‖ of (rows, 2) and (2, keys) places into (rows, keys)."""
    for r in range(queries.shape[0]):
        y, x = queries[r, 0], queries[r, 1]
        for k in range(keys.shape[1]):
            dy, dx = keys[0, k] - y, keys[1, k] - x
            out[r, k] = np.sqrt(dy * dy + dx * dx)


@_loop
@no_type_check
def add_statistics(logits, distances, sums, prefix_mass, normalisers):
    """Add what `RowStatistics` lists, in its order, of rows of patch queries to `sums` (5,) and `prefix_mass`.

    `distances` are (rows, patch keys); the keys before these are `prefix_mass`'s. `normalisers` (rows,) are written.
    """
    prefix = prefix_mass.shape[0]
    for r in range(logits.shape[0]):
        largest = _largest(logits[r])
        to_prefix = _float(0)
        weighted = _float(0)  # Σ exp(x)·x, x = logit − largest
        for k in range(prefix):
            x = logits[r, k] - largest
            e = _exp(x)
            to_prefix += e
            weighted += e * max(x, _LEAST)
        to_patches = _float(0)
        travelled = _float(0)
        squared = _float(0)
        row, away = logits[r, prefix:], distances[r]
        for k in range(row.shape[0]):
            x = row[k] - largest
            e = _exp(x)
            to_patches += e
            weighted += e * max(x, _LEAST)
            travelled += e * away[k]
            squared += e * away[k] * away[k]
        total = to_prefix + to_patches
        sums[0] += travelled / total
        sums[1] += squared / total
        sums[2] += travelled / to_patches if to_patches > _NO_MASS * total else _float(0)
        sums[3] += np.log(total) - weighted / total
        sums[4] += _float(1) / total
        for k in range(prefix):
            prefix_mass[k] += _exp(logits[r, k] - largest) / total
        normalisers[r] = largest + np.log(total)


@_loop
@no_type_check
def normalise(logits, normalisers):
    """ln Σ_k exp(logit) of each row into `normalisers` (rows,)."""
    for r in range(logits.shape[0]):
        largest = _largest(logits[r])
        total = _float(0)
        for k in range(logits.shape[1]):
            total += _exp(logits[r, k] - largest)
        normalisers[r] = largest + np.log(total)


@_loop
@no_type_check
def to_weights(logits, normalisers):
    """exp(logit − normaliser) of each row, in place."""
    for r in range(logits.shape[0]):
        for k in range(logits.shape[1]):
            logits[r, k] = _exp(logits[r, k] - normalisers[r])


@_loop
@no_type_check
def add_columns(logits, normalisers, vector, columns):
    """Add Σ_r vector[r]·exp(logit − normaliser) to `columns` (keys,)."""
    for r in range(logits.shape[0]):
        for k in range(logits.shape[1]):
            columns[k] += vector[r] * _exp(logits[r, k] - normalisers[r])


@_loop
@no_type_check
def fuse(logits, normalisers, fusion, share, fused):
    """Fuse one head's weights into `fused` (rows, keys): add `share` of them, or keep the larger or smaller."""
    for r in range(logits.shape[0]):
        row, out, normaliser = logits[r], fused[r], normalisers[r]
        if fusion == MEAN:
            for k in range(row.shape[0]):
                out[k] += share * _exp(row[k] - normaliser)
        elif fusion == MAX:
            for k in range(row.shape[0]):
                weight = _exp(row[k] - normaliser)
                out[k] = weight if weight > out[k] else out[k]
        else:
            for k in range(row.shape[0]):
                weight = _exp(row[k] - normaliser)
                out[k] = weight if weight < out[k] else out[k]


@_loop
@no_type_check
def add_rollout_rows(fused, vector, first, columns):
    """Add vector · (rows of the rollout's factor) to `columns`: plus identity, divided by the row's sum.

    Row r of `fused` is the factor's row `first` + r.
    """
    for r in range(fused.shape[0]):
        row = fused[r]
        total = _float(1)
        for k in range(row.shape[0]):
            total += row[k]
        share = vector[r] / total
        for k in range(row.shape[0]):
            columns[k] += share * row[k]
        columns[first + r] += share
