"""How a look will be computed: which body, what is kept, how much memory it takes, and why."""

from dataclasses import dataclass

import torch

from vitscope.attention.kernels.choice import Choice, choose
from vitscope.attention.kernels.fused_matrix import FusedMatrix
from vitscope.attention.kernels.reference import Fusion
from vitscope.measures.needs import Needs

_SHARE_OF_FREE = 4  # at most this part of the free memory is taken by matrices that could be computed again


@dataclass(frozen=True)
class Facts:
    """What is known of a forward pass before it is made."""

    images: int
    tokens: int
    layers: tuple[tuple[str, int, int], ...]  # name, heads and width of a head (0 where only weights are seen)
    dtype: torch.dtype  # of the model
    device: str  # "cpu", "cuda" …

    @property
    def weights(self) -> int:
        """Attention weights in all layers and heads."""
        return self.images * self.tokens**2 * sum(heads for _, heads, _ in self.layers)

    def operand_bytes(self, layer: int) -> int:
        """What a layer's queries and keys take."""
        _, heads, width = self.layers[layer]
        return 2 * self.images * heads * self.tokens * width * self.dtype.itemsize

    @property
    def fused_bytes(self) -> int:
        """What the fused heads of all layers take."""
        return len(self.layers) * FusedMatrix.nbytes(self.images, self.tokens, self.tokens)

    def index(self, layer: int | str) -> int:
        """Index of a layer given by index or name; the last where there is none such, as the measure will tell."""
        names = [name for name, _, _ in self.layers]
        if isinstance(layer, str):
            return names.index(layer) if layer in names else -1 % len(names)
        return layer % len(names)


@dataclass(frozen=True)
class Plan:
    """How the measures of one forward pass are computed. `str` says it, with its reasons."""

    facts: Facts
    choice: Choice
    kept: tuple[int, ...]  # layers whose queries and keys are kept
    statistics: frozenset[bool]  # of rows, taken while the model runs: with distances in the unit square, in pixels
    fusion: Fusion | None  # heads fused so are stored while the model runs
    rollout: str  # how a rollout is computed, and why

    together: bool  # whether the layers' outputs come from the same products as their statistics
    early: bool  # whether anything is computed, or left out, while the model runs

    @property
    def kept_bytes(self) -> int:
        """What is held beside the model and its own forward pass, results apart."""
        operands = sum(self.facts.operand_bytes(layer) for layer in self.kept)
        return operands + (self.facts.fused_bytes if self.fusion else 0)

    def __str__(self) -> str:
        facts = self.facts
        heads = sorted({heads for _, heads, _ in facts.layers})
        kept = "none" if not self.kept else f"layers {', '.join(map(str, self.kept))}"
        if len(self.kept) == len(facts.layers):
            kept = f"all {len(facts.layers)} layers"
        when = "while the model runs" + (", together with its output" if self.together else "")
        when = when if self.statistics else "none is asked for" if self.early else "on demand, once"
        stored = f"{facts.weights * facts.dtype.itemsize / 1e6:,.0f} MB"
        rows = {
            "pass": f"{facts.images} × {facts.tokens:,} tokens, {len(facts.layers)} layers of "
            f"{' or '.join(map(str, heads))} heads, {str(facts.dtype).removeprefix('torch.')} on {facts.device}",
            "kernels": self.choice.reason,
            "row statistics": when,
            "rollout": self.rollout,
            "queries and keys": f"kept of {kept}",
            "memory": f"{self.kept_bytes / 1e6:,.0f} MB beside the plain forward pass; storing all attention: {stored}",
        }
        return "\n".join(f"{name:<18}{text}" for name, text in rows.items())


def plan(facts: Facts, needs: Needs | None, *, free_bytes: int, limit_bytes: int, installed: frozenset[str]) -> Plan:
    """The plan for a forward pass whose measures need `needs`, or None where they are not known before.

    `free_bytes` is the device's free memory; `limit_bytes` bounds what may grow with N².
    """
    every_layer = tuple(range(len(facts.layers)))
    if needs is None:
        rollout = "streamed from queries and keys, if asked for"
        choice = choose(facts.device, facts.dtype, facts.weights, installed)
        return Plan(facts, choice, every_layer, frozenset(), None, rollout, together=False, early=False)
    fusion, rollout = _rollout(facts, needs, free_bytes, limit_bytes)
    keeps_all = needs.layers is None or (needs.fusions and fusion is None)
    kept = every_layer if keeps_all else tuple(sorted({facts.index(layer) for layer in needs.layers or ()}))
    many = max(facts.weights, 2**62)  # a stream of images is worth loading anything for
    choice = choose(facts.device, facts.dtype, many, installed)
    together = choice.name == "compiled" and facts.dtype == torch.float32 and bool(needs.statistics or fusion)
    return Plan(facts, choice, kept, needs.statistics, fusion, rollout, together, True)


def _rollout(facts: Facts, needs: Needs, free_bytes: int, limit_bytes: int) -> tuple[Fusion | None, str]:
    """The fusion whose matrices are stored, if any, and how a rollout is computed."""
    if not needs.fusions:
        return None, "none is asked for" if needs.layers is not None else "streamed from queries and keys"
    size = f"{facts.fused_bytes / 1e6:,.0f} MB"
    if len(needs.fusions) > 1 or facts.dtype == torch.float64 or facts.device == "cuda":
        why = "two fusions are asked for" if len(needs.fusions) > 1 else f"{facts.device}, {facts.dtype}"
        return None, f"streamed from queries and keys ({why})"
    if facts.fused_bytes > limit_bytes:
        return (
            None,
            f"streamed from queries and keys: fused heads take {size}, limit_bytes is {limit_bytes / 1e6:,.0f} MB",
        )
    if facts.fused_bytes > free_bytes // _SHARE_OF_FREE:
        return (
            None,
            f"streamed from queries and keys: fused heads take {size}, {free_bytes / 1e6:,.0f} MB are free",
        )
    (fusion,) = needs.fusions
    return fusion, f"from fused heads ({fusion}), stored in 16 bits while the model runs: {size}"
