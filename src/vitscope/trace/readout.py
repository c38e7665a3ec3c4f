"""What a model reads its answer from, found by experiment.

Attention stays off, but for a disturbance of chosen rows of the last layer's output: rows that the
answer does not follow are not read.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from jaxtyping import Int
from torch import Tensor

from vitscope.arrangement import Arrangement
from vitscope.attention.event import AttentionEvent, Observer
from vitscope.trace.fingerprint import fingerprint
from vitscope.trace.run import Subject, given

_LOUD = (1.0, 1e4)  # deviation of the noise, the second where none shows: layers scaled by 1e-5, in half precision
_SETS = 8  # more than the tokens that an answer is read from, unless it is read from all


class _Disturb(Observer):
    """Answers with zeros, but image i gets noise on the query rows `rows[i]` of the call number `call`."""

    def __init__(self, call: int, rows: Sequence[Int[np.ndarray, "_"]], loud: float) -> None:
        self._call = call
        self._rows = rows
        self._loud = loud
        self._seen = -1

    def before(self, event: AttentionEvent) -> Tensor:
        self._seen += 1
        if self._seen != self._call:
            return event.zero_output()
        chosen = np.zeros((len(self._rows), event.query_count), bool)
        for image, rows in enumerate(self._rows):
            chosen[image, rows] = True
        return given(event, chosen, len(chosen), self._loud)


def tokens_read(subject: Subject, arrangement: Arrangement, call: int, blank: Tensor | None) -> list[str]:
    """Names of the prefix tokens, and "patches", that the answer follows, disturbed in the call of that number.

    `blank` is the undisturbed answer to two blank images. Empty where the answer is all tokens'
    features, or does not move (a head of zeros).
    """
    if blank is None or blank.dim() > 2 or blank.shape[0] != 2:
        return []
    (tokens,), prefix = arrangement.query_tokens, arrangement.queries.prefix  # all in one window
    rows = {name: np.flatnonzero(tokens == i) for i, name in enumerate(prefix)}
    rows |= {"patches": np.flatnonzero(tokens >= len(prefix))}
    if "cls" in rows:  # then no other prefix token is in question
        rows = {"cls": rows["cls"], "patches": rows["patches"]}
    names, follows = list(rows), dict[str, bool]()
    for first in range(0, len(names), 2):
        pair = [names[first], names[min(first + 1, len(names) - 1)]]
        follows |= zip(pair, _follows(subject, call, [rows[name] for name in pair], blank), strict=True)
    return [name for name in names if follows[name]]


def all_patches_read(subject: Subject, arrangement: Arrangement, call: int, blank: Tensor) -> bool:
    """Whether the answer, which follows patches, follows every one of a few sets that they are dealt to."""
    (tokens,) = arrangement.query_tokens
    patches = np.flatnonzero(tokens >= len(arrangement.queries.prefix))
    sets = [patches[first::_SETS] for first in range(min(_SETS, len(patches)))]
    pairs = zip(sets[::2], [*sets[1::2], sets[-1]], strict=False)
    return all(all(_follows(subject, call, pair, blank)) for pair in pairs)


def is_read(subject: Subject, call: int, blank: Tensor | None) -> bool:
    """Whether the answer follows what the call of that number gives; True where the answer is all tokens' features."""
    if blank is None or blank.dim() > 2 or blank.shape[0] != 2:
        return True
    return any(_follows(subject, call, [np.arange(1)] * 2, blank))


def _follows(subject: Subject, call: int, rows: Sequence[Int[np.ndarray, "_"]], blank: Tensor) -> list[bool]:
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
