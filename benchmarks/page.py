"""What a page costs: to write it, its file, to open it, and to answer the pointer, in Chromium.

    python benchmarks/page.py [--sizes 197 3601] [--opens 5] [--moves 100] [--save]

Prints Markdown. Each size is one photograph seen by a ViT of timm with random weights, named by its number
of tokens. Opening is counted from the start of the navigation (file://, a fresh window each time) to the
first map drawn, and to all layers decoded and all thumbnails drawn. Hovering goes over patches at random:
from the pointer's event to the end of the script that it starts (rows computed, document changed), to the
map drawn, and to the frame after that, by when it can be seen. Thumbnails follow later, frame by frame.
The times are the browser's own, with whatever else the machine is doing: median, and the 95th of 100.
"""

import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import machine
import report

FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Size:
    """One model and its input."""

    title: str
    model: str  # timm's name
    side: int  # of the square input, in pixels


SIZES = {
    "197": Size("ViT-B/16 at 224 px", "vit_base_patch16_224", 224),
    "3601": Size("ViT-S/8 at 480 px", "vit_small_patch8_224", 480),
}

# Before the page's own script: notes when the map over the picture gets its pixels.
WATCH = """
  window.drawn = [];
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (...arguments_) {
    put.apply(this, arguments_);
    if (this.canvas.classList.contains("map")) window.drawn.push(performance.now());
  };
"""
FIRST_DRAWN = """async () => {
  while (window.drawn.length === 0) await new Promise((done) => setTimeout(done));
  return window.drawn[0];
}"""
ALL_DRAWN = """async (columns) => {
  const done = (thumbnail) => thumbnail.width === columns && !thumbnail.hidden;
  const all = () => [...document.querySelectorAll("[data-head]:not(.absent) canvas")];
  while (!all().every(done)) await new Promise(requestAnimationFrame);
  return performance.now();
}"""
# The pointer is moved by the page itself, so that no messages between processes are timed.
HOVER = """async ({ moves, rows, columns }) => {
  const stage = document.querySelector(".stage");
  const box = stage.getBoundingClientRect();
  const frame = () => new Promise(requestAnimationFrame);
  const times = { script: [], drawn: [], frame: [] };
  let [seed, last] = [1, -1];
  for (let move = 0; move < moves; move++) {
    let patch = last;
    while (patch === last) patch = (seed = (seed * 48271) % 2147483647) % (rows * columns);
    last = patch;
    const clientX = box.left + ((patch % columns) + 0.5) / columns * box.width;
    const clientY = box.top + (Math.floor(patch / columns) + 0.5) / rows * box.height;
    await frame();
    window.drawn.length = 0;
    const start = performance.now();
    stage.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY, bubbles: true }));
    for (let task = 0; task < 10; task++) await null; // what the event left for the end of its task
    times.script.push(performance.now() - start);
    while (window.drawn.length === 0) await new Promise((done) => setTimeout(done));
    times.drawn.push(window.drawn[0] - start);
    await frame();
    times.frame.push(performance.now() - start);
    for (let rest = 0; rest < 3; rest++) await frame();
  }
  return times;
}"""


def write_page(size: Size, folder: Path) -> tuple[Path, tuple[int, int], float]:
    """The page of one image, its grid, and the CPU seconds that it took to write."""
    import timm
    import torch

    import vitscope

    torch.manual_seed(0)
    model = timm.create_model(size.model, pretrained=False, img_size=size.side).eval()
    look = vitscope.wrap(model).look(vitscope.sample_photo())
    start = time.process_time()
    path = vitscope.page(look).save(folder / f"{size.model}.html")
    return path, look.layout.grid, time.process_time() - start


def opened(browser, path: Path, columns: int):
    """A page in a window of its own; milliseconds until its map was drawn, and until all was."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(60_000)
    page.add_init_script(WATCH)
    page.goto(path.as_uri(), wait_until="commit")
    return page, page.evaluate(FIRST_DRAWN), page.evaluate(ALL_DRAWN, columns)


def measure(browser, size: Size, folder: Path, opens: int, moves: int) -> dict[str, str]:
    """A row of the table."""
    path, (rows, columns), seconds = write_page(size, folder)
    times = []
    for _ in range(opens):
        page, *milliseconds = opened(browser, path, columns)
        times.append(milliseconds)
        page.context.close()
    page, *_ = opened(browser, path, columns)
    found = page.evaluate(HOVER, {"moves": moves, "rows": rows, "columns": columns})
    page.context.close()
    first, whole = zip(*times, strict=True)
    return {
        "written in (CPU)": f"{seconds:.1f} s",
        "file": f"{path.stat().st_size / 1e6:.1f} MB",
        "opening: first map": ranged(first),
        "opening: all heads": ranged(whole),
        "hover: script": spread(found["script"]),
        "hover: map drawn": spread(found["drawn"]),
        "hover: next frame": spread(found["frame"]),
    }


def ranged(times) -> str:
    """Median, least and largest."""
    return f"{statistics.median(times):.0f} ms ({min(times):.0f} to {max(times):.0f})"


def spread(times: list[float]) -> str:
    """Median and the 95th of 100."""
    return f"{statistics.median(times):.1f} ms (95 %: {statistics.quantiles(times, n=20)[-1]:.1f})"


def main() -> None:
    """Print the table."""
    import torch
    from playwright.sync_api import sync_playwright

    parser = report.parser(__doc__, threads=False)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--opens", type=int, default=5)
    parser.add_argument("--moves", type=int, default=100)
    options = parser.parse_args()
    say = report.writer(report.new_result("page") if options.save else None)
    say("# What a page costs\n")
    loads = [machine.load()]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        rows = {}
        for name in options.sizes:
            rows[SIZES[name].title] = measure(browser, SIZES[name], Path(folder), options.opens, options.moves)
            loads.append(machine.load())
        say(
            f"{machine.paragraph(machine.facts(torch.get_num_threads()))} Chromium {browser.version}. Random weights; "
            f"the photograph bundled with vitscope. {machine.load_words(loads)}\n"
        )
        browser.close()
    say(report.table(["", *next(iter(rows.values()))], [[title, *row.values()] for title, row in rows.items()]))


if __name__ == "__main__":
    main()
