"""The layers of a look that a page carries, encoded: those asked for, or as many as there is room for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from vitscope.attention.bias import DenseBias
from vitscope.look import Look
from vitscope.viewer import selection
from vitscope.viewer.encode import Encoded, encode, estimated_bytes
from vitscope.viewer.windows import is_own, mean_rows, one_image, windows_of

_PER_BYTE = 4 / 3  # base64


@dataclass(frozen=True, eq=False)
class Carried:
    """Encoded attention by layer, an entry an image; and the words for what is not there."""

    encoded: dict[int, list[Encoded]]
    absent: dict[int, str]
    omitted: str | None


def carry(look: Look, layers: Sequence[int | str] | None, room: float, limit_bytes: int) -> Carried:
    """Encode `layers`, or, given None, as many as take about `room` bytes of the file; at least one of them."""
    count = len(look.layers)
    refused = {layer.index: layer.refusal for layer in look.layers if layer.refusal is not None}
    usable = [index for index in range(count) if index not in refused]
    if layers is not None:
        chosen = {look.attention_seen.layer_index(layer) for layer in layers}
        encoded = {index: _encoded(look, index) for index in usable if index in chosen}
    else:
        encoded = _fitting(look, usable, room)
    missing = [index for index in usable if index not in encoded]
    reason = "not among the layers chosen" if layers is not None else "left out to keep the page small"
    absent = dict.fromkeys(refused, "refused: its recomputed attention is not the model's own")
    absent |= dict.fromkeys(missing, reason)
    if not missing:
        omitted = None
    elif layers is not None:
        omitted = selection.not_chosen(missing, count)
    else:
        taken = sum(_size(look, index, parts) for index, parts in encoded.items())
        needed = taken * _estimate(look, usable) / _estimate(look, encoded)  # if the others are alike
        omitted = selection.too_large(missing, count, taken=taken, needed=needed, room=room, limit=limit_bytes)
    return Carried(dict(sorted(encoded.items())), absent, omitted)


def estimated(look: Look) -> float:
    """Bytes of the file that all of a look's layers take where 16 bits a number are enough."""
    usable = (index for index, call in enumerate(look.attention_seen.layers) if call.refusal is None)
    return _estimate(look, usable) + 1.0  # never 0, as shares are fractions of it


def _fitting(look: Look, usable: list[int], room: float) -> dict[int, list[Encoded]]:
    encoded: dict[int, list[Encoded]] = {}
    ratio = 1.0  # of the size found to the one estimated, of the layer before
    for position in selection.by_importance(len(usable)):
        index = usable[position]
        estimate = _estimate(look, [index])
        if encoded and estimate * ratio > room:
            continue
        parts = _encoded(look, index)
        size = _size(look, index, parts)  # may be twice the estimate, or half of it
        ratio = size / estimate
        if not encoded or size <= room:
            encoded[index] = parts
            room -= size
    return encoded


def _encoded(look: Look, index: int) -> list[Encoded]:
    call, windows = look.attention_seen.layers[index], windows_of(look, index)
    prefix, shares = len(look.attention_seen.arrangement(index).queries.prefix), _bias_shares(look, index)
    calls = (one_image(call, windows, i) for i in range(len(look.shown)))
    parts = [encode(one, prefix, bias_shares=shares) for one in calls]
    if is_own(look, index):
        return parts
    means = mean_rows(look, index)  # over the whole lattice, not a window's own keys
    return [replace(part, mean_row=mean) for part, mean in zip(parts, means, strict=True)]


def _estimate(look: Look, indexes: Iterable[int]) -> float:
    total = 0.0
    for index in indexes:
        call = look.attention_seen.layers[index]
        one = one_image(call, windows_of(look, index), 0)
        total += len(look.shown) * estimated_bytes(one, bias_shares=_bias_shares(look, index))
    return total * _PER_BYTE


def _size(look: Look, index: int, parts: list[Encoded]) -> float:
    return sum(part.nbytes(_bias_shares(look, index)) for part in parts) * _PER_BYTE


def _bias_shares(look: Look, index: int) -> int:
    """For how many layers and images the layer's bias is written once."""
    bias = look.attention_seen.layers[index].bias
    if bias is None:
        return 1
    shared = bias.run(range(1)) is bias or (
        isinstance(bias, DenseBias) and len(bias.term) == windows_of(look, index) > 1
    )
    images = len(look.shown) if shared else 1
    return images * sum(call.bias is bias for call in look.attention_seen.layers)
