"""What was seen of some images of one input size, from which any measure is computed on demand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from vitscope.attention.kernels.reference import Fusion
from vitscope.errors import ArgumentError, QueryError, VitscopeError
from vitscope.images.decode import Picture
from vitscope.images.transform import Placement
from vitscope.layer_info import LayerInfo, info, layer_info
from vitscope.layout import Layout, ReadoutKind
from vitscope.measures.distance import DistanceUnit, MeanAttentionDistance
from vitscope.measures.heatmaps import Heatmaps, attention_row
from vitscope.measures.moments import Moments
from vitscope.measures.query import Query
from vitscope.measures.result import Measured, measured
from vitscope.measures.rollout import Rollout
from vitscope.measures.seen import Seen
from vitscope.measures.similarity import HeadSimilarity
from vitscope.measures.spread import Entropy, PrefixMass

if TYPE_CHECKING:
    from vitscope.render.plot import Plot


@dataclass(frozen=True, eq=False)
class Shown:
    """One image as it was given and as the model saw it."""

    name: str
    render: Callable[[], Image.Image]  # what the model saw, RGB, of the model's input size
    original: Picture | None = None  # None where a tensor was given
    placement: Placement | None = None  # where the input lies on the original
    note: str = ""  # what a reader must know of the picture

    @cached_property
    def seen(self) -> Image.Image:
        """What `render` gives, made when it is first drawn: most looks are never drawn."""
        return self.render()


@dataclass(frozen=True, eq=False)
class Look:
    """Queries and keys of every layer for some images, and every measure of them.

    Arrays always lead with the images axis. They are float32 (float64 for a model in float64) and
    carry their `convention` in words. Measures raise VerificationError where they need a layer whose
    recomputed attention was not the model's own, and QueryError for what the model does not have.
    """

    attention_seen: Seen
    shown: tuple[Shown, ...]
    settings: dict[str, Any]  # model, weights, preprocessing, versions: JSON-ready
    output: Any  # what the model itself answered

    @property
    def images(self) -> tuple[str, ...]:
        """The images' names, in order."""
        return tuple(shown.name for shown in self.shown)

    @property
    def layout(self) -> Layout:
        return self.attention_seen.layout

    @property
    def readout(self) -> ReadoutKind:
        """What the model reads its answer from: "cls", "pool" or "mean"."""
        return self.attention_seen.readout

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        return tuple(layer_info(self.attention_seen, i) for i in range(len(self.attention_seen.layers)))

    @property
    def cross_attention(self) -> tuple[LayerInfo, ...]:
        """A decoder's attention over the picture, as DETR's; `heatmaps` and `attention` take its name for a layer."""
        crossings = self.attention_seen.crossings
        return tuple(info(i, one.call, one.arrangement, "cross") for i, one in enumerate(crossings))

    @property
    def verification_error(self) -> float:
        """The largest of the layers' verification errors, at most, as a fraction of the values' magnitude."""
        others = (*self.attention_seen.readings, *self.attention_seen.crossings)
        return max(call.error for call in (*self.attention_seen.layers, *(other.call for other in others)))

    def heatmaps(
        self, layer: int | str = -1, query: Query = None, *, point: tuple[float, float] | None = None
    ) -> Float[Measured, "images heads rows columns"]:
        """Weights of one query over the patches; see measures.heatmaps.Heatmaps."""
        return Heatmaps(layer, self._query(query, point, layer)).measure(self.attention_seen)

    def rollout(
        self,
        fusion: Fusion = "mean",
        discard: float = 0.0,
        start_layer: int = 0,
        query: Query = None,
        *,
        point: tuple[float, float] | None = None,
    ) -> Float[Measured, "images rows columns"]:
        """One query's row of the attention rollout over the patches; see measures.rollout.Rollout."""
        return Rollout(fusion, discard, start_layer, self._query(query, point, -1)).measure(self.attention_seen)

    def rollout_by_start_layer(
        self, fusion: Fusion = "mean", discard: float = 0.0, query: Query = None
    ) -> Float[Measured, "images layers rows columns"]:
        """The rollout for every start layer at once, for the cost of one."""
        return Rollout(fusion, discard, 0, query).by_start_layer(self.attention_seen)

    def rollout_matrix(
        self, fusion: Fusion = "mean", discard: float = 0.0, start_layer: int = 0
    ) -> Float[Measured, "images outputs inputs"]:
        """The whole rollout, from the tokens of the first layer to those of the last: N × N numbers for each image."""
        return Rollout(fusion, discard, start_layer).matrix(self.attention_seen)

    def mean_attention_distance(
        self, rescale: bool = False, unit: DistanceUnit = "pixels"
    ) -> Float[Measured, "images layers heads"]:
        """How far each head looks; see measures.distance.MeanAttentionDistance."""
        return MeanAttentionDistance(rescale, unit).measure(self.attention_seen)

    def entropy(self) -> Float[Measured, "images layers heads"]:
        """Mean entropy of the patch queries' rows, in nats."""
        return Entropy().measure(self.attention_seen)

    def prefix_mass(self) -> Float[Measured, "images layers heads prefix"]:
        """Mean weight that the patch queries give to each prefix token."""
        return PrefixMass().measure(self.attention_seen)

    def moments(self, unit: DistanceUnit = "pixels") -> Float[Measured, "images layers heads 3"]:
        """Mean offset (y, x) of attention's centroid from the query's place, and mean spread about it; see Moments."""
        return Moments(unit).measure(self.attention_seen)

    def head_similarity(self) -> Float[Measured, "images layers heads heads"]:
        """Jensen–Shannon distance between every two heads of a layer, from 0 to 1; see HeadSimilarity."""
        return HeadSimilarity().measure(self.attention_seen)

    def attention(
        self, layer: int | str, query: Query = None, *, point: tuple[float, float] | None = None
    ) -> Float[Measured, "images heads keys"]:
        """One query's row as it is, over all keys of the layer; `places` says where these stand.

        Keys outside the query's window have weight 0.
        """
        row, _, convention = attention_row(self.attention_seen, layer, self._query(query, point, layer))
        return measured(row, convention)

    def places(self, layer: int | str = -1) -> Float[np.ndarray, "keys 2"]:
        """Where a layer's keys stand: (y, x) in pixels of the model's input, NaN for prefix tokens."""
        seen = self.attention_seen
        crossing = seen.crossing(layer)
        keys = (seen.arrangement(seen.layer_index(layer)) if crossing is None else crossing.arrangement).keys
        nowhere = np.full((len(keys.prefix), 2), np.nan)
        return np.concatenate([nowhere, keys.centres()])

    def patch_at(self, x: float, y: float, image: int = 0, layer: int | str | None = None) -> tuple[int, int]:
        """(row, column) of the patch that covers a point in pixels of the original picture.

        On the grid of the layer's queries; of the picture's own patches, those of the first layer, if none is given.
        """
        seen = self.attention_seen
        layout = self.layout if layer is None else seen.arrangement(seen.layer_index(layer)).queries
        placement = self.shown[image].placement
        if placement is None:
            raise QueryError("a point needs the original picture, and this look was taken of a tensor")
        input_x, input_y = placement.to_input(x, y)
        row, column = int(input_y // layout.patch_size[0]), int(input_x // layout.patch_size[1])
        rows, columns = layout.grid
        if not (0 <= row < rows and 0 <= column < columns):
            left, top, right, bottom = placement.box
            raise QueryError(
                f"point (x={x:g}, y={y:g}) is not in what the model saw of {self.shown[image].name}: x from {left:.0f} "
                f'to {right:.0f} and y from {top:.0f} to {bottom:.0f} of the original (fit="whole" shows it all)'
            )
        return row, column

    @property
    def plot(self) -> "Plot":
        """Pictures of this look: `look.plot.heatmaps()`, `.rollout()`, `.distance()` …"""
        from vitscope.render.plot import Plot

        return Plot(self)

    def save(
        self,
        path: str | Path,
        *,
        force: bool = False,
        page: bool = True,
        layers: Sequence[int | str] | None = None,
        limit_bytes: int | None = None,
        title: str | None = None,
        **choices: Any,
    ) -> list[Path]:
        """Write the page "photo.html" alone, or a new folder of pictures, tables, settings and the page; the paths.

        `layers`, `limit_bytes` and `title` are the page's: see vitscope.page. `choices` are those of
        render.files.Choices, for a folder: layer, query, formats …; `page=False` leaves the page out.
        With `force` an earlier page or look is replaced.
        """
        options: dict[str, Any] = {"layers": layers, "title": title}
        options |= {} if limit_bytes is None else {"limit_bytes": limit_bytes}
        if Path(path).suffix.lower() in (".html", ".htm"):
            return [self._save_page(Path(path), force, options, choices if page else choices | {"page": page})]
        if Path(path).suffix.lower() in (".png", ".pdf", ".svg"):
            raise ArgumentError(
                f"{str(path)!r} looks like a picture; expected a folder, which will hold all of them, or a page's .html"
            )
        return self._save_folder(Path(path), force, options if page else None, choices)

    def _save_page(self, path: Path, force: bool, options: dict[str, Any], others: dict[str, Any]) -> Path:
        from vitscope.viewer.page import page
        from vitscope.writing import require_free_file

        if others:
            raise ArgumentError(
                f"{next(iter(others))} is a choice for a folder of pictures; {path.name} is a page, which takes force, "
                "layers, limit_bytes and title, and lets its reader choose the rest"
            )
        require_free_file(path, force=force)
        return page(self, **options).save(path, force=force)

    def _save_folder(
        self, folder: Path, force: bool, options: dict[str, Any] | None, choices: dict[str, Any]
    ) -> list[Path]:
        """A folder, with a page in it unless its `options` are None."""
        from vitscope.render.files import Choices, write_look
        from vitscope.viewer.page import page

        if options is None:
            return write_look(self, folder, force=force, choices=Choices(**choices))

        def write_page(path: Path) -> None:
            with path.open("wb") as file:
                page(self, **options).write(file)

        return write_look(self, folder, force=force, choices=Choices(**choices), extra={"page.html": write_page})

    def _repr_png_(self) -> bytes:
        return self.plot.png()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """In a notebook: the page as a widget, and its picture where no widget can be shown."""
        from vitscope.viewer.notebook import WIDGET_BYTES, mime_bundle
        from vitscope.viewer.page import page

        try:
            picture = self._repr_png_()
        except VitscopeError:  # a layer that it draws was refused; the page says so
            picture = b""
        return mime_bundle(lambda: page(self, limit_bytes=WIDGET_BYTES).payload, picture, repr(self))

    def __repr__(self) -> str:
        names = ", ".join(self.images[:3]) + (" …" if len(self.images) > 3 else "")
        return (
            f"Look(images={len(self.shown)} ({names}), model={self.settings.get('model', {}).get('name')!r}, "
            f"layers={len(self.attention_seen.layers)}, {self.layout.describe()}, readout={self.readout!r}, "
            f"verification_error={self.verification_error:.1e})"
        )

    def _query(self, query: Query, point: tuple[float, float] | None, layer: int | str) -> Query:
        if point is None:
            return query
        if query is not None:
            raise ArgumentError("give either query or point, not both")
        patches = {self.patch_at(*point, i, layer) for i in range(len(self.shown))}
        if len(patches) > 1:
            raise ArgumentError(f"the point falls on different patches of the {len(self.shown)} images; look at one")
        return patches.pop()
