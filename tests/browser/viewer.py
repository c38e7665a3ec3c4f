"""A page in the browser, as its reader handles it: point, click, choose, read back what is shown."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np

from browser.needed import needed_module
from browser.tables import ShownMap, parsed

expect = needed_module("playwright.sync_api").expect
expect.set_options(timeout=5_000)

# Two frames with their effects, as some effects ask for a second drawing; and until nothing is being decoded.
READY = """async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const waiting = () => {
    const captions = [...document.querySelectorAll(".caption")];
    return captions.length === 0 || captions.some((caption) => caption.textContent.startsWith("Decoding"));
  };
  const end = performance.now() + 10_000;
  await frame();
  do await frame(); while (waiting() && performance.now() < end);
  if (waiting()) throw new Error(`the page shows no map: ${document.body.innerText.slice(0, 200)}`);
}"""
# Before the page's own script: what its policy stopped is kept.
LISTEN = """addEventListener("securitypolicyviolation", ({ violatedDirective }) => {
  (window.violations ??= []).push(violatedDirective);
})"""
# Once more where the page, which writes its address a moment after it changed, did so just then.
GO = """async (hash) => {
  while (location.hash !== hash) {
    await new Promise((done) => {
      addEventListener("hashchange", done, { once: true });
      location.hash = hash;
    });
  }
}"""
# By a copy, as Chromium warns of canvases that are drawn and read by turns.
PIXELS = """(canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  return { height: canvas.height, width: canvas.width, data: [...data] };
}"""


@dataclass
class Viewer:
    """A page that is open."""

    page: object
    path: Path
    problems: list[str] = field(default_factory=list)  # errors, violations of the policy
    requests: list[str] = field(default_factory=list)  # addresses

    def ready(self) -> "Viewer":
        """Wait until what was asked for is decoded and drawn."""
        self.page.evaluate(READY)
        return self

    def fresh(self) -> "Viewer":
        """As the file opens, without a trace of what was done."""
        self.page.mouse.move(0, 0)
        self.page.goto("about:blank")  # so that nothing of the last state can still be written to the address
        self.page.goto(self.path.as_uri())
        return self.ready()

    def show(self, **state) -> "Viewer":
        """Go to a state through the address's hash; what is not given is as the page opens."""
        self.page.evaluate(GO, written_hash(state))
        return self.ready()

    def until(self, holds: Callable[[], bool]) -> bool:
        """Whether something comes to hold within some frames: thumbnails are drawn a few at a time."""
        return any(holds() or not self.ready() for _ in range(50))

    # Pointing and choosing

    def stage(self, pane: int = 0):
        return self.page.locator(".stage").nth(pane)

    def grid(self, pane: int = 0) -> tuple[int, int]:
        """Rows and columns of a pane's map."""
        columns, rows = (int(side) for side in self.stage(pane).locator(".marks").get_attribute("viewBox").split()[2:])
        return rows, columns

    def place(self, row: int, column: int, pane: int = 0) -> tuple[float, float]:
        """The middle of a patch, in pixels of the window."""
        self.stage(pane).scroll_into_view_if_needed()
        box, (rows, columns) = self.stage(pane).bounding_box(), self.grid(pane)
        return (
            box["x"] + (column + 0.5) / columns * box["width"],
            box["y"] + (row + 0.5) / rows * box["height"],
        )

    def hover(self, row: int, column: int, pane: int = 0) -> "Viewer":
        self.page.mouse.move(*self.place(row, column, pane))
        return self.ready()

    def click(self, row: int, column: int, pane: int = 0, *, shift: bool = False) -> "Viewer":
        if shift:
            self.page.keyboard.down("Shift")
        self.page.mouse.click(*self.place(row, column, pane))
        if shift:
            self.page.keyboard.up("Shift")
        return self.ready()

    def press(self, *keys: str) -> "Viewer":
        for key in keys:
            self.page.keyboard.press(key)
        return self.ready()

    def choose(self, label: str) -> "Viewer":
        """Choose one of the side-by-side options (method, direction) by its words."""
        self.page.locator(".segments label").filter(has_text=label).click()
        return self.ready()

    def select(self, label: str, value: str) -> "Viewer":
        self.page.get_by_label(label, exact=True).select_option(value)
        return self.ready()

    def slide(self, label: str, value: float) -> "Viewer":
        self.page.get_by_label(label, exact=True).fill(str(value))
        return self.ready()

    def button(self, name: str):
        return self.page.get_by_role("button", name=name, exact=True)

    def head(self, layer: int, head: int):
        """The thumbnail of a head."""
        return self.page.locator(f'[data-head="{layer}·{head}"]')

    # Reading back

    def caption(self, pane: int = 0) -> str:
        return self.page.locator(".caption").nth(pane).inner_text()

    def announced(self) -> str:
        """What the page last said to those who listen."""
        return self.page.locator(".announced[role=status]").inner_text()

    def ticks(self, pane: int = 0) -> list[str]:
        return self.page.locator(".colour-bar").nth(pane).locator(".ticks span").all_inner_texts()

    def scale_words(self, pane: int = 0) -> str:
        return self.page.locator(".scale-words").nth(pane).inner_text()

    def top_patches(self, pane: int = 0) -> list[list[str]]:
        """The rows of the table of strongest patches, prefix tokens after them."""
        rows = self.page.locator(".top-patches").nth(pane).locator("tbody tr")
        return of_each(rows, "[...one.cells].map((cell) => cell.innerText)")

    def violations(self) -> list[str]:
        """What the page's policy stopped, by directive."""
        return self.page.evaluate("() => window.violations ?? []")

    def pixels(self, pane: int = 0) -> np.ndarray:
        """The map's canvas as (rows, columns, 4) bytes."""
        return canvas_pixels(self.page.locator(".stage canvas.map").nth(pane))

    def markers(self) -> list[tuple[int, int]]:
        """Rows and columns of the patches marked as queries in the first picture."""
        marks = self.stage().locator("rect.edge.marker")
        return [
            (int(row), int(column)) for row, column in of_each(marks, "[one.y, one.x].map((at) => at.baseVal.value)")
        ]

    def download(self, button: str) -> tuple[str, bytes]:
        """The name and bytes of the file that a button gives."""
        with self.page.expect_download() as download:
            self.button(button).click()
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    def maps(self) -> list[ShownMap]:
        """All panes' numbers, from the CSV."""
        _, data = self.download("CSV")
        return parsed(data.decode("utf-8"))

    def map(self) -> ShownMap:
        """The only pane's numbers."""
        (shown,) = self.maps()
        return shown


def opened(
    chromium,
    contexts: ExitStack,
    path: Path,
    *,
    size=(1280, 800),
    address: str = "",
    context: dict | None = None,
    **state,
) -> Viewer:
    """Open a page's file in a window of its own and wait until its map is drawn.

    `address`, a hash, or the `state` says what to show; `context` is what Playwright shall make the window with.
    `contexts` closes the window.
    """
    options = {"viewport": dict(zip(("width", "height"), size, strict=True))} | (context or {})
    viewer = Viewer(contexts.enter_context(chromium.new_context(**options)).new_page(), path)
    page = viewer.page
    page.set_default_timeout(5_000)
    page.add_init_script(LISTEN)
    page.on("pageerror", lambda error: viewer.problems.append(f"error: {error}"))
    page.on("console", lambda message: viewer.problems.append(f"{message.type}: {message.text}"))
    page.on("request", lambda request: viewer.requests.append(request.url))
    page.goto(f"{path.as_uri()}{address or written_hash(state)}")
    return viewer.ready()


def written_hash(state: dict) -> str:
    """layer=3, locked=[(9, 4), "cls"] → "#layer=3&locked=9,4;cls"."""
    texts = {key: ";".join(map(query_text, value)) if key == "locked" else str(value) for key, value in state.items()}
    return "#" + "&".join(f"{key}={quote(text, safe=',;')}" for key, text in texts.items()) if texts else ""


def query_text(query) -> str:
    """(9, 4) → "9,4"; a name as it is."""
    return query if isinstance(query, str) else ",".join(map(str, query))


def mass_words(text: str) -> tuple[float, int, int]:
    """Of "… 60 % of the mass in 23 of 196 patches …": 60.0, 23, 196."""
    held, count, patches = re.search(r"([\d.]+) % of the mass in (\d+) of (\d+) patches", text).groups()
    return float(held), int(count), int(patches)


def of_each(locator, expression: str) -> list:
    """A JavaScript expression of each element, called `one`."""
    return locator.evaluate_all(f"(all) => all.map((one) => {expression})")


def canvas_pixels(canvas) -> np.ndarray:
    """A canvas as (height, width, 4) bytes."""
    found = canvas.evaluate(PIXELS)
    return np.array(found["data"], np.uint8).reshape(found["height"], found["width"], 4)
