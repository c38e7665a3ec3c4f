"""Images per second through a DataLoader: plain inference, and vitscope's distance and heatmaps on the way.

    python benchmarks/throughput.py [--images 64] [--rounds 5] [--workers 0 1] [--save]

ViT-S/16 at 224 px, batch 8, over JPEG files made for it and decoded by timm's own transform. Both ways
read the same files through the same loader, in alternating rounds after one to warm up. Wall-clock
time is counted from the loader's start to the last result, CPU time over all processes.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import machine
import report
from process import in_fresh_process
from sizes import SIZES, Size, make_model

_PICTURE = (500, 375)  # width and height of the files, in pixels
_DETAIL = 8  # pixels a grain of the noise in them
_TITLES = {"plain": "plain forward pass", "vitscope": "vitscope, measure: distance, heatmaps"}


def rounds_of(size, folder, images, workers, rounds, device, dtype):
    """In one process: {way: a round's wall and CPU seconds}, rounds alternating."""
    from torch.utils.data import DataLoader

    import vitscope

    size = Size(**size)
    model = make_model(size, device, dtype)
    scope = vitscope.wrap(model)
    paths = write_pictures(Path(folder), images)
    loader = DataLoader(paths, batch_size=size.batch, num_workers=workers, collate_fn=_decoder(model))
    like = next(model.parameters())
    ways = {
        "plain": lambda: _plain(model, loader, like),
        "vitscope": lambda: _measure(scope, loader, size.batch, like, vitscope),
    }
    for name in ways:
        _timed(ways[name], images)
    found = {name: [] for name in ways}
    for turn in range(rounds):
        print(f"{workers} workers: round {turn + 1} of {rounds}", file=sys.stderr)
        for name in list(ways)[:: 1 if turn % 2 == 0 else -1]:
            found[name].append(_timed(ways[name], images))
    return found


def write_pictures(folder, count):
    """JPEG files of soft noise, different from one another."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    width, height = _PICTURE
    paths = []
    for number in range(count):
        grains = random.integers(0, 256, (height // _DETAIL, width // _DETAIL, 3), dtype=np.uint8)
        paths.append(folder / f"{number}.jpg")
        Image.fromarray(grains).resize(_PICTURE, Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return paths


def _decoder(model):
    """From a list of paths to a batch, as the model's own configuration prepares it."""
    import torch
    from PIL import Image
    from timm.data import create_transform, resolve_model_data_config

    transform = create_transform(**resolve_model_data_config(model), is_training=False)

    def decode(paths):
        return torch.stack([transform(Image.open(path).convert("RGB")) for path in paths])

    return decode


def _plain(model, loader, like):
    """Plain inference; the number of answers."""
    import torch

    with torch.no_grad():
        return sum(len(model(batch.to(like)).cpu()) for batch in loader)


def _measure(scope, loader, batch_size, like, vitscope):
    """The same by vitscope, with two measures; the number of answers."""
    wanted = [vitscope.MeanAttentionDistance(), vitscope.Heatmaps()]
    images = (image for batch in loader for image in batch.to(like))
    return sum(1 for _ in scope.measure(images, wanted, batch_size=batch_size))


def _timed(way, images):
    """Wall and CPU seconds of one pass over the files, those of the loader's processes included."""
    before, start = os.times(), time.perf_counter()
    answers = way()
    wall, after = time.perf_counter() - start, os.times()
    if answers != images:
        raise RuntimeError(f"{answers} answers to {images} images")
    return {"wall": wall, "cpu": sum(after[:4]) - sum(before[:4])}


def rows(found, images, workers):
    """Two rows of the table."""
    plain = found["plain"]
    for name, seconds in found.items():
        rates = [images / each["wall"] for each in seconds]
        spent = [each["cpu"] * 1e3 / images for each in seconds]
        ratio = statistics.median(each["wall"] for each in plain) / statistics.median(each["wall"] for each in seconds)
        more = statistics.median(each["cpu"] for each in seconds) / statistics.median(each["cpu"] for each in plain)
        yield [
            workers,
            _TITLES[name],
            report.spread(rates, 1),
            f"{ratio:.2f} ×",
            report.spread(spent, 0),
            f"{more:.2f} ×",
        ]


def options():
    """The command line."""
    parser = report.parser(__doc__)
    parser.add_argument("--images", type=int, default=64, help="files, of 500 × 375 px")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1], help="processes of the loader")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single figure there")
    return parser.parse_args()


def main():
    """Measure and print."""
    chosen, size = options(), SIZES["197"]
    say = report.writer(report.new_result("throughput") if chosen.save else None)
    known = machine.facts(chosen.threads, chosen.device, chosen.dtype)
    say("# Images per second through a DataLoader\n")
    say(
        f"{machine.paragraph(known)} {size.title}, random weights, batch {size.batch}; {chosen.images} JPEG files of "
        f"{_PICTURE[0]} × {_PICTURE[1]} px, {chosen.rounds} alternating rounds after one to warm up. "
        "Median (least to largest).\n"
    )
    headings = ["workers", "", "images/s", "of plain's", "CPU time an image, ms", "over plain"]
    loads, found = [machine.load()], {}
    say(report.table(headings, []))
    for workers in chosen.workers:
        with tempfile.TemporaryDirectory() as folder:
            found[workers] = in_fresh_process(
                "throughput:rounds_of",
                chosen.threads,
                size=asdict(size),
                folder=folder,
                images=chosen.images,
                workers=workers,
                rounds=chosen.rounds,
                device=chosen.device,
                dtype=chosen.dtype,
            )
        loads.append(machine.load())
        for row in rows(found[workers], chosen.images, workers):
            say(report.table_row(row))
    say(f"\n{machine.load_words(loads)}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"machine": known, "load": loads, "workers": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
