"""The tables of one size, from what `measure` found."""

import statistics

from measure import median_of
from report import seconds_digits, spread, table
from variants import VARIANTS, is_vitscope


def size_table(result):
    """Every variant's time and memory, their relation to the plain forward pass's, and the page faults within."""
    clocks = [what for what in result["costs"]["plain"][0] if what != "faults"]  # cpu, and on a GPU cuda
    memories = list(result["peaks"]["plain"][0])  # process, and on a GPU cuda
    headings = ["tool", "computes"]
    for clock in clocks:
        headings += [f"{'CUDA' if clock == 'cuda' else 'CPU'} time, s", "over plain"]
    if "faults" in result["costs"]["plain"][0]:
        headings.append("page faults")
    for memory in memories:
        headings += [f"peak memory{' on the GPU' if memory == 'cuda' else ''}, MB", "added to plain's, MB"]
    rows = []
    for name, peaks in result["peaks"].items():
        row = [VARIANTS[name].tool, VARIANTS[name].computes]
        for clock in clocks:
            row += _time_cells(result["costs"], name, clock)
        if "page faults" in headings:
            row.append(f"{median_of(result['costs'][name], 'faults'):,.0f}" if name in result["costs"] else "")
        for memory in memories:
            row += _memory_cells(result["peaks"], name, peaks, memory)
        rows.append(row)
    return table(headings, rows)


def _time_cells(costs, name, clock):
    """Seconds, and the ratio to plain's; in brackets that to the tool's own plain pass, if it has one."""
    if name not in costs:
        return ["", ""]
    seconds = [cost[clock] for cost in costs[name]]
    ratio = f"{_ratio(costs, name, 'plain', clock):.2f} ×"
    own = VARIANTS[name].plain
    if own != "plain" and own in costs:
        ratio += f" ({_ratio(costs, name, own, clock):.2f} × its own)"
    return [spread(seconds, seconds_digits(statistics.median(seconds))), ratio]


def _ratio(costs, name, other, clock):
    """How much longer one variant took than another: the median over rounds, as machines change from round to round."""
    return statistics.median(one[clock] / two[clock] for one, two in zip(costs[name], costs[other], strict=True))


def _memory_cells(peaks, name, found, memory):
    """Megabytes, and what they are more than plain's; in brackets more than the tool's own plain pass's."""
    if not found:
        return ["", ""]
    more = f"{added_bytes(peaks, name, 'plain', memory) / 1e6:,.0f}"
    own = VARIANTS[name].plain
    if own != "plain" and peaks.get(own):
        more += f" ({added_bytes(peaks, name, own, memory) / 1e6:,.0f} to its own)"
    return [spread([peak[memory] / 1e6 for peak in found], 0), more]


def added_bytes(peaks, name, plain, memory):
    """How much the median peak is above that of a plain variant."""
    most, least = (statistics.median(peak[memory] for peak in peaks[which]) for which in (name, plain))
    return most - least


def against_others(result):
    """For each set of measures, vitscope beside the fastest other way to the same numbers."""
    clock = "cuda" if "cuda" in result["costs"]["plain"][0] else "cpu"
    memory = list(result["peaks"]["plain"][0])[-1]
    pairs = {name: _fastest_other(result, name, clock) for name in filter(is_vitscope, result["costs"])}
    rows = [_pair_row(result, ours, theirs, clock, memory) for ours, theirs in pairs.items() if theirs is not None]
    headings = [
        "vitscope",
        "computes",
        "fastest other way",
        f"its {'CUDA' if clock == 'cuda' else 'CPU'} time over ours",
        "memory we add, MB",
        "memory it adds, MB",
        "its over ours",
    ]
    return table(headings, rows) if rows else "No other way to the same numbers was run."


def _fastest_other(result, name, clock):
    """The variant that is not vitscope's and computes the same in the least time; None if there is none."""
    costs, peaks = result["costs"], result["peaks"]
    if not peaks.get(name):
        return None
    same = [other for other in costs if VARIANTS[other].measures == VARIANTS[name].measures and peaks.get(other)]
    others = [other for other in same if not is_vitscope(other)]
    return min(others, key=lambda other: median_of(costs[other], clock), default=None)


def _pair_row(result, ours, theirs, clock, memory):
    """One of vitscope's variants beside another tool's; memory is what each adds to its own plain pass."""
    added = [added_bytes(result["peaks"], name, VARIANTS[name].plain, memory) / 1e6 for name in (ours, theirs)]
    return [
        VARIANTS[ours].tool,
        VARIANTS[ours].computes,
        VARIANTS[theirs].tool,
        f"{_ratio(result['costs'], theirs, ours, clock):.2f} ×",
        *(f"{megabytes:,.0f}" for megabytes in added),
        f"{added[1] / added[0]:.1f} ×" if added[0] > 0 else "",
    ]


def notes(result):
    """What the tables do not hold."""
    once, plain = result["once"], median_of(result["costs"]["plain"], "cpu")
    lines = [
        f"Paid once, not in the times above: the layout trace, for each model and input size, {once['trace']:.2f} s "
        f"of CPU time ({once['trace'] / plain:.1f} × plain); the weights' SHA-256, {once['fingerprint']:.2f} s."
    ]
    for measure, found in result["agreement"].items():
        lines.append(
            f"Largest difference from “{VARIANTS[found['reference']].tool}” over its maximum, "
            f"{measure.replace('_', ' ')}: {found['difference']:.0e} ({found['whose']})."
        )
    lines += [f"Not run: {name}: {why}." for name, why in result["left_out"].items()]
    return "\n".join(f"- {line}" for line in lines)
