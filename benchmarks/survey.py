"""A survey beside plain inference through the same loader, and its memory beside the number of images.

    python benchmarks/survey.py [--images 1000] [--rounds 3] [--workers 1] [--memory 1000 10000] [--save]

Rate: ViT-S/16 at 224 px, over JPEG files in a folder; both ways read the same files through the survey's
own processes, in alternating rounds after one of few files. The survey takes distance and readout
heatmaps and writes its run. Wall-clock time is from the first file to the last result. Memory: the
largest resident set of a whole process that surveys so many images with the bundled model.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import machine
import report
from process import in_fresh_process
from sizes import SIZES, Size, make_model
from throughput import write_pictures

_MEASURES = ("distance", "heatmaps")
_WARM = 32  # files, of a round before those that count
_MEMORY = """
import resource, sys, tempfile
import numpy as np
import vitscope

class Pictures:
    def __init__(self, count):
        self.count = count
    def __len__(self):
        return self.count
    def __getitem__(self, number):
        return np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)

with tempfile.TemporaryDirectory() as folder:
    scope = vitscope.load()
    vitscope.survey(Pictures(int(sys.argv[1])), scope, folder + "/run", measures=sys.argv[2:], progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def rounds_of(size, folder, images, workers, rounds, device, dtype):
    """In one process: {way: a round's wall and CPU seconds}, rounds alternating."""
    import vitscope
    from vitscope.surveys.loading import chunks
    from vitscope.surveys.planning import plan_survey
    from vitscope.surveys.sources.opening import open_source

    size = Size(**size)
    model = make_model(size, device, dtype)
    scope = vitscope.wrap(model)
    few = Path(folder) / "few"
    few.mkdir()
    write_pictures(few, _WARM)
    many = Path(folder) / "many"
    many.mkdir()
    write_pictures(many, images)
    ready = {"size": size.batch, "workers": workers}

    def plain(pictures):
        import torch

        source = open_source(pictures)
        plan = plan_survey(source)
        found = 0
        with torch.no_grad():
            for chunk in chunks(source, plan, scope.transform, range(plan.shards), **ready):
                found += sum(len(model(tensors)) for _, tensors in chunk.tensors)
        return found

    def survey(pictures):
        with tempfile.TemporaryDirectory() as output:
            run = vitscope.survey(
                pictures,
                scope,
                f"{output}/run",
                measures=_MEASURES,
                batch_size=size.batch,
                workers=workers,
                progress=False,
            )
            return run.table("images", ["status"])["status"].to_pylist().count("done")

    ways = {"plain": plain, "survey": survey}
    for way in ways.values():
        _timed(way, few, _WARM)
    found = {name: [] for name in ways}
    for turn in range(rounds):
        print(f"round {turn + 1} of {rounds}", file=sys.stderr)
        for name in list(ways)[:: 1 if turn % 2 == 0 else -1]:
            found[name].append(_timed(ways[name], many, images))
    return found


def _timed(way, pictures, images):
    """Wall and CPU seconds of one pass over the files, those of the loader's processes included."""
    before, start = os.times(), time.perf_counter()
    answers = way(pictures)
    wall, after = time.perf_counter() - start, os.times()
    if answers != images:
        raise RuntimeError(f"{answers} answers to {images} images")
    return {"wall": wall, "cpu": sum(after[:4]) - sum(before[:4])}


def rows(found, images):
    """Two rows of the table."""
    titles = {"plain": "plain inference", "survey": f"survey: {' and '.join(_MEASURES)}, written to disk"}
    medians = {name: {kind: _median(times, kind) for kind in ("wall", "cpu")} for name, times in found.items()}
    for name, times in found.items():
        yield [
            titles[name],
            report.spread([images / each["wall"] for each in times], 1),
            f"{medians['plain']['wall'] / medians[name]['wall']:.2f} ×",
            report.spread([each["cpu"] * 1e3 / images for each in times], 0),
            f"{medians[name]['cpu'] / medians['plain']['cpu']:.2f} ×",
        ]


def _median(times, kind):
    return statistics.median(each[kind] for each in times)


def memory_of(images):
    """MB, the largest resident set of a process that surveys so many images."""
    answer = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(images), *_MEASURES], check=True, capture_output=True, text=True
    )
    return float(answer.stdout.split()[-1])


def options():
    """The command line."""
    parser = report.parser(__doc__)
    parser.add_argument("--images", type=int, default=1000, help="files, of 500 × 375 px")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="processes of the loader")
    parser.add_argument("--memory", type=int, nargs="*", default=[1000, 10_000], help="images of the memory's table")
    return parser.parse_args()


def main():
    """Measure and print."""
    chosen, size = options(), SIZES["197"]
    say = report.writer(report.new_result("survey") if chosen.save else None)
    known = machine.facts(chosen.threads, chosen.device, chosen.dtype)
    loads = [machine.load()]
    say("# A survey beside plain inference\n")
    say(
        f"{machine.paragraph(known)} {size.title}, random weights, batch {size.batch}; {chosen.images:,} JPEG files, "
        f"{chosen.workers} processes reading beside the model, {chosen.rounds} alternating rounds "
        f"after one of {_WARM} files. "
        "Median (least to largest).\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        found = in_fresh_process(
            "survey:rounds_of",
            chosen.threads,
            size=asdict(size),
            folder=folder,
            images=chosen.images,
            workers=chosen.workers,
            rounds=chosen.rounds,
            device=chosen.device,
            dtype=chosen.dtype,
        )
    headings = ["", "images/s", "of plain's", "CPU time an image, ms", "over plain"]
    say(report.table(headings, list(rows(found, chosen.images))))
    loads.append(machine.load())
    if chosen.memory:
        say("\nThe bundled model over so many images of 64 × 64 px, a process each:\n")
        peaks = [(images, memory_of(images)) for images in chosen.memory]
        lines = [[f"{images:,}", f"{peak:,.0f}", f"{peak / peaks[0][1]:.2f} ×"] for images, peak in peaks]
        say(report.table(["images", "largest resident set, MB", "of the first"], lines))
    say(f"\n{machine.load_words(loads)}")


if __name__ == "__main__":
    main()
