"""A model ready to be looked through: it takes images and gives Looks."""

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from vitscope.batches import Batch, OnFailure, batches, is_many
from vitscope.errors import ArgumentError, CaptureError, NotFiniteError
from vitscope.images.transform import Transform
from vitscope.layout import LayoutHints
from vitscope.look import Look
from vitscope.measures.plan import Plan
from vitscope.measures.seen import Seen
from vitscope.models.describe import describe, vision_tower
from vitscope.models.fingerprint import weights_sha256
from vitscope.models.loaded import Forward, LoadedModel
from vitscope.models.registry import load_model
from vitscope.models.wrappers import inside, require_open
from vitscope.observing import observe, plan_pass
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
    input size and kept, so change the model's architecture only before. It travels to other processes
    with its model, where that can be pickled.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self._traces: dict[tuple[int, int], Traced] = {}
        self._doubted: set[tuple[int, int]] = set()  # input sizes to be looked at carefully, see `observe`
        self._fingerprint: tuple[Any, str] = (None, "")  # state of the weights, their SHA-256
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<vitscope.Scope of {self.name}>"

    def __getstate__(self) -> dict[str, Any]:
        """All but the lock, which belongs to its process."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
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
        """Show images to the model in one forward pass (two where something is wrong) and keep what it attended with.

        `images`: a path, URL, PIL image, uint8 array (height, width, 3), or a list of them, of one
        input size; a float tensor (images, 3, height, width) is taken as already preprocessed.
        `every_row` verifies every query row of every image, instead of some rows of two images a layer.
        `limit_bytes` bounds what grows with N²: position biases, and weights whose queries and keys cannot
        be followed. Raises ImageError, CaptureError, LayoutError and their kin.
        """
        tensor, shown = show(images, self.transform)
        traced = self.trace((tensor.shape[-2], tensor.shape[-1]))
        planned = plan_pass(traced, len(tensor), self._like(), None, limit_bytes)
        seen, output = observe(
            self.loaded,
            tensor.to(self._like()),
            traced,
            planned,
            every_row=every_row,
            limit_bytes=limit_bytes,
            doubted=self._doubted,
        )
        return Look(seen, shown, settings_of(self.loaded, self.weights_sha256()), output)

    def plan(
        self,
        image_size: tuple[int, int] | None = None,
        *,
        images: int = 1,
        measures: Iterable[Any] | None = None,
        limit_bytes: int = 2**30,
    ) -> Plan:
        """How so many images of (height, width) pixels would be computed, and why; print it.

        `image_size` defaults to the transform's. With `measures` it is the plan of `measure`, else that
        of `look`. The layout is traced, if it is not known yet.
        """
        if image_size is None:
            if self.transform is None:
                raise ArgumentError("this model says nothing of its input's size; give image_size=(height, width)")
            image_size = self.transform.size
        return plan_pass(self.trace(image_size), images, self._like(), measures, limit_bytes)

    def measure(
        self,
        images: Iterable[Any],
        measures: Iterable[Measure],
        *,
        batch_size: int = 8,
        limit_bytes: int = 2**30,
        on_failure: OnFailure | None = None,
    ) -> Iterator[tuple[str, dict[Measure, np.ndarray]]]:
        """Measure many images, keeping of the batch in hand only what the measures need, as `plan` tells.

        `images` yields single images as `look` takes them, or (image id, image) pairs; ids default to
        the pictures' names. Of one float tensor (images, 3, height, width) the model gets parts in place, as
        `look` gives it the whole. Yields (image id, {measure: array}), the arrays without the images axis, in
        the order of the input. `limit_bytes` bounds what grows with N², as in `look`, and the fused heads
        that a rollout may store instead of computing them again. An image that cannot be read raises its
        error, or, with `on_failure`, is reported there as (image id, error) and left out; what the model
        itself refuses is raised. On the CPU in float32, and on CUDA in half precision, layers' outputs may be
        computed together with what is measured of them, and then equal the model's own up to rounding. Every layer
        of which something is measured is verified as in `look`.
        """
        wanted = list(measures)
        if batch_size < 1:
            raise ArgumentError(f"batch_size must be at least 1; found {batch_size}")
        if not is_many(images):
            raise ArgumentError("one image was given; expected an iterable of them: put it in a list")
        return self._measure(batches(images, self.transform, batch_size, on_failure), batch_size, wanted, limit_bytes)

    def _measure(
        self, runs: Iterable[Batch], batch_size: int, wanted: list[Measure], limit_bytes: int
    ) -> Iterator[tuple[str, dict[Measure, np.ndarray]]]:
        see = self.observer(wanted, batch_size=batch_size, limit_bytes=limit_bytes)
        for ids, images in runs:
            seen = see(images)
            values = {measure: measure.measure(seen) for measure in wanted}
            del seen  # before the next images are looked at
            for i, image_id in enumerate(ids):
                yield image_id, {measure: array[i] for measure, array in values.items()}

    def observer(
        self, measures: Iterable[Any], *, batch_size: int, limit_bytes: int = 2**30, image_bytes: int | None = None
    ) -> Callable[[Tensor], Seen]:
        """What shows the model batches of up to `batch_size` (images, 3, height, width), for these measures alone.

        Of `measures` it asks for their `needs`; one that has none gets everything. `image_bytes` bounds the fused
        heads that a rollout stores of one image, in place of `limit_bytes` for a batch and of the free memory, on
        which no number depends then.
        """
        wanted = list(measures)
        plans: dict[tuple[int, int], Plan] = {}  # one for each input size, so that all its images are computed alike

        def see(images: Tensor) -> Seen:
            images = images.to(self._like())
            size = (images.shape[-2], images.shape[-1])
            traced = self.trace(size)
            if size not in plans:
                plans[size] = plan_pass(traced, batch_size, images, wanted, limit_bytes, image_bytes)
            seen, _ = observe(
                self.loaded,
                images,
                traced,
                plans[size],
                every_row=False,
                limit_bytes=limit_bytes,
                doubted=self._doubted,
            )
            return seen

        return see

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
        tensors = chain(self.model.parameters(), self.model.buffers())
        return next((tensor for tensor in tensors if tensor.is_floating_point()), torch.zeros(()))


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
    tokens. `forward` (model, images (images, 3, height, width)) → output defaults to the main input
    of the model within `torch.compile`, DataParallel or PEFT's adapters, with position embeddings
    interpolated where it can, and the vision tower of a two-tower model. Compiled modules run as
    written while they are looked at. Raises CaptureError for TorchScript, exported programs and
    weights that are not here.
    """
    model = model if forward is not None else inside(model)
    require_open(model)
    _require_eval(model)
    if transform is not None and not isinstance(transform, Transform):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(
            f"transform is a {type(transform).__name__}; expected a vitscope.Transform, which also says where the "
            "input lies on the picture. Apply any other yourself, and show the tensors"
        )
    described = describe(inside(model))
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


def _require_ready(model: nn.Module) -> None:
    _require_eval(model)
    for name, parameter in vision_tower(model).named_parameters():  # a text tower's weights play no part
        if not torch.isfinite(parameter).all():
            raise NotFiniteError(f"parameter {name} holds NaN or infinity; load other weights")


def _require_eval(model: nn.Module) -> None:
    if any(module.training for module in model.modules()):
        training = [name or type(model).__name__ for name, module in model.named_modules() if module.training]
        raise CaptureError(
            f"the model is in training mode ({training[0]}{' and others' if len(training) > 1 else ''}), in which "
            "dropout changes attention at random; call model.eval() first"
        )
