"""What axes, titles and captions of a survey's figures say."""

from collections.abc import Sequence

from vitscope.images.naming import printable
from vitscope.render.style import drawable, shorten
from vitscope.render.surveys.telling import RANDOM, reservations, told_apart
from vitscope.summaries import ColumnSummary, Summary

_NAMES = {
    "distance": "mean attention distance",
    "distance_rescaled": "mean attention distance, rescaled",
    "entropy": "entropy of attention",
    "prefix_mass": "mass on prefix tokens",
    "offset_y": "offset of attention, downwards",
    "offset_x": "offset of attention, to the right",
    "spread": "spread of attention",
    "rollout": "attention rollout",
    "heatmaps": "attention heatmaps",
    "head_similarity": "distance between heads",
    "cka": "linear CKA between layers",
}
_PREFIX_MASS = "prefix_mass_"
_LONGEST_NAME = 60  # of a model, in a legend or caption


def column_words(name: str) -> str:
    """What a column or measure is called: "distance_unit_patches" is "mean attention distance, unit patches"."""
    if name.startswith(_PREFIX_MASS):
        return f"mass on the prefix token {name.removeprefix(_PREFIX_MASS)}"
    known = next((known for known in sorted(_NAMES, key=len, reverse=True) if f"{name}_".startswith(f"{known}_")), "")
    rest = name.removeprefix(known).replace("_", " ").strip()  # parameters that are not the usual ones
    return ", ".join(part for part in (_NAMES.get(known, ""), rest) if part)


def axis_words(column: ColumnSummary) -> str:
    """The label of an axis, with its unit."""
    unit = column.unit if column.unit not in ("", "1", "none") else ""
    return f"{column_words(column.name)} ({unit})" if unit else column_words(column.name)


def capital(text: str) -> str:
    """With a capital letter in front."""
    return text[:1].upper() + text[1:]


def titles_of(summaries: Sequence[Summary], length: int = _LONGEST_NAME) -> tuple[str, ...]:
    """Models' names, told apart, of `length` letters at most; names that this would make alike get numbers."""
    full = [printable(title) for title in told_apart(summaries)]
    short = [shorten(title, length) for title in full]
    if len(set(short)) < len(set(full)):
        short = [f"{i}: {shorten(title, length - len(f'{i}: '))}" for i, title in enumerate(full, 1)]
    return tuple(short)


def drawn_titles(summaries: Sequence[Summary], length: int) -> list[str]:
    """The same in the letters that the figures' font has."""
    return [drawable(title) for title in titles_of(summaries, length)]


def interval_words(summaries: Sequence[Summary]) -> str:
    """What the intervals are."""
    levels = sorted({summary.confidence for summary in summaries})
    level = " or ".join(f"{confidence * 100:g}%" for confidence in levels)
    return f"{level} percentile bootstrap intervals over images"


def origin(summaries: Sequence[Summary], measure: str | None = None) -> str:
    """Models, weights, images and versions, and what to beware of in a measure, for the end of a caption."""
    models = "; ".join(
        f"{title} ({', '.join([*_weights_words(summary, title), images_words(summary)])})"
        for title, summary in zip(titles_of(summaries), summaries, strict=True)
    )
    versions = sorted({str(summary.settings["versions"]["vitscope"]) for summary in summaries})
    return " ".join(
        [
            *reservations(summaries, measure),
            f"Model{'s' if len(summaries) > 1 else ''}: {models}. vitscope {', '.join(versions)}.",
        ]
    )


def _weights_words(summary: Summary, title: str) -> list[str]:
    """What the title does not say of the weights."""
    random = summary.random and RANDOM not in title
    return (
        [f"{RANDOM if random else 'weights'} {summary.weights}"] if random or summary.weights[:8] not in title else []
    )


def images_words(summary: Summary) -> str:
    """How many images, and of what."""
    failed = f", {summary.failed:,} failed" if summary.failed else ""
    return f"{counted(summary.images, 'image')} of {shorten(printable(summary.source_name), 40)}{failed}"


def counted(number: int, thing: str, things: str = "") -> str:
    """ "1 image", "5,000 images"."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"


def conventions(columns: Sequence[ColumnSummary]) -> str:
    """Every convention that occurs, as a sentence."""
    found = dict.fromkeys(column.convention for column in columns if column.convention)
    return " Or: ".join(f"{capital(convention)}." for convention in found)
