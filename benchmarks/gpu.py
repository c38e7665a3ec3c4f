"""What a look costs on a GPU beside the plain forward pass, and beside storing attention.

    python benchmarks/gpu.py [--dtype bfloat16] [--rounds 7] [--save]

One table a size and batch: the device's time by events around each call, in alternating rounds after
two to warm up, and the device's own peak memory. All in one process, as Triton compiles once for all.
"""

import pickle
import statistics
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import machine
import report
from measure import cost, free_bytes, reason, stored_bytes
from process import in_fresh_process
from sizes import SIZES, Size, attention_bytes, make_images, make_model
from variants import VARIANTS

BATCHES = (("3601", 1), ("3601", 32), ("5477", 1), ("5477", 16))
NAMES = (
    *("plain", "look-heatmaps", "look-distance", "look-all"),
    *("measure-heatmaps", "measure-distance", "measure-all", "last-heatmaps", "naive-distance", "naive-row"),
)
_SPARE_LAYERS = 4  # beside the layers that are stored: logits, and what the formulas make of them


def measured(size, batches, dtype, rounds):
    """In one process: for each batch, of every variant that fits, seconds of each round and bytes added to plain's."""
    import torch

    import vitscope

    size = Size(**size)
    model = make_model(size, "cuda", dtype)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        layout = Path(folder) / "layout.pickle"
        layout.write_bytes(pickle.dumps(vitscope.wrap(model).trace((size.side, size.side))))
        for batch in batches:
            some = replace(size, batch=batch)
            images = make_images(some, "cuda", dtype)
            runs, left_out, peaks = {}, {}, {}
            for name in NAMES:
                needed = stored_bytes(VARIANTS[name], some, model)
                if needed and needed + _SPARE_LAYERS * attention_bytes(some, model) > free_bytes(images.device):
                    left_out[name] = f"would store {needed / 1e9:.0f} GB"
                    continue
                try:
                    run = VARIANTS[name].build(model, some, images, str(layout))
                    run()
                    torch.cuda.synchronize()
                    torch.cuda.reset_peak_memory_stats()
                    before = torch.cuda.memory_allocated()
                    run()
                    peaks[name] = torch.cuda.max_memory_allocated() - before
                    runs[name] = run
                except Exception as error:  # of what is not ours to mend: said in the report
                    left_out[name] = reason(error)
                torch.cuda.empty_cache()
            costs = {name: [] for name in runs}
            names = list(runs)
            for turn in range(rounds):
                for name in names[turn % len(names) :] + names[: turn % len(names)]:
                    costs[name].append(cost(runs[name], "cuda")["cuda"])
            found.append({"batch": batch, "costs": costs, "peaks": peaks, "left_out": left_out})
    return found


def table(result):
    """Time over plain's, and memory."""
    plain = statistics.median(result["costs"]["plain"])
    rows = []
    for name, costs in result["costs"].items():
        milliseconds = [1e3 * seconds for seconds in costs]
        ratio = f"{statistics.median(costs) / plain:.2f} ×"
        added = (result["peaks"][name] - result["peaks"]["plain"]) / 1e6
        kind = VARIANTS[name]
        rows.append([kind.tool, kind.computes, report.spread(milliseconds, 1), ratio, f"{added:,.0f}"])
    return report.table(["tool", "computes", "CUDA time, ms", "over plain", "memory added to plain's, MB"], rows)


def main():
    """Measure and print."""
    parser = report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.set_defaults(device="cuda", dtype="bfloat16")
    chosen = parser.parse_args()
    known = machine.facts(chosen.threads, "cuda", chosen.dtype)
    say = report.writer(report.new_result("gpu") if chosen.save else None)
    say(f"# What a look costs on a GPU\n\n{machine.paragraph(known)} Random weights. Median (least to largest).\n")
    for tokens in dict.fromkeys(tokens for tokens, _ in BATCHES):
        batches = [batch for own, batch in BATCHES if own == tokens]
        options = {"dtype": chosen.dtype, "rounds": chosen.rounds}
        results = in_fresh_process(
            "gpu:measured", chosen.threads, size=asdict(SIZES[tokens]), batches=batches, **options
        )
        for result in results:
            say(f"## {SIZES[tokens].title}: {SIZES[tokens].tokens:,} tokens, batch {result['batch']}\n")
            say(f"{table(result)}\n")
            for name, why in result["left_out"].items():
                say(f"- Not run: {VARIANTS[name].tool} ({VARIANTS[name].computes}): {why}.")
            say()
    return 0


if __name__ == "__main__":
    sys.exit(main())
