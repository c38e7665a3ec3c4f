"""Whether tokens that stand nowhere are padding or the model's own, wherever it put them, found by experiment.

What padding gathers is cut off again. What a class token or a register gathers reaches a later attention or
the answer, whether it comes before the patches, after them or among them.
"""

from dataclasses import replace

import numpy as np
from torch import Tensor

from vitscope.arrangement import NOWHERE, Arrangement
from vitscope.layout import Layout, LayoutHints
from vitscope.trace.arrange import Placed, names
from vitscope.trace.fingerprint import fingerprint
from vitscope.trace.outputs import Give, Rows
from vitscope.trace.readout import find_answer
from vitscope.trace.run import Subject
from vitscope.trace.sides import IMAGES, Print

Found = list[tuple[Print, Placed]]


def name_own(subject: Subject, found: Found, hints: LayoutHints) -> Found:
    """The same, with tokens that stand nowhere and are no padding as prefix tokens."""
    alike: dict[bytes, list[int]] = {}  # calls between the same tokens
    for number, (_, placed) in enumerate(found):
        if placed.arrangement is not None and _has_unnamed(placed.arrangement):
            alike.setdefault(placed.arrangement.query_tokens.tobytes(), []).append(number)
    for numbers in alike.values():
        placed = found[numbers[0]][1]
        if placed.arrangement is not None and _is_heard(subject, numbers[0], placed, placed.arrangement):
            for number in numbers:
                call, one = found[number]
                assert one.arrangement is not None
                found[number] = (call, replace(one, arrangement=_named(one.arrangement, hints)))
    return found


def _has_unnamed(arrangement: Arrangement) -> bool:
    """Whether as many queries as keys of the only window stand nowhere, and have no name."""
    if arrangement.windows > 1 or arrangement.queries.prefix or arrangement.keys.prefix:
        return False
    queries, keys = ((tokens == NOWHERE).sum() for tokens in (arrangement.query_tokens, arrangement.key_tokens))
    return bool(queries == keys > 0)


def _is_heard(subject: Subject, number: int, placed: Placed, arrangement: Arrangement) -> bool:
    """Whether a later call, or the answer, changes with what the tokens that stand nowhere gather."""
    nowhere = np.concatenate([arrangement.query_tokens == NOWHERE] * IMAGES)
    before, blank = _run(subject, {})
    after, answer = _run(subject, {number: Rows(placed.axes, nowhere)})
    for one, other in zip(after[number + 1 :], before[number + 1 :], strict=True):
        sides = zip(one.sides, other.sides, strict=True)
        if any(now is not None and then is not None and now.differs(then).any() for now, then in sides):
            return True
    if answer is None or blank is None:
        return False
    now, then = (fingerprint(it.flatten(1)[:, None, None]) for it in (answer, blank))
    return bool(now.differs(then).any())


def _run(subject: Subject, rows: dict[int, Rows]) -> tuple[list[Print], Tensor | None]:
    observer = Give(rows)
    answer = find_answer(subject.run(subject.blank(IMAGES), observer))
    return observer.prints, answer


def _named(arrangement: Arrangement, hints: LayoutHints) -> Arrangement:
    queries, query_tokens = _numbered(arrangement.queries, arrangement.query_tokens, hints)
    keys, key_tokens = _numbered(arrangement.keys, arrangement.key_tokens, hints)
    return Arrangement(queries, keys, query_tokens, key_tokens)


def _numbered(layout: Layout, tokens: np.ndarray, hints: LayoutHints) -> tuple[Layout, np.ndarray]:
    nowhere = tokens == NOWHERE
    count = int(nowhere.sum())
    numbers = tokens + count
    numbers[nowhere] = np.arange(count)
    return replace(layout, prefix=names(count, hints)), numbers
