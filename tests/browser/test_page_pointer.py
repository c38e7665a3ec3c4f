"""Pointer, keys and buttons choose whose map is shown."""

import numpy as np
import pytest

from browser.viewer import expect, mass_words, of_each

TOLERANCE = 1e-3  # of a row's maximum
LAST = 5  # layer


def row_of(look, query) -> np.ndarray:
    """The mean over the last layer's heads, which the page opens with, (tokens,)."""
    return np.asarray(look.attention(LAST, query))[0].mean(0)


def shows(viewer, look, query) -> bool:
    """Whether the map is that query's."""
    expected = row_of(look, query)
    return np.abs(viewer.map().row - expected).max() <= TOLERANCE * expected.max()


def pressed(viewer) -> list[str]:
    """The query buttons that are pressed."""
    return viewer.page.locator(".named button[aria-pressed=true]").all_inner_texts()


def test_the_page_opens_with_the_readout(photo, photo_look):
    assert "class token" in photo.caption()
    assert pressed(photo) == ["CLS"]
    assert shows(photo, photo_look, "cls")


def test_hovering_shows_where_the_patch_looks(photo, photo_look):
    photo.hover(3, 11)
    assert "patch row 3, column 11" in photo.caption()
    assert photo.markers() == [(3, 11)]
    photo.hover(12, 2)
    assert "patch row 12, column 2" in photo.caption()
    assert photo.markers() == [(12, 2)]
    assert pressed(photo) == []


@pytest.mark.parametrize("patch", [(0, 0), (0, 15), (15, 0), (15, 15), (7, 3)])
def test_the_patch_under_the_pointer_is_the_one_meant(photo, patch):
    assert "patch row {}, column {} ".format(*patch) in photo.hover(*patch).caption()


def test_leaving_the_picture_shows_the_readout_again(photo):
    photo.hover(3, 11)
    photo.page.mouse.move(2, 2)
    assert "class token" in photo.ready().caption()


def test_the_csv_holds_the_locked_map(photo, photo_look):
    photo.click(4, 9)
    assert shows(photo, photo_look, (4, 9))


def test_a_locked_query_stays_and_the_pointer_reads_values(photo, photo_look):
    photo.click(4, 9)
    photo.hover(10, 6)
    assert "patch row 4, column 9" in photo.caption()
    weight = row_of(photo_look, (4, 9))[1 + 10 * 16 + 6]
    reading = photo.page.locator(".reading").inner_text()
    place, numbers = reading.split(": ")
    percent, times = numbers.removesuffix(" times uniform").split(" %, ")
    assert place == "patch row 10, column 6"
    assert float(percent) == pytest.approx(100 * weight, rel=0.06)
    assert float(times) == pytest.approx(257 * weight, rel=0.06)
    probe = of_each(photo.page.locator("rect.edge.probe"), "[one.y, one.x].map((at) => at.baseVal.value)")
    assert probe == [[10, 6]]


def test_clicking_again_releases(photo):
    photo.click(4, 9)
    photo.click(4, 9)
    photo.hover(10, 6)
    assert "patch row 10, column 6" in photo.caption()


def test_clicking_elsewhere_locks_that_instead(photo):
    photo.click(4, 9)
    photo.click(8, 2)
    assert "patch row 8, column 2" in photo.caption()
    assert photo.markers() == [(8, 2)]


def test_shift_click_locks_up_to_five_and_drops_the_oldest(photo):
    patches = [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12)]
    for patch in patches[:5]:
        photo.click(*patch, shift=True)
    legend = photo.page.locator(".legend li")
    assert photo.markers() == patches[:5]
    assert legend.count() == 5
    photo.click(*patches[5], shift=True)
    assert photo.markers() == patches[1:]
    assert legend.count() == 5


def test_locked_queries_have_colours_of_their_own(photo):
    for patch in [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)]:
        photo.click(*patch, shift=True)
    colours = of_each(photo.stage().locator("rect.edge.marker"), "one.getAttribute('stroke')")
    swatches = of_each(photo.page.locator(".legend .swatch"), "one.style.background")
    assert len(set(colours)) == 5
    assert swatches == [f"rgb({', '.join(str(part) for part in bytes.fromhex(colour[1:]))})" for colour in colours]


def test_several_queries_outline_what_holds_their_mass(photo, photo_look):
    from vitscope import top_mass

    queries = [(2, 3), (13, 7)]
    for query in queries:
        photo.click(*query, shift=True)
    words = photo.page.locator(".legend li").all_inner_texts()
    for query, line in zip(queries, words, strict=True):
        weights = row_of(photo_look, query)[1:].reshape(16, 16)
        chosen = top_mass(weights, 0.6)
        assert "patch row {}, column {}".format(*query) in line
        held = 100 * weights[chosen].sum() / weights.sum()
        assert mass_words(line) == (pytest.approx(held, abs=0.6), chosen.sum(), 256)


def test_shift_click_on_a_locked_patch_releases_it_alone(photo):
    for patch in [(1, 2), (3, 4), (5, 6)]:
        photo.click(*patch, shift=True)
    photo.click(3, 4, shift=True)
    assert photo.markers() == [(1, 2), (5, 6)]


def test_escape_releases_all(photo):
    for patch in [(1, 2), (3, 4)]:
        photo.click(*patch, shift=True)
    photo.press("Escape")
    photo.page.mouse.move(2, 2)
    assert "class token" in photo.ready().caption()
    assert photo.page.locator(".legend").count() == 0


def test_arrows_move_enter_locks_escape_releases(photo, photo_look):
    photo.stage().focus()
    photo.press("ArrowDown")  # from a query that stands nowhere to the middle
    assert "patch row 8, column 8" in photo.caption()
    photo.press("ArrowUp", "ArrowLeft", "ArrowLeft")
    assert "patch row 7, column 6" in photo.caption()
    photo.press("Enter")
    assert shows(photo, photo_look, (7, 6))
    photo.stage().focus()
    photo.press("ArrowRight")  # the lock moves along
    assert photo.markers() == [(7, 7)]
    photo.press("Escape")
    assert "class token" in photo.caption()


CORNER = {"ArrowUp": (0, 15), "ArrowRight": (0, 15), "ArrowDown": (1, 15), "ArrowLeft": (0, 14)}


@pytest.mark.parametrize(("key", "patch"), CORNER.items())
def test_arrows_stay_inside(photo, key, patch):
    photo.show(locked=[(0, 15)]).stage().focus()
    assert photo.press(key).markers() == [patch]


def test_buttons_stand_for_tokens_that_are_nowhere(files, shared_page, looks):
    look = looks("registers")
    viewer = shared_page(files("registers", [look], compare=False)).fresh()
    buttons = viewer.page.locator(".named button")
    assert buttons.all_inner_texts() == ["CLS", "R1", "R2", "R3", "R4", "Mean"]
    for name, query in [("R3", "reg3"), ("Mean", "mean"), ("CLS", "cls")]:
        viewer.button(name).click()
        expected = np.asarray(look.attention(-1, query))[0]
        found = viewer.ready().map().row
        assert np.abs(found - expected.mean(0)).max() <= TOLERANCE * expected.max(-1).mean()
        assert pressed(viewer) == [name]


def test_direction_turns_the_map_around(photo, photo_look):
    photo.click(4, 9)
    photo.choose("attended by")
    column = photo_look.attention_seen.layers[LAST].weights(slice(None))[0, :, :, 1 + 4 * 16 + 9].numpy()
    assert np.abs(photo.map().row - column.mean(0)).max() <= TOLERANCE * column.max(-1).mean()
    photo.choose("attends to")
    assert shows(photo, photo_look, (4, 9))


def test_nothing_attends_to_a_mean_and_the_page_says_so(photo):
    photo.button("Mean").click()
    label = photo.page.locator(".segments label").filter(has_text="attended by")
    expect(label.locator("input")).to_be_disabled()
    assert "choose a patch or a prefix token" in label.get_attribute("title")
    photo.show(locked=["mean"], direction="to")
    expect(photo.page.locator(".caption")).to_contain_text("choose a patch or a prefix token")
    assert photo.page.locator(".top-patches").count() == 0


def test_prefix_mass_is_always_shown(photo, photo_look):
    for query in ("cls", (4, 9)):
        photo.show(locked=[query])
        cls, patches = photo.page.locator(".prefix-mass .share b").all_inner_texts()
        row = row_of(photo_look, query)
        assert float(cls.removesuffix(" %")) == pytest.approx(100 * row[0], rel=0.06)
        assert float(patches.removesuffix(" %")) == pytest.approx(100 * row[1:].sum(), rel=1e-3)
