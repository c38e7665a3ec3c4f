"""What can be taken away: links, pictures, drawings, tables."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from browser.tables import parsed
from browser.viewer import expect, of_each, opened

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def pair(looks, files, shared_page):
    """Two looks side by side."""
    return shared_page(files("same-grid", [looks("registers"), looks("relative bias")])).fresh()


def state_of(viewer) -> list:
    """All that a link must carry, as it shows itself."""
    controls = of_each(viewer.page.locator("select, input"), "[one.type, one.value, one.checked]")
    pressed = of_each(viewer.page.locator("[aria-pressed]"), "one.ariaPressed")
    maps = [(shown.caption, shown.picture, shown.patches.tolist()) for shown in viewer.maps()]
    return [controls, pressed, maps, viewer.markers(), viewer.ticks()]


def test_a_copied_link_opens_the_same_state(pair, chromium):
    from contextlib import ExitStack

    viewer = pair
    viewer.head(1, 4).click()
    viewer.click(2, 9)
    viewer.choose("attended by")
    viewer.select("Scale", "uniform")
    viewer.select("up to", "5")
    viewer.select("Colours", "cividis")
    viewer.select("Order", "entropy")
    viewer.page.get_by_label("reversed").check()
    viewer.page.get_by_label("Smooth").check()
    viewer.slide("Opacity", 0.45)
    viewer.page.get_by_label("difference").check()
    viewer.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    viewer.button("Copy link").click()
    expect(viewer.page.get_by_text("Link copied.")).to_be_visible()
    link = viewer.page.evaluate("navigator.clipboard.readText()")
    address, state = link.split("#")
    assert address == viewer.page.url.split("#")[0]
    with ExitStack() as contexts:
        again = opened(chromium, contexts, viewer.path, address=f"#{state}")
        assert state_of(again) == state_of(viewer)


def test_several_locked_queries_travel_in_a_link(photo):
    for patch in [(1, 2), (3, 4), (5, 6)]:
        photo.click(*patch, shift=True)
    photo.page.wait_for_function("() => location.hash.endsWith('5,6')")
    address = photo.page.evaluate("location.hash")
    photo.fresh()
    assert photo.markers() == []
    photo.page.evaluate("(hash) => { location.hash = hash; }", address)
    expect(photo.page.locator(".legend li")).to_have_count(3)
    assert photo.markers() == [(1, 2), (3, 4), (5, 6)]


@pytest.mark.parametrize(
    "address",
    [
        "#layer=99&head=-1&locked=99,99;nobody;1,2,3;%00&method=<script>&mass=NaN&opacity=7&start=1e9&shown=4",
        "#compared=77&difference=maybe&scale=constructor&colours=__proto__&sort=toString&ceiling=Infinity",
        "#%%%&&&===&layer&=3",
        "#layer=%E0%A4%A&head=%FF",
    ],
)
def test_a_hash_that_means_nothing_is_as_none(photo, open_page, address):
    expected = state_of(photo)
    found = open_page(photo.path, address=address)
    assert state_of(found) == expected
    assert found.problems == []


def test_a_hash_keeps_what_has_meaning(photo, open_page):
    viewer = open_page(photo.path, address="#layer=2&head=99&locked=4,9;77,1&mass=cat")
    assert "patch row 4, column 9 attends to, layer 2, mean over heads" in viewer.caption()


def test_the_address_follows_what_is_shown(photo):
    photo.head(2, 3).click()
    photo.page.wait_for_function("() => location.hash === '#layer=2&head=3'")
    photo.fresh()
    assert photo.page.evaluate("location.hash") == ""


def test_csv_is_a_table_of_what_is_shown(photo):
    photo.click(4, 9)
    name, data = photo.download("CSV")
    (shown,) = parsed(data.decode("utf-8"))
    assert name == "chelsea-vitscope.csv"
    assert (shown.picture, shown.model, shown.caption) == ("chelsea.jpg", "vitscope-tiny", photo.caption())
    assert list(shown.prefix) == ["cls"]
    assert shown.row.sum() == pytest.approx(1, abs=1e-5)


def test_csv_of_several_queries_holds_the_map_of_each(photo, photo_look):
    queries = [(2, 3), (13, 7)]
    for query in queries:
        photo.click(*query, shift=True)
    for query, shown in zip(queries, photo.maps(), strict=True):
        expected = np.asarray(photo_look.attention(5, query))[0].mean(0)
        assert "patch row {}, column {}".format(*query) in shown.caption
        assert np.abs(shown.row - expected).max() <= 1e-3 * expected.max()


def svg_of(viewer) -> tuple[str, ElementTree.Element]:
    name, data = viewer.download("SVG")
    return name, ElementTree.fromstring(data)


def words_of(svg) -> str:
    return " ".join("".join(text.itertext()) for text in svg.iter(f"{SVG}text"))


def test_svg_says_what_it_shows_and_where_it_comes_from(photo):
    photo.click(4, 9)
    name, svg = svg_of(photo)
    words = words_of(svg)
    assert name == "chelsea-vitscope.svg"
    assert svg.tag == f"{SVG}svg"
    assert photo.caption() in words
    for part in ("chelsea.jpg", "vitscope-tiny", "16 × 16 patches", "verified to", photo.ticks()[-1]):
        assert part in words


def test_svg_draws_every_patch_in_its_colour(photo):
    photo.click(4, 9)
    pixels = photo.pixels()
    _, svg = svg_of(photo)
    cells = [
        rect for rect in svg.iter(f"{SVG}rect") if rect.get("width") == "1" and rect.get("fill", "").startswith("#")
    ]
    drawn = np.zeros((16, 16, 3), int)
    for cell in cells:
        drawn[int(float(cell.get("y"))), int(float(cell.get("x")))] = list(bytes.fromhex(cell.get("fill")[1:]))
    assert len(cells) == 256
    assert (drawn == pixels[:, :, :3]).all()


def test_svg_of_a_mask_says_its_mass(photo):
    photo.choose("Mask")
    _, svg = svg_of(photo)
    count = (photo.pixels()[:, :, 3] > 0).sum()
    assert f"of the mass in {count} of 256 patches" in words_of(svg)


def test_svg_of_two_pictures_has_both(pair):
    _, svg = svg_of(pair)
    words = words_of(svg)
    assert all(pair.page.locator(".pane h2 .name").nth(pane).inner_text() in words for pane in (0, 1))
    assert len(list(svg.iter(f"{SVG}image"))) == 2


@pytest.mark.parametrize("state", [{}, {"method": "mask"}, {"locked": [(3, 4), (9, 9)]}, {"smooth": 1}])
def test_png_is_the_drawing_at_twice_its_size(photo, state):
    photo.show(**state)
    _, svg = svg_of(photo)
    name, data = photo.download("PNG")
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "PNG"
        width, height = (round(2 * float(svg.get(side))) for side in ("width", "height"))
        assert all(abs(one - two) <= 2 for one, two in zip(picture.size, (width, height), strict=True))
        pixels = np.asarray(picture.convert("RGB"))
    photograph = pixels[100:1200:50, 100:1200:50].reshape(-1, 3)  # within the picture, 40 + 1,280 pixels wide
    assert name == "chelsea-vitscope.png"
    assert len(np.unique(photograph, axis=0)) > 50


def test_png_shows_the_map(photo):
    """Two maps over one picture differ where they are drawn."""
    pictures = []
    for head in (0, 1):
        photo.show(layer=5, head=head, opacity=1)
        with Image.open(io.BytesIO(photo.download("PNG")[1])) as picture:
            pictures.append(np.asarray(picture.convert("RGB"))[80:1280:80, 80:1280:80].astype(int))  # patches' middles
            colours = photo.pixels()[:15, :15, :3].astype(int)
        assert np.abs(pictures[-1] - colours).max() <= 2
    assert np.abs(pictures[0] - pictures[1]).max() > 50


@pytest.mark.parametrize("waited", range(140, 180, 4))
def test_an_address_just_gone_to_is_not_overwritten(photo, waited):
    photo.show(layer=1, head=0)
    addresses = photo.page.evaluate(
        """async (waited) => {
          location.hash = "#layer=2&head=3";
          await new Promise((done) => setTimeout(done, waited));
          location.hash = "#layer=1&head=1";
          const addresses = [];
          for (let i = 0; i < 60; i++) {
            await new Promise((done) => setTimeout(done, 1));
            addresses.push(location.hash);
          }
          return addresses;
        }""",
        waited,
    )
    assert set(addresses) == {"#layer=1&head=1"}
