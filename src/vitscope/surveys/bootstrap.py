"""Confidence intervals for means over images: the percentile bootstrap (Efron & Tibshirani 1993, section 13.3).

The images are what is drawn again, each with all its heads and layers. By the hashes of their ids they are dealt into
groups of equal size, at most GROUPS of them, and whole groups are drawn: up to that many images a group is one image,
and this is the ordinary bootstrap; beyond it, groups' sums vary as their images' sums do, so that the interval is the
same but for its last digits, and memory no longer grows with the images. Nothing depends on the order of the rows.
"""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
from jaxtyping import Float, Int, UInt64

from vitscope.summaries import Estimate

GROUPS = 4096


def hashes_of(ids: Iterable[str]) -> UInt64[np.ndarray, " images"]:
    """64 bits of each id's BLAKE2b."""
    digests = [blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in ids]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def deal(images: int, groups: int = GROUPS) -> Int[np.ndarray, " images"]:
    """The group of each image, by its rank: min(images, groups) groups whose sizes differ by one at most."""
    return np.arange(images, dtype=np.int64) * min(images, groups) // max(images, 1)


def draws(groups: int, replicates: int, seed: int) -> Float[np.ndarray, "replicates groups"]:
    """How often each group is drawn in each replicate: `groups` draws with replacement."""
    drawn = np.random.default_rng([seed, groups]).integers(groups, size=(replicates, groups))
    places = drawn + groups * np.arange(replicates)[:, None]
    counts = np.bincount(places.ravel(), minlength=replicates * groups)
    return counts.reshape(replicates, groups).astype(np.float64)


class Totals:
    """Sums and counts of what is finite, by group of images and cell (a head, a layer)."""

    def __init__(self, groups: int, cells: int) -> None:
        self.sums = np.zeros((groups, cells))
        self.counts = np.zeros((groups, cells))

    def add(
        self,
        groups: Int[np.ndarray, " rows"],
        cells: Int[np.ndarray, " rows"],
        values: Float[np.ndarray, " rows"],
    ) -> None:
        """Add rows of one value each; those that are not finite are left out."""
        known = np.isfinite(values)
        places = (groups * self.sums.shape[1] + cells)[known]
        np.add.at(self.sums.reshape(-1), places, values[known])
        np.add.at(self.counts.reshape(-1), places, 1.0)

    def means(self, drawn: Float[np.ndarray, "replicates groups"]) -> Float[np.ndarray, "replicates cells"]:
        """Σ drawn · sum / Σ drawn · count; NaN where nothing was drawn."""
        return ratio(drawn @ self.sums, drawn @ self.counts)


class Deviations:
    """Count, mean and sum of squared deviations of each cell, merged as in Chan, Golub & LeVeque 1983."""

    def __init__(self, cells: int) -> None:
        self.count, self.mean, self.squares = (np.zeros(cells) for _ in range(3))

    def add(self, cells: Int[np.ndarray, " rows"], values: Float[np.ndarray, " rows"]) -> None:
        known = np.isfinite(values)
        cells, values = cells[known], values[known]
        count = np.bincount(cells, minlength=len(self.count)).astype(np.float64)
        mean = np.bincount(cells, values, len(count)) / np.maximum(count, 1)
        squares = np.bincount(cells, (values - mean[cells]) ** 2, len(count))
        total, step = self.count + count, mean - self.mean
        share = count / np.maximum(total, 1)
        self.squares += squares + step**2 * self.count * share
        self.mean += step * share
        self.count = total

    @property
    def deviation(self) -> Float[np.ndarray, " cells"]:
        """The standard deviation, by n − 1; NaN below two."""
        few = self.count < 2
        return np.where(few, np.nan, np.sqrt(self.squares / np.where(few, 1, self.count - 1)))


def estimate(
    mean: Float[np.ndarray, "*shape"],
    replicates: Float[np.ndarray, "replicates *shape"],
    confidence: float,
    groups: int,
) -> Estimate:
    """The mean with the percentile interval of its replicates; no interval for a single group."""
    flat = replicates.reshape(len(replicates), -1)
    low, high = np.full((2, flat.shape[1]), np.nan)
    known = np.isfinite(flat).any(axis=0)
    if groups > 1 and known.any():
        tail, kept = (1 - confidence) / 2, flat[:, known]
        quantile = np.quantile if np.isfinite(kept).all() else np.nanquantile  # which takes several times as long
        low[known], high[known] = quantile(kept, [tail, 1 - tail], axis=0)
    return Estimate(mean, low.reshape(mean.shape), high.reshape(mean.shape))


def ratio(sums: Float[np.ndarray, "*shape"], counts: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """sums / counts, NaN where there is no count."""
    return np.divide(sums, counts, out=np.full(np.shape(sums), np.nan), where=np.asarray(counts) > 0)


def mean_over(values: Float[np.ndarray, "first *rest"]) -> Float[np.ndarray, " first"]:
    """The mean over all axes but the first, of what is finite; NaN where nothing is."""
    flat = values.reshape(len(values), -1)
    known = np.isfinite(flat)
    return ratio(np.where(known, flat, 0).sum(axis=1), known.sum(axis=1).astype(np.float64))
