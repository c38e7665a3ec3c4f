"""What the page says of itself: the tour, where the numbers come from, what is not there."""

import re

import pytest

from browser.viewer import expect, of_each
from vitscope.viewer.encode import TOLERANCE


def facts_of(viewer) -> dict[str, str]:
    """The table of provenance."""
    rows = viewer.page.locator(".provenance .origin dl").first
    names, values = rows.locator("dt").all_inner_texts(), rows.locator("dd").all_inner_texts()
    return dict(zip(names, values, strict=True))


def test_the_tour_is_off_until_asked_for_and_has_six_steps(photo):
    tour = photo.page.get_by_role("dialog")
    assert tour.count() == 0
    photo.button("Tour").click()
    sentences = []
    for step in range(1, 7):
        expect(tour).to_contain_text(f"Step {step} of 6")
        sentences.append(tour.locator("p").nth(1).inner_text())
        expect(photo.page.locator(".toured")).to_have_count(1)
        if step < 6:
            tour.get_by_role("button", name="Next").click()
    assert len(set(sentences)) == 6
    assert all(re.fullmatch(r"[A-Z“][^.?!]*\.", sentence) for sentence in sentences)
    tour.get_by_role("button", name="Back").click()
    expect(tour).to_contain_text("Step 5 of 6")
    tour.get_by_role("button", name="Next").click()
    tour.get_by_role("button", name="Done").click()
    expect(tour).to_have_count(0)
    expect(photo.page.locator(".toured")).to_have_count(0)


@pytest.mark.parametrize("end", ["Escape", "Close"])
def test_the_tour_can_be_left_at_any_step(photo, end):
    photo.button("Tour").click()
    photo.page.get_by_role("button", name="Next").click()
    if end == "Escape":
        photo.press("Escape")
    else:
        photo.page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(photo.page.get_by_role("dialog")).to_have_count(0)


def test_provenance_names_model_weights_and_preprocessing(photo, photo_look):
    facts = facts_of(photo)
    assert facts["picture"] == "chelsea.jpg"
    assert facts["model"] == "vitscope-tiny"
    assert facts["weights sha256"] == photo_look.settings["model"]["weights_sha256"]
    assert facts["interpolation"] == photo_look.settings["preprocessing"]["interpolation"]
    assert facts["torch version"] == photo_look.settings["versions"]["torch"]
    assert f"{photo_look.verification_error:.1e}" in facts["verification error"]


def test_provenance_says_how_well_the_pages_rows_agree(photo):
    words = facts_of(photo)["rows in this page"]
    python, here = (float(number.replace("−", "-")) for number in re.findall(r"\d\.\de−\d", words))
    assert 0 < python <= TOLERANCE
    assert 0 < here <= TOLERANCE
    assert "all 257 rows and columns of every head" in words
    assert re.search(r"in this browser on 6\b", words)


def test_conventions_are_named(photo, photo_look):
    from vitscope.measures.rollout import Rollout

    photo.page.get_by_text("Conventions", exact=True).click()
    words = photo.page.locator(".provenance details").inner_text()
    assert Rollout().convention(photo_look.attention_seen) in words
    assert all(name in words for name in ("distance", "entropy", "prefix mass", "softmax over all keys"))


def test_the_crop_stands_beside_the_original(photo, photo_look):
    left, top, right, bottom = photo_look.shown[0].placement.box
    frame = photo.page.locator(".original rect")
    found = [float(frame.get_attribute(side)) for side in ("x", "y", "width", "height")]
    assert found == pytest.approx([left, top, right - left, bottom - top])
    sizes = of_each(photo.page.locator(".origin img"), "[one.naturalHeight, one.naturalWidth]")
    assert sizes == [[64, 64], [300, 451]]


def test_layers_left_out_are_named_and_say_why(photo_look, files, shared_page):
    viewer = shared_page(files("some-layers", [photo_look], layers=[0, 3, 5])).fresh()
    note = viewer.page.locator(".omitted").inner_text()
    assert "layers 1, 2 and 4 of 6" in note
    assert "layers=" in note
    thumbnail = viewer.head(2, 1)
    assert "not among the layers chosen" in thumbnail.get_attribute("aria-label")
    thumbnail.click()
    expect(viewer.page.locator(".caption")).to_contain_text("layer 2, head 1")
    expect(viewer.page.locator(".caption")).to_contain_text("not among the layers chosen")
    assert viewer.page.locator(".top-patches").count() == 0
    viewer.head(3, 1).click()
    assert viewer.ready().map().row.sum() == pytest.approx(1, abs=1e-5)


def test_a_mean_over_layers_says_which_it_has(photo_look, files, shared_page):
    """A mean over fewer layers than the model has must not pass for the mean over all."""
    viewer = shared_page(files("some-layers", [photo_look], layers=[0, 3, 5])).fresh()
    assert "3 of" in viewer.show(layer="mean").caption()


def test_a_refused_layer_is_shown_as_refused(photo_look, files, shared_page):
    from dataclasses import replace

    layers = list(photo_look.attention_seen.layers)
    layers[2] = replace(layers[2], refusal="blocks.2.attn: its recomputed attention is not the model's own")
    look = replace(photo_look, attention_seen=replace(photo_look.attention_seen, layers=tuple(layers)))
    viewer = shared_page(files("refused", [look])).fresh()
    assert "recomputed attention is not" in viewer.head(2, 0).get_attribute("aria-label")
    viewer.head(2, 0).click()
    expect(viewer.page.locator(".caption")).to_contain_text("recomputed attention is not")
    assert viewer.page.get_by_label("Rollout", exact=True).is_disabled()


def test_the_title_is_the_callers(photo_look, files, open_page):
    viewer = open_page(files("titled", [photo_look], title="Where a cat’s picture is looked at"))
    assert viewer.page.title() == "Where a cat’s picture is looked at"
    assert viewer.page.locator("h1").inner_text() == "Where a cat’s picture is looked at"
