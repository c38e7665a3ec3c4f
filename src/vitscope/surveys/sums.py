"""A run's states, which are sums over its images, as means: maps, similarity of heads, alignment of layers."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from vitscope.measures.cosine import cosine
from vitscope.summaries import Alignment, HeadSimilarity, MeanMap

_MINIBATCH = re.compile(r"\bminibatch=(\d+)")  # in the parameters that the plan has
_MOMENTS = re.compile(r"mean offset \(y, x\) (of .*?), and mean spread about the centroid(, in .*)")
_MAP = re.compile(r"map\.(?P<measure>.+)\.\d+x\d+\.sum")
State = Mapping[str, np.ndarray]


def mean_maps(settings: Mapping[str, Any], states: State) -> Iterator[MeanMap]:
    """A mean map a measure and grid, the grid of most images first."""
    found: list[MeanMap] = []
    for name, total in states.items():
        if (match := _MAP.fullmatch(name)) is None:
            continue
        convention, unit = _words(settings, match["measure"])
        if (count := _count(states, name)) > 0:
            found.append(MeanMap(match["measure"], convention, unit, count, total / count))
    order = {measure["name"]: place for place, measure in enumerate(settings["measures"])}
    yield from sorted(found, key=lambda one: (order.get(one.measure, len(order)), -one.images, one.values.shape))


def head_similarities(settings: Mapping[str, Any], states: State) -> Iterator[HeadSimilarity]:
    """The mean matrix of every layer, for each such measure."""
    for measure, total, count in _named(states, "similarity"):
        yield HeadSimilarity(measure, _words(settings, measure)[0], count, total / count)


def alignments(settings: Mapping[str, Any], states: State) -> Iterator[Alignment]:
    """Linear CKA: sum[l, m] / √(sum[l, l] · sum[m, m]) (Nguyen, Raghu & Kornblith 2021, eq. 2)."""
    for measure, total, count in _named(states, "alignment"):
        yield Alignment(measure, _words(settings, measure)[0], count, cosine(total), _minibatch(settings, measure))


def _named(states: State, kind: str) -> Iterator[tuple[str, np.ndarray, int]]:
    """Measure, sum and count of the states of a kind that hold something."""
    for name, total in states.items():
        if name.startswith(f"{kind}.") and name.endswith(".sum") and (count := _count(states, name)) > 0:
            yield name.removeprefix(f"{kind}.").removesuffix(".sum"), total, count


def _count(states: State, name: str) -> int:
    return int(states[f"{name.removesuffix('.sum')}.count"])


def _words(settings: Mapping[str, Any], name: str) -> tuple[str, str]:
    """A measure's convention and unit, as the plan has them."""
    found = _planned(settings, name)
    return str(found.get("convention") or ""), str(found.get("unit") or "")


def _minibatch(settings: Mapping[str, Any], name: str) -> int | None:
    """Images of a whole minibatch."""
    match = _MINIBATCH.search(str(_planned(settings, name).get("parameters") or ""))
    return int(match[1]) if match else None


def column_convention(measure: Mapping[str, Any], column: str) -> str:
    """What a measure's convention says of one of its columns."""
    words = str(measure.get("convention") or "")
    name = str(measure["name"])
    of = "all prefix tokens together" if column == name else f"the prefix token {column.removeprefix(f'{name}_')}"
    words = words.replace("on each prefix token", f"on {of}")
    if (match := _MOMENTS.fullmatch(words)) is None:
        return words
    offset, rest = match.groups()
    if column == "spread":
        return f"mean spread about the attention's centroid{rest}"
    return f"mean offset {offset}, {'downwards' if column == 'offset_y' else 'to the right'}{rest}"


def _planned(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next((measure for measure in settings["measures"] if measure["name"] == name), {})
