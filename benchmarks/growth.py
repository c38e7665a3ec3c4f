"""How the cost of a look grows with the number of tokens, from 197 to 65,537: a table and a plot.

    python benchmarks/growth.py [--largest 16384] [--naive-gb 8] [--save] [--plot FILE.png] [--json FILE]

A ViT of two layers, 12 heads and width 768, patches of 16 px, one image: the plain forward pass,
vitscope's three measures, and naive code for the same (of the rollout one row: the whole matrix would
cost tokens³), as long as the attention that it stores fits in `--naive-gb`. Every point is measured
in a process of its own. With --largest 65536 it takes an hour or more.
"""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import machine
import report
from measure import SETTLED_SECONDS, median_of
from process import ProcessError, in_fresh_process
from sizes import Size

_SIDES = (224, 448, 960, 1440, 2048, 4096)  # pixels
_VARIANTS = ("plain", "look-all", "naive-row")


def growth_size(side):
    """The model for one side of the input."""
    return Size(f"{side:,} px", "vit_base_patch16_224", 16, side, depth=2)


def measure_size(size, threads, device, dtype, naive_bytes):
    """What every variant cost at one size; the reason where one beside plain failed. Raises ProcessError."""
    common = {"size": asdict(size), "device": device, "dtype": dtype}
    with tempfile.TemporaryDirectory() as folder:
        layout = str(Path(folder) / "layout.pickle")
        print(f"{size.title}: trace", file=sys.stderr)
        found = {"tokens": size.tokens, "side": size.side}
        found |= in_fresh_process("measure:trace_layout", threads, **common, layout=layout)
        for name in _VARIANTS:
            print(f"{size.title}: {name}", file=sys.stderr)
            options = {"layout": layout, "name": name, "room_bytes": naive_bytes}
            try:
                found[name] = in_fresh_process("measure:point", threads, **common, **options)
            except ProcessError as error:
                if name == "plain":
                    raise
                found[name] = {"failed": str(error)}
    return found


def headings():
    """Of the table."""
    return [
        "input, px",
        "tokens",
        "plain, s",
        "vitscope, s",
        "over plain",
        "naive, s",
        "over plain",
        "plain, peak MB",
        "vitscope adds, MB",
        "naive adds, MB",
        "attention of one layer, MB (computed)",
        "trace, paid once, s",
    ]


def row(found):
    """One size's row."""
    plain, *others = (found[name] for name in _VARIANTS)
    clock = "cuda" if "cuda" in plain["peaks"] else "cpu"
    memory = "cuda" if clock == "cuda" else "process"
    cells = [f"{found['side']:,}", f"{found['tokens']:,}", _seconds(plain, clock)]
    for other in others:
        cells += [_seconds(other, clock), _over(other, plain, clock)]
    cells.append(f"{plain['peaks'][memory] / 1e6:,.0f}")
    cells += [_added(other, plain, memory) for other in others]
    return [*cells, f"{plain['attention_bytes'] / 1e6:,.0f}", f"{found['trace']:,.1f}"]


def _seconds(point, clock):
    if "costs" not in point:
        return "failed" if "failed" in point else "not run"
    seconds = [cost[clock] for cost in point["costs"]]
    return report.spread(seconds, report.seconds_digits(max(seconds)))


def _over(point, plain, clock):
    if "costs" not in point:
        return ""
    return f"{median_of(point['costs'], clock) / median_of(plain['costs'], clock):.2f} ×"


def _added(point, plain, memory):
    return f"{(point['peaks'][memory] - plain['peaks'][memory]) / 1e6:,.0f}" if "peaks" in point else ""


def options():
    """The command line."""
    parser = report.parser(__doc__)
    parser.add_argument("--largest", type=int, default=16384, help="number of patches")
    parser.add_argument("--naive-gb", type=float, default=8, help="of attention that naive code may store")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw there (--save draws beside the table)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single figure there, for growth_plot.py")
    return parser.parse_args()


def main():
    """Measure, print, draw."""
    chosen = options()
    path = report.new_result("growth") if chosen.save else None
    say = report.writer(path)
    known = machine.facts(chosen.threads, chosen.device, chosen.dtype)
    clock = "CPU" if chosen.device == "cpu" else "CUDA"
    say("# How the cost of a look grows with the number of tokens\n")
    say(
        f"{machine.paragraph(known)} A ViT of two layers, 12 heads, width 768, random weights, one image; vitscope and "
        f"naive code compute distance, heatmaps and the rollout's row. {clock} time: median (least to largest) of five "
        f"calls after a first one, or that one alone where it takes longer than {SETTLED_SECONDS} s of CPU time. Naive "
        f"code is not run where the attention that it stores takes more than {chosen.naive_gb:g} GB.\n"
    )
    say(report.table(headings(), []))
    loads, points = [machine.load()], []
    for size in map(growth_size, _SIDES):
        if size.grid**2 > chosen.largest:
            continue
        naive_bytes = chosen.naive_gb * 1e9
        try:
            points.append(measure_size(size, chosen.threads, chosen.device, chosen.dtype, naive_bytes))
        except ProcessError as error:
            say(f"\nStopped at {size.title}: {error}")
            break
        loads.append(machine.load())
        say(report.table_row(row(points[-1])))
    say(f"\n{machine.load_words(loads)}")
    facts = {"machine": known, "load": loads, "points": points}
    if chosen.json:
        chosen.json.write_text(json.dumps(facts, indent=2) + "\n")
    picture = chosen.plot or (path and path.with_suffix(".png"))
    if picture:
        from growth_plot import draw

        draw(facts, picture)
        say(f"\n![CPU time and peak memory over the number of tokens]({picture.name})")


if __name__ == "__main__":
    main()
