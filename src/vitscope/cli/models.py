"""`vitscope models`: the names that load."""

import json
import sys

from vitscope.cli.words import DONE, FAILED
from vitscope.models.registry import list_names


def run_models(pattern: str | None, *, as_json: bool) -> int:
    """Print the names; exit status 1 where none matches."""
    found = list_names(pattern)
    total = sum(len(names) for names in found.values())
    if as_json:
        print(json.dumps(found, indent=2))
    for names in () if as_json else found.values():
        for name in names:
            print(name)
    counts = ", ".join(f"{len(names):,} of {library}" for library, names in found.items() if names)
    if total == 0:
        print(f"vitscope: no name holds {pattern!r}; try * and ?, or fewer letters", file=sys.stderr)
    elif sys.stderr.isatty():
        print(f"{total:,} names: {counts}", file=sys.stderr)
    return DONE if total else FAILED
