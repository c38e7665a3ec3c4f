"""The compiled inner loops: what is done to a tile of logits while it is in the cache.

Numba compiles them for the machine at hand, once, and keeps the result on disk. Each is over some
heads' float32 logits of some query rows, (heads, rows, keys), and holds neither the GIL nor memory.
`no_type_check`: Numba compiles the function itself, not one wrapped to check shapes.
"""
# pyright: basic
# Numba publishes no types.

from typing import no_type_check

import numba
import numpy as np

from vitscope.attention.kernels.fused_matrix import LEVELS
from vitscope.attention.kernels.statistics import MEANS, NO_MASS

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


@numba.njit(fastmath=_FLAGS)
@no_type_check
def _normaliser(row):
    largest, total = _largest(row), _float(0)
    for k in range(row.shape[0]):
        total += _exp(row[k] - largest)
    return largest + np.log(total)


@_loop
@no_type_check
def fill_distances(queries, keys, out):
    """‖query − key‖ of (rows, 2) and (2, keys) places into (rows, keys)."""
    for r in range(queries.shape[0]):
        y, x = queries[r, 0], queries[r, 1]
        for k in range(keys.shape[1]):
            dy, dx = keys[0, k] - y, keys[1, k] - x
            out[r, k] = np.sqrt(dy * dy + dx * dx)


@numba.njit(fastmath=_FLAGS)
@no_type_check
def _fuse_row(weights, factor, fusion, share, fused):
    """Fuse one head's row, `factor` times `weights`, into `fused` (keys,): add `share` of it, or keep what is more."""
    if fusion == MEAN:
        factor *= share
        for k in range(weights.shape[0]):
            fused[k] += factor * weights[k]
    elif fusion == MAX:
        for k in range(weights.shape[0]):
            weight = factor * weights[k]
            fused[k] = weight if weight > fused[k] else fused[k]
    else:
        for k in range(weights.shape[0]):
            weight = factor * weights[k]
            fused[k] = weight if weight < fused[k] else fused[k]


@_loop
@no_type_check
def add_statistics(logits, first, distances, sums, normalisers, totals, fusion, share, fused):
    """Add what `RowStatistics` lists, in its order, of rows of patch queries to `sums` (heads, 5 + prefix).

    These are the rows from `first` on. `distances` are (these rows, patch keys), to the keys after the prefix. Of all
    rows `normalisers` (heads, rows) are written, the logits become weights · total, `totals` (heads, rows) theirs,
    and the weights are fused into `fused` (rows, keys), unless that has no rows, while they are at hand.
    """
    prefix = sums.shape[1] - MEANS
    for h in range(logits.shape[0]):
        means, prefix_mass = sums[h, :MEANS], sums[h, MEANS:]
        for r in range(logits.shape[1]):
            largest = _largest(logits[h, r])
            if r < first:
                total = _exponentials(logits[h, r], largest)
            else:
                total = _add_row(logits[h, r], largest, prefix, distances[r - first], means, prefix_mass)
            totals[h, r], normalisers[h, r] = total, largest + np.log(total)
            if fused.shape[0]:
                _fuse_row(logits[h, r], _float(1) / total, fusion, share, fused[r])


@numba.njit(fastmath=_FLAGS)
@no_type_check
def _exponentials(row, largest):
    """The sum of what logits become: exp(logit − largest)."""
    total = _float(0)
    for k in range(row.shape[0]):
        e = _exp(row[k] - largest)
        row[k] = e
        total += e
    return total


@numba.njit(fastmath=_FLAGS)
@no_type_check
def _add_row(logits, largest, prefix, away, means, prefix_mass):
    """`_exponentials` of one patch query's row, whose statistics are added; `away` are distances to patch keys."""
    to_prefix = _float(0)
    weighted = _float(0)  # Σ exp(x)·x, x = logit − largest
    for k in range(prefix):
        x = logits[k] - largest
        e = _exp(x)
        logits[k] = e
        to_prefix += e
        weighted += e * max(x, _LEAST)
    to_patches = _float(0)
    travelled = _float(0)
    squared = _float(0)
    row = logits[prefix:]
    for k in range(row.shape[0]):
        x = row[k] - largest
        e = _exp(x)
        row[k] = e
        to_patches += e
        weighted += e * max(x, _LEAST)
        travelled += e * away[k]
        squared += e * away[k] * away[k]
    total = to_prefix + to_patches
    means[0] += travelled / total
    means[1] += squared / total
    means[2] += travelled / to_patches if to_patches > _NO_MASS * total else _float(0)
    means[3] += np.log(total) - weighted / total
    means[4] += _float(1) / total
    for k in range(prefix):
        prefix_mass[k] += logits[k] / total
    return total


@_loop
@no_type_check
def normalise(logits, normalisers):
    """ln Σ_k exp(logit) of each row into `normalisers` (heads, rows)."""
    for h in range(logits.shape[0]):
        for r in range(logits.shape[1]):
            normalisers[h, r] = _normaliser(logits[h, r])


@_loop
@no_type_check
def fuse(logits, normalisers, fusion, share, fused):
    """Fuse some heads into `fused` (rows, keys); the logits become weights, exp(logit − normaliser)."""
    for h in range(logits.shape[0]):
        for r in range(logits.shape[1]):
            row, normaliser = logits[h, r], normalisers[h, r]
            for k in range(row.shape[0]):
                row[k] = _exp(row[k] - normaliser)
            _fuse_row(row, _float(1), fusion, share, fused[r])


@_loop
@no_type_check
def add_columns(logits, normalisers, vector, columns):
    """Add Σ_r vector[r]·exp(logit − normaliser) to `columns` (heads, keys)."""
    for h in range(logits.shape[0]):
        column = columns[h]
        for r in range(logits.shape[1]):
            row, normaliser = logits[h, r], normalisers[h, r]
            for k in range(row.shape[0]):
                column[k] += vector[r] * _exp(row[k] - normaliser)


@_loop
@no_type_check
def store(fused, levels, steps, sums):
    """Keep rows of fused heads as `FusedMatrix` holds them: `levels` (rows, keys), `steps` and `sums` (rows,)."""
    for r in range(fused.shape[0]):
        row, out = fused[r], levels[r]
        largest, total = _largest(row), _float(0)
        inverse = _float(LEVELS) / largest if largest > _NO_MASS else _float(0)
        for k in range(row.shape[0]):
            total += row[k]
            out[k] = _int(row[k] * inverse + _float(0.5))
        steps[r], sums[r] = largest / _float(LEVELS), total


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
