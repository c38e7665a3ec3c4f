"""What a look costs beside the plain forward pass, and beside every other way to the same numbers.

    python benchmarks/look.py [--sizes 197 3601] [--rounds 5] [--variants plain look-all naive-all] [--save]
    python benchmarks/look.py --device cuda --dtype bfloat16

Prints a table a size. See README.md for what is measured and how.
"""

import json
import sys
import tempfile
from pathlib import Path

import machine
import report
from look_tables import against_others, notes, size_table
from measure import measure
from process import ProcessError
from sizes import SIZES
from variants import VARIANTS

_PEAK_PROCESSES = 3  # at most, for each variant


def options():
    """The command line."""
    parser = report.parser(__doc__)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="numbers of tokens")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="plain always runs")
    parser.add_argument("--rounds", type=int, help="rounds of CPU time; default: more where a round is short")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single figure there")
    return parser.parse_args()


def measure_size(size, names, rounds, chosen):
    """What `measure.measure` finds."""
    places = {"threads": chosen.threads, "device": chosen.device, "dtype": chosen.dtype}
    with tempfile.TemporaryDirectory() as folder:
        return measure(size, names, rounds, min(rounds, _PEAK_PROCESSES), folder=folder, **places)


def main():
    """Measure and print; 1 where a size could not be measured."""
    chosen = options()
    known = machine.facts(chosen.threads, chosen.device, chosen.dtype)
    say = report.writer(report.new_result("look") if chosen.save else None)
    say("# What a look costs\n")
    say(f"{machine.paragraph(known)} Random weights. Median (least to largest).\n")
    loads, results = [machine.load()], {}
    names = [name for name in VARIANTS if name == "plain" or name in chosen.variants]
    for tokens in chosen.sizes:
        size = SIZES[tokens]
        rounds = chosen.rounds or size.rounds
        say(f"## {size.title}: {size.tokens:,} tokens, batch {size.batch}; rounds: {rounds}\n")
        try:
            results[tokens] = measure_size(size, names, rounds, chosen)
        except ProcessError as error:
            say(f"Not measured: {error}\n")
            continue
        loads.append(machine.load())
        for part in (size_table, against_others, notes):
            say(f"{part(results[tokens])}\n")
    say(machine.load_words(loads))
    if chosen.json:
        chosen.json.write_text(json.dumps({"machine": known, "load": loads, "sizes": results}, indent=2) + "\n")
    return 0 if len(results) == len(chosen.sizes) else 1


if __name__ == "__main__":
    sys.exit(main())
