"""Mean attention distance: how far from its own place each head looks.

d = mean over patch queries q of Σ_k A[q, k] · ‖pos_q − pos_k‖, over patch keys k; prefix tokens
are dropped on both axes. Sources: Dosovitskiy et al. 2020 (arXiv 2010.11929), Fig. 7 right and
App. D.7, and Raghu et al. 2021 (arXiv 2108.08810), Fig. 3: pixels, rows not rescaled, the default.
Park et al. 2023 (arXiv 2305.00729) rescale each row to sum to 1 over the patches; Walmer et al.
2023 (arXiv 2212.03862) do too, on the unit square.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from vitscope.errors import ArgumentError
from vitscope.layout import Layout
from vitscope.measures import dense
from vitscope.measures.needs import Needs
from vitscope.measures.result import Measured, measured
from vitscope.measures.seen import Seen

DistanceUnit = Literal["pixels", "patches", "diagonal", "unit_square"]
UNIT_WORDS: dict[DistanceUnit, str] = {
    "pixels": "pixels of the model's input",
    "patches": "patches",
    "diagonal": "fractions of the input's diagonal",
    "unit_square": "units of a square on which patch centres run from 0 to 1 on each axis",
}


@dataclass(frozen=True)
class MeanAttentionDistance:
    """Mean attention distance of every layer and head.

    `rescale` divides each row by its mass on the patches (rows without any count as 0). Without
    it, what a row gives to prefix tokens shortens its distance, so that layers with sinks look
    local. `unit`: "pixels" of the model's input, "patches", "diagonal" (fraction of the input's
    diagonal), or "unit_square" (each axis divided by its grid − 1).

    Where attention is in windows, the mean is over the patch queries of all of them; one that stands in
    several counts in each. Padding takes its share of a row, as in the model, and adds no distance. In
    every stage of a hierarchy pixels are those of the input; "patches" are the first layer's, and
    "unit_square" is each layer's own lattice.
    """

    rescale: bool = False
    unit: DistanceUnit = "pixels"

    def __post_init__(self) -> None:
        if self.unit not in get_args(DistanceUnit):
            raise ArgumentError(f"unit {self.unit!r} is unknown; expected one of {', '.join(get_args(DistanceUnit))}")

    @property
    def convention(self) -> str:
        rows = "rows rescaled to 1 over the patches" if self.rescale else "rows not rescaled"
        return f"mean attention distance in {UNIT_WORDS[self.unit]}; prefix tokens dropped on both axes, {rows}"

    @property
    def needs(self) -> Needs:
        return Needs(statistics=frozenset({self.unit == "unit_square"}))

    def measure(self, seen: Seen) -> Float[Measured, "images layers heads"]:
        """The distances, from one pass over the rows; NaN where a layer has fewer heads than another."""
        distances = seen.stacked(
            lambda rows: rows.rescaled_distance if self.rescale else rows.distance,
            unit_square=self.unit == "unit_square",
        )
        return measured(distances * per_pixel(self.unit, seen.layout), self.convention)


def mean_attention_distance(
    attention: Any,
    grid: tuple[int, int],
    patch_size: int | tuple[int, int],
    prefix: int = 1,
    rescale: bool = False,
    unit: DistanceUnit = "pixels",
) -> Float[Measured, "*batch"]:
    """Mean attention distance of dense attention (…, tokens, tokens): one number for each leading entry.

    `grid` is (rows, columns), `patch_size` pixels (or height, width), `prefix` the number of tokens
    that come before the patches. See MeanAttentionDistance for `rescale` and `unit`.
    """
    measure = MeanAttentionDistance(rescale, unit)
    array = dense.on_grid(attention, grid, prefix)
    size = (patch_size, patch_size) if isinstance(patch_size, int) else patch_size
    layout = Layout(grid, size, tuple(f"prefix{i}" for i in range(prefix)))
    weights = array[..., prefix:, prefix:].astype(np.float64)  # (…, patches, patches)
    places = layout.unit_square() if unit == "unit_square" else layout.centres()
    distances = np.linalg.norm(places[:, None] - places, axis=-1)  # (patches, patches)
    travelled = (weights * distances).sum(-1)  # (…, patches)
    if rescale:
        mass = weights.sum(-1)
        travelled = np.divide(travelled, mass, out=np.zeros_like(travelled), where=mass > 0)
    result = np.asarray(travelled.mean(-1) * per_pixel(unit, layout)).astype(dense.result_type(array))
    return measured(result, measure.convention)


def uniform_distance(layout: Layout, rescale: bool = False, unit: DistanceUnit = "pixels") -> float:
    """What the distance would be if every token attended to all alike.

    d = Σ over offsets (dy, dx) of (H − |dy|)(W − |dx|) · ‖(dy, dx)‖ / (HW)², on a grid of H × W; without
    rescaling, prefix tokens take their share of it away.
    """
    rows, columns = layout.grid
    dy, dx = np.mgrid[1 - rows : rows, 1 - columns : columns]  # (2H − 1, 2W − 1) each
    pairs = (rows - np.abs(dy)) * (columns - np.abs(dx))
    unit_step = (1 / max(rows - 1, 1), 1 / max(columns - 1, 1))
    step = unit_step if unit == "unit_square" else layout.patch_size
    mean = float((pairs * np.hypot(dy * step[0], dx * step[1])).sum()) / layout.patches**2
    return mean * per_pixel(unit, layout) * (1 if rescale else layout.patches / layout.tokens)


def per_pixel(unit: DistanceUnit, layout: Layout) -> float:
    """What a distance is multiplied by to come to `unit`."""
    if unit == "diagonal":
        return 1 / float(np.hypot(*layout.image_size))
    if unit == "patches":
        height, width = layout.patch_size
        if height != width:
            raise ArgumentError(f'unit="patches" needs square patches; these are {height} × {width} px')
        return 1 / height
    return 1.0
