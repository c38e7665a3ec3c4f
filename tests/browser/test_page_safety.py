"""Nothing leaves the page, and no name that it shows can run."""

import io
import re
from xml.etree import ElementTree

import pytest
from PIL import Image

from browser.hostile import NAMES, hostile_look
from browser.tables import parsed
from browser.viewer import Viewer, expect

OWNED = "() => 'owned' in window"


def walk(viewer: Viewer) -> None:
    """Through all that the page can do."""
    page = viewer.page
    for label in ("Attention row", "Mask", "Rollout", "Mean over heads"):
        viewer.choose(label)
    viewer.hover(3, 4).click(1, 1).click(2, 2, shift=True)
    viewer.press("ArrowDown", "Escape")
    viewer.choose("attended by").choose("attends to")
    for label, values in [
        ("Scale", ["shared", "logarithmic", "uniform", "linear"]),
        ("Colours", ["inferno", "grey"]),
        ("Order", ["distance", "entropy", "prefix", "none"]),
    ]:
        for value in values:
            viewer.select(label, value)
    viewer.head(1, 1).dblclick()
    viewer.button("Show all heads").click()
    page.get_by_label("Smooth").check()
    page.get_by_label("rescaled to 1").check()
    page.get_by_text("Conventions", exact=True).first.click()
    page.locator(".plots svg").first.hover()
    viewer.button("Tour").click()
    for _ in range(5):
        page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Done").click()
    if page.locator(".filmstrip").count():
        page.get_by_label("Side by side").check()
        page.get_by_label("difference").check()
    viewer.ready()


@pytest.fixture
def path(photo_look, files):
    """Two looks side by side."""
    return files("photo-twice", [photo_look, photo_look])


def test_no_request_leaves_the_page_and_the_policy_stops_nothing(open_page, path):
    viewer = open_page(path)
    walk(viewer)
    for button in ("SVG", "CSV", "PNG", "Copy link"):
        if button == "Copy link":
            viewer.button(button).click()
        else:
            viewer.download(button)
    assert viewer.violations() == []
    assert viewer.problems == []
    strangers = [url for url in viewer.requests if not re.match(r"data:|blob:", url)]
    assert set(strangers) == {path.as_uri()}


def test_the_policy_forbids_what_the_page_does_not_carry(open_page, path):
    viewer = open_page(path)
    refused = viewer.page.evaluate("""async () => {
      const script = document.createElement("script");
      script.textContent = "window.owned = 1";
      document.body.append(script);
      const picture = document.createElement("img");
      picture.src = "https://example.org/picture.png";
      picture.setAttribute("onerror", "window.owned = 1");
      document.body.append(picture);
      const sent = await fetch("https://example.org/").then(() => "sent", () => "stopped");
      const frame = document.createElement("iframe");
      frame.src = "data:text/html,framed";
      document.body.append(frame);
      await new Promise((done) => setTimeout(done, 50));
      return sent;
    }""")
    assert refused == "stopped"
    assert {"script-src-elem", "img-src", "connect-src", "frame-src"} <= set(viewer.violations())
    assert not viewer.page.evaluate(OWNED)


def test_the_policy_stands_before_all_that_could_run_or_load(path):
    """And allows nothing but what the file itself carries."""
    text = path.read_text()
    policy = text.index("Content-Security-Policy")
    assert all(policy < text.index(tag) for tag in ("<script", "<style", "<img", "<title"))
    content = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in content
    assert not re.search(r"unsafe-(inline|eval)|https?:|\*", content)


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return NAMES[request.param]


@pytest.fixture
def hostile(request, name, photo_look, files, shared_page):
    looks = [hostile_look(photo_look, name), photo_look]
    return shared_page(files(f"hostile-{request.node.callspec.id}", looks, title=name)).fresh()


def shown_name(name: str) -> str:
    """As a browser shows it: runs of white space are one blank, a null character stands for nothing."""
    return " ".join(name.split())


def test_hostile_names_run_nothing_and_are_shown_as_they_are(hostile, name):
    header = hostile.page.locator(".axis").get_by_text("L1", exact=True)
    assert shown_name(name) in shown_name(header.get_attribute("title"))
    hostile.button("Tour").click()
    hostile.head(1, 2).dblclick()
    hostile.page.locator(".filmstrip li button").first.hover()
    hostile.choose("Rollout")
    assert not hostile.page.evaluate(OWNED)
    assert hostile.problems == []
    assert hostile.violations() == []
    texts = {
        "heading": hostile.page.locator("h1"),
        "picture": hostile.page.locator(".pane h2 .name").first,
        "strip": hostile.page.locator(".filmstrip .name").first,
        "provenance": hostile.page.locator(".provenance").first,
    }
    for text in texts.values():
        assert shown_name(name) in shown_name(text.text_content())
    assert shown_name(hostile.page.title()) == shown_name(name)
    assert (
        hostile.page.locator("#vitscope img[src='x'], #vitscope script, #vitscope style, [onerror], [onload]").count()
        == 0
    )


def test_hostile_names_stay_text_in_what_is_downloaded(hostile, name, chromium, tmp_path):
    file_name, data = hostile.download("SVG")
    svg = ElementTree.fromstring(data)
    assert not re.search(r'[/\\<>:"|?*\x00-\x1f\u2028\u2029]', file_name)
    tags = {element.tag.split("}")[1] for element in svg.iter()}
    assert tags <= {"svg", "rect", "g", "clipPath", "image", "path", "text"}
    assert not [key for element in svg.iter() for key in element.attrib if key.lower().startswith("on")]
    words = " ".join("".join(text.itertext()) for text in svg.iter("{http://www.w3.org/2000/svg}text"))
    assert shown_name(name) in shown_name(words)
    drawing = tmp_path / "drawing.svg"
    drawing.write_bytes(data)
    page = chromium.new_page()
    page.goto(drawing.as_uri())
    assert not page.evaluate(OWNED)
    page.close()


def test_hostile_names_stay_text_in_a_table(hostile, name):
    _, data = hostile.download("CSV")
    shown = parsed(data.decode("utf-8"))
    assert shown[0].picture == name
    _, png = hostile.download("PNG")
    with Image.open(io.BytesIO(png)) as picture:
        assert min(picture.size) > 640


@pytest.mark.parametrize("name", ['=HYPERLINK("x")', "+1", "-1+1|cmd", "@SUM(A1)"])
def test_names_are_no_formulas_in_a_spreadsheet(name, photo_look, files, open_page):
    path = files(f"formula-{ord(name[0])}", [hostile_look(photo_look, name)])
    _, data = open_page(path).download("CSV")
    (shown,) = parsed(data.decode("utf-8"))
    assert shown.picture == f"'{name}"


def test_a_hostile_file_name_is_shown_as_it_is(tmp_path, bundled, files, open_page):
    name = '"><img src=x onerror=window.owned=1>\u202egnp.exe.png'
    Image.new("RGB", (64, 64), (90, 120, 30)).save(tmp_path / name)
    viewer = open_page(files("file-name", [bundled.look(tmp_path / name)]))
    assert not viewer.page.evaluate(OWNED)
    expect(viewer.page.locator(".pane h2 .name")).to_have_text(name.replace("\u202e", "\\u202e"))


def test_without_scripts_the_page_shows_the_picture_and_says_why(path, chromium):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    expect(page.locator("noscript p")).to_contain_text("needs JavaScript")
    expect(page.locator("noscript img")).to_be_visible()
    context.close()


BROKEN = '">*********'  # no base64
DAMAGES = {
    "lost block": (r'id="vitscope-block-0"', 'id="lost"', "block 0 is not in this page"),
    "damaged block": (r'(?<=id="vitscope-block-0)">[^<]{9}', BROKEN, "block 0 of this page is damaged"),
    "newer version": (r'"version":1', '"version":99', "version 99"),
    "no payload": (r'id="vitscope-payload"', 'id="lost"', "this page holds no payload"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_page_says_what_it_lacks(photo_look, files, chromium, tmp_path, damage):
    pattern, instead, words = DAMAGES[damage]
    text, count = re.subn(pattern, instead, files("photo", [photo_look]).read_text())
    assert count == 1
    damaged = tmp_path / "damaged.html"
    damaged.write_text(text)
    page = chromium.new_page()
    page.goto(damaged.as_uri())
    expect(page.locator("#vitscope")).to_contain_text(words)
    page.close()


def test_a_damaged_layer_is_named_and_the_others_are_shown(photo_look, files, open_page, tmp_path):
    text = files("photo", [photo_look]).read_text()
    damaged = tmp_path / "damaged.html"
    damaged.write_text(re.sub(r'(?<=id="vitscope-block-1)">[^<]{9}', BROKEN, text))
    viewer = open_page(damaged)
    assert viewer.map().row.sum() == pytest.approx(1, abs=1e-5)
    viewer.head(0, 1).click()
    expect(viewer.page.locator(".caption")).to_contain_text("block 1 of this page is damaged")
