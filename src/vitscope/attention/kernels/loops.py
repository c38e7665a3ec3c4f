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
_LEAST = _float(-88.0297)  # −127·ln 2: what is below counts as it, and 2⁻¹²⁷ is 0 in `_exp`
_FINITE = np.finfo(np.float32).min
_NO_MASS = _float(NO_MASS)
MEAN, MAX, MIN = 0, 1, 2  # ways to fuse heads
_part = numba.njit(fastmath=_FLAGS, error_model="numpy")  # of a loop; division by 0 is no error
_loop = numba.njit(fastmath=_FLAGS, error_model="numpy", nogil=True, cache=True)


@numba.njit(inline="always")
@no_type_check
def _exp(x):
    """exp(x) for x < 88, 2ⁿ·exp(r), |r| ≤ ln 2 / 2, to within 2⁻²³ of it while it is a normal number; then 0."""
    x = max(x, _LEAST)
    n = np.floor(x * _float(1.44269504088896341) + _float(0.5))
    r = x - n * _float(0.693359375) + n * _float(2.12194440e-4)  # ln 2 in two parts, of which one is exact
    p = _float(1.38146128e-3)  # minimax for |exp(r) / p − 1|, which is at most 3e-9
    p = p * r + _float(8.36871006e-3)
    p = p * r + _float(4.16683890e-2)
    p = p * r + _float(1.66665211e-1)
    p = p * r + _float(4.99999940e-1)
    p = p * r + _float(1)
    p = p * r + _float(1)
    return p * _int((_int(n) + _int(127)) << _int(23)).view(np.float32)


@_part
@no_type_check
def _largest(row):
    """The largest number, found among bit patterns, as LLVM vectorises a maximum of integers only.

    Among negative numbers the order of patterns is reversed: where all are, it is the least. Of −∞ alone it is the
    least finite number, from which all are −∞ away.
    """
    bits = row.view(np.int32)
    largest = bits[0]
    for k in range(bits.shape[0]):
        largest = max(largest, bits[k])
    if largest >= 0:
        return _int(largest).view(np.float32)
    patterns = row.view(np.uint32)
    least = patterns[0]
    for k in range(patterns.shape[0]):
        least = min(least, patterns[k])
    return max(np.uint32(least).view(np.float32), _FINITE)


@_part
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


@_part
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
                logarithm = np.log(total)
            else:
                total, logarithm = _add_row(logits[h, r], largest, prefix, distances[r - first], means, prefix_mass)
            totals[h, r], normalisers[h, r] = total, largest + logarithm
            if fused.shape[0]:
                _fuse_row(logits[h, r], _float(1) / total, fusion, share, fused[r])


@_part
@no_type_check
def _exponentials(row, largest):
    """The sum of what logits become: exp(logit − largest)."""
    total = _float(0)
    for k in range(row.shape[0]):
        e = _exp(row[k] - largest)
        row[k] = e
        total += e
    return total


@_part
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
    logarithm, inverse = np.log(total), _float(1) / total
    means[0] += travelled * inverse
    means[1] += squared * inverse
    means[2] += travelled / to_patches if to_patches > _NO_MASS * total else _float(0)
    means[3] += logarithm - weighted * inverse
    means[4] += inverse
    for k in range(prefix):
        prefix_mass[k] += logits[k] * inverse
    return total, logarithm


@_loop
@no_type_check
def divide(outputs, totals):
    """Divide `outputs` (rows, heads, features) by `totals` (heads, rows)."""
    for r in range(outputs.shape[0]):
        for h in range(outputs.shape[1]):
            output, inverse = outputs[r, h], _float(1) / totals[h, r]
            for f in range(output.shape[0]):
                output[f] *= inverse


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
