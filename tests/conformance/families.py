"""The list of families (`families.toml`) as data: its notation read, its models built, its words in vitscope's own."""

import re
import tomllib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

LIST = Path(__file__).with_name("families.toml")
LIBRARIES = ("timm", "torchvision", "open_clip", "transformers")

Size = tuple[int, int]

_SIDE = r"\d+(?:x\d+)?"
_LAYER = re.compile(
    rf"""
    (?:(?P<plain>global|class|pool|cross|self|channel|outlook|linear|deformable)
      |window\ (?P<window>{_SIDE})(?:\ (?P<how>shifted|grid|dilated|blocks|halo|shared))?
    )?
    (?:(?:^|\ )reduced\ q/(?P<queries>\d+)\ k(?:/(?P<keys>{_SIDE})|=(?P<fixed>\d+x\d+)))?
    (?:\ ×(?P<times>\d+))?
    """,
    re.VERBOSE,
)

# What vitscope calls the list's kinds (`TracedCall.kind`). Not here: deformable attention, which weights samples by
# `grid_sample` without a product of weights and values, so that it is no call at all.
#   reduced   … is global where queries and keys are reduced alike: all attend to all, on one coarser lattice
#   window    … whatever is said of its queries or keys: a window's may be reduced as well
#   outlook   local: each place weights a neighbourhood, and neighbourhoods overlap
KINDS = {
    "global": "global",
    "window": "window",
    "reduced": "reduced",
    "outlook": "local",
    "class": "class",
    "pool": "pool",
    "cross": "cross",
    "self": "self",
    "channel": "channel",
    "linear": "linear",
}


@dataclass(frozen=True)
class Layer:
    """One attention as the list has it. Strides are relative to the tokens that come into it."""

    kind: str  # the list's word
    window: Size | None = None  # (rows, columns) of tokens
    how: str = ""  # "shifted", "grid" …, of windows
    queries: int = 1  # every so many-th row and column of tokens
    keys: Size = (1, 1)  # along rows, and along columns
    fixed: Size | None = None  # the keys' lattice, whatever the input

    @property
    def seen_as(self) -> str | None:
        """vitscope's kind; None where there is no call to be seen."""
        if self.kind == "reduced" and self.keys == (self.queries, self.queries) and self.fixed is None:
            return "global"
        return KINDS.get(self.kind)


@dataclass(frozen=True)
class Family:
    """One small member of a family of models, and what an observer of its attention is to expect."""

    library: Literal["timm", "torchvision", "open_clip", "transformers"]
    family: str
    make: str
    input: Size  # (height, width) in pixels
    expect: Literal["works", "nothing", "refused"]
    layers: tuple[Layer, ...]
    readout: Literal["cls", "pool", "mean", "class attention", "none"]
    call: str | None = None
    reason: str = ""
    gap: str = ""  # why it is refused all the same

    @property
    def key(self) -> str:
        return f"{self.library}:{self.family}"

    @property
    def kinds(self) -> tuple[str, ...]:
        """vitscope's kinds of all calls that there are, in order."""
        return tuple(layer.seen_as for layer in self.layers if layer.seen_as is not None)

    def build(self) -> nn.Module:
        """The model, the same each time; warnings of its library about its own making are left out."""
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            return eval(self.make, _libraries()).eval()

    @property
    def forward(self) -> Callable[[nn.Module, Tensor], Any] | None:
        """How the model is called; None where as vitscope does by itself."""
        if self.call is None:
            return None
        code, names = compile(self.call, self.key, "eval"), _libraries()
        return lambda model, images: eval(code, names | {"model": model, "images": images})

    def images(self, count: int = 2) -> Tensor:
        """Random pictures, the same each time."""
        return torch.randn(count, 3, *self.input, generator=torch.Generator().manual_seed(1))


def families() -> tuple[Family, ...]:
    """The whole list, in its order; ValueError where an entry does not follow the notation."""
    entries = tomllib.loads(LIST.read_text(encoding="utf-8"))["family"]
    return tuple(_family(entry) for entry in entries)


def read_layers(words: list[str]) -> tuple[Layer, ...]:
    """Layers in the list's notation, "… ×N" as N of them."""
    return tuple(layer for word in words for layer in _read(word))


def _family(entry: dict[str, Any]) -> Family:
    rows, columns = entry["input"]
    family = Family(**(entry | {"input": (rows, columns), "layers": read_layers(entry["layers"])}))
    choices = {"library": LIBRARIES, "expect": ("works", "nothing", "refused")}
    choices |= {"readout": ("cls", "pool", "mean", "class attention", "none")}
    for name, allowed in choices.items():
        if getattr(family, name) not in allowed:
            raise ValueError(f"{family.key}: {name} is {getattr(family, name)!r}; expected one of {allowed}")
    return family


def _read(word: str) -> tuple[Layer, ...]:
    found = _LAYER.fullmatch(word)
    parts = {} if found is None else found.groupdict()
    if found is None or [bool(parts["plain"]), bool(parts["window"] or parts["queries"])].count(True) != 1:
        raise ValueError(f"{word!r} is no layer in the list's notation")
    kind = parts["plain"] or ("window" if parts["window"] else "reduced")
    window, keys, fixed = (None if parts[it] is None else _size(parts[it]) for it in ("window", "keys", "fixed"))
    layer = Layer(kind, window, parts["how"] or "", int(parts["queries"] or 1), keys or (1, 1), fixed)
    return (layer,) * int(parts["times"] or 1)


def _size(words: str) -> Size:
    """ "4x6", or "4" both ways."""
    rows, _, columns = words.partition("x")
    return int(rows), int(columns or rows)


def _libraries() -> dict[str, Any]:
    """The names that `make` and `call` know."""
    import open_clip
    import timm
    import torchvision
    import transformers

    return {"torch": torch, "timm": timm, "torchvision": torchvision, "open_clip": open_clip} | {
        "transformers": transformers
    }
