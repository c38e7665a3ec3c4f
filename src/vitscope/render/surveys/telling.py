"""What tells models apart, and what a reader must know before comparing them."""

from collections import Counter
from collections.abc import Sequence

from vitscope.summaries import Summary

RANDOM = "random weights"
_BY_TOKENS = ("entropy", "prefix_mass", "rollout", "heatmaps")  # measures that depend on the number of tokens


def told_apart(summaries: Sequence[Summary]) -> tuple[str, ...]:
    """A title for each: the model's name, that its weights are random if they are, and where these coincide what else
    tells them apart, or a number."""
    titles = [f"{summary.model}, {RANDOM}" if summary.random else summary.model for summary in summaries]
    for tell in (_weights_words, _source_words, _input_words):
        again = Counter(titles)
        words = [tell(summary) for summary in summaries]
        for title in [title for title, count in again.items() if count > 1]:
            places = [i for i, other in enumerate(titles) if other == title]
            if len({words[i] for i in places}) > 1:
                for i in places:
                    titles[i] = f"{title}, {words[i]}"
    numbers: Counter[str] = Counter()
    again = Counter(titles)
    for i, title in enumerate(titles):
        numbers[title] += 1
        titles[i] = f"{title} ({numbers[title]})" if again[title] > 1 else title
    return tuple(titles)


def reservations(summaries: Sequence[Summary], measure: str | None = None) -> tuple[str, ...]:
    """What a reader must know before comparing these, a sentence each.

    `measure`: a column, map or matrix, for what bears on it alone; None for everything.
    """
    out: list[str] = []
    for title, summary in zip(told_apart(summaries), summaries, strict=True):
        if not summary.complete:
            done = f"{summary.shards_done} of {summary.shards_total} shards"
            out.append(f"{title} is unfinished: {done}, {summary.images:,} images.")
        out += [f"{title}: {note}" for note in summary.notes]
    out += _own_aspect(summaries)
    if len({summary.images_digest for summary in summaries}) > 1:
        out.append("The models were measured on different images: differences between them may be the images'.")
    names = [name for name in _names(summaries) if measure in (None, name)]
    out += _of_sizes(summaries, names)
    out += [f"{name} is not of one convention in all models." for name in names if not _one_convention(name, summaries)]
    return tuple(out)


def _own_aspect(summaries: Sequence[Summary]) -> list[str]:
    """Of runs in which every input has the size that its picture's aspect asks for."""
    found = [place for place, summary in enumerate(summaries) if summary.settings.get("input") is None]
    if not found:
        return []
    titles = told_apart(summaries)
    of = "" if len(found) == len(summaries) else f" of {' and '.join(titles[place] for place in found)}"
    return [
        f"Pictures{of} keep their own aspect, so that inputs differ in size from image to image: distances in pixels, "
        "what depends on the number of tokens, and maps of different grids are not of one scale."
    ]


def _of_sizes(summaries: Sequence[Summary], names: Sequence[str]) -> list[str]:
    """Of models whose inputs, or numbers of patches, are not the same."""
    out: list[str] = []
    if len({str(summary.settings.get("input")) for summary in summaries}) > 1 and _in_pixels(summaries, names):
        out.append("The models' inputs differ in size: distances in pixels do not compare directly.")
    counted = [name for name in names if any(f"{name}_".startswith(f"{known}_") for known in _BY_TOKENS)]
    if counted and len({_grids(summary) for summary in summaries}) > 1:
        out.append(
            "The models differ in their number of tokens; what depends on it does not compare directly: "
            f"{', '.join(counted)}."
        )
    return out


def _names(summaries: Sequence[Summary]) -> list[str]:
    """Of all columns and maps."""
    maps = [one.measure for summary in summaries for one in summary.maps]
    return list(dict.fromkeys([*(name for summary in summaries for name in summary.columns), *maps]))


def _in_pixels(summaries: Sequence[Summary], names: Sequence[str]) -> bool:
    return any(summary.columns[name].unit == "px" for summary in summaries for name in names if name in summary.columns)


def _grids(summary: Summary) -> frozenset[str]:
    """The grids of patches that occur in its layers, and in the picture's own aspect none that is known."""
    return frozenset(str(layer.get("grid")) for layer in summary.settings["layers"])


def _one_convention(name: str, summaries: Sequence[Summary]) -> bool:
    found = [summary.columns[name] for summary in summaries if name in summary.columns]
    return len({(column.convention, column.unit) for column in found}) <= 1


def _weights_words(summary: Summary) -> str:
    return f"{'SHA-256' if summary.random else 'weights'} {summary.weights[:8]}"


def _source_words(summary: Summary) -> str:
    return f"on {summary.source_name}"


def _input_words(summary: Summary) -> str:
    size = summary.settings.get("input")
    return "own aspect" if size is None else f"{size[0]} × {size[1]} px"
