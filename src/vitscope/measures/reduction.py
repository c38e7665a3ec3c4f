"""What is computed of each attention while the model runs, so that its operands need not be kept."""

from collections.abc import Sequence

from torch import Tensor

from vitscope.arrangement import Arrangement
from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.choice import body_for
from vitscope.attention.kernels.fused_matrix import FusedMatrix
from vitscope.attention.kernels.statistics import RowStatistics
from vitscope.attention.recorder import Reducer
from vitscope.measures.arranged import Arranged, places_of
from vitscope.measures.plan import Plan
from vitscope.measures.seen import Computed


class Reduction(Reducer):
    """Takes the attention calls of one forward pass, one after the other, as `plan` says."""

    def __init__(self, plan: Plan, layers: Sequence[tuple[int, Arrangement] | None]) -> None:
        """`layers`: of each call in the order of the pass, its layer and where its tokens stand; None if it is none."""
        self.computed = Computed()
        self._plan, self._layers = plan, layers
        self.attends = plan.together > 0
        self._attended: tuple[RowStatistics, FusedMatrix | None] | None = None  # by the last `attend`
        self._wanted = sorted(plan.statistics) or ([False] if plan.fusion else [])  # in the unit square or not

    def wants(self, number: int) -> bool:
        """A layer of whose rows something is computed, or that is kept; what the answer is read through always."""
        known = self._layer(number)
        return known is None or bool(self._wanted or self._plan.passes) or known[0] in self._plan.kept

    def attend(self, number: int, call: AttentionCall, values: Tensor) -> Tensor | None:
        """The output together with what the plan wants."""
        known = self._layer(number)
        if known is None or not known[1].plain:
            return None
        body = body_for(call, self._plan.choice.name)
        first, fusion = self._wanted[0], self._plan.fusion
        output, found, matrix = body.attend(
            call, values, places_of(known[1].queries, first), fusion, whole=self._plan.entropy
        )
        self._attended = (found, matrix)
        return output

    def take(self, number: int, call: AttentionCall, *, attended: bool) -> bool:
        """Compute what is wanted and not there yet; a readout is kept always, a layer if the plan says so."""
        known = self._layer(number)
        if known is None:
            return True
        layer, arrangement = known
        body, fusion = body_for(call, self._plan.choice.name), self._plan.fusion
        for i, unit_square in enumerate(self._wanted):
            matrix = None
            if i == 0 and attended and self._attended is not None:
                found, matrix = self._attended
            elif i == 0 and fusion is not None and arrangement.plain:
                found, matrix = body.statistics_and_fused(call, places_of(arrangement.queries, unit_square), fusion)
            else:
                found = Arranged(call, arrangement, body).row_statistics(
                    unit_square=unit_square, whole=self._plan.entropy
                )
            self.computed.statistics[layer, unit_square] = found
            if matrix is not None and fusion is not None:
                self.computed.fused[layer, fusion] = matrix
        for each in self._plan.passes:
            self.computed.passes[layer, each] = each(Arranged(call, arrangement, body))
        return layer in self._plan.kept

    def _layer(self, number: int) -> tuple[int, Arrangement] | None:
        return self._layers[number] if number < len(self._layers) else None
