"""What a look costs: CPU time and peak memory beside the plain forward pass and beside storing attention.

    python benchmarks/look.py [--sizes 197 3601] [--rounds 5] [--threads 1] [--json FILE]

Prints Markdown. Each size is a ViT-S of timm with random weights, named by its number of tokens, and
is seen by five variants: the plain forward pass; vitscope for the heatmaps alone; vitscope for
heatmaps, mean attention distance and rollout; naive, the softmax of every layer and head stored by
hooks; naive with the formulas of the three measures on top, as they are usually written.

CPU time: all variants in one process, in alternating rounds after one round to warm up, in which
the naive and vitscope's numbers are also compared. It sums over threads, and counts threads that
wait for one another, hence one thread by default. Peak memory: every variant in processes of its
own, imports included. Vitscope's layout trace is paid once for each model and input size: it is timed
by itself, handed to the processes that measure a look, and left in the one named "first look".
"""

import argparse
import json
import os
import pickle
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

# torch, timm and vitscope are imported by the workers only: a child's peak counts what its parent held when it forked.


@dataclass(frozen=True)
class Size:
    """One model and its input."""

    title: str
    model: str  # timm's name
    side: int  # of the square input, in pixels
    patch: int
    batch: int

    @property
    def grid(self):
        return self.side // self.patch


SIZES = {
    "197": Size("ViT-S/16 at 224 px", "vit_small_patch16_224", 224, 16, 8),
    "3601": Size("ViT-S/8 at 480 px", "vit_small_patch8_224", 480, 8, 1),
}
VARIANTS = {
    "plain": "plain forward pass",
    "heatmaps": "vitscope: heatmaps",
    "look": "vitscope: all three measures",
    "stored": "naive: attention stored",
    "naive": "naive: stored, all three measures",
}
FIRST_LOOK = "vitscope: all three, first look (with the trace)"
PEAK_PROCESSES = 3  # at most, for each variant


def make_model(size):
    """The model with random weights, and its images."""
    import timm
    import torch

    torch.manual_seed(0)
    model = timm.create_model(size.model, pretrained=False, img_size=size.side).eval()
    return model, torch.randn(size.batch, 3, size.side, size.side)


def plain(model, images):
    """The forward pass alone."""
    import torch

    with torch.no_grad():
        return model(images)


def look_heatmaps(scope, images):
    """Vitscope, one measure."""
    look = scope.look(images)
    return look, look.heatmaps()


def look_all(scope, images):
    """Vitscope, three measures; the look is held until all are done."""
    look = scope.look(images)
    return look.heatmaps(), look.mean_attention_distance(), look.rollout()


def store_attention(model, images):
    """The softmax of every layer, (images, heads, tokens, tokens) each; fused attention is off meanwhile."""
    stored = []
    parts = [block.attn for block in model.blocks]
    hooks = [part.attn_drop.register_forward_hook(lambda _, __, out: stored.append(out)) for part in parts]
    was_fused = [part.fused_attn for part in parts]
    try:
        for part in parts:
            part.fused_attn = False
        plain(model, images)
    finally:
        for part, hook, fused in zip(parts, hooks, was_fused, strict=True):
            part.fused_attn = fused
            hook.remove()
    return stored


def naive_all(model, images, size):
    """The formulas of the three measures on stored attention."""
    import torch

    stored = store_attention(model, images)
    heatmaps = stored[-1][:, :, 0, 1:]  # (images, heads, patches)
    y, x = torch.meshgrid(torch.arange(size.grid), torch.arange(size.grid), indexing="ij")
    places = torch.stack([y.flatten(), x.flatten()], 1) * float(size.patch)  # (patches, 2)
    apart = torch.cdist(places, places)
    distance = torch.stack([(layer[:, :, 1:, 1:] * apart).sum(-1).mean(-1) for layer in stored], 1)
    return heatmaps, distance, naive_rollout(stored)


def naive_rollout(stored):
    """The class row of the product of all layers, (images, patches)."""
    import torch

    product = None
    for layer in stored:
        factor = layer.mean(1) + torch.eye(layer.shape[-1])  # (images, tokens, tokens)
        factor = factor / factor.sum(-1, keepdim=True)
        product = factor if product is None else factor @ product
    return product[:, 0, 1:]


def variants_of(model, images, size, scope):
    """Each variant as a function without arguments."""
    return {
        "plain": lambda: plain(model, images),
        "heatmaps": lambda: look_heatmaps(scope, images),
        "look": lambda: look_all(scope, images),
        "stored": lambda: store_attention(model, images),
        "naive": lambda: naive_all(model, images, size),
    }


def cpu_seconds(function):
    """CPU time of one call, its result let go within."""
    start = time.process_time()
    function()
    return time.process_time() - start


def work_times(size, rounds, layout):
    """In one process: seconds of every variant and round, and of what is paid once. Leaves the layout in a file."""
    import vitscope

    model, images = make_model(size)
    scope = vitscope.wrap(model)
    variants = variants_of(model, images, size, scope)
    once = {
        "trace": cpu_seconds(lambda: scope.trace((size.side, size.side))),
        "fingerprint": cpu_seconds(scope.weights_sha256),
    }
    layout.write_bytes(pickle.dumps(scope.trace((size.side, size.side))))
    agreement = warm_up(variants)
    names = list(variants)
    seconds = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(cpu_seconds(variants[name]))
    return {"seconds": seconds, "once": once, "agreement": agreement}


def warm_up(variants):
    """Run every variant once; the largest differences of vitscope from naive, over naive's maximum."""
    for name in ("plain", "heatmaps", "stored"):
        variants[name]()
    pairs = zip(
        ("heatmaps", "mean attention distance", "rollout"), variants["look"](), variants["naive"](), strict=True
    )
    return {name: relative_difference(ours, theirs.numpy()) for name, ours, theirs in pairs}


def relative_difference(ours, theirs):
    """Largest difference over the largest number."""
    return float(abs(ours.reshape(theirs.shape) - theirs).max() / theirs.max())


def work_peak(size, variant, layout):
    """In one process: run one variant once; the process's peak in bytes."""
    model, images = make_model(size)
    scope = None
    if variant in ("heatmaps", "look", "first"):
        import vitscope

        scope = vitscope.wrap(model)
        if variant != "first":
            scope._traces[size.side, size.side] = pickle.loads(layout.read_bytes())  # written by work_times
    kept = variants_of(model, images, size, scope)["look" if variant == "first" else variant]()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    del kept
    return peak if sys.platform == "darwin" else peak * 1024


def run_worker(*arguments):
    """A fresh process of this file; what it answers."""
    command = [sys.executable, __file__, "--worker", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def worker(task, name, threads, layout, argument):
    """The other side of `run_worker`."""
    import torch

    torch.set_num_threads(int(threads))
    size, layout = SIZES[name], Path(layout)
    answer = work_times(size, int(argument), layout) if task == "times" else work_peak(size, argument, layout)
    print(json.dumps(answer))


def measure(name, rounds, threads):
    """Times and peaks of one size."""
    with tempfile.TemporaryDirectory() as folder:
        layout = Path(folder) / "layout.pickle"
        result = run_worker("times", name, threads, layout, rounds)
        result["peaks"] = {variant: [] for variant in (*VARIANTS, "first")}
        for _ in range(min(rounds, PEAK_PROCESSES)):
            for variant, peaks in result["peaks"].items():
                peaks.append(run_worker("peak", name, threads, layout, variant))
    return result


def machine(threads):
    """What the figures depend on."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "timm", "numpy", "vitscope")},
        "source": source(),
        "threads": threads,
    }


def processor():
    """The processor's name, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def source():
    """The commit measured, and whether files differed from it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def print_machine(facts):
    """One paragraph."""
    print(
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_bytes'] / 1e9:.0f} GB memory, "
        f"{facts['system']}; Python {facts['python']}, torch {facts['torch']}, timm {facts['timm']}, "
        f"numpy {facts['numpy']}, vitscope {facts['vitscope']} ({facts['source']}); "
        f"threads: {facts['threads']}. Median (least to largest).\n"
    )


def print_size(name, size, result):
    """The table of one size and what is paid once."""
    plain_seconds, plain_peak = (statistics.median(result[what]["plain"]) for what in ("seconds", "peaks"))
    print(f"## {size.title}: {int(name):,} tokens, batch {size.batch}\n")
    print("| variant | CPU time, s | over plain | peak memory, MB | added to plain's, MB |")
    print("|---|---|---|---|---|")
    for variant, title in {**VARIANTS, "first": FIRST_LOOK}.items():
        seconds, peaks = result["seconds"].get(variant), [peak / 1e6 for peak in result["peaks"][variant]]
        timed = (spread(seconds, 2), f"{statistics.median(seconds) / plain_seconds:.2f} ×") if seconds else ("", "")
        added = statistics.median(peaks) - plain_peak / 1e6
        print(f"| {title} | {timed[0]} | {timed[1]} | {spread(peaks, 0)} | {added:.0f} |")
    print_notes(result, plain_seconds)


def print_notes(result, plain_seconds):
    """What the table does not hold."""
    once = result["once"]
    print(
        f"\nPaid once, not in the times above: the layout trace, for each model and input size, {once['trace']:.2f} s "
        f"of CPU time ({once['trace'] / plain_seconds:.1f} × plain); the weights' SHA-256, {once['fingerprint']:.2f} s."
    )
    differences = ", ".join(f"{what} {value:.0e}" for what, value in result["agreement"].items())
    print(f"Largest difference of vitscope from naive, over naive's maximum: {differences}.\n")


def spread(values, digits):
    """Median (least to largest)."""
    low, middle, high = (f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})"


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="numbers of tokens")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of CPU time")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single figure there")
    return parser.parse_args()


def main():
    """Measure and print."""
    options = arguments()
    facts = machine(options.threads)
    print_machine(facts)
    load = [os.getloadavg()[0]]
    results = {}
    for name in options.sizes:
        results[name] = measure(name, options.rounds, options.threads)
        print_size(name, SIZES[name], results[name])
        sys.stdout.flush()
        load.append(os.getloadavg()[0])
    print(f"Load of the machine, start and after each size: {', '.join(f'{value:.1f}' for value in load)}.")
    if options.json:
        options.json.write_text(json.dumps({"machine": facts, "load": load, "sizes": results}, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:])
    else:
        main()
