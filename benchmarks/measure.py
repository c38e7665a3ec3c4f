"""Measures variants: what runs inside fresh processes, and what starts them.

CPU time and page faults: all variants in one process, in alternating rounds after one round to warm up,
in which their numbers are also compared. On CUDA each call is timed by events as well. Peak memory: one
call in a process of its own, imports included: the system's figure, and on CUDA the device's own.
"""

import gc
import pickle
import resource
import statistics
import sys
import time
from dataclasses import asdict
from pathlib import Path

from process import ProcessError, in_fresh_process
from sizes import Size, attention_bytes, make_images, make_model
from variants import VARIANTS

_REFERENCES = ("naive-all", "naive-row", "look-all")  # whose numbers the others are held against: the first that ran
_SPARE_LAYERS = 2  # beside the layers that are stored: one as logits, and one product of the formulas
_USABLE = 0.9  # of the memory that is free when a size begins
SETTLED_SECONDS = 20  # beside a call that takes longer, what a first call pays once no longer counts


def measure(size, names, rounds, peaks, threads, device, dtype, folder):
    """Times, peaks and notes of one size; `folder` is for files that pass between the processes."""
    common = {"size": asdict(size), "device": device, "dtype": dtype}
    layout = str(Path(folder) / "layout.pickle")
    result = {"once": in_fresh_process("measure:trace_layout", threads, **common, layout=layout)}
    timed = [name for name in names if VARIANTS[name].timed]
    result |= in_fresh_process("measure:times", threads, **common, layout=layout, names=timed, rounds=rounds)
    ready = [name for name in names if name not in result["left_out"]]
    result["peaks"] = {name: [] for name in ready}
    for turn in range(peaks):
        for name in ready:
            print(f"{size.title}: peak memory {turn + 1} of {peaks}: {name}", file=sys.stderr)
            try:
                peak = in_fresh_process("measure:peak", threads, **common, layout=layout, name=name)
            except ProcessError as error:
                result["left_out"][f"{name}, peak memory"] = str(error)
            else:
                result["peaks"][name].append(peak)
    return result


def trace_layout(size, device, dtype, layout):
    """In one process: CPU seconds of what vitscope pays once. Leaves the layout in a file."""
    import vitscope

    size = Size(**size)
    scope = vitscope.wrap(make_model(size, device, dtype))
    once = {
        "trace": cost(lambda: scope.trace((size.side, size.side)), "cpu")["cpu"],
        "fingerprint": cost(scope.weights_sha256, "cpu")["cpu"],
    }
    Path(layout).write_bytes(pickle.dumps(scope.trace((size.side, size.side))))
    return once


def times(size, device, dtype, layout, names, rounds):
    """In one process: what every variant cost in every round, how far their numbers agree, and which were left out."""
    size = Size(**size)
    model, images = make_model(size, device, dtype), make_images(size, device, dtype)
    runs, left_out = _built(names, model, size, images, layout)
    values = _warmed_up(runs, left_out, size)
    costs = {name: [] for name in runs}
    ready = list(runs)
    for turn in range(rounds):
        print(f"{size.title}: round {turn + 1} of {rounds}", file=sys.stderr)
        first = turn % len(ready)
        for name in ready[first:] + ready[:first]:
            costs[name].append(cost(runs[name], device))
    return {"costs": costs, "agreement": _agreement(values), "left_out": left_out}


def _built(names, model, size, images, layout):
    """The variants that can run here as functions, and the reasons why others can't."""
    runs, left_out = {}, {}
    room = free_bytes(images.device) * _USABLE
    spare = _SPARE_LAYERS * attention_bytes(size, model)
    for name in names:
        variant = VARIANTS[name]
        needed = stored_bytes(variant, size, model) + spare
        if variant.stores and needed > room:
            left_out[name] = f"needs {needed / 1e9:.1f} GB for attention; {room / 1e9:.1f} GB could be used"
            continue
        try:
            runs[name] = variant.build(model, size, images, layout)
        except Exception as error:  # of a tool that is not ours to mend: said in the report
            left_out[name] = reason(error)
    return runs, left_out


def _warmed_up(runs, left_out, size):
    """The numbers of every variant, each run once; those that fail are left out with their reason."""
    values = {}
    for name in list(runs):
        print(f"{size.title}: warm-up: {name}", file=sys.stderr)
        try:
            values[name] = runs[name]()
        except Exception as error:
            left_out[name] = reason(error)
            del runs[name]
    return values


def _agreement(values):
    """For each measure, the largest difference of any variant from the reference over its maximum, and whose it is.

    The references are the naive formulas (vitscope where those could not run) and, for the logits, the plain pass.
    """
    known = next(name for name in (*_REFERENCES, "plain") if name in values)
    found = {}
    for measure, reference in [("logits", "plain"), *((measure, known) for measure in values[known])]:
        differences = {
            name: relative_difference(numbers[measure], values[reference][measure])
            for name, numbers in values.items()
            if measure in numbers and name != reference
        }
        if differences:
            worst = max(differences, key=differences.get)
            found[measure] = {"difference": differences[worst], "whose": worst, "reference": reference}
    return found


def relative_difference(ours, theirs):
    """Largest difference over the largest number."""
    return float(abs(ours.reshape(theirs.shape) - theirs).max() / abs(theirs).max())


def peak(size, device, dtype, layout, name):
    """In one process: run one variant once; the peaks in bytes, of the process and of the device's memory."""
    size, variant = Size(**size), VARIANTS[name]
    model, images = make_model(size, device, dtype), make_images(size, device, dtype)
    run = variant.build(model, size, images, layout if variant.timed else None)
    if device != "cpu":
        import torch

        torch.cuda.reset_peak_memory_stats()
    kept = run()
    found = memory_peaks(device)
    del kept
    return found


def point(size, device, dtype, layout, name, room_bytes):
    """In one process: the peaks of one call and the costs of up to five more; only the first's if that took long.

    A variant that would hold more attention than `room_bytes` is not run.
    """
    size, variant = Size(**size), VARIANTS[name]
    model, images = make_model(size, device, dtype), make_images(size, device, dtype)
    attention = attention_bytes(size, model)
    if stored_bytes(variant, size, model) > room_bytes:
        return {"attention_bytes": attention}
    run = variant.build(model, size, images, layout)
    costs = [cost(run, device)]
    peaks = memory_peaks(device)
    if costs[0]["cpu"] <= SETTLED_SECONDS:
        costs = [cost(run, device) for _ in range(5)]
    return {"attention_bytes": attention, "costs": costs, "peaks": peaks}


def stored_bytes(variant, size, model):
    """What the attention that a variant holds at once takes."""
    return {"": 0, "last": 1, "all": size.depth}[variant.stores] * attention_bytes(size, model)


def cost(function, device):
    """CPU seconds of one call and its page faults, its result let go within; on CUDA also the device's seconds."""
    gc.collect()
    if device == "cpu":
        faults, start = page_faults(), time.process_time()
        function()
        return {"cpu": time.process_time() - start, "faults": page_faults() - faults}
    import torch

    torch.cuda.synchronize()
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start = time.process_time()
    before.record()
    function()
    after.record()
    torch.cuda.synchronize()
    return {"cpu": time.process_time() - start, "cuda": before.elapsed_time(after) / 1e3}


def page_faults():
    """Minor page faults of this process so far: most are pages that the system must clear first."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def memory_peaks(device):
    """This process's peak so far in bytes, and the device's since it was last reset."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"process": most if sys.platform == "darwin" else most * 1024}
    if device != "cpu":
        import torch

        found["cuda"] = torch.cuda.max_memory_allocated()
    return found


def free_bytes(device):
    """Memory that could be taken now, where the images are."""
    if device.type != "cpu":
        import torch

        return torch.cuda.mem_get_info()[0]
    from machine import free_memory_bytes

    return free_memory_bytes()


def reason(error):
    """One line on why a variant did not run."""
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"


def median_of(costs, what):
    """The median over rounds, of a clock or of the page faults."""
    return statistics.median(cost[what] for cost in costs)
