"""How a look will be computed: which body, what is kept, how much memory it takes, and why."""

from dataclasses import dataclass, replace

import torch

from vitscope.attention.kernels.choice import BodyName, Choice, choose
from vitscope.attention.kernels.fused_matrix import FusedMatrix
from vitscope.attention.kernels.reference import Fusion
from vitscope.measures.needs import LayerPass, Needs

_SHARE_OF_FREE = 4  # at most this part of the free memory is taken by matrices that could be computed again
# Bodies that compute a layer's output together with its statistics sooner than both apart, in these precisions.
_ATTENDS = {"compiled": (torch.float32,), "triton": (torch.float16, torch.bfloat16)}


@dataclass(frozen=True)
class LayerFacts:
    """One layer, as the trace saw it."""

    name: str
    heads: int
    width: int  # features of a head's queries and keys; 0 where only weights are seen
    queries: int  # of a window
    keys: int
    windows: int = 1
    replaceable: bool = True  # whether its output can be computed in the place of the model's own function
    plain: bool = True  # whether every token attends to every token, in order


@dataclass(frozen=True)
class Facts:
    """What is known of a forward pass before it is made."""

    images: int
    layers: tuple[LayerFacts, ...]
    dtype: torch.dtype  # of the model
    device: str  # "cpu", "cuda" …

    @property
    def weights(self) -> int:
        """Attention weights in all layers and heads."""
        return self.images * sum(layer.heads * layer.windows * layer.queries * layer.keys for layer in self.layers)

    @property
    def tokens(self) -> int:
        """The most tokens that a layer has."""
        return max(layer.windows * max(layer.queries, layer.keys) for layer in self.layers)

    @property
    def plain(self) -> bool:
        """Whether all layers are plain."""
        return all(layer.plain for layer in self.layers)

    def operand_bytes(self, index: int) -> int:
        """What a layer's queries and keys take, or its weights, where nothing else is seen."""
        layer = self.layers[index]
        weights = layer.queries * layer.keys
        numbers = layer.width * (layer.queries + layer.keys) if layer.width else weights
        return self.images * layer.windows * layer.heads * numbers * self.dtype.itemsize

    @property
    def fused_bytes(self) -> int:
        """What the fused heads of all layers take."""
        return sum(FusedMatrix.nbytes(self.images * it.windows, it.queries, it.keys) for it in self.layers)

    def index(self, layer: int | str) -> int:
        """Index of a layer given by index or name; the last where there is none such, as the measure will tell."""
        names = [known.name for known in self.layers]
        if isinstance(layer, str):
            return names.index(layer) if layer in names else len(names) - 1
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
    together: int  # layers whose outputs come from the same products as their statistics
    early: bool  # whether anything is computed, or left out, while the model runs
    passes: frozenset[LayerPass] = frozenset()  # over the rows of every layer, made while the model runs
    entropy: bool = False  # whether statistics of rows are more than what distances need
    representations: bool = False  # whether the output of each layer's block is kept

    @property
    def kept_bytes(self) -> int:
        """What is held beside the model and its own forward pass; biases and results apart."""
        operands = sum(self.facts.operand_bytes(layer) for layer in self.kept)
        return operands + (self.facts.fused_bytes if self.fusion else 0)

    def __str__(self) -> str:
        facts = self.facts
        heads = sorted({layer.heads for layer in facts.layers})
        rows = {
            "pass": f"{facts.images} × {facts.tokens:,} tokens, {len(facts.layers)} layers of "
            f"{' or '.join(map(str, heads))} heads, {str(facts.dtype).removeprefix('torch.')} on {facts.device}",
            "kernels": self.choice.reason,
            "row statistics": self._when,
            **({"own passes": self._passes} if self.passes else {}),
            "rollout": self.rollout,
            **({"block outputs": "kept of all layers"} if self.representations else {}),
            "queries and keys": f"kept of {self._which}",
            "memory": f"{self.kept_bytes / 1e6:,.0f} MB kept; storing all attention would take "
            f"{facts.weights * facts.dtype.itemsize / 1e6:,.0f} MB",
        }
        return "\n".join(f"{name:<18}{text}" for name, text in rows.items())

    @property
    def _when(self) -> str:
        """When row statistics are computed."""
        if not self.statistics and self.fusion is None:
            return "on demand, once" if len(self.kept) == len(self.facts.layers) else "none is asked for"
        if not self.together:
            return "while the model runs"
        layers = len(self.facts.layers)
        which = "" if self.together == layers else f" (in {self.together} of {layers} layers)"
        return f"while the model runs, together with its output{which}"

    @property
    def _passes(self) -> str:
        """What measures compute by passes of their own."""
        return f"{', '.join(sorted(each.words for each in self.passes))}, while the model runs"

    @property
    def _which(self) -> str:
        """Layers whose operands are kept."""
        if len(self.kept) == len(self.facts.layers):
            return f"all {len(self.kept)} layers"
        if not self.kept:
            return "none"
        return f"{'layer' if len(self.kept) == 1 else 'layers'} {', '.join(map(str, self.kept))}"


def plan(
    facts: Facts, needs: Needs | None, *, free_bytes: int, limit_bytes: int, installed: frozenset[BodyName]
) -> Plan:
    """The plan for a forward pass whose measures need `needs`, or None where they are not known before.

    `free_bytes` is the device's free memory; `limit_bytes` bounds what may grow with N².
    """
    every_layer = tuple(range(len(facts.layers)))
    choice = choose(facts.device, facts.dtype, installed)
    if needs is None:
        rollout = "streamed from queries and keys, if asked for"
        return Plan(facts, choice, every_layer, frozenset(), None, rollout, together=0, early=False)
    fusion, rollout = _rollout(facts, needs, free_bytes, limit_bytes)
    keeps_all = needs.layers is None or (needs.fusions and fusion is None)
    kept = every_layer if keeps_all else tuple(sorted({facts.index(layer) for layer in needs.layers or ()}))
    attends = facts.dtype in _ATTENDS.get(choice.name, ()) and (needs.statistics or fusion)
    together = sum(layer.replaceable for layer in facts.layers) if attends else 0
    found = Plan(facts, choice, kept, needs.statistics, fusion, rollout, together, early=True)
    return replace(found, passes=needs.passes, entropy=needs.entropy, representations=needs.representations)


def _rollout(facts: Facts, needs: Needs, free_bytes: int, limit_bytes: int) -> tuple[Fusion | None, str]:
    """The fusion whose matrices are stored, if any, and how a rollout is computed."""
    if not needs.fusions:
        return None, "none is asked for" if needs.layers is not None else "streamed from queries and keys"
    reason = _why_streamed(facts, needs, free_bytes, limit_bytes)
    if reason is not None:
        return None, f"streamed from queries and keys: {reason}"
    (fusion,) = needs.fusions
    size = facts.fused_bytes / 1e6
    return fusion, f"from fused heads ({fusion}), stored in 16 bits while the model runs: {size:,.0f} MB"


def _why_streamed(facts: Facts, needs: Needs, free_bytes: int, limit_bytes: int) -> str | None:
    """What speaks against storing fused heads, if anything does."""
    size = f"{facts.fused_bytes / 1e6:,.0f} MB"
    if len(needs.fusions) > 1:
        return "two fusions are asked for"
    if not facts.plain:
        return "windows and merged tokens are computed again"
    if facts.dtype == torch.float64:
        return "16 bits are too few for a model in float64"
    if facts.device == "cuda":
        return "on CUDA they are computed again sooner than stored"
    if facts.fused_bytes > limit_bytes:
        return f"fused heads take {size}, limit_bytes is {limit_bytes / 1e6:,.0f} MB"
    if facts.fused_bytes > free_bytes // _SHARE_OF_FREE:
        return f"fused heads take {size}, {free_bytes / 1e6:,.0f} MB are free"
    return None
