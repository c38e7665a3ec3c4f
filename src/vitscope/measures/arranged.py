"""What measures ask of a layer, wherever its tokens stand: windows joined, padding left out.

Vectors and rows run over the tokens of a lattice (prefix tokens, then cells), not over a window's
own. A query that stands in several windows has the mean of its rows there. Where the arrangement
is plain, the kernels answer directly.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vitscope.arrangement import NOWHERE, Alike, Arrangement
from vitscope.attention.call import AttentionCall
from vitscope.attention.kernels.reference import Fusion
from vitscope.attention.kernels.selection import kth_smallest
from vitscope.attention.kernels.statistics import Places, RowStatistics
from vitscope.layout import Layout

_TILE_ENTRIES = 2**20  # weights held at once


@dataclass(frozen=True, eq=False)
class Arranged:
    """One layer's attention call, where its tokens stand, and the kernels that compute on it."""

    call: AttentionCall
    arrangement: Arrangement
    body: Any

    @property
    def images(self) -> int:
        return self.call.images // self.arrangement.windows

    def row_statistics(self, *, unit_square: bool = False, whole: bool = True) -> RowStatistics:
        """Means over the queries that stand on places; `normalisers` are those of the call, window by window.

        Not the `whole`: what distances need, at least.
        """
        if self.arrangement.plain:
            return self.body.row_statistics(self.call, places_of(self.arrangement.queries, unit_square), whole=whole)
        groups = self.arrangement.alike
        parts = [self._of_alike(group, unit_square) for group in groups]
        normalisers = torch.cat([part.normalisers.unflatten(0, (self.images, -1)) for part in parts], 1)
        order = torch.cat([torch.from_numpy(group.windows) for group in groups]).argsort()
        weights = torch.tensor([len(group.windows) * len(group.queries) for group in groups], dtype=torch.float64)
        means = {
            field.name: self._mean([getattr(part, field.name) for part in parts], weights)
            for field in fields(RowStatistics)
            if field.name not in ("normalisers", "prefix_mass")
        }
        masses = self._mean([part.prefix_mass[..., : len(self.arrangement.keys.prefix)] for part in parts], weights)
        return RowStatistics(**means, prefix_mass=masses, normalisers=normalisers[:, order].flatten(0, 1))

    def mean_moments(self, *, unit_square: bool = False) -> Float[Tensor, "images heads 3"]:
        """Means over the queries that stand on places, see `kernels.statistics.mean_offsets`."""
        if self.arrangement.plain:
            return self.body.mean_moments(self.call, places_of(self.arrangement.queries, unit_square))
        groups = self.arrangement.alike
        weights = torch.tensor([len(group.windows) * len(group.queries) for group in groups], dtype=torch.float64)
        parts = [self.body.mean_moments(*self._call_of_alike(group, unit_square)) for group in groups]
        # windows of padding alone have a mean of nothing
        parts = [
            part if len(group.queries) else torch.zeros_like(part) for part, group in zip(parts, groups, strict=True)
        ]
        return self._mean(parts, weights)

    def head_distances(self) -> Float[Tensor, "images heads heads"]:
        """Means over the queries that stand on places of the Jensen–Shannon distance between two heads' rows."""
        asking = torch.from_numpy(self.arrangement.query_tokens >= len(self.arrangement.queries.prefix))
        sums = self.body.head_distances(self.call, asking)  # (images · windows, heads, heads)
        return sums.unflatten(0, (self.images, -1)).sum(1) / int(asking.sum())

    def _of_alike(self, group: Alike, unit_square: bool) -> RowStatistics:
        """The statistics of some windows, of all images, each with the places of the first."""
        found = self.body.row_statistics(*self._call_of_alike(group, unit_square))
        if len(group.queries) == 0:  # windows of padding alone
            found = RowStatistics(*(getattr(found, field.name).nan_to_num(0) for field in fields(RowStatistics)))
        back = torch.from_numpy(group.query_order).argsort()
        return RowStatistics(
            **{
                field.name: getattr(found, field.name) for field in fields(RowStatistics) if field.name != "normalisers"
            },
            normalisers=found.normalisers[..., back],
        )

    def _call_of_alike(self, group: Alike, unit_square: bool) -> tuple[AttentionCall, Places]:
        """The attention of some windows, tokens that stand nowhere first, and where the others stand in the first."""
        call = self.call if len(group.windows) == self.arrangement.windows else self.call.picked(self._entries(group))
        orders = [torch.from_numpy(order) for order in (group.query_order, group.key_order)]
        if any(not torch.equal(order, torch.arange(len(order))) for order in orders):
            call = call.ordered(*orders)
        unit = torch.tensor(_unit(self.arrangement.finer)) if unit_square else 1
        return call, Places(*(torch.from_numpy(side) / unit for side in (group.queries, group.keys)))

    def _entries(self, group: Alike) -> Tensor:
        """The call's entries of some windows, image by image."""
        windows = torch.from_numpy(group.windows)
        return (torch.arange(self.images)[:, None] * self.arrangement.windows + windows).flatten()

    def _mean(self, parts: list[Tensor], weights: Tensor) -> Tensor:
        """(images · windows of a group, heads, …) of each group → (images, heads, …), by their numbers of queries."""
        shares = weights / weights.sum()
        means = [
            part.unflatten(0, (self.images, -1)).mean(1) * share for part, share in zip(parts, shares, strict=True)
        ]
        return torch.stack(means).sum(0).to(parts[0].dtype)

    def row(self, token: int) -> Float[Tensor, "images heads keys"]:
        """One query's weights over all key tokens, 0 outside its window; the mean where it stands in several."""
        if self.arrangement.plain:
            return self.call.weights(slice(token, token + 1))[:, :, 0]
        places = [tuple(place) for place in torch.from_numpy(self.arrangement.query_tokens == token).nonzero().tolist()]
        rows = 0.0
        for window, position in places:
            entries = torch.arange(self.images) * self.arrangement.windows + window
            weights = self.call.picked(entries).weights(slice(position, position + 1))[:, :, 0]  # (images, heads, keys)
            rows = rows + self._joined(weights[:, None], [window]) / len(places)
        assert isinstance(rows, Tensor)
        return rows

    def mean_row(self) -> Float[Tensor, "images heads keys"]:
        """The mean over all queries' weights over all key tokens."""
        rows = self.call.weights(slice(None)).mean(2).unflatten(0, (self.images, -1))  # (images, windows, heads, keys)
        return self._joined(rows / self.arrangement.windows, range(self.arrangement.windows))

    def column_sums(
        self, vector: Float[Tensor, "images queries"], normalisers: Tensor | None
    ) -> Float[Tensor, "images heads keys"]:
        """Σ_q vector[q]·A[q, k]: what each key token receives of every head, the queries weighted by `vector`."""
        if self.arrangement.plain:
            return self.body.column_sums(self.call, vector, normalisers)
        own = self._own(vector).flatten(0, 1)  # (images · windows, queries)
        sums = self.body.column_sums(self.call, own, self._normalisers(normalisers))
        return self._joined(sums.unflatten(0, (self.images, -1)), range(self.arrangement.windows))

    def vector_times_fused(
        self, vector: Float[Tensor, "images queries"], fusion: Fusion, discard: float
    ) -> tuple[Float[Tensor, "images keys"], Float[Tensor, "images queries"]]:
        """A row vector times (fused heads + identity), rows divided by their sums: what goes to keys, and what stays.

        The two are on the lattices of keys and of queries, so that each can be spread on its own. Padding
        takes no part.
        """
        least = self.threshold(fusion, discard) if discard else None
        own = self._own(vector)  # (images, windows, queries)
        columns = torch.zeros(*own.shape[:2], self.call.key_count, dtype=own.dtype, device=own.device)
        stays = torch.zeros_like(own)
        for image, windows, rows, tile in self._fused_tiles(fusion):
            if least is not None:
                tile.masked_fill_(tile < least[image], 0)
            shares = own[image, windows, rows] / (tile.sum(-1) + 1)  # (windows, rows)
            columns[image, windows] += (shares[:, None] @ tile)[:, 0]
            stays[image, windows, rows] = shares
        to_keys = self._joined(columns[:, :, None], range(self.arrangement.windows))[:, 0]
        return to_keys, _scattered(stays, self.arrangement.query_tokens, self.arrangement.queries)

    def factor(self, fusion: Fusion, discard: float) -> tuple[Tensor, Tensor]:
        """What `vector_times_fused` gives for each query alone: (images, queries, keys), and the weight that stays."""
        least = self.threshold(fusion, discard) if discard else None
        arrangement, like = self.arrangement, torch.empty(0, dtype=self.call.dtype, device=self.call.device)
        queries, keys = (torch.from_numpy(side).to(self.call.device) for side in self._sides)
        to_keys = like.new_zeros(self.images, arrangement.queries.tokens + 1, arrangement.keys.tokens + 1)
        stays = like.new_zeros(self.images, arrangement.queries.tokens + 1)  # NOWHERE is the last
        own = self._own(like.new_ones(self.images, arrangement.queries.tokens))
        for image, windows, rows, tile in self._fused_tiles(fusion):
            if least is not None:
                tile.masked_fill_(tile < least[image], 0)
            shares = own[image, windows, rows] / (tile.sum(-1) + 1)  # (windows, rows)
            places = (queries[windows, rows, None], keys[windows, None])
            to_keys[image].index_put_(places, shares[..., None] * tile, accumulate=True)
            stays[image].index_put_((queries[windows, rows],), shares, accumulate=True)
        return to_keys[:, :-1, :-1], stays[:, :-1]

    def threshold(self, fusion: Fusion, discard: float) -> Float[Tensor, " images"]:
        """The k-th smallest of each image's fused weights, k = ⌊discard·n⌋ + 1 of the n without padding."""
        queries, keys = (torch.from_numpy(side != NOWHERE) for side in self._sides)
        count = int((queries.sum(1) * keys.sum(1)).sum())
        rank = min(int(discard * count), count - 1)
        like = torch.empty(0, dtype=self.call.dtype, device=self.call.device)

        def run(image: int) -> Iterator[Tensor]:
            for found, windows, rows, tile in self._fused_tiles(fusion):
                if found == image:
                    real = queries[windows, rows, None] & keys[windows, None]
                    yield tile[real.to(tile.device)]

        return torch.stack([kth_smallest(lambda image=i: run(image), rank, like) for i in range(self.images)])

    def _fused_tiles(self, fusion: Fusion) -> Iterator[tuple[int, slice, slice, Tensor]]:
        """(image, windows, rows, fused weights (windows, rows, keys) with those of padding 0), over all of the call."""
        call, windows = self.call, self.arrangement.windows
        real = torch.from_numpy(self.arrangement.key_tokens != NOWHERE).to(call.device)
        height = min(call.query_count, max(1, _TILE_ENTRIES // (call.heads * call.key_count)))
        several = max(1, _TILE_ENTRIES // (call.heads * height * call.key_count))
        for image in range(self.images):
            for first in range(0, windows, several):
                chosen = slice(first, min(first + several, windows))
                part = call.picked(torch.arange(image * windows + chosen.start, image * windows + chosen.stop))
                for top in range(0, call.query_count, height):
                    rows = slice(top, min(top + height, call.query_count))
                    weights = part.weights(rows)  # (windows, heads, rows, keys)
                    fused = weights.mean(1) if fusion == "mean" else getattr(weights, f"a{fusion}")(1)
                    yield image, chosen, rows, fused * real[chosen, None]

    @property
    def _sides(self) -> tuple[Any, Any]:
        return self.arrangement.query_tokens, self.arrangement.key_tokens

    def _normalisers(self, known: Tensor | None) -> Tensor | None:
        if known is not None or not self.body.NEEDS_NORMALISERS:
            return known
        return self.body.normalisers(self.call)

    def _own(self, vector: Float[Tensor, "images queries"]) -> Float[Tensor, "images windows window_queries"]:
        """Each window's part of a vector, 0 on padding; a query in several windows is shared among them."""
        tokens = torch.from_numpy(self.arrangement.query_tokens).to(vector.device)
        counts = torch.bincount(tokens[tokens != NOWHERE], minlength=vector.shape[1]).clamp(min=1)
        shared = torch.nn.functional.pad(vector / counts, (0, 1))  # NOWHERE is the last
        return shared[:, tokens]

    def joined(self, sums: Float[Tensor, "images windows heads window_keys"]) -> Float[Tensor, "images heads keys"]:
        """What the keys of each window have, over the key tokens of the lattice, added up."""
        return self._joined(sums, range(self.arrangement.windows))

    def _joined(self, sums: Tensor, windows: Any) -> Float[Tensor, "images heads keys"]:
        """(images, windows, heads, keys of a window) → over the key tokens of the lattice, added up."""
        return _scattered(sums.transpose(1, 2), self.arrangement.key_tokens[list(windows)], self.arrangement.keys)


def _scattered(values: Float[Tensor, "*batch windows tokens"], numbers: Any, layout: Layout) -> Tensor:
    """(…, windows, tokens of a window) → (…, tokens of the layout), added up; padding is left out."""
    index = torch.from_numpy(numbers).to(values.device).flatten() % (layout.tokens + 1)  # NOWHERE is the last
    out = values.new_zeros(*values.shape[:-2], layout.tokens + 1)
    return out.index_add_(-1, index, values.flatten(-2))[..., :-1]


@lru_cache(maxsize=64)
def places_of(layout: Layout, unit_square: bool) -> Places:
    """Where the patches stand, in pixels of the input or in the unit square; kept, as kernels keep copies of it."""
    places = torch.from_numpy(layout.unit_square() if unit_square else layout.centres())
    return Places(places, places)


def _unit(layout: Layout) -> tuple[float, float]:
    """Pixels of the unit square's sides: from the first centre to the last."""
    height, width = (max(count - 1, 1) * size for count, size in zip(layout.grid, layout.patch_size, strict=True))
    return height, width
