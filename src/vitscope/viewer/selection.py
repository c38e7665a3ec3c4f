"""Which layers' attention a page carries, and the words for those that it does not."""

from collections.abc import Sequence
from itertools import pairwise


def by_importance(count: int) -> list[int]:
    """The last layer, the first, then always the middle of the widest gap that is left."""
    order = [count - 1, 0][: min(count, 2)]
    while len(order) < count:
        known = sorted(order)
        low, high = max(pairwise(known), key=lambda gap: (gap[1] - gap[0], gap[1]))
        order.append((low + high) // 2)
    return order


def too_large(missing: Sequence[int], count: int, *, taken: float, needed: float, room: float, limit: float) -> str:
    """The sentence for layers that did not fit into the room; all in bytes of the page's file.

    `taken` are those of the layers carried, `needed` those that all would take.
    """
    room = max(room, 0)
    alone = "; what it carries, one layer, is more than that" if taken > room else ""
    return (
        f"This page leaves out the attention of {listed(missing)} of {count}: all {count} would take about "
        f"{_megabytes(needed)} of the file, and there is room for {_megabytes(room)} (limit: {_megabytes(limit)})"
        f"{alone}. {_how_to_choose(count)}"
    )


def not_chosen(missing: Sequence[int], count: int) -> str:
    """The sentence for layers that the caller left out."""
    left_out = f"This page leaves out the attention of {listed(missing)} of {count}, as was asked for."
    return f"{left_out} {_how_to_choose(count)}"


def listed(layers: Sequence[int]) -> str:
    """[1, 2, 3, 7] → "layers 1 to 3 and 7"."""
    runs: list[list[int]] = []
    for layer in sorted(layers):
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    parts: list[str] = []
    for run in runs:
        parts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(layer) for layer in run]
    words = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"layer{'s' if len(layers) > 1 else ''} {words}"


def _how_to_choose(count: int) -> str:
    layers = sorted({0, (count - 1) // 2, count - 1})
    numbers = ",".join(str(layer) for layer in layers)
    return (
        f"Choose others with layers={layers}, or a larger limit_bytes=…, in look.save or vitscope.page; on the command "
        f"line with --page-layers {numbers}, or with --layers {numbers} and --limit-megabytes of vitscope page."
    )


def _megabytes(count: float) -> str:
    if count < 1e5:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:,.0f} MB" if count >= 1e7 else f"{count / 1e6:.1f} MB"
