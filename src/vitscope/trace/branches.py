"""Whether layers follow one another, each from the output of the one before and nothing else, found by experiment."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from vitscope.attention.axes import Axes
from vitscope.attention.event import AttentionEvent, Observer
from vitscope.layout import Layout
from vitscope.trace.fingerprint import fingerprint
from vitscope.trace.plain import PlainCall, PlainModel, plain_call
from vitscope.trace.readout import find_answer
from vitscope.trace.run import Subject, given
from vitscope.trace.sides import IMAGES, Print, print_of
from vitscope.trace.still import Still

_LOUD = 10.0  # deviation of the noise: scaled layers let little of it through
_Seen = Print | PlainCall


@dataclass(frozen=True)
class Link:
    """What a call is to the layers' succession."""

    axes: Axes
    layer: bool  # between places of the picture
    reads: bool  # from the places: a pooling query, a class token that asks alone, a decoder's queries


@dataclass(frozen=True, eq=False)
class _Trial:
    """Noise from one call: all that it gives to one image, or to some tokens of every image."""

    number: int
    image: int | None = None
    tokens: np.ndarray | None = None

    def rows(self, windows: int, queries: int) -> np.ndarray:
        """Which rows of the call's answer get noise, (images · windows, queries)."""
        chosen = np.zeros((IMAGES, windows, queries), bool)
        if self.tokens is not None:
            chosen[..., self.tokens] = True
        elif self.image is not None:
            chosen[self.image] = True
        return chosen.reshape(-1, queries)

    def answered(self, now: _Seen, before: _Seen, axes: Axes) -> bool:
        """Whether another call answers to it."""
        for one, other in zip(now.sides, before.sides, strict=True):
            if one is not None and other is not None:
                changed = one.differs(other)  # (entries, tokens)
                parts = changed.reshape(axes.before, IMAGES, -1, changed.shape[-1])
                parts = parts[:, self.image] if self.image is not None else parts[..., self.tokens]
                if parts.any():
                    return True
        return False


class _DisturbOutputs(Observer):
    """Answers with zeros, but for the noise of the trials; keeps what `look` tells of every call."""

    def __init__(
        self, axes: Sequence[Axes], trials: Sequence[_Trial], look: Callable[[AttentionEvent], _Seen] = print_of
    ) -> None:
        self._axes = axes
        self._trials = trials
        self._look = look
        self.prints: list[_Seen] = []

    def before(self, event: AttentionEvent) -> Tensor:
        number = len(self.prints)
        self.prints.append(self._look(event))
        trials = [trial for trial in self._trials if trial.number == number]
        if not trials:
            return event.zero_output()
        axes = self._axes[number]
        rows = np.logical_or.reduce([trial.rows(axes.windows, event.query_count) for trial in trials])
        return given(replace(event, axes=axes), rows, IMAGES, _LOUD)


def find_branch(subject: Subject, calls: Sequence[Link], plain: PlainModel | None) -> str | None:
    """Why some layer does not follow the one before it alone, naming both; None where all do.

    What is read from the places before the last layer must not come back into the layers. `plain`: what was proven,
    of a model whose layout is plain.
    """
    axes = [call.axes for call in calls]
    layers = [number for number, call in enumerate(calls) if call.layer]
    blank: list[_Seen] = [] if plain is None else [call for call, _ in plain.calls]
    for trials in _runs(calls, layers, None if plain is None else plain.layout):
        blank = blank or _seen(subject, axes, [], plain)
        prints = _seen(subject, axes, trials, plain)
        for trial in trials:
            later = [layer for layer in layers if layer > trial.number]
            answers = [trial.answered(prints[other], blank[other], axes[other]) for other in later]
            own, after = blank[trial.number].name, blank[later[0]].name
            if calls[trial.number].layer:
                # a layer that nothing answers to may be switched off by its weights
                if not answers[0] and (any(answers) or _is_read(subject, axes, trial.number)):
                    return f"{after!r} takes nothing from {own!r} before it; the model has branches"
            elif any(answers):
                back = blank[later[answers.index(True)]].name
                return f"{back!r} takes what {own!r} read from the places; the model has branches"
    return None


def _runs(calls: Sequence[Link], layers: list[int], plain: Layout | None) -> Iterator[list[_Trial]]:
    """Trials of every call before the last layer, those together that do not disturb one another."""
    alone = [number for number, call in enumerate(calls[: layers[-1]]) if call.layer or call.reads]
    if plain is not None:  # nothing mixes tokens while attention is off: each layer has some to itself
        patches = np.arange(len(plain.prefix), plain.tokens)
        for first in range(0, len(layers) - 1, plain.patches):
            together = layers[:-1][first : first + plain.patches]
            yield [_Trial(layer, tokens=patches[i :: len(together)]) for i, layer in enumerate(together)]
        alone = [number for number in alone if not calls[number].layer]
    for first in range(0, len(alone), IMAGES):
        yield [_Trial(number, image) for image, number in enumerate(alone[first : first + IMAGES])]


def _is_read(subject: Subject, axes: Sequence[Axes], number: int) -> bool:
    """Whether the answer follows what a call gives to the first image."""
    quiet, loud = (
        find_answer(subject.run(subject.blank(IMAGES), _DisturbOutputs(axes, trials)))
        for trials in ([], [_Trial(number, image=0)])
    )
    if quiet is None or loud is None or quiet.shape[0] != IMAGES:
        return False
    before, after = (fingerprint(answer.flatten(1)[:, None, None]) for answer in (quiet, loud))
    return bool(after.differs(before).any())


def _seen(subject: Subject, axes: Sequence[Axes], trials: Sequence[_Trial], plain: PlainModel | None) -> list[_Seen]:
    """What every call was in a run with these trials, in which places do not mix but through attention."""
    observer = _DisturbOutputs(axes, trials, print_of if plain is None else plain_call)
    with Still() if plain is None else nullcontext():  # a plain model mixes them by nothing else
        subject.run(subject.blank(IMAGES), observer)
    return observer.prints
