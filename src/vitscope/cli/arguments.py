"""Values of options that are more than a word: sizes, layers, queries."""

import re

from vitscope.errors import ArgumentError
from vitscope.measures.query import Query


def parse_size(text: str | None) -> int | tuple[int, int] | None:
    """ "480" → 480, "480x640" → (480, 640): (height, width)."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,5})(?:[x×]([1-9]\d{0,5}))?", text.strip())
    if match is None:
        raise ArgumentError(f"image size {text!r} is no size; expected a side as 480, or HEIGHTxWIDTH as 480x640")
    height, width = match.groups()
    return int(height) if width is None else (int(height), int(width))


def parse_layer(text: str) -> int | str:
    """ "-1" → −1; anything that is no number is a layer's name."""
    return int(text) if re.fullmatch(r"-?\d+", text.strip()) else text


def parse_layers(text: str | None) -> tuple[int | str, ...]:
    """ "0,5,-1" → (0, 5, −1); no text: an empty tuple."""
    layers = tuple(parse_layer(part.strip()) for part in (text or "").split(",") if part.strip())
    if text is not None and not layers:
        raise ArgumentError(f"found no layer in {text!r}; expected indexes or names, as 0,5,11")
    return layers


def parse_query(text: str | None) -> Query:
    """ "3,4" → (3, 4): row and column; anything else is a token's name."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*(-?\d+)\s*,\s*(-?\d+)\s*", text)
    return text.strip() if match is None else (int(match[1]), int(match[2]))


def parse_formats(text: str) -> tuple[str, ...]:
    """ "png,pdf" → ("png", "pdf")."""
    return tuple(part.strip().lower() for part in text.split(",") if part.strip()) or ("png",)
