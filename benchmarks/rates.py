"""What the machine reaches on the shapes of a look, and how many operations a look has."""

import statistics
import time

from sizes import Size, make_model

_ROWS = 128  # of a tile
_LEAST_SECONDS = 0.3  # a span: calls are repeated until it has passed
_SPANS = 5
_COPIED_BYTES = 2**28  # more than any cache holds


def measure_rates(size):
    """In one process: {name: (what is counted a second, words for its shape)}."""
    import torch
    from torch.nn import functional

    size = Size(**size)
    model = make_model(size)
    dim, width, tokens = model.blocks[0].attn.head_dim, model.embed_dim, size.tokens
    rows, keys = torch.randn(_ROWS, dim), torch.randn(tokens, dim)
    tile, out = torch.randn(_ROWS, tokens), torch.empty(_ROWS, tokens)
    large, copy = torch.empty(2, _COPIED_BYTES // 4).fill_(1.0)
    layer, states = model.blocks[0].mlp.fc1, torch.randn(size.batch, tokens, width)
    heads = torch.randn(3, size.batch, model.blocks[0].attn.num_heads, tokens, dim)
    product, words = 2 * _ROWS * dim * tokens, f"({_ROWS} × {dim}) · ({dim} × {tokens:,})"
    attended = 4 * tokens**2 * heads[0].numel() // tokens
    with torch.inference_mode():
        found = {
            "torch.matmul": (product / span(lambda: torch.matmul(rows, keys.T, out=out)), words),
            "linear": (
                2 * states.numel() * layer.out_features / span(lambda: layer(states)),
                f"({size.batch * tokens:,} × {width}) · ({width} × {layer.out_features})",
            ),
            "attention": (
                attended / span(lambda: functional.scaled_dot_product_attention(*heads)),
                " × ".join(f"{length:,}" for length in heads[0].shape),
            ),
            "exp": (tile.numel() / span(lambda: torch.exp(tile, out=out)), f"{_ROWS} × {tokens:,}, in the cache"),
            "copy": (
                2 * large.nbytes / span(lambda: copy.copy_(large)),
                f"{large.nbytes / 1e6:,.0f} MB, read and written",
            ),
        }
        onednn = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None
        if onednn is not None:
            call = span(lambda: onednn(rows, keys, None, "none", [], ""))
            found["mkldnn._linear_pointwise"] = (product / call, words)
    return found


def span(function):
    """Median CPU seconds of a call, over spans of many."""
    function()
    start, calls = time.process_time(), 0
    while time.process_time() - start < _LEAST_SECONDS:
        function()
        calls += 1
    spans = []
    for _ in range(_SPANS):
        start = time.process_time()
        for _ in range(calls):
            function()
        spans.append((time.process_time() - start) / calls)
    return statistics.median(spans)


def operations(size):
    """In one process: what a plain forward pass and a look count, over all layers, heads and images."""
    from torch import nn

    size = Size(**size)
    model = make_model(size)
    attention, layers = model.blocks[0].attn, len(model.blocks)
    pairs = size.batch * layers * attention.num_heads * size.tokens**2  # of a query and a key
    kept = size.batch * layers * attention.num_heads * size.tokens * attention.head_dim  # numbers in all queries
    weights = sum(part.weight.numel() for part in model.blocks.modules() if isinstance(part, nn.Linear))
    return {
        "linear": 2 * weights * size.batch * size.tokens,
        "attention": 4 * pairs * attention.head_dim,
        "products": 2 * pairs * attention.head_dim,
        "exponentials": pairs,
        "copied_bytes": 2 * 2 * 4 * kept,  # queries and keys, each read and written
    }


_RATE_WORDS = {
    "torch.matmul": ("torch.matmul, float32", "GFLOP/s"),
    "mkldnn._linear_pointwise": ("torch.ops.mkldnn._linear_pointwise, float32", "GFLOP/s"),
    "linear": ("the model's widest linear layer", "GFLOP/s"),
    "attention": ("scaled_dot_product_attention", "GFLOP/s"),
    "exp": ("torch.exp", "billion/s"),
    "copy": ("Tensor.copy_", "GB/s"),
}


def rate_rows(rates):
    """The second table."""
    for name, (title, unit) in _RATE_WORDS.items():
        if name in rates:
            rate, shape = rates[name]
            yield [title, shape, f"{rate / 1e9:,.1f} {unit}"]


def operation_rows(work, rates, plain):
    """The third table: each kind of operation at the best rate measured for it."""
    best = max(("torch.matmul", "mkldnn._linear_pointwise"), key=lambda name: rates.get(name, [0])[0])
    rows = [
        ("model: linear layers", work["linear"], "GFLOP", "linear"),
        ("model: its own attention", work["attention"], "GFLOP", "attention"),
        ("products of queries and keys, once", work["products"], "GFLOP", best),
        ("exponentials, one for each of these products", work["exponentials"], "billion", "exp"),
        ("copying queries and keys", work["copied_bytes"], "GB", "copy"),
    ]
    for title, count, unit, name in rows:
        seconds = count / rates[name][0]
        yield [title, f"{count / 1e9:,.2f} {unit}", _RATE_WORDS[name][0], f"{seconds:.3f}", f"{seconds / plain:.3f}"]
