"""Make the pictures of README and docs anew from the bundled model and photograph: `make pictures`.

The page's are screenshots by Playwright in Debian's Chromium.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

import vitscope
from vitscope.render.distance import distance_figure
from vitscope.render.heatmaps import heatmaps_figure
from vitscope.render.rollout import rollout_figure
from vitscope.render.style import save

PICTURES = Path(__file__).parent / "pictures"
FLAGS = ("no-sandbox", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update")
# File name: page, hash of its state, patch (row, column) and grid side to point at, colours of the system.
SHOTS: dict[str, tuple[str, str, tuple[int, int, int] | None, str]] = {
    "page": ("one", "layer=5", (6, 13, 16), "light"),
    "page-mask": ("one", "layer=5&head=1&method=mask&sort=distance", None, "dark"),
    "page-two": ("two", "layer=5&locked=6,13&difference=1", None, "light"),
}


def main() -> None:
    """Write docs/pictures/*.png."""
    scope = vitscope.load()
    look = scope.look(vitscope.sample_photo())
    for name, figure in (("heatmaps", heatmaps_figure), ("rollout", rollout_figure), ("distance", distance_figure)):
        save(figure(look), str(PICTURES / f"{name}.png"), dpi=150)
    finer = vitscope.load(image_size=96).look(vitscope.sample_photo())
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        look.save(Path(folder) / "one.html")
        vitscope.page([look, finer]).save(Path(folder) / "two.html")
        flags = [f"--{flag}" for flag in FLAGS]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        for name, (page, state, patch, colours) in SHOTS.items():
            shoot(browser, Path(folder) / f"{page}.html#{state}", patch, colours, PICTURES / f"{name}.png")
        browser.close()


def shoot(browser: Browser, address: Path, patch: tuple[int, int, int] | None, colours: Any, out: Path) -> None:
    """A screenshot of a page, with the pointer on a patch."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, device_scale_factor=1.5, color_scheme=colours)
    page.goto(f"file://{address}")
    page.wait_for_function("!document.body.innerText.includes('Decoding')")
    if patch is not None:
        row, column, side = patch
        box = page.locator(".stage").first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * (column + 0.5) / side, box["y"] + box["height"] * (row + 0.5) / side)
    page.wait_for_timeout(500)  # until the thumbnails are drawn
    page.screenshot(path=out)
    page.close()


if __name__ == "__main__":
    main()
