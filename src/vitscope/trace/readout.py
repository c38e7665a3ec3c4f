"""What a model reads its answer from, found by experiment.

Attention stays off, but for a disturbance of chosen rows of the last layer's output: rows that the
answer does not follow are not read.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import Tensor

from vitscope.attention.event import AttentionEvent, Observer
from vitscope.layout import Layout
from vitscope.trace.run import Subject, changed, noise


class _Disturb(Observer):
    """Answers with zeros, but image i gets noise on the query rows `rows[i]` of the call number `call`."""

    def __init__(self, call: int, rows: Sequence[slice]) -> None:
        self._call = call
        self._rows = rows
        self._seen = -1

    def before(self, event: AttentionEvent) -> Tensor:
        self._seen += 1
        answer = event.zeros(len(self._rows))
        if self._seen == self._call:
            for image, rows in enumerate(self._rows):
                answer[image, :, rows] = noise(answer[image, :, rows].shape, answer)
        return answer


def tokens_read(subject: Subject, layout: Layout, calls: int) -> list[str]:
    """Names of the prefix tokens, and "patches", that the answer follows.

    Empty where the answer is all tokens' features, or does not move (a head of zeros).
    """
    prefix = len(layout.prefix)
    rows = [slice(0, 0), *(slice(i, i + 1) for i in range(prefix)), slice(prefix, None)]  # image 0: none
    answer = find_answer(subject.run(subject.blank(len(rows)), _Disturb(calls - 1, rows)))
    if answer is None or answer.dim() > 2 or answer.shape[0] != len(rows):
        return []
    moved = changed(answer[:, None, None])[1:, 0]  # (prefix + 1,)
    return [name for name, follows in zip((*layout.prefix, "patches"), moved, strict=True) if follows]


def find_answer(output: Any) -> Tensor | None:
    """The tensor that a model is asked for: logits, else pooled features, else all features."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        mapping = cast(Mapping[str, Any], output)
        for key in ("logits", "pooler_output", "image_embeds", "last_hidden_state"):
            if isinstance(mapping.get(key), Tensor):
                return mapping[key]
        output = list(mapping.values())
    if isinstance(output, list | tuple):
        parts = cast(Sequence[Any], output)
        return next((part for part in parts if isinstance(part, Tensor)), None)
    return None
