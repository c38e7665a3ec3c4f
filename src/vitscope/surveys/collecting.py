"""What is measured of a shard's images, put into tables and states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from vitscope.measures.spread import PrefixMass
from vitscope.surveys.chosen import Chosen
from vitscope.surveys.loading import Read
from vitscope.surveys.results import ShardResult, merged

IMAGES = pa.schema(
    [
        ("image_id", pa.string()),
        ("label", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("input_height", pa.int32()),
        ("input_width", pa.int32()),
        ("input_blake2b", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
)
FAILURES = pa.schema(
    [("image_id", pa.string()), ("label", pa.string()), ("error", pa.string()), ("reason", pa.string())]
)
MAPS = pa.schema(
    [
        ("image_id", pa.string()),
        ("measure", pa.string()),
        ("head", pa.int16()),  # −1: of none
        ("rows", pa.int32()),
        ("columns", pa.int32()),
        ("values", pa.list_(pa.float32())),
    ]
)


@dataclass(frozen=True)
class Columns:
    """Which columns the table of heads has, and how many heads each layer."""

    heads: tuple[int, ...]  # of each layer
    names: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        keys = [("image_id", pa.string()), ("layer", pa.int16()), ("head", pa.int16())]
        return pa.schema([*keys, *((name, pa.float32()) for name in self.names)])


@dataclass
class Collected:
    """Grows by batches; `result` sorts by the images' numbers in the shard, whatever order they came in."""

    columns: Columns
    keep_maps: bool
    images: list[Read] = field(default_factory=list[Read])
    states: dict[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])
    _numbers: list[int] = field(default_factory=list[int])
    _values: list[np.ndarray] = field(default_factory=list[np.ndarray])  # (layers, heads, columns) of each image
    _maps: list[tuple[int, str, int, np.ndarray]] = field(default_factory=list[tuple[int, str, int, np.ndarray]])

    def take(self, numbers: Sequence[int], values: Mapping[Chosen, Any]) -> None:
        """What a batch of images, by their numbers in the shard, gave for each measure."""
        parts = [_by_column(chosen, array) for chosen, array in values.items() if chosen.kind == "column"]
        if parts:
            stacked = np.concatenate(parts, axis=-1)  # (images, layers, heads, columns)
            self._numbers += numbers
            self._values += list(stacked)
        for chosen, array in values.items():
            if chosen.kind == "map":
                self._take_maps(numbers, chosen.name, np.asarray(array))
            elif chosen.kind == "similarity":
                self.add(f"similarity.{chosen.name}", array.sum(0, dtype=np.float64), len(array))

    def add(self, name: str, total: np.ndarray, count: float) -> None:
        """Add to the sum and the count of a state."""
        own = {f"{name}.sum": np.asarray(total), f"{name}.count": np.asarray(count)}
        self.states = merged([self.states, own])

    def failed(self, number: int, error: Exception) -> None:
        """An image that the model could not be shown, though it was read."""
        read = self.images[number]
        self.images[number] = replace(read, failure=(type(error).__name__, str(error)))

    def result(self) -> ShardResult:
        """The tables, with their schemas even where nothing was measured, and the states."""
        failures = [
            {"image_id": read.id, "label": read.label, "error": read.failure[0], "reason": read.failure[1]}
            for read in self.images
            if read.failure is not None
        ]
        tables = {
            "heads": self._heads(),
            "images": pa.Table.from_pylist([_image_row(read) for read in self.images], IMAGES),
            "failures": pa.Table.from_pylist(failures, FAILURES),
        }
        if self.keep_maps:
            tables["maps"] = self._maps_table()
        return ShardResult(tables, self.states)

    def _take_maps(self, numbers: Sequence[int], name: str, maps: np.ndarray) -> None:
        """`maps`: (images, rows, columns) or (images, heads, rows, columns)."""
        grid = f"{maps.shape[-2]}x{maps.shape[-1]}"
        self.add(f"map.{name}.{grid}", maps.sum(0, dtype=np.float64), len(maps))
        if self.keep_maps:
            for number, image in zip(numbers, maps, strict=True):
                heads = [(-1, image)] if image.ndim == 2 else enumerate(image)
                self._maps += [(number, name, head, one) for head, one in heads]

    def _heads(self) -> pa.Table:
        """A row an image, layer and head that the layer has."""
        order = np.argsort(self._numbers, kind="stable")
        layer = np.repeat(np.arange(len(self.columns.heads)), self.columns.heads)
        head = np.concatenate([np.arange(heads) for heads in self.columns.heads])
        ids = [self.images[self._numbers[i]].id for i in order for _ in layer]
        rows = [self._values[i][layer, head] for i in order]  # each (heads of all layers, columns)
        values = np.concatenate(rows) if rows else np.zeros((0, len(self.columns.names)))
        keys = [
            pa.array(ids, pa.string()),
            *(pa.array(np.tile(side, len(order)), pa.int16()) for side in (layer, head)),
        ]
        numbers = [pa.array(column.astype(np.float32)) for column in values.T]
        return pa.Table.from_arrays([*keys, *numbers], schema=self.columns.schema)

    def _maps_table(self) -> pa.Table:
        rows = [
            {
                "image_id": self.images[number].id,
                "measure": name,
                "head": head,
                "rows": values.shape[0],
                "columns": values.shape[1],
                "values": values.astype(np.float32).ravel(),
            }
            for number, name, head, values in sorted(self._maps, key=lambda it: it[:3])
        ]
        return pa.Table.from_pylist(rows, MAPS)


def _by_column(chosen: Chosen, array: Any) -> np.ndarray:
    """(images, layers, heads, columns): prefix mass in all first, then of each token."""
    values = np.asarray(array)
    if isinstance(chosen.measure, PrefixMass):
        return np.concatenate([np.nansum(values, -1, keepdims=True), values], -1)
    return values if values.ndim == 4 else values[..., None]


def _image_row(read: Read) -> dict[str, Any]:
    (height, width), (input_height, input_width) = read.size or (None, None), read.input_size or (None, None)
    return {
        "image_id": read.id,
        "label": read.label,
        "height": height,
        "width": width,
        "input_height": input_height,
        "input_width": input_width,
        "input_blake2b": read.blake2b,
        "status": "done" if read.failure is None else "failed",
        "reason": None if read.failure is None else read.failure[1],
    }
