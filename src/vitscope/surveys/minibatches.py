"""Minibatches of images that are compared with one another, planned apart from those the model runs on."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vitscope.measures.alignment import LinearCKA
from vitscope.surveys.collecting import Collected


@dataclass
class Minibatches:
    """Runs of consecutive images of a shard, by their numbers; each is compared when its last image has come.

    Images that failed are missing from theirs. Those that wait do so on the CPU, to leave a GPU's memory to the model;
    a minibatch that comes whole is compared where it is.
    """

    name: str
    measure: LinearCKA
    images: int  # in the shard
    _waiting: dict[int, list[list[Tensor]]] = field(default_factory=dict[int, list[list[Tensor]]])
    """By minibatch: of each part that has come, the layers' features (images, features of the layer)."""
    _missing: dict[int, int] = field(default_factory=dict[int, int])  # images still to come, by minibatch

    def take(self, numbers: Sequence[int], features: Sequence[Tensor], collected: Collected) -> None:
        """Features (images, features of the layer) of each layer, of some images."""
        places: dict[int, list[int]] = defaultdict(list)  # among these images, by minibatch
        for place, number in enumerate(numbers):
            places[number // self.measure.minibatch].append(place)
        for minibatch, own in places.items():
            part = [layer[own] for layer in features]  # copies: a slice would keep the whole of a batch
            if minibatch in self._waiting or len(own) < self._left(minibatch):
                part = [layer.cpu() for layer in part]
            self._waiting.setdefault(minibatch, []).append(part)
            self._came(minibatch, len(own), collected)

    def failed(self, number: int, collected: Collected) -> None:
        """An image that will not come."""
        self._came(number // self.measure.minibatch, 1, collected)

    def _left(self, minibatch: int) -> int:
        size = self.measure.minibatch
        return self._missing.get(minibatch, min(size, self.images - minibatch * size))

    def _came(self, minibatch: int, images: int, collected: Collected) -> None:
        self._missing[minibatch] = self._left(minibatch) - images
        if self._missing[minibatch]:
            return
        parts = self._waiting.pop(minibatch, [])
        if parts:
            layers = [layer[0] if len(layer) == 1 else torch.cat(layer) for layer in zip(*parts, strict=True)]
            state = self.measure.state(layers)
            collected.add(f"alignment.{self.name}", state["sum"], float(state["count"]))
