"""What a model reads its answer from, found by experiment.

Attention stays off, but for a disturbance of chosen rows of the last layer's output: rows that the
answer does not follow are not read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from jaxtyping import Bool
from torch import Tensor

from vitscope.arrangement import Arrangement
from vitscope.attention.axes import Axes
from vitscope.attention.event import AttentionEvent, Observer
from vitscope.trace.fingerprint import fingerprint
from vitscope.trace.run import Subject, given

_LOUD = (1.0, 1e4)  # deviation of the noise, the second where none shows: layers scaled by 1e-5, in half precision
_SETS = 8  # more than the tokens that an answer is read from, unless it is read from all


@dataclass(frozen=True, eq=False)
class Call:
    """A placed attention, by its number in the forward pass."""

    number: int
    axes: Axes
    arrangement: Arrangement

    def rows(self, tokens: Sequence[int] | np.ndarray) -> Bool[np.ndarray, "windows queries"]:
        """Which of its queries are these tokens."""
        return np.isin(self.arrangement.query_tokens, tokens)


class _Disturb(Observer):
    """Answers with zeros, but image i gets noise on the query rows `rows[i]` of one call."""

    def __init__(self, call: Call, rows: Sequence[Bool[np.ndarray, "windows queries"]], loud: float) -> None:
        self._number = call.number
        self._axes = call.axes
        self._rows = rows
        self._loud = loud
        self._seen = -1

    def before(self, event: AttentionEvent) -> Tensor:
        self._seen += 1
        if self._seen != self._number:
            return event.zero_output()
        event = replace(event, axes=self._axes)
        return given(event, np.concatenate(self._rows), len(self._rows), self._loud)


def tokens_read(subject: Subject, call: Call, blank: Tensor | None) -> list[str]:
    """Names of the prefix tokens, and "patches", that the answer follows, disturbed in that call.

    `blank` is the undisturbed answer to two blank images. Empty where the answer is all tokens'
    features, or does not move (a head of zeros).
    """
    if blank is None or blank.dim() > 2 or blank.shape[0] != 2:
        return []
    queries = call.arrangement.queries
    tokens = {name: [i] for i, name in enumerate(queries.prefix)}
    if "cls" in tokens:  # then no other prefix token is in question
        tokens = {"cls": tokens["cls"]}
    rows = {name: call.rows(them) for name, them in tokens.items()}
    rows |= {"patches": call.rows(np.arange(len(queries.prefix), queries.tokens))}
    names, follows = list(rows), dict[str, bool]()
    for first in range(0, len(names), 2):
        pair = [names[first], names[min(first + 1, len(names) - 1)]]
        follows |= zip(pair, _follows(subject, call, [rows[name] for name in pair], blank), strict=True)
    return [name for name in names if follows[name]]


def all_patches_read(subject: Subject, call: Call, blank: Tensor) -> bool:
    """Whether the answer, which follows patches, follows every one of a few sets that they are dealt to."""
    queries = call.arrangement.queries
    patches = np.arange(len(queries.prefix), queries.tokens)
    sets = [call.rows(patches[first::_SETS]) for first in range(min(_SETS, len(patches)))]
    pairs = zip(sets[::2], [*sets[1::2], sets[-1]], strict=False)
    return all(all(_follows(subject, call, pair, blank)) for pair in pairs)


def is_read(subject: Subject, call: Call, blank: Tensor | None) -> bool:
    """Whether the answer follows the first row that a call gives; True where the answer is all tokens' features."""
    if blank is None or blank.dim() > 2 or blank.shape[0] != 2:
        return True
    first = np.zeros(call.arrangement.query_tokens.shape, bool)
    first[:, 0] = True
    return any(_follows(subject, call, [first] * 2, blank))


def _follows(
    subject: Subject, call: Call, rows: Sequence[Bool[np.ndarray, "windows queries"]], blank: Tensor
) -> list[bool]:
    """For each image, whether its answer follows the disturbance of its rows."""
    before = fingerprint(blank[:, None, None])
    for loud in _LOUD:
        answer = find_answer(subject.run(subject.blank(len(rows)), _Disturb(call, rows, loud)))
        assert answer is not None
        now = fingerprint(answer[:, None, None])
        moved = (now.differs(before) & now.finite.cpu().numpy())[:, 0]  # (images,)
        if moved.any():
            return moved.tolist()
    return [False] * len(rows)


def find_answer(output: Any) -> Tensor | None:
    """The tensor that a model is asked for: logits, else pooled features, else all features."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        mapping = cast(Mapping[str, Any], output)
        for key in ("logits", "pooler_output", "image_embeds", "summary", "last_hidden_state"):
            if isinstance(mapping.get(key), Tensor):
                return mapping[key]
        output = list(mapping.values())
    if isinstance(output, list | tuple):
        parts = cast(Sequence[Any], output)
        return next((part for part in parts if isinstance(part, Tensor)), None)
    return None


def gives_features(output: Any) -> bool:
    """Whether all tokens' features stand in the output, beside the answer."""
    if not isinstance(output, Mapping):
        return False
    features = cast(Mapping[str, Any], output).get("last_hidden_state")
    return isinstance(features, Tensor) and features.dim() > 2
