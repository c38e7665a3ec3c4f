"""Synthetic runs of a survey, written as its format says, and a plain reader of them."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file

HEADS = {"image_id": pa.string(), "layer": pa.int16(), "head": pa.int16()}
IMAGES = pa.schema(
    [
        ("image_id", pa.string()),
        ("label", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
)
DISTANCE = (
    "mean attention distance in pixels of the model's input; prefix tokens dropped on both axes, rows not rescaled"
)
MEASURES: list[dict[str, Any]] = [
    {"name": "distance", "kind": "column", "columns": ["distance"], "convention": DISTANCE, "unit": "px"},
    {"name": "entropy", "kind": "column", "columns": ["entropy"], "convention": "entropy in nats", "unit": "nats"},
    {
        "name": "prefix_mass",
        "kind": "column",
        "columns": ["prefix_mass", "prefix_mass_cls"],
        "convention": "mean share of a row that prefix tokens take",
        "unit": "",
    },
    {"name": "rollout", "kind": "map", "convention": "attention rollout, mean over heads", "unit": ""},
    {"name": "heatmaps", "kind": "map", "convention": "class row of the last layer", "unit": ""},
    {
        "name": "head_similarity",
        "kind": "similarity",
        "convention": "Jensen–Shannon distance between heads, base 2, mean over patch queries",
        "unit": "",
    },
    {
        "name": "cka",
        "kind": "alignment",
        "convention": "linear CKA, unbiased",
        "unit": "",
        "parameters": "LinearCKA(minibatch=32)",
    },
]


@dataclass(frozen=True, kw_only=True)
class Synthetic:
    """What a synthetic run holds: values (images, layers, heads) are drawn from the seed."""

    images: int = 61
    heads: tuple[int, ...] = (3, 3, 3, 3, 3)  # of each layer
    failed: int = 2
    classes: int = 5  # 0: no labels
    model: str = "vit_toy_patch16_224"
    weights: str = "0123456789abcdef" * 4
    origin: str = "toy-hub/toy"  # of the weights; "random" where there are none
    shards: int = 4
    missing: int = 0  # last shards that are not there
    seed: int = 0
    ids: int = 0  # another number, other images
    grid: tuple[int, int] = (7, 11)
    level: float = 30.0  # of the first layer's distance, px
    measures: list[dict[str, Any]] = field(default_factory=lambda: list(MEASURES))
    input: tuple[int, int] | None = (224, 224)

    @property
    def names(self) -> list[str]:
        return [f"set{self.ids}/{number:05d}.jpg" for number in range(self.images + self.failed)]

    @property
    def labels(self) -> list[str | None]:
        count = self.images + self.failed
        return [f"class {number % self.classes}" if self.classes else None for number in range(count)]

    @cached_property
    def columns(self) -> dict[str, np.ndarray]:
        """(images, layers, heads), NaN beyond a layer's heads."""
        random = np.random.default_rng(self.seed)
        layers, heads = len(self.heads), max(self.heads)
        depth = np.linspace(0, 1, layers)[None, :, None]
        centres = random.uniform(0, 1, (1, layers, heads))
        of_image = random.gamma(4.0, 0.25, (self.images, 1, 1)) * (
            1 + 0.1 * (np.arange(self.images) % 5)[:, None, None]
        )
        noise = random.normal(0, 0.05, (self.images, layers, heads))
        lacking = np.arange(heads) >= np.array(self.heads)[:, None]  # (layers, heads)
        shape = depth + (1 - depth) * centres
        values = {
            "distance": self.level + 80 * shape + 9 * of_image + 80 * noise,
            "entropy": 2 + 3 * shape + 0.2 * of_image + noise,
            "prefix_mass": np.clip(0.05 + 0.4 * depth * centres + 0.02 * of_image + 0.1 * noise, 0, 1),
        }
        values["prefix_mass_cls"] = values["prefix_mass"] * 0.7
        return {name: np.where(lacking, np.nan, array).astype(np.float32) for name, array in values.items()}

    @property
    def settings(self) -> dict[str, Any]:
        listed = json.dumps([self.names, self.labels]).encode()
        return {
            "format": 1,
            "model": {
                "name": self.model,
                "class": "timm.VisionTransformer",
                "parameters": 5_717_416,
                "dtype": "float32",
                "device": "cpu",
                "weights": self.origin,
                "weights_sha256": self.weights,
            },
            "preprocessing": {"size": [224, 224], "resize": 256, "mean": [0.5] * 3, "std": [0.5] * 3},
            "versions": {"vitscope": "0.1.0", "torch": "2.9.0", "python": "3.11.7"},
            "measures": self.measures,
            "layers": [
                {"index": i, "name": f"blocks.{i}.attn", "kind": "global", "heads": heads, "grid": list(self.grid)}
                for i, heads in enumerate(self.heads)
            ],
            "uniform": {"distance": [116.49] * len(self.heads)},
            "input": None if self.input is None else list(self.input),
            "source": {"name": f"set{self.ids}/", "kind": "folder"},
            "images": self.images + self.failed,
            "index_sha256": hashlib.sha256(listed).hexdigest(),
            "shard_size": -(-(self.images + self.failed) // self.shards),
            "shards": self.shards,
        }

    def states(self) -> dict[str, np.ndarray]:
        random = np.random.default_rng(self.seed + 1)
        layers, heads, (rows, columns) = len(self.heads), max(self.heads), self.grid
        y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
        bump = np.exp(-(x**2 + y**2) * 2) / (rows * columns)
        lacking = np.arange(heads) >= np.array(self.heads)[:, None]
        similarity = np.abs(random.normal(0.4, 0.1, (layers, heads, heads)))
        similarity = (similarity + similarity.swapaxes(1, 2)) / 2
        similarity[:, range(heads), range(heads)] = 0
        similarity[lacking[:, :, None] | lacking[:, None, :]] = np.nan
        near = np.exp(-np.abs(np.subtract.outer(np.arange(layers), np.arange(layers))) / (layers / 2))
        scale = random.uniform(1, 3, layers)
        heatmaps = (
            bump
            * random.uniform(0.3, 1, (self.heads[-1], 1, 1))
            * (1 + x * random.normal(0, 0.5, (self.heads[-1], 1, 1)))
        )
        size = f"{rows}x{columns}"
        sums = {
            f"map.rollout.{size}": (bump + 1e-4) * self.images,
            f"map.heatmaps.{size}": heatmaps * self.images,
            "similarity.head_similarity": similarity * self.images,
            "alignment.cka": near * np.outer(scale, scale),
        }
        kinds = {f"{measure['kind']}.{measure['name']}" for measure in self.measures}
        kept = {name: array for name, array in sums.items() if name in kinds or name.removesuffix(f".{size}") in kinds}
        counts = {f"{name}.count": np.array(float(self.images)) for name in kept}
        counts |= {"alignment.cka.count": np.array(float(self.images // 32))} if "alignment.cka" in kept else {}
        return {f"{name}.sum": np.asarray(array, np.float64) for name, array in kept.items()} | counts


LONG = "hf-hub:some-organization/a-rather-long-name-of-a-model_vit_small_patch16_224.dino.in1k-of-many-words"
UNEVEN = Synthetic(heads=(3, 7, 2, 7, 1), images=61, classes=5)


def write_run(folder: Path, run: Synthetic) -> Path:
    """The run in `folder`, all shards but the missing ones; failures come last."""
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps(run.settings))
    done = np.arange(run.images + run.failed) < run.images
    for shard, rows in enumerate(np.array_split(np.arange(run.images + run.failed), run.shards)):
        if shard < run.shards - run.missing:
            _write_shard(folder / "shards" / f"{shard:05d}", run, rows, done, first=shard == 0)
    if not run.missing:
        save_file(run.states(), folder / "states.safetensors")
        counts = {"done": run.images, "failed": run.failed}
        (folder / "manifest.json").write_text(json.dumps(run.settings | {"complete": True, "counts": counts}))
    return folder


def _write_shard(folder: Path, run: Synthetic, rows: np.ndarray, done: np.ndarray, *, first: bool) -> None:
    folder.mkdir(parents=True)
    pq.write_table(heads_table(run, rows[done[rows]]), folder / "heads.parquet", compression="zstd")
    pq.write_table(images_table(run, rows, done), folder / "images.parquet", compression="zstd")
    save_file(run.states() if first else {}, folder / "states.safetensors")


def heads_table(run: Synthetic, rows: np.ndarray) -> pa.Table:
    """A row an image and head that its layer has, in the images' order."""
    has = np.arange(max(run.heads)) < np.array(run.heads)[:, None]  # (layers, heads)
    layer, head = np.nonzero(has)
    arrays = {
        "image_id": np.repeat([run.names[row] for row in rows], len(layer)) if len(rows) else np.array([], str),
        "layer": np.tile(layer, len(rows)).astype(np.int16),
        "head": np.tile(head, len(rows)).astype(np.int16),
    }
    planned = {name for measure in run.measures for name in measure.get("columns", [])}
    columns = {name: values[rows][:, has].ravel() for name, values in run.columns.items() if name in planned}
    schema = pa.schema([*HEADS.items(), *((name, pa.float32()) for name in columns)])
    return pa.table({name: pa.array(values) for name, values in (arrays | columns).items()}).cast(schema)


def images_table(run: Synthetic, rows: np.ndarray, done: np.ndarray) -> pa.Table:
    return pa.table(
        {
            "image_id": [run.names[row] for row in rows],
            "label": [run.labels[row] for row in rows],
            "height": [64] * len(rows),
            "width": [64] * len(rows),
            "status": ["done" if done[row] else "failed" for row in rows],
            "reason": [None if done[row] else "no picture" for row in rows],
        },
        schema=IMAGES,
    )


class PlainRun:
    """What `vitscope.surveys.run.open_run` gives, as little of it as a summary needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = json.loads((folder / "plan.json").read_text())
        self.complete = (folder / "manifest.json").exists()
        self.shards_total = self.settings["shards"]

    @property
    def shards_done(self) -> int:
        return len(self._shards())

    def batches(self, name, columns=None):
        for shard in self._shards():
            yield pq.read_table(shard / f"{name}.parquet", columns=columns)

    def states(self):
        return load_file(self._shards()[0] / "states.safetensors")

    def _shards(self):
        return sorted((self.folder / "shards").iterdir())
