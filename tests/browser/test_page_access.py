"""Everyone can use it: by keyboard, by ear, by touch, in light and dark, on a narrow screen."""

import re

import numpy as np
import pytest

from browser.needed import needed_module
from browser.viewer import expect

Axe = needed_module("axe_playwright_python.sync_playwright").Axe
WIDE, NARROW = (1280, 800), (390, 800)
ENDS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
FOCUS = """() => {
  const style = getComputedStyle(document.activeElement);
  const segment = document.activeElement.closest(".segments label");
  const outlined = segment ? getComputedStyle(segment) : style;
  return { width: parseFloat(outlined.outlineWidth), style: outlined.outlineStyle };
}"""
VISIT = """() => {
  const one = document.activeElement;
  if (one === document.body) return "";
  return one.closest("[data-head]")?.dataset.head ?? one.ariaLabel ?? one.labels?.[0]?.textContent ?? one.textContent;
}"""


@pytest.fixture
def pair(looks, files):
    return files("same-grid", [looks("registers"), looks("relative bias")])


def violations(viewer) -> list[str]:
    """What axe finds, WCAG 2 A and AA and best practices: rule and elements."""
    found = Axe().run(viewer.page, options={"resultTypes": ["violations"]}).response
    return [f"{rule['id']}: {[node['html'][:120] for node in rule['nodes']]}" for rule in found["violations"]]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280 px", "390 px"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(photo_look, files, open_page, pair, size, scheme):
    context = {"color_scheme": scheme, "bypass_csp": True}  # else axe itself could not run
    viewer = open_page(files("photo", [photo_look]), size=size, context=context)
    found = violations(viewer)
    viewer.click(3, 4).click(9, 11, shift=True)
    found += violations(viewer)  # several queries
    viewer.fresh().choose("Mask")
    viewer.select("Order", "distance")
    viewer.hover(2, 2).click(4, 4).hover(7, 7)
    found += violations(viewer)  # a mask, a value read by the pointer, heads in an order
    viewer.fresh().choose("Rollout")
    viewer.page.get_by_text("Conventions", exact=True).click()
    viewer.button("Tour").click()
    found += violations(viewer)
    viewer = open_page(pair, size=size, context=context, difference=1, scale="uniform")
    found += violations(viewer)
    assert found == []


def tab_stops(viewer, most: int = 80) -> list[str]:
    """What Tab reaches, from the page's start, in order."""
    stops = []
    for _ in range(most):
        viewer.page.keyboard.press("Tab")
        if not (name := viewer.page.evaluate(VISIT)):
            return stops
        stops.append(name)
    raise AssertionError(f"Tab finds no end: {stops}")


def test_tab_reaches_picture_controls_and_grid_in_order(photo):
    stops = tab_stops(photo)
    order = [
        next(at for at, name in enumerate(stops) if re.match(wanted, name))
        for wanted in ("Tour", "CSV", "Picture", "CLS", "Scale", "Smooth", "Order", "L5", "distance")
    ]
    assert order == sorted(order)
    grid = [name for name in stops if re.fullmatch(r"\d·\d|L\d|mean|\d", name)]
    assert grid == ["L5"]  # the grid is one stop, what is chosen in it; its arrows do the rest


@pytest.mark.parametrize("state", [{}, {"layer": 2, "head": 1}, {"layer": "mean"}, {"head": 3, "layer": "mean"}])
def test_the_grid_can_be_reached_whatever_is_chosen(photo, state):
    photo.show(**state)
    assert photo.page.locator(".head-grid button:not([tabindex='-1'])").count() == 1


def test_focus_is_visible_wherever_it_goes(photo):
    for _ in tab_stops(photo):
        photo.page.keyboard.press("Tab")
        outline = photo.page.evaluate(FOCUS)
        assert outline["width"] >= 2, photo.page.evaluate(VISIT)
        assert outline["style"] != "none", photo.page.evaluate(VISIT)


def test_arrows_walk_the_grid_and_enter_chooses(photo):
    photo.head(2, 1).click()
    photo.press("ArrowRight", "ArrowDown", "ArrowDown", "ArrowLeft", "ArrowLeft")
    assert photo.page.evaluate(VISIT) == "4·0"
    photo.press("ArrowUp", "Enter")
    expect(photo.page.locator(".caption")).to_contain_text("layer 3, head 0")


def test_arrows_reach_the_headers_too(photo):
    photo.head(1, 0).click()
    photo.press("ArrowLeft", "Enter")
    expect(photo.page.locator(".caption")).to_contain_text("layer 1, mean over heads")


def test_a_head_can_be_isolated_by_keys_alone(photo):
    """What a double-click does must not need a pointer."""
    photo.head(2, 1).focus()
    photo.press("Enter")
    photo.page.get_by_role("button", name=re.compile("^isolate", re.IGNORECASE)).press("Enter")
    expect(photo.page.locator("[data-head]")).to_have_count(1)


def test_picture_b_can_be_chosen_by_keys_alone(strip):
    """What a shift-click does must not need a pointer."""
    _, viewer = strip
    viewer.page.get_by_label("Side by side").press("Space")
    viewer.page.locator(".filmstrip li button").nth(2).press("Shift+Enter")
    expect(viewer.page.locator(".pane h2 .name").nth(0)).to_have_text("plain.png")
    expect(viewer.page.locator(".pane h2 .name").nth(1)).to_have_text("upside down.png")


def spoken(weight: float, tokens: int) -> tuple[float, float]:
    return pytest.approx(100 * weight, rel=0.06), pytest.approx(weight * tokens, rel=0.06)


@pytest.mark.parametrize("keys", [("ArrowDown",), ("ArrowDown", "ArrowRight", "Enter")])
def test_keys_are_answered_in_words(photo, photo_look, keys):
    photo.stage().focus()
    photo.press(*keys)
    query = (8, 8 + len(keys) // 2)
    row = np.asarray(photo_look.attention(5, query))[0].mean(0)
    best = int(np.argmax(row[1:]))
    words = photo.announced()
    assert f"patch row {query[0]}, column {query[1]}" in words
    found = re.search(r"patch row (\d+), column (\d+): ([\d.]+) %, ([\d.]+) times uniform", words)
    assert (int(found[1]), int(found[2])) == divmod(best, 16)
    assert (float(found[3]), float(found[4])) == spoken(row[1 + best], 257)
    assert float(re.search(r"CLS ([\d.]+) %", words)[1]) == spoken(row[0], 257)[0]


def test_the_pointer_is_not_announced(photo):
    photo.hover(3, 3).hover(9, 9)
    assert photo.announced() == ""


def test_the_picture_says_whose_map_it_shows(photo):
    photo.stage().focus()
    photo.press("ArrowDown")
    assert "patch row 8, column 8" in photo.stage().get_attribute("aria-label")
    assert "arrows move" in photo.page.locator(f"[id='{photo.stage().get_attribute('aria-describedby')}']").inner_text()


@pytest.mark.parametrize("name", ["photo", "pair"])
def test_nothing_scrolls_sideways_on_a_narrow_screen(photo_look, files, open_page, pair, name):
    viewer = open_page(files("photo", [photo_look]) if name == "photo" else pair, size=NARROW)
    for state in ({}, {"method": "mask", "sort": "distance"}, {"method": "rollout", "scale": "uniform"}):
        width, room = viewer.show(**state).page.evaluate(ENDS)
        assert width <= room


@pytest.mark.parametrize(("width", "columns"), [(1280, 2), (899, 1), (390, 1)])
def test_one_column_below_900_pixels(photo_look, files, open_page, width, columns):
    viewer = open_page(files("photo", [photo_look]), size=(width, 800))
    picture, side = (viewer.page.locator(part).bounding_box() for part in (".pictures", ".side"))
    beside = side["x"] >= picture["x"] + picture["width"]
    assert beside == (columns == 2)
    assert beside or side["y"] >= picture["y"] + picture["height"]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280 px", "390 px"])
@pytest.mark.parametrize("kind", ["registers", "torchvision"])
def test_the_picture_keeps_its_shape_and_stays_in_view(looks, files, open_page, size, kind):
    look = looks(kind)
    viewer = open_page(files(kind, [look], compare=False), size=size)
    box = viewer.stage().bounding_box()
    height, width = look.layout.image_size
    assert box["width"] / box["height"] == pytest.approx(width / height, rel=0.01)
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size[0]
    assert box["height"] <= 0.9 * size[1]


def test_a_tap_locks_and_another_releases(photo_look, files, open_page):
    viewer = open_page(files("photo", [photo_look]), size=NARROW, context={"has_touch": True, "is_mobile": True})
    viewer.page.touchscreen.tap(*viewer.place(5, 9))
    assert viewer.ready().markers() == [(5, 9)]
    assert "patch row 5, column 9" in viewer.caption()
    viewer.page.touchscreen.tap(*viewer.place(11, 2))
    assert viewer.ready().markers() == [(11, 2)]
    viewer.page.touchscreen.tap(*viewer.place(11, 2))
    viewer.ready()
    expect(viewer.page.locator(".caption")).not_to_contain_text("patch row 5")


@pytest.mark.parametrize(("motion", "moves"), [("reduce", False), ("no-preference", True)])
def test_reduced_motion_is_honoured(photo_look, files, open_page, motion, moves):
    viewer = open_page(files("photo", [photo_look]), context={"reduced_motion": motion})
    seconds = viewer.page.evaluate("""() => Math.max(...[...document.querySelectorAll("*")].map((one) => {
      const style = getComputedStyle(one);
      return Math.max(parseFloat(style.transitionDuration), parseFloat(style.animationDuration));
    }))""")
    assert (seconds > 0) == moves


@pytest.mark.parametrize(("scheme", "light"), [("light", True), ("dark", False)])
def test_light_and_dark_follow_the_system(photo_look, files, open_page, scheme, light):
    viewer = open_page(files("photo", [photo_look]), context={"color_scheme": scheme})
    colour = viewer.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (min(int(part) for part in re.findall(r"\d+", colour)[:3]) > 128) == light
