"""Which token a map starts from, resolved against a model's own tokens and always named."""

from dataclasses import dataclass
from typing import Literal

from vitscope.errors import QueryError
from vitscope.layout import Layout
from vitscope.measures.seen import Seen

# None: the model's readout. A name: "cls", "reg1" …, "mean" (over patch queries), "pool" (the pooling head's).
# (row, column): a patch of the grid.
Query = str | tuple[int, int] | None


@dataclass(frozen=True)
class ResolvedQuery:
    """A query that this model has."""

    kind: Literal["token", "mean", "pool"]
    name: str  # for people
    token: int = -1  # index among all tokens, for kind "token"


def resolve(query: Query, seen: Seen, layer: int = -1) -> ResolvedQuery:
    """The query as a layer of this model has it; QueryError, naming what exists, where it does not."""
    layout = seen.arrangement(layer).queries
    if query is None:
        named = _resolve_name(seen.readout, seen, layout)
        return ResolvedQuery(named.kind, f"{named.name} (the model's readout)", named.token)
    if isinstance(query, str):
        return _resolve_name(query, seen, layout)
    return _resolve_patch(query, layout)


def _resolve_name(name: str, seen: Seen, layout: Layout) -> ResolvedQuery:
    read = {"pool": "pool", "class": "cls"}[seen.readings[-1].kind] if seen.readings else ""
    if name == "cls" and name not in layout.prefix and "cls1" in layout.prefix:
        name = "cls1"  # the first of several
    if name in layout.prefix:
        words = {"cls": "class token", "dist": "distillation token"}
        return ResolvedQuery("token", words.get(name, f"token {name}"), layout.prefix.index(name))
    if name == "mean" or (name == "pool" and not seen.readings and not layout.patches):
        return ResolvedQuery("mean", "mean over patch queries" if layout.patches else "mean over all queries")
    if name == read:
        return ResolvedQuery("pool", "pooling head's query" if name == "pool" else "class token, in class attention")
    named = [*layout.prefix, *([read] if read else []), "mean"]
    raise QueryError(
        f"there is no query {name!r} in this layer; it has {', '.join(named)}, and (row, column) on a grid of "
        f"{layout.grid[0]} × {layout.grid[1]}"
    )


def _resolve_patch(patch: tuple[int, int], layout: Layout) -> ResolvedQuery:
    row, column = patch
    rows, columns = layout.grid
    if not (0 <= row < rows and 0 <= column < columns):
        raise QueryError(
            f"patch (row {row}, column {column}) is outside the grid: rows are 0 to {rows - 1}, "
            f"columns 0 to {columns - 1}"
        )
    token = len(layout.prefix) + row * columns + column
    return ResolvedQuery("token", f"patch (row {row}, column {column})", token)
