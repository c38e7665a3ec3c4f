"""One attention under experiment: which of its queries and keys answer to which part of the picture."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vitscope.attention.axes import Axes, stretched
from vitscope.attention.event import AttentionEvent, Observer
from vitscope.errors import LayoutError, NotFiniteError
from vitscope.trace.fingerprint import Fingerprint, fingerprint
from vitscope.trace.spans import Disturbance, Spans

_LEAST_WEIGHT = 1e-30
_RATIO = 2e-5  # of changes of weights to one another: more than rounding
IMAGES = 2  # in every run: enough to tell images from the other axes, few enough for large grids


@dataclass(frozen=True, eq=False)
class Print:
    """One attention in one run: a fingerprint of each query and key of each of its leading entries."""

    name: str
    width: int  # features of a head's queries and keys, 0 where only weights are seen
    replaceable: bool
    queries: Fingerprint | None  # None where only weights are seen
    keys: Fingerprint  # of the values, where only weights are seen
    query_count: int
    weights: Float[Tensor, "entries queries keys"] | None = None  # where nothing else is seen

    @property
    def entries(self) -> int:
        return self.keys.sums.shape[0]

    @property
    def sides(self) -> tuple[Fingerprint | None, Fingerprint]:
        return self.queries, self.keys

    def resembles(self, other: "Print") -> bool:
        """Whether it can be the same call of another run."""
        sizes, others = ((p.name, p.entries, p.query_count, p.keys.tokens) for p in (self, other))
        return sizes == others


def print_of(event: AttentionEvent, *, transposed: bool = False) -> Print:
    """The fingerprints of an event; `transposed`, those of its features instead of its tokens.

    A key's value is its own, so that what stands elsewhere makes it stand on two places.

    Raises NotFiniteError where NaN or infinity is among them.
    """
    known = event.queries is not None and event.keys is not None
    operands = (event.queries, event.keys) if known else (None, event.values)
    prints = [None if it is None else _entries(it, event.leading, transposed=transposed) for it in operands]
    require_finite(event.name, *prints)
    width = 0 if event.keys is None else event.keys.shape[-1]
    queries, keys = prints
    assert keys is not None
    if known and not transposed:
        values = _entries(event.values, event.leading, transposed=False)
        require_finite(event.name, values)
        keys = keys.beside(values)
    count = keys.tokens if queries is None and transposed else event.query_count
    weights = None if known or transposed or event.probabilities is None else event.probabilities
    flat = None if weights is None else weights.float().flatten(0, -3)
    return Print(event.name, width, event.own_rows is not None, queries, keys, count, flat)


def require_finite(name: str, *prints: Fingerprint | None) -> None:
    """Raise NotFiniteError where NaN or infinity is among what was fingerprinted of a layer."""
    if not all(it is None or bool(it.finite.all()) for it in prints):
        raise NotFiniteError(
            f"layer {name!r}: NaN or infinity in its queries or keys, on the trace's synthetic pictures. Check "
            "the weights; in float16, activations may overflow where bfloat16 or float32 do not"
        )


def _entries(operand: Tensor, leading: torch.Size, *, transposed: bool) -> Fingerprint:
    tokens = operand.mT if transposed else operand
    return fingerprint(stretched(tokens, leading).reshape(math.prod(leading), 1, *tokens.shape[-2:]))


class SwitchOff(Observer):
    """Answers every attention with zeros, or with its queries, and hands on its number and print."""

    def __init__(
        self, note: Callable[[int, Print], None], *, pass_queries: bool = False, transposed: bool = False
    ) -> None:
        self._note = note
        self._pass_queries = pass_queries
        self._transposed = transposed
        self._seen = 0

    def before(self, event: AttentionEvent) -> Tensor:
        self._note(self._seen, print_of(event, transposed=self._transposed))
        self._seen += 1
        output = event.zero_output()
        return output + _queries_as_output(event, output) if self._pass_queries else output


def _queries_as_output(event: AttentionEvent, output: Tensor) -> Tensor:
    """One number a query of each entry, told from its features, on all features of the output."""
    if event.queries is None or event.sequence_first:
        return torch.zeros_like(output)
    numbers = event.queries.mean(-1, keepdim=True).expand(*event.leading, event.query_count, event.values.shape[-1])
    return numbers if event.output_axes is None else numbers.permute(event.output_axes)


class CallSides:
    """What is gathered of one call over all runs: its axes, and the span of every query and key."""

    def __init__(self, blank: Print, full: Print, cells: tuple[int, int]) -> None:
        """`full` is the run whose second image is disturbed everywhere, `blank` the one without."""
        self.blank = blank
        live = [_differs(now, before) for now, before in zip(full.sides, blank.sides, strict=True)]
        self.images_before = _axis_of_images(live, blank.name)
        self.queries, self.keys = (None if it is None else Spans(cells, self._by_image(it)[1]) for it in live)
        self.rows_stand = False  # of weights alone: whether some row was seen to answer to a place of its query

    @property
    def live(self) -> bool:
        """Whether any of its tokens answers to the picture."""
        return any(spans is not None and spans.live.any() for spans in (self.queries, self.keys))

    def note(self, call: Print, disturbances: tuple[Disturbance, ...]) -> None:
        """Which tokens answered in a run with one disturbance an image."""
        self.rows_stand |= self._row_answers(call)
        for spans, now, before in zip((self.queries, self.keys), call.sides, self.blank.sides, strict=True):
            changed = _differs(now, before)
            if spans is not None and changed is not None:
                for disturbance, image in zip(disturbances, self._by_image(changed), strict=True):
                    spans.note(disturbance, image)

    def _row_answers(self, call: Print) -> bool:
        """Whether some row of weights changed otherwise than by what its changed keys take from the others.

        Keys that do not change keep their weights' ratios, unless the query does.
        """
        if call.weights is None or self.blank.weights is None:
            return False
        before = self.blank.weights
        change = torch.where(before.abs() > _LEAST_WEIGHT, call.weights / before, 1.0)  # (entries, queries, keys)
        moved = torch.from_numpy(call.keys.differs(self.blank.keys)).to(change.device)[:, None]
        highest = change.masked_fill(moved, -torch.inf).amax(-1)
        lowest = change.masked_fill(moved, torch.inf).amin(-1)
        return bool((highest - lowest > _RATIO).any())

    def axes(self, queries: np.ndarray, keys: np.ndarray) -> tuple[Axes, np.ndarray]:
        """The axes of entries whose tokens have these numbers, (entries, tokens); and an entry of each window.

        Entries whose tokens stand alike are the heads of one window.
        """
        seen: dict[bytes, int] = {}
        both = np.concatenate([queries, keys], 1)
        windows = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in both])  # of each entry
        count, entries = len(seen), np.arange(len(both))
        for heads_after in (h for h in range(len(both) // count, 0, -1) if len(both) % (h * count) == 0):
            if np.array_equal(windows, entries // heads_after % count):
                heads_before = len(both) // (heads_after * count)
                return Axes(self.images_before, count, heads_before), np.unique(windows, return_index=True)[1]
        raise LayoutError(
            f"layer {self.blank.name!r}: {len(both)} leading entries with {count} kinds of places are not windows "
            "of as many heads each; vitscope shows no map that it cannot place"
        )

    def _by_image(self, changed: np.ndarray) -> np.ndarray:
        """(entries, tokens) → (images, entries of one image, tokens)."""
        parts = changed.reshape(self.images_before, IMAGES, -1, changed.shape[-1])
        return parts.transpose(1, 0, 2, 3).reshape(IMAGES, -1, changed.shape[-1])


def _differs(now: Fingerprint | None, before: Fingerprint | None) -> Bool[np.ndarray, "entries tokens"] | None:
    return None if now is None or before is None else now.differs(before)


def _axis_of_images(live: list[np.ndarray | None], name: str) -> int:
    """How many entries come before the images axis, of tokens that answer where the second image is disturbed."""
    answers: np.ndarray = np.concatenate([it for it in live if it is not None], 1).max(1)  # (entries,)
    rest = len(answers) // IMAGES
    if not answers.any() and len(answers) % IMAGES == 0:
        return 1
    for before in (b for b in range(1, rest + 1) if len(answers) == rest * IMAGES and rest % b == 0):
        second = np.arange(len(answers)) // (rest // before) % IMAGES == 1
        if not (answers & ~second).any():
            return before
    raise LayoutError(
        f"layer {name!r}: its {len(answers)} leading entries cannot be split among images; expected those of one "
        "image to lie at even steps. Models that mix images, or look at one only, are not supported"
    )
