"""What Python hands to the browser, as payload.schema.json describes it: a header for JSON, and blocks of bytes."""

import json
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, cast

from vitscope.errors import ArgumentError
from vitscope.look import Look, Shown
from vitscope.viewer import facts
from vitscope.viewer.blocks import Blocks
from vitscope.viewer.carried import Carried, carry, estimated
from vitscope.viewer.entries import attention_entry, pool_entry, reading_entry, rollout_entries, statistics_entries
from vitscope.viewer.pictures import original_url, seen_url
from vitscope.viewer.windows import arrangement_entry, is_own, lattice_entry

FORMAT, VERSION = "vitscope-page", 1
LIMIT_BYTES = 40_000_000  # of a page's file
_VIEWER_BYTES = 200_000  # of the file's script and style, about


@dataclass(frozen=True, eq=False)
class Payload:
    """All that a page shows."""

    header: dict[str, Any]  # JSON-ready
    blocks: list[bytes]


def build(
    looks: Look | Sequence[Look],
    *,
    layers: Sequence[int | str] | None = None,
    limit_bytes: int = LIMIT_BYTES,
    title: str | None = None,
    compare: bool | None = None,
) -> Payload:
    """The payload of some looks.

    `layers` are those whose attention is carried, whatever it takes; None: all, or, where the page's
    file would be larger than about `limit_bytes`, the last, the first and some between.
    """
    many = [looks] if isinstance(looks, Look) else list(_looks(looks))
    builder = Builder(layers=layers, limit_bytes=limit_bytes, title=title, compare=compare)
    needs = [estimated(look) for look in many]
    for i, look in enumerate(many):
        builder.add(look, share=needs[i] / sum(needs[i:]))
    return builder.payload()


def _looks(looks: Any) -> Sequence[Look]:
    """The looks given; ArgumentError where they are something else."""
    if not isinstance(looks, Sequence) or not all(isinstance(look, Look) for look in cast(Sequence[Any], looks)):
        kind = type(looks).__name__
        raise ArgumentError(f"found {kind}; expected a Look, as scope.look(picture) gives it, or a list of them")
    return cast(Sequence[Look], looks)


def _require_layers(layers: Any) -> None:
    if layers is not None and (isinstance(layers, str) or not isinstance(layers, Sequence)):
        raise ArgumentError(f"found layers={layers!r}; expected a list of indexes or names, as [0, 5, 11]")
    if layers is not None and not layers:
        raise ArgumentError("found an empty list of layers; expected at least one, or None for all that fit")


class Builder:
    """Makes a payload look by look, so that not all need be in memory at once."""

    def __init__(
        self,
        *,
        layers: Sequence[int | str] | None = None,
        limit_bytes: int = LIMIT_BYTES,
        title: str | None = None,
        compare: bool | None = None,
    ) -> None:
        if limit_bytes <= 0:
            raise ArgumentError(f"found limit_bytes={limit_bytes}; expected a number of bytes above 0")
        _require_layers(layers)
        self._layers, self._limit_bytes = layers, limit_bytes
        self._title, self._compare = title, compare
        self._blocks = Blocks()
        self._looks: list[dict[str, Any]] = []
        self._known: dict[str, tuple[dict[str, Any], list[int]]] = {}  # entries of looks and their layers, by identity
        self._text_bytes = 0  # of the pictures

    def add(self, look: Look, *, share: float = 1.0, merge: bool = False) -> None:
        """Add a look; `share` is the part of the room left that it may take.

        With `merge`, images that the same model saw at the same size join the look already there, with its layers.
        """
        before = self._used()
        images = self._images(look)
        room = (self._limit_bytes - before) * share - (self._used() - before)
        identity = _identity(look)
        known = self._known.get(identity) if merge else None
        carried = carry(look, self._layers if known is None else known[1], room, self._limit_bytes)
        for i, image in enumerate(images):
            image["attention"] = [
                attention_entry(carried.encoded[index][i], self._blocks) if index in carried.encoded else None
                for index in range(len(look.layers))
            ]
        if known is not None:
            _join(known[0], look, images)
        else:
            self._looks.append(_look_entry(look, carried, self._blocks) | {"images": images})
            self._known[identity] = self._looks[-1], list(carried.encoded)

    def payload(self) -> Payload:
        """The whole; the builder is of no use afterwards."""
        if not self._looks:
            raise ArgumentError("there is no look to make a page of; expected at least one")
        models = [entry["model"] for entry in self._looks]
        names = [[image["name"] for image in entry["images"]] for entry in self._looks]
        sizes = ["{} × {}".format(*entry["images"][0]["input_size"]) for entry in self._looks]
        for entry, label in zip(self._looks, facts.labels(list(zip(models, sizes, names, strict=True))), strict=True):
            entry["label"] = label
        header = {
            "format": FORMAT,
            "version": VERSION,
            "made_by": f"vitscope {version('vitscope')}",
            "title": self._title or facts.title_of(models, [name for images in names for name in images]),
            "compare": len(self._looks) > 1 if self._compare is None else self._compare,
            "looks": self._looks,
            "blocks": self._blocks.sizes,
        }
        return Payload(_unicode(header), self._blocks.take())

    def _images(self, look: Look) -> list[dict[str, Any]]:
        """The images' entries, but for their attention."""
        rollouts = rollout_entries(look, self._blocks)
        images: list[dict[str, Any]] = []
        for i, (shown, rollout) in enumerate(zip(look.shown, rollouts, strict=True)):
            entry = _picture_entry(shown) | statistics_entries(look, i, self._blocks) | rollout
            images.append(entry | {"pool": pool_entry(look, i, self._blocks)})
            self._text_bytes += len(entry["seen"]) + len(entry["original"] or "")
        return images

    def _used(self) -> float:
        """Bytes of the file so far: base64 makes four of three."""
        return _VIEWER_BYTES + self._text_bytes + sum(self._blocks.sizes) * 4 / 3


def _look_entry(look: Look, carried: Carried, blocks: Blocks) -> dict[str, Any]:
    """A look's entry, but for its label and images."""
    alike = all(is_own(look, layer.index) for layer in look.layers)
    count = f"{look.layout.tokens} " if alike else ""
    return {
        "label": "",
        "model": str(look.settings.get("model", {}).get("name", "a model")),
        "layout": lattice_entry(look.layout) | {"description": look.layout.describe()},
        "readout": look.readout,
        "reading": reading_entry(look),
        "rows_compared": f"all {count}rows and columns of every head",
        **facts.uniform_distances(look),
        "layers": [
            {
                "name": layer.name,
                "heads": layer.heads,
                "verification_error": _finite(layer.error),
                "refusal": layer.refusal,
                "absent": carried.absent.get(layer.index),
                "arrangement": arrangement_entry(look, layer.index, blocks),
            }
            for layer in look.layers
        ],
        "omitted": carried.omitted,
        "verification_error": _finite(look.verification_error),
        "facts": facts.facts(look),
        "conventions": facts.conventions(look),
    }


def _picture_entry(shown: Shown) -> dict[str, Any]:
    return {
        "name": shown.name,
        "note": shown.note,
        "input_size": [shown.seen.height, shown.seen.width],
        "original_size": None if shown.original is None else list(shown.original.size),
        "box": None if shown.placement is None else [float(side) for side in shown.placement.box],
        "seen": seen_url(shown.seen),
        "original": None if shown.original is None else original_url(shown.original.image),
    }


def _identity(look: Look) -> str:
    """What two looks have in common if their images can stand in one entry."""
    layers = [(layer.name, layer.heads, layer.refusal is None) for layer in look.layers]
    return json.dumps([look.settings, asdict(look.layout), look.readout, layers], default=str)


def _join(entry: dict[str, Any], look: Look, images: list[dict[str, Any]]) -> None:
    """Add images to a look's entry, whose errors become the largest of all."""
    entry["images"] += images
    for known, layer in zip(entry["layers"], look.layers, strict=True):
        known["verification_error"] = max(known["verification_error"], _finite(layer.error))
    if look.verification_error > entry["verification_error"]:
        entry["verification_error"] = _finite(look.verification_error)
        entry["facts"] = facts.facts(look)


def _finite(error: float) -> float:
    """JSON has no NaN: where the model's own output was none, the error is as large as can be."""
    return float(error) if math.isfinite(error) else sys.float_info.max


def _unicode(value: Any) -> Any:
    """The same with lone surrogates (bytes of a file name that are no Unicode) replaced."""
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, list):
        return [_unicode(part) for part in value]
    if isinstance(value, dict):
        return {name: _unicode(part) for name, part in value.items()}
    return value
