"""Minibatches of images that are compared with one another, planned apart from those the model runs on."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vitscope.measures.alignment import LinearCKA
from vitscope.surveys.collecting import Collected


@dataclass
class Minibatches:
    """Runs of consecutive images of a shard, by their numbers; each is compared when its last image has come.

    Images that failed are missing from theirs.
    """

    name: str
    measure: LinearCKA
    images: int  # in the shard
    _waiting: dict[int, dict[int, list[Tensor]]] = field(default_factory=dict[int, dict[int, list[Tensor]]])
    _missing: dict[int, int] = field(default_factory=dict[int, int])  # images still to come, by minibatch

    def take(self, numbers: Sequence[int], features: Sequence[Tensor], collected: Collected) -> None:
        """Features (images, features of the layer) of each layer, of some images."""
        for i, number in enumerate(numbers):
            minibatch = number // self.measure.minibatch
            # A copy, as a part of a batch's tensor would keep the whole of it.
            self._waiting.setdefault(minibatch, {})[number] = [layer[i].clone() for layer in features]
            self._came(minibatch, collected)

    def failed(self, number: int, collected: Collected) -> None:
        """An image that will not come."""
        self._came(number // self.measure.minibatch, collected)

    def _came(self, minibatch: int, collected: Collected) -> None:
        size = self.measure.minibatch
        planned = min(size, self.images - minibatch * size)
        self._missing[minibatch] = self._missing.get(minibatch, planned) - 1
        if self._missing[minibatch]:
            return
        waiting = self._waiting.pop(minibatch, {})
        if waiting:
            layers = zip(*waiting.values(), strict=True)
            state = self.measure.state([torch.stack(layer) for layer in layers])
            collected.add(f"alignment.{self.name}", state["sum"], float(state["count"]))
