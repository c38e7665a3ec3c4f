"""What the Triton kernels cost on a GPU, beside the model's own fused attention on the same operands.

    python benchmarks/kernels.py [--dtype bfloat16] [--blocks] [--save]

Prints a table: median milliseconds of the device's time for one layer. With `--blocks`, also how the
kernels do when their work is cut otherwise.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import machine
import report

SHAPES = {  # images, heads, tokens, features
    "ViT-S/8 at 480 px": (8, 6, 3601, 64),
    "ViT-B/14 at 1,036 px": (4, 12, 5477, 64),
}
BLOCKS = [  # queries, keys, warps, stages
    *((64, 64, 4, 2), (64, 64, 4, 3), (64, 32, 4, 2), (64, 32, 4, 3), (128, 32, 4, 3), (128, 64, 8, 3)),
]
OWN = "the model's own attention"


def operands(shape, dtype, device):
    """A call of this shape with random operands as a timm model holds them, its values, places and a vector."""
    import torch

    from vitscope.attention.call import AttentionCall
    from vitscope.attention.kernels.statistics import Places

    images, heads, tokens, features = shape
    packed = torch.randn(images, tokens, 3, heads, features, device=device).to(getattr(torch, dtype))
    queries, keys, values = packed.permute(2, 0, 3, 1, 4).unbind(0)
    call = AttentionCall("kernels", scale=features**-0.5, queries=queries, keys=keys)
    side = int((tokens - 1) ** 0.5)
    places = torch.cartesian_prod(*(torch.arange(side).double(),) * 2)
    return call, values, Places(places, places), torch.rand(images, tokens, device=device)


def kernels(shape, dtype, device="cuda"):
    """Each kernel on such operands, as functions without arguments."""
    from torch.nn import functional

    from vitscope.attention.kernels import triton

    call, values, places, vector = operands(shape, dtype, device)
    known = call.queries.new_zeros(shape[:3]).float() + 10
    return {
        OWN: lambda: functional.scaled_dot_product_attention(call.queries, call.keys, values),
        "output and distances": lambda: triton.attend(call, values, places, whole=False),
        "output and all statistics": lambda: triton.attend(call, values, places),
        "distances": lambda: triton.row_statistics(call, places, whole=False),
        "all statistics": lambda: triton.row_statistics(call, places),
        "normalisers": lambda: triton.normalisers(call),
        "column sums": lambda: triton.column_sums(call, vector, known),
    }


def cut(blocks):
    """Let all kernels cut their work so; None: as they do."""
    from vitscope.attention.kernels import triton_launch, triton_rows

    if blocks is not None:
        triton_launch._blocks = lambda *given: triton_launch.Blocks(*blocks)
        triton_rows.rows_blocks_for = lambda *given: triton_launch.Blocks(*blocks)


def compile_with(blocks, shape, dtype):
    """In a process of its own: compile every kernel, into Triton's cache on disk."""
    cut(blocks)
    for name, kernel in kernels(shape, dtype).items():
        if name != OWN:
            try:
                kernel()
            except Exception as error:  # too large for the chip, say
                print(f"{blocks}: {name}: {type(error).__name__}", file=sys.stderr)


def times(shape, dtype):
    """Median milliseconds of each kernel; NaN where it cannot run."""
    from triton.testing import do_bench

    found = {}
    for name, kernel in kernels(shape, dtype).items():
        try:
            found[name] = do_bench(kernel, warmup=30, rep=100, return_mode="median")
        except Exception as error:  # too large for the chip, say
            print(f"{name}: {error}", file=sys.stderr)
            found[name] = float("nan")
    return found


def row(cells, found):
    """A table's row: times, and what they are over the model's own."""
    return [*cells, *(f"{ms:.3f} ({ms / found[OWN]:.2f} ×)" for name, ms in found.items() if name != OWN)]


def main():
    """Measure and print."""
    parser = report.parser(__doc__)
    parser.add_argument("--blocks", action="store_true", help="also with other cuts")
    parser.set_defaults(device="cuda", dtype="bfloat16")
    chosen = parser.parse_args()
    known = machine.facts(chosen.threads, "cuda", chosen.dtype)
    say = report.writer(report.new_result("kernels") if chosen.save else None)
    say(f"# What the kernels cost on a GPU\n\n{machine.paragraph(known)} One layer, median of 0.1 s or more.\n")
    if chosen.blocks:
        shape = next(iter(SHAPES.values()))
        with ProcessPoolExecutor(len(BLOCKS), get_context("spawn")) as pool:
            list(pool.map(compile_with, BLOCKS, [shape] * len(BLOCKS), [chosen.dtype] * len(BLOCKS)))
    headings, rows = [], []
    for blocks in [None, *BLOCKS] if chosen.blocks else [None]:
        cut(blocks)
        for title, shape in SHAPES.items():
            found = times(shape, chosen.dtype)
            which = "as chosen" if blocks is None else f"{blocks}"
            rows.append(row([title, f"{shape}", which, f"{found[OWN]:.3f}"], found))
            headings = [name for name in found if name != OWN]
    say(report.table(["model", "images, heads, tokens, features", "cut", f"{OWN}, ms", *headings], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
