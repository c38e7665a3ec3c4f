"""Whether layers follow one another, each from the output of the one before, found by experiment."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from vitscope.attention.axes import Axes
from vitscope.attention.event import AttentionEvent, Observer
from vitscope.trace.run import Subject, given
from vitscope.trace.sides import IMAGES, Print, print_of
from vitscope.trace.still import Still


class _DisturbOutputs(Observer):
    """Answers with zeros, but image i gets noise from the call number `calls[i]`; keeps the print of every call."""

    def __init__(self, axes: Sequence[Axes], calls: Sequence[int | None]) -> None:
        self._axes, self._calls = axes, calls
        self.prints: list[Print] = []

    def before(self, event: AttentionEvent) -> Tensor:
        number = len(self.prints)
        self.prints.append(print_of(event))
        if number not in self._calls or number >= len(self._axes):
            return event.zero_output()
        event = replace(event, axes=self._axes[number])
        whose = [i < len(self._calls) and self._calls[i] == number for i in range(IMAGES)]
        whose = np.repeat(whose, self._axes[number].windows)  # (images · windows,)
        return given(event, whose[:, None].repeat(event.query_count, 1), IMAGES)


def find_branch(subject: Subject, calls: Sequence[tuple[Axes, bool]]) -> str | None:
    """Why some layer does not follow the one before it, naming both; None where all do.

    `calls` are (axes, whether it is a layer), in the order of the forward pass.
    """
    axes = [axes for axes, _ in calls]
    layers = [number for number, (_, is_layer) in enumerate(calls) if is_layer]
    blank = _prints(subject, axes, [None] * IMAGES)
    for first in range(0, len(layers) - 1, IMAGES):
        disturbed = layers[:-1][first : first + IMAGES]
        prints = _prints(subject, axes, disturbed)
        for image, number in enumerate(disturbed):
            later = layers[layers.index(number) + 1 :]
            answers = [_answers(prints[other], blank[other], axes[other], image) for other in later]
            if any(answers) and not answers[0]:  # one that nothing answers to may be switched off by its weights
                names = blank[number].name, blank[later[0]].name
                return f"{names[1]!r} takes nothing from {names[0]!r} before it; the model has branches"
    return None


def _prints(subject: Subject, axes: Sequence[Axes], calls: Sequence[int | None]) -> list[Print]:
    observer = _DisturbOutputs(axes, calls)
    with Still():
        subject.run(subject.blank(IMAGES), observer)
    return observer.prints


def _answers(now: Print, before: Print, axes: Axes, image: int) -> bool:
    """Whether any token of an image changed."""
    for one, other in zip(now.sides, before.sides, strict=True):
        if one is not None and other is not None:
            changed = one.differs(other)  # (entries, tokens)
            parts = changed.reshape(axes.before, IMAGES, -1, changed.shape[-1])
            if parts[:, image].any():
                return True
    return False
