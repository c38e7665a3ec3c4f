"""A Look as a folder: three pictures, a table, the maps and every setting. Written whole or not at all."""

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from safetensors.numpy import save_file

from vitscope.attention.kernels.reference import Fusion
from vitscope.errors import ArgumentError
from vitscope.look import Look
from vitscope.measures.distance import DistanceUnit
from vitscope.measures.query import Query
from vitscope.measures.rollout import Rollout
from vitscope.render.distance import distance_figure
from vitscope.render.heatmaps import heatmaps_figure
from vitscope.render.lattices import rollout_query, without_rollout
from vitscope.render.rollout import rollout_figure
from vitscope.render.style import COLOUR_MAP, save
from vitscope.writing import umask, whole_folder

FORMATS = ("png", "pdf", "svg")
OWN = {"look.json", "distance.csv", "maps.safetensors", "page.html"} | {
    f"{name}.{suffix}" for name in ("heatmaps", "rollout", "distance") for suffix in FORMATS
}


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What of a look is written, with what settings; the defaults are the contract's."""

    layer: int | str = -1  # of the heatmaps
    query: Query = None
    mass: float = 0.6  # that a heatmap's mask holds
    fusion: Fusion = "mean"
    discard: float = 0.0
    rescale: bool = False
    unit: DistanceUnit = "pixels"
    smooth: bool = False
    colour_map: str = COLOUR_MAP
    formats: tuple[str, ...] = ("png",)

    def __post_init__(self) -> None:
        unknown = [name for name in self.formats if name not in FORMATS]
        if unknown or not self.formats:
            found = repr(unknown[0]) if unknown else "none"
            raise ArgumentError(f"found the format {found}; expected some of {', '.join(FORMATS)}")
        if not 0 < self.mass <= 1:
            raise ArgumentError(f"found a mass of {self.mass:g}; expected a share above 0, up to 1")
        if self.colour_map not in colormaps:
            raise ArgumentError(
                f"found the colour map {self.colour_map!r}; expected one of matplotlib's: viridis, inferno, cividis …"
            )
        Rollout(self.fusion, self.discard)  # raises for what has no meaning

    def settings(self) -> dict[str, Any]:
        """JSON-ready."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


def write_look(
    look: Look,
    folder: str | Path,
    *,
    force: bool = False,
    choices: Choices | None = None,
    extra: Mapping[str, Callable[[Path], object]] | None = None,
) -> list[Path]:
    """Write a look of one image into a new `folder`; OutputError where that cannot be done.

    heatmaps, rollout and distance as pictures; look.json; distance.csv; maps.safetensors; and what
    `extra` writes, by file name. An existing folder is replaced only with `force`. Nothing is seen there
    before all is written.
    """
    if len(look.shown) != 1:
        raise ArgumentError(
            f"a folder holds a look of one image; this one has {len(look.shown)}: look at each by itself"
        )
    choices = choices or Choices()
    with whole_folder(Path(folder), force=force, own=OWN.__contains__) as draft:
        for name, figure in _figures(look, choices).items():
            for suffix in choices.formats:
                save(figure(), str(draft / f"{name}.{suffix}"))
        _write_maps(look, choices, draft / "maps.safetensors")
        _write_distance(look, draft / "distance.csv")
        report = json.dumps(report_of(look, choices), indent=2, ensure_ascii=False, allow_nan=False)
        # A path that is no Unicode holds lone surrogates, which become JSON's own escapes.
        (draft / "look.json").write_text(report + "\n", encoding="utf-8", errors="backslashreplace")
        for name, write in (extra or {}).items():
            write(draft / name)
    return sorted(Path(folder).iterdir())


def report_of(look: Look, choices: Choices) -> dict[str, Any]:
    """Everything that a reader needs to trust or repeat the numbers: JSON-ready."""
    shown = look.shown[0]
    heatmaps = look.heatmaps(choices.layer, choices.query)
    absent = without_rollout(look)
    rolled = rollout_query(look, choices.layer, choices.query)
    return {
        "image": {
            "name": shown.name,
            "note": shown.note,
            "original_size": None if shown.original is None else list(shown.original.size),
            "input_size": [shown.seen.height, shown.seen.width],
            "input_box_on_original": None if shown.placement is None else list(shown.placement.box),
        },
        **look.settings,
        "choices": choices.settings(),
        "layout": asdict(look.layout) | {"description": look.layout.describe()},
        "readout": look.readout,
        "layers": [asdict(layer) for layer in look.layers],
        "verification": {
            "largest_error": look.verification_error,
            "meaning": "recomputed attention times values against the model's own, over the largest Σ A·|values|",
        },
        "conventions": {
            "heatmaps": heatmaps.convention,
            "rollout": look.rollout(choices.fusion, choices.discard, 0, rolled).convention
            if absent is None
            else f"none: {absent}",
            "distance": look.mean_attention_distance(choices.rescale, choices.unit).convention,
            "entropy": look.entropy().convention,
            "prefix_mass": look.prefix_mass().convention,
        },
    }


def _figures(look: Look, choices: Choices) -> dict[str, Callable[[], Figure]]:
    """Figures by file name, made one at a time."""
    maps: dict[str, Any] = {"smooth": choices.smooth, "cmap": choices.colour_map}
    figures: dict[str, Callable[[], Figure]] = {
        "heatmaps": lambda: heatmaps_figure(look, layer=choices.layer, query=choices.query, mass=choices.mass, **maps),
        "distance": lambda: distance_figure(look, rescale=choices.rescale, unit=choices.unit),
    }
    if without_rollout(look) is None:
        query = rollout_query(look, choices.layer, choices.query)
        figures["rollout"] = lambda: rollout_figure(
            look, fusion=choices.fusion, discard=choices.discard, query=query, **maps
        )
    return figures


def _write_maps(look: Look, choices: Choices, path: Path) -> None:
    arrays = {
        "heatmaps": look.heatmaps(choices.layer, choices.query),
        "mean_attention_distance": look.mean_attention_distance(choices.rescale, choices.unit),
        "entropy": look.entropy(),
        "prefix_mass": look.prefix_mass(),
    }
    if without_rollout(look) is None:
        query = rollout_query(look, choices.layer, choices.query)
        arrays["rollout"] = look.rollout(choices.fusion, choices.discard, 0, query)
        arrays["rollout_by_start_layer"] = look.rollout_by_start_layer(choices.fusion, choices.discard, query)
    conventions = {name: array.convention for name, array in arrays.items()}
    save_file({name: np.ascontiguousarray(array[0]) for name, array in arrays.items()}, path, metadata=conventions)
    path.chmod(0o666 & ~umask())  # safetensors lets the owner alone read


def _write_distance(look: Look, path: Path) -> None:
    """A row a layer and head; distances in pixels of the input in both conventions."""
    plain, rescaled = look.mean_attention_distance()[0], look.mean_attention_distance(rescale=True)[0]
    entropy, mass = look.entropy()[0], look.prefix_mass()[0]
    prefix = [f"prefix_mass_{name}" for name in look.layout.prefix]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["layer", "name", "head", "distance_px", "distance_px_rescaled", "entropy_nats", *prefix])
        for layer in look.layers:
            for head in range(layer.heads):
                at = (layer.index, head)
                numbers = [plain[at], rescaled[at], entropy[at], *mass[at][: len(prefix)]]
                table.writerow([layer.index, layer.name, head, *(f"{number:.7g}" for number in numbers)])
