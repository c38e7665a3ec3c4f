"""Reads a page as its format says, with nothing of vitscope: what any reader of the file would do."""

import base64
import json
from html.parser import HTMLParser

import numpy as np


class _Scripts(HTMLParser):
    """Elements of the document, and the text of its scripts and styles by id (or else by tag)."""

    def __init__(self):
        super().__init__()
        self.elements, self.texts, self._open = [], {}, None

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style", "title"):
            self._open = dict(attrs).get("id", tag)
            self.texts[self._open] = ""

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open is not None:
            self.texts[self._open] += data


class Document:
    """A page's elements, header and blocks."""

    def __init__(self, html):
        parser = _Scripts()
        parser.feed(html)
        parser.close()
        self.elements, self.texts = parser.elements, parser.texts
        self.header = json.loads(self.texts["vitscope-payload"])
        self.blocks = [base64.b64decode(self.texts[f"vitscope-block-{i}"]) for i in range(len(self.header["blocks"]))]

    def image(self, look=0, image=0):
        return self.header["looks"][look]["images"][image]

    def numbers(self, entry):
        """An array by its `Numbers`."""
        kind = {"int16": "<i2", "float16": "<f2", "float32": "<f4"}[entry["dtype"]]
        count = int(np.prod(entry["shape"]))
        return np.frombuffer(self.blocks[entry["block"]], kind, count, entry["offset"]).reshape(entry["shape"])

    def rows(self, entry, grid):
        """All weights (heads, queries, keys) of a `Product` or `Weights`, in float64."""
        if entry["form"] == "weights":
            return self.numbers(entry["weights"]).astype(np.float64)
        queries, keys, key_bias, normaliser = (
            self.numbers(entry[name]).astype(np.float64) for name in ("queries", "keys", "key_bias", "log_normaliser")
        )
        if entry["steps"] is not None:
            queries = queries * self.numbers(entry["steps"]).astype(np.float64)[:, None]
        logits = (
            np.einsum("hqd,hkd->hqk", queries, keys) + key_bias[:, None] + self._bias(entry["bias"], grid, len(queries))
        )
        return np.exp(logits - normaliser[:, :, None])

    def _bias(self, entry, grid, slots):
        if entry is None:
            return 0.0
        if entry["form"] == "dense":
            return self.numbers(entry["term"]).astype(np.float64)
        if entry["form"] == "windows":
            return self._windows_bias(self.numbers(entry["term"]), self.numbers(entry["kinds"]), slots)
        table, from_prefix, to_prefix = (self.numbers(entry[name]) for name in ("table", "from_prefix", "to_prefix"))
        (rows, columns), (heads, prefix, tokens) = grid, from_prefix.shape
        out = np.empty((heads, tokens, tokens))
        out[:, :prefix] = from_prefix
        out[:, prefix:, :prefix] = to_prefix
        for query in range(rows * columns):
            for key in range(rows * columns):
                y = key // columns - query // columns + rows - 1
                x = key % columns - query % columns + columns - 1
                out[:, prefix + query, prefix + key] = table[:, y, x]
        return out

    @staticmethod
    def _windows_bias(term, kinds, slots):
        heads = slots // len(kinds)
        picked = term[kinds].astype(np.float64)  # (windows, 1 | heads, 1 | queries, keys)
        return np.broadcast_to(picked, (len(kinds), heads, *picked.shape[2:])).reshape(slots, *picked.shape[2:])

    def lattice_rows(self, entry, arrangement):
        """All weights (heads, queries, keys) over the tokens of a layer's lattices; the mean over a query's windows."""
        grid = arrangement["keys"]["grid"]
        if arrangement["windows"] is None:
            return self.rows(entry, grid)
        queries, keys = (self.numbers(arrangement["windows"][f"{side}_tokens"]) for side in ("query", "key"))
        rows = self.rows(entry, grid)
        rows = rows.reshape(len(queries), -1, *rows.shape[1:])  # (windows, heads, queries, keys)
        sizes = [
            len(arrangement[side]["prefix"]) + int(np.prod(arrangement[side]["grid"])) for side in ("queries", "keys")
        ]
        out, times = np.zeros((rows.shape[1], *sizes)), np.zeros(sizes[0])
        for window, asking, asked in zip(rows, queries.astype(int), keys.astype(int), strict=True):
            for query in np.flatnonzero(asking >= 0):
                times[asking[query]] += 1
                for key in np.flatnonzero(asked >= 0):
                    out[:, asking[query], asked[key]] += window[:, query, key]
        return out / times.clip(1)[:, None]


LEAST = 1e-30  # a maximum below this counts as this: float32 does not hold weights far below


def row_errors(found, exact):
    """(heads, queries): the largest difference of each row over its maximum."""
    return np.abs(found - exact).max(-1) / exact.max(-1).clip(LEAST)


def column_errors(found, exact):
    """(heads, keys): the same of each column."""
    return np.abs(found - exact).max(-2) / exact.max(-2).clip(LEAST)
