"""A model ready to be looked through: it takes images and gives Looks."""

import threading
from collections.abc import Callable, Iterable, Iterator
from os import PathLike, fsdecode
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vitscope.attention.recorder import Recorder
from vitscope.attention.tap import Tap
from vitscope.errors import ArgumentError, CaptureError, ImageError, NotFiniteError, VitscopeError
from vitscope.images.decode import Picture
from vitscope.images.naming import path_name
from vitscope.images.transform import Transform
from vitscope.layout import LayoutHints
from vitscope.look import Look
from vitscope.measures.seen import Seen
from vitscope.models.describe import describe
from vitscope.models.fingerprint import weights_sha256
from vitscope.models.loaded import Forward, LoadedModel
from vitscope.models.registry import load_model
from vitscope.provenance import settings_of, state_of_weights
from vitscope.showing import show
from vitscope.trace import Traced, trace


@runtime_checkable
class Measure(Protocol):
    """What `Scope.measure` computes: a frozen, hashable set of parameters with one pure method."""

    def measure(self, seen: Seen) -> np.ndarray: ...


class Scope:
    """A model, its transform and its layout. Made by `vitscope.load` and `vitscope.wrap`.

    The model is the caller's own object and is never modified. Layouts are traced once for each
    input size and kept, so change the model's architecture only before.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self._traces: dict[tuple[int, int], Traced] = {}
        self._fingerprint: tuple[Any, str] = (None, "")  # state of the weights, their SHA-256
        self._lock = threading.Lock()

    @property
    def model(self) -> nn.Module:
        return self.loaded.model

    @property
    def transform(self) -> Transform | None:
        return self.loaded.transform

    @property
    def name(self) -> str:
        return self.loaded.name

    def look(self, images: Any, *, every_row: bool = False, limit_bytes: int = 2**30) -> Look:
        """Show images to the model in one forward pass and keep what it attended with.

        `images`: a path, URL, PIL image, uint8 array (height, width, 3), or a list of them, of one
        input size; a float tensor (images, 3, height, width) is taken as already preprocessed.
        `every_row` verifies every query row instead of some. `limit_bytes` bounds what grows with
        N²: position biases, and weights whose queries and keys cannot be followed. Raises ImageError,
        CaptureError, LayoutError and their kin.
        """
        tensor, shown = show(images, self.transform)
        traced = self.trace((tensor.shape[-2], tensor.shape[-1]))
        recorder = Recorder(
            len(tensor),
            prefix=len(traced.layout.prefix),
            grid=traced.layout.grid,
            every_row=every_row,
            limit_bytes=limit_bytes,
        )
        with torch.no_grad(), Tap(self.model, recorder):
            output = self.loaded.forward(self.model, tensor.to(self._like()))
        return Look(_seen(recorder, traced), shown, settings_of(self.loaded, self.weights_sha256()), output)

    def measure(
        self,
        images: Iterable[Any],
        measures: Iterable[Measure],
        *,
        batch_size: int = 8,
        on_failure: Callable[[str, VitscopeError], None] | None = None,
    ) -> Iterator[tuple[str, dict[Measure, np.ndarray]]]:
        """Measure many images, holding queries and keys of the batch in hand only.

        `images` yields single images as `look` takes them, or (image id, image) pairs; ids default to
        the pictures' names. Yields (image id, {measure: array}), the arrays without the images axis, in
        the order of the input. An image that cannot be read raises its error, or, with `on_failure`, is
        reported there as (image id, error) and left out; what the model itself refuses is raised.
        """
        wanted = list(measures)
        if batch_size < 1:
            raise ArgumentError(f"batch_size must be at least 1; found {batch_size}")
        if not _is_many(images):
            raise ArgumentError("one image was given; expected an iterable of them: put it in a list")
        return self._measure(images, wanted, batch_size, on_failure)

    def _measure(
        self,
        images: Iterable[Any],
        wanted: list[Measure],
        batch_size: int,
        on_failure: Callable[[str, VitscopeError], None] | None,
    ) -> Iterator[tuple[str, dict[Measure, np.ndarray]]]:
        for batch in self._batches(images, batch_size, on_failure):
            look = self.look(torch.stack([tensor for _, tensor in batch]))  # (images, 3, height, width)
            values = {measure: measure.measure(look.attention_seen) for measure in wanted}
            del look  # before the next batch is looked at
            for i, (image_id, _) in enumerate(batch):
                yield image_id, {measure: array[i] for measure, array in values.items()}

    def trace(self, image_size: tuple[int, int]) -> Traced:
        """The layout proven for an input of (height, width) pixels; kept for the next time."""
        with self._lock:
            if image_size not in self._traces:
                _require_ready(self.model)
                like = torch.zeros((), dtype=self._like().dtype, device=self._like().device)
                self._traces[image_size] = trace(self.model, self.loaded.forward, image_size, self.loaded.hints, like)
            _require_eval(self.model)
            return self._traces[image_size]

    def weights_sha256(self) -> str:
        """SHA-256 over the model's weights as they are now; computed again only when they have changed."""
        with self._lock:
            state = state_of_weights(self.model)
            if self._fingerprint[0] != state:
                self._fingerprint = (state, weights_sha256(self.model))
            return self._fingerprint[1]

    def _like(self) -> Tensor:
        """A tensor of the dtype and device that the model's input should have."""
        tensors = (*self.model.parameters(), *self.model.buffers())
        return next((tensor for tensor in tensors if tensor.is_floating_point()), torch.zeros(()))

    def _batches(
        self, images: Iterable[Any], batch_size: int, on_failure: Callable[[str, VitscopeError], None] | None
    ) -> Iterator[list[tuple[str, Tensor]]]:
        """Runs of up to `batch_size` consecutive images of one input size: (image id, (3, height, width))."""
        batch: list[tuple[str, Tensor]] = []
        for index, item in enumerate(images):
            image_id, image = _identified(item)
            try:
                tensor, shown = show(image, self.transform)
                if len(shown) != 1:
                    raise ImageError(f"found {len(shown)} images in one; expected images one by one")
            except VitscopeError as error:
                if on_failure is None:
                    raise
                on_failure(image_id or _name_of(image) or f"image {index + 1}", error)
                continue
            if batch and (len(batch) == batch_size or batch[-1][1].shape != tensor.shape[1:]):
                yield batch
                batch = []
            batch.append((image_id or shown[0].name, tensor[0].to(self._like())))
        if batch:
            yield batch


def load(
    name: str | None = None,
    *,
    checkpoint: Any = None,
    pretrained: bool = True,
    image_size: int | tuple[int, int] | None = None,
    fit: str = "crop",
    device: str = "auto",
) -> Scope:
    """Load a model by name and make it ready.

    `name`: a timm name (arch.tag), `hf-hub:org/repo`, `local-dir:path` (timm's or transformers', by
    its config.json), `transformers:…`, `torchvision:…`, `open_clip:…`; None is the bundled model.
    `checkpoint`: a file of weights to use instead. `image_size`: side or (height, width) of the
    input. `fit`: "crop", the model's own evaluation crop, or "whole", the whole picture at its own
    aspect. `device`: "auto" is CUDA where there is one, else the CPU. Raises ModelError and its kin.
    """
    place = _device(device)
    loaded = load_model(name, checkpoint=checkpoint, pretrained=pretrained, image_size=image_size, fit=cast(Any, fit))
    loaded.model.to(place)
    return Scope(loaded)


def wrap(
    model: nn.Module,
    transform: Transform | None = None,
    layout: LayoutHints | None = None,
    forward: Forward | None = None,
) -> Scope:
    """Make any PyTorch module in eval mode ready; the module stays the caller's own, unmodified.

    Without a `transform` the model's own is used, where it carries one (timm); otherwise it can be
    shown tensors only. `layout` says what the model does not say of its patch size and prefix
    tokens. `forward` (model, images (images, 3, height, width)) → output defaults to the model's
    main input, with position embeddings interpolated where it can, and the vision tower of a
    two-tower model.
    """
    _require_eval(model)
    if transform is not None and not isinstance(transform, Transform):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(
            f"transform is a {type(transform).__name__}; expected a vitscope.Transform, which also says where the "
            "input lies on the picture. Apply any other yourself, and show the tensors"
        )
    described = describe(model)
    return Scope(
        LoadedModel(
            name=type(model).__name__,
            model=model,
            forward=forward or described.forward,
            hints=layout or described.hints,
            transform=transform or described.transform,
            provenance={"weights": "given by the caller"},
        )
    )


def _device(name: str) -> torch.device:
    """The device of that name; ArgumentError where this machine has none."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # AssertionError: PyTorch without CUDA
        here = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise ArgumentError(
            f"found no device {name!r} that works here; expected auto, or one of {', '.join(here)}"
        ) from error
    return device


def _seen(recorder: Recorder, traced: Traced) -> Seen:
    """The recorded calls, matched one by one with those that were traced."""
    found, expected = [call.name for call in recorder.calls], [call.name for call in traced.calls]
    if found != expected:
        raise CaptureError(
            f"the model attended otherwise than when its layout was traced: found {len(found)} attention calls "
            f"({', '.join(found[:3])} …), expected {len(expected)} ({', '.join(expected[:3])} …); its path must not "
            "depend on the picture"
        )
    pairs = list(zip(recorder.calls, traced.calls, strict=True))
    layers = tuple(call for call, known in pairs if known.kind == "layer")
    pooling = next((call for call, known in pairs if known.kind == "readout"), None)
    return Seen(traced.layout, layers, traced.readout, pooling)


def _identified(item: Any) -> tuple[str | None, Any]:
    if isinstance(item, tuple) and len(cast(tuple[Any, ...], item)) == 2 and isinstance(item[0], str):
        return cast(tuple[str, Any], item)
    return None, item


def _is_many(images: Any) -> bool:
    """False for what is one image and would be taken apart by iterating over it."""
    if isinstance(images, np.ndarray | Tensor):
        return images.ndim in (1, 4)  # of paths or objects; of pictures
    return not isinstance(images, str | bytes | bytearray | PathLike | Image.Image | Picture)


def _name_of(image: Any) -> str | None:
    """What to call an image that could not be read."""
    if isinstance(image, Picture):
        return image.name
    return path_name(fsdecode(image)) if isinstance(image, str | PathLike) else None


def _require_ready(model: nn.Module) -> None:
    _require_eval(model)
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise NotFiniteError(f"parameter {name} holds NaN or infinity; load other weights")


def _require_eval(model: nn.Module) -> None:
    training = [name or type(model).__name__ for name, module in model.named_modules() if module.training]
    if training:
        raise CaptureError(
            f"the model is in training mode ({training[0]}{' and others' if len(training) > 1 else ''}), in which "
            "dropout changes attention at random; call model.eval() first"
        )
