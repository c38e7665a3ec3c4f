"""Moments: which way each head looks from its own place, and how far its attention spreads about where it looks.

Each patch query's row is rescaled to 1 over the patch keys k, with weights w_k. Its centroid is
c = Σ_k w_k · pos_k; the offset is c − pos_q, and the spread √(Σ_k w_k · ‖pos_k − c‖²), the root of the trace of
the covariance: the root mean square distance from the centroid. All are means over the patch queries, so that
offsets of opposite sign cancel: only a head that looks one way from everywhere has a large one. A uniform head has
offset 0 and, on a grid of H × W patches of side p, spread p · √((H² − 1) / 12 + (W² − 1) / 12).
"""

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from jaxtyping import Float
from torch import Tensor

from vitscope.errors import ArgumentError
from vitscope.layout import Layout
from vitscope.measures import dense
from vitscope.measures.arranged import Arranged
from vitscope.measures.distance import UNIT_WORDS, DistanceUnit, per_pixel
from vitscope.measures.needs import Needs
from vitscope.measures.result import Measured, measured
from vitscope.measures.seen import Seen


@dataclass(frozen=True)
class MomentsPass:
    """The means of a layer, (images, heads, 3), with places in the unit square or in pixels."""

    unit_square: bool

    @property
    def words(self) -> str:
        return f"moments in {'the unit square' if self.unit_square else 'pixels'}"

    def __call__(self, layer: Arranged) -> Tensor:
        return layer.mean_moments(unit_square=self.unit_square)


@dataclass(frozen=True)
class Moments:
    """Mean offset (y, x) of each head's attention from the query's own place, and mean spread about its centroid.

    Offsets are signed: a head that looks one patch to the left has offset_x = −patch. Rows without mass
    on the patches count as 0. `unit`: "pixels" of the model's input, "patches", "diagonal" (fraction of the
    input's diagonal), or "unit_square" (each axis divided by its grid − 1).

    Where attention is in windows, the means are over the patch queries of all of them; one that stands in
    several counts in each. Padding has no place, and is left out of the rescaled rows. In every stage of a
    hierarchy pixels are those of the input; "patches" are the first layer's, and "unit_square" is each
    layer's own lattice.
    """

    unit: DistanceUnit = "pixels"

    columns = ("offset_y", "offset_x", "spread")  # of the last axis

    def __post_init__(self) -> None:
        if self.unit not in get_args(DistanceUnit):
            raise ArgumentError(f"unit {self.unit!r} is unknown; expected one of {', '.join(get_args(DistanceUnit))}")

    @property
    def convention(self) -> str:
        return (
            "mean offset (y, x) of the attention's centroid from the query's own place, and mean spread about the "
            f"centroid, in {UNIT_WORDS[self.unit]}; prefix tokens dropped on both axes, rows rescaled to 1 over the "
            "patches"
        )

    @property
    def needs(self) -> Needs:
        return Needs(passes=frozenset({self._pass}))

    @property
    def _pass(self) -> MomentsPass:
        return MomentsPass(self.unit == "unit_square")

    def measure(self, seen: Seen) -> Float[Measured, "images layers heads 3"]:
        """Offset by y, by x, and spread; NaN where a layer has fewer heads than another."""
        factor = per_pixel(self.unit, seen.layout)
        return measured(seen.passed(self._pass) * factor, self.convention)


def moments(
    attention: Any,
    grid: tuple[int, int],
    patch_size: int | tuple[int, int],
    prefix: int = 1,
    unit: DistanceUnit = "pixels",
) -> Float[Measured, "*batch 3"]:
    """Moments of dense attention (…, tokens, tokens): offset by y, by x, and spread for each leading entry.

    `grid` is (rows, columns), `patch_size` pixels (or height, width), `prefix` the number of tokens
    that come before the patches. See Moments for `unit`.
    """
    measure = Moments(unit)
    array = dense.on_grid(attention, grid, prefix)
    size = (patch_size, patch_size) if isinstance(patch_size, int) else patch_size
    layout = Layout(grid, size, tuple(f"prefix{i}" for i in range(prefix)))
    places = layout.unit_square() if unit == "unit_square" else layout.centres()  # (patches, 2)
    weights = array[..., prefix:, prefix:].astype(np.float64)  # (…, queries, keys), both patches
    mass = weights.sum(-1, keepdims=True)
    shares = np.divide(weights, mass, out=np.zeros_like(weights), where=mass > 0)
    centroid = shares @ places  # (…, queries, 2)
    away = np.square(places - centroid[..., None, :]).sum(-1)  # (…, queries, keys)
    spread = np.sqrt((shares * away).sum(-1, keepdims=True))  # (…, queries, 1)
    offset = np.where(mass > 0, centroid - places, 0)
    means = np.concatenate([offset, spread], -1).mean(-2) * per_pixel(unit, layout)
    return measured(np.asarray(means).astype(dense.result_type(array)), measure.convention)
