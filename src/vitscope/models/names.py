"""Help for a name that nothing answers to."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, candidates: Iterable[str], count: int = 3) -> str:
    """What ends a sentence: "; did you mean a, b?" with the closest candidates, or "." where none is close.

    Letters' case and spaces at the ends are ignored.
    """
    by_lowercase = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.strip().lower(), by_lowercase, n=count, cutoff=0.6)
    if not close:
        return "."
    return f"; did you mean {', '.join(by_lowercase[match] for match in close)}?"


def listing(names: Iterable[str], limit: int = 12) -> str:
    """The first names, comma-separated, and how many more there are; "none" for an empty list."""
    every = list(names)
    shown = ", ".join(every[:limit]) or "none"
    return shown if len(every) <= limit else f"{shown} and {len(every) - limit} more"
