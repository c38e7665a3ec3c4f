"""Where the time of one look goes, and what the machine itself reaches on the same shapes.

    python benchmarks/breakdown.py [--sizes 3601] [--measures distance heatmaps rollout] [--save]

For each size three tables: the parts of one look (PyTorch's profiler sees every operator and every
Python function; each part is the time of its own, without what it called, so that parts add up); the
machine's rates, measured; and what the operations of a look would take at these rates and no more.
One thread, on the CPU. The profiler counts wall-clock time, hence on an idle machine, and makes Python
slower; of three profiled looks the quickest is shown. All else is CPU time.
"""

import statistics
from dataclasses import asdict

import machine
import report
from measure import cost
from process import in_fresh_process
from rates import operation_rows, rate_rows
from sizes import SIZES, Size, make_images, make_model
from variants import ALL, WORDS

LINEAR, ATTENTION, OTHER = "model: linear layers", "model: its own attention", "model: norms, activations, sums"
TAP, COPIES, CHECKS = "vitscope: the tap", "vitscope: copying queries and keys", "vitscope: recording, checks for NaN"
VERIFYING, PRODUCTS = "vitscope: verification", "vitscope: products of matrices in its kernels"
LOOPS, AROUND = "vitscope: rows: softmax, sums, statistics", "vitscope: all else: input, provenance"
_ROUNDS = 3
PARTS = (LINEAR, ATTENTION, OTHER, TAP, COPIES, CHECKS, VERIFYING, PRODUCTS, LOOPS, AROUND)

# Python functions by their file: the part that they and all that they call belong to, until one starts another.
_REGIONS = {
    "vitscope/attention/verify.py": VERIFYING,
    "vitscope/attention/recorder.py": CHECKS,
    "vitscope/attention/kernels/": LOOPS,
    "vitscope/attention/call.py": LOOPS,
    "vitscope/measures/": LOOPS,
}
_TAP_FILES = tuple(f"vitscope/attention/{name}.py" for name in ("tap", "softmax", "event", "fused", "products"))
_MODEL_OPERATORS = {
    "aten::linear": LINEAR,
    "aten::conv2d": LINEAR,
    "aten::scaled_dot_product_attention": ATTENTION,
}
_MODULE = "nn.Module: "  # how the profiler names a module's call
_PRODUCT_OPERATORS = {"aten::matmul", "aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm", "aten::linear"}
_COPY_OPERATORS = {"aten::clone", "aten::copy_", "aten::contiguous"}


def profile_look(size, measures):
    """In one process: {part: seconds} of one look; its time without the profiler; the plain forward pass's."""
    import torch

    import vitscope

    size = Size(**size)
    model, images = make_model(size), make_images(size)
    scope = vitscope.wrap(model)

    def look():
        seen = scope.look(images)
        return [getattr(seen, name)() for name in measures]

    def plain():
        with torch.no_grad():
            return model(images)

    seconds = {"plain": timed(plain), "look": timed(look)}
    parts = min((profiled_parts(look) for _ in range(_ROUNDS)), key=lambda parts: sum(parts.values()))
    return {"parts": parts, "seconds": seconds}


def timed(function):
    """Median CPU seconds of a call, after one to warm up."""
    function()
    return statistics.median(cost(function, "cpu")["cpu"] for _ in range(_ROUNDS))


def profiled_parts(function):
    """{part: seconds} of one call under PyTorch's profiler."""
    from torch._C._profiler import _ExperimentalConfig
    from torch.profiler import ProfilerActivity, profile

    whole = _ExperimentalConfig(verbose=True)  # keeps the tree of Python's calls
    with profile(activities=[ProfilerActivity.CPU], with_stack=True, experimental_config=whole) as profiler:
        function()
    nanoseconds = dict.fromkeys(PARTS, 0)
    # (event, the part that its caller belongs to, whether an operator already decided on it)
    waiting = [(event, AROUND, False) for event in profiler.profiler.kineto_results.experimental_event_tree()]
    while waiting:
        event, part, decided = waiting.pop()
        part, own, decided = part_of(event.name, part, decided)
        nanoseconds[own] += event.duration_time_ns - sum(child.duration_time_ns for child in event.children)
        waiting += [(child, part, decided) for child in event.children]
    return {part: spent / 1e9 for part, spent in nanoseconds.items()}


def part_of(name, part, decided):
    """The part that what an event calls belongs to, the part of its own time, and whether that is final."""
    if decided or part == VERIFYING:
        return part, part, True
    region = next((region for file, region in _REGIONS.items() if file in name), None)
    if region is not None:
        return region, region, False
    if part == AROUND and name.startswith(_MODULE):
        return OTHER, OTHER, False
    if any(file in name for file in _TAP_FILES):
        return part, TAP if part == OTHER else part, False
    if part == OTHER and name in _MODEL_OPERATORS:
        return (_MODEL_OPERATORS[name],) * 2 + (True,)
    if part == LOOPS and (name in _PRODUCT_OPERATORS or name.startswith("mkldnn::")):
        return PRODUCTS, PRODUCTS, True
    if part == CHECKS and name in _COPY_OPERATORS:
        return COPIES, COPIES, True
    return part, part, False


def part_rows(found):
    """The first table."""
    plain, look, total = found["seconds"]["plain"], found["seconds"]["look"], sum(found["parts"].values())
    for part in PARTS:
        seconds = found["parts"][part]
        yield [part, f"{seconds:.3f}", f"{seconds / total:.1%}", f"{seconds / plain:.3f}"]
    yield ["sum, under the profiler", f"{total:.3f}", "100.0%", f"{total / plain:.3f}"]
    yield ["the same look without the profiler", f"{look:.3f}", "", f"{look / plain:.3f}"]
    yield ["plain forward pass", f"{plain:.3f}", "", "1.000"]


def options():
    """The command line."""
    names = {WORDS.get(name, name): name for name in ALL}
    parser = report.parser(__doc__, threads=False)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["197", "3601"], help="numbers of tokens")
    parser.add_argument("--measures", nargs="+", choices=names, default=list(names))
    chosen = parser.parse_args()
    chosen.measures = [names[name] for name in chosen.measures]
    return chosen


def main():
    """Measure and print."""
    chosen = options()
    say = report.writer(report.new_result("breakdown") if chosen.save else None)
    say("# Where the time of a look goes\n")
    say(f"{machine.paragraph(machine.facts(threads=1))} Random weights.\n")
    loads = [machine.load()]
    for size in map(SIZES.get, chosen.sizes):
        common = {"size": asdict(size)}
        found = in_fresh_process("breakdown:profile_look", 1, **common, measures=chosen.measures)
        rates = in_fresh_process("rates:measure_rates", 1, **common)
        work = in_fresh_process("rates:operations", 1, **common)
        named = ", ".join(WORDS.get(name, name) for name in chosen.measures)
        say(f"## {size.title}, {size.tokens:,} tokens, batch {size.batch}: {named}\n")
        say(f"{report.table(['part', 'seconds', 'share', 'over plain'], part_rows(found))}\n")
        say(f"{report.table(['rate', 'shape', 'measured'], rate_rows(rates))}\n")
        heading = ["operations of a look, once each", "count", "at the rate of", "would take, s", "over plain"]
        say(f"{report.table(heading, operation_rows(work, rates, found['seconds']['plain']))}\n")
        loads.append(machine.load())
    say(machine.load_words(loads))


if __name__ == "__main__":
    main()
