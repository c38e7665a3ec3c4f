"""Whether the settings of a run are the wanted ones, and what differs if not."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from vitscope.errors import ArgumentError, RunError

FREE = re.compile(r"model\.device|source\.(.*\.)?paths?")  # where numbers are computed, and pictures are; not what
FOLLOWING = ("readout", "layers", "uniform", "input", "shards")  # from others, and told where these do not differ
_LONGEST = 60  # characters of a value in a message
_ABSENT = object()


def as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as they come back from a file; ArgumentError where JSON cannot hold them."""
    try:
        return json.loads(json.dumps(dict(settings), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"found settings that JSON cannot hold: {error}") from error


def require_equal(old: Mapping[str, Any], new: Mapping[str, Any], shown: str) -> None:
    """Raise RunError, naming each setting that differs, where `new` is not what the run `shown` was begun with."""
    found = {name: line for name, line in differences(old, new) if not FREE.fullmatch(name)}
    causes = {name: line for name, line in found.items() if not name.startswith(FOLLOWING)}
    if found:
        listed = "".join(f"\n  {line}" for line in (causes or found).values())
        raise RunError(
            f"{shown} was begun with other settings, so that it cannot be gone on with:{listed}\n"
            "survey into another folder, or with the settings of this run"
        )


def differences(old: Any, new: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """What differs between two values of JSON: dotted name, and a line `name: old → new`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from differences(old.get(key, _ABSENT), new.get(key, _ABSENT), _joined(name, key))
    elif _alike(old, new):
        for i in range(len(old)):
            yield from differences(old[i], new[i], _joined(name, _label(old[i], i)))
    elif json_of(old) != json_of(new):  # compares 1, 1.0 and true as what they are
        yield name, f"{name}: {' → '.join(_shown(old, new))}"


def _joined(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _alike(old: Any, new: Any) -> bool:
    """Two lists of objects, of the same names in the same order: compared one by one."""
    if not (isinstance(old, list) and isinstance(new, list)) or len(old) != len(new):
        return False
    objects = all(isinstance(item, dict) for item in (*old, *new))
    return objects and all(_label(a, i) == _label(b, i) for i, (a, b) in enumerate(zip(old, new, strict=True)))


def _label(item: Mapping[str, Any], number: int) -> str:
    return str(item.get("name", number))


def json_of(value: Any) -> str:
    """The value as JSON; lists of named objects as their names, what is absent as such."""
    return "(absent)" if value is _ABSENT else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _text(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
        return ", ".join(str(item["name"]) for item in value)
    return json_of(value).strip('"')


def _shown(old: Any, new: Any) -> tuple[str, str]:
    """Both, short, from a little before the first character that differs."""
    texts = _text(old), _text(new)
    if texts[0] == texts[1]:  # names that coincide, of objects that differ
        texts = json_of(old), json_of(new)
    first = next((i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    start = 0 if max(map(len, texts)) <= _LONGEST else max(0, first - 12)
    return _cut(texts[0], start), _cut(texts[1], start)


def _cut(text: str, start: int) -> str:
    end = start + _LONGEST
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
