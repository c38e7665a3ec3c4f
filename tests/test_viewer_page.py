"""The page's file: nothing in it can run but the viewer, nothing of it is written by halves."""

import base64
import errno
import hashlib
import os
from dataclasses import replace
from importlib import resources

import pytest

import vitscope
from pages import Document
from vitscope.errors import ArgumentError, OutputError
from vitscope.viewer import html
from vitscope.viewer.page import Page
from vitscope.viewer.payload import Payload
from vitscope.writing import umask

VIEWER = {"page.js": 'document.title += "é < >";\n', "page.css": "body { color: #123 }\n/* é */\n"}


@pytest.fixture(autouse=True)
def viewer(tmp_path_factory, monkeypatch):
    """A stand-in for the built viewer, in a folder of its own."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "static").mkdir()
    for name, text in VIEWER.items():
        (folder / "static" / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(html, "files", lambda package: {"vitscope.viewer": folder}[package])
    return folder / "static"


@pytest.fixture(scope="module")
def look(bundled):
    return bundled.look(vitscope.sample_photo())


@pytest.fixture(scope="module")
def page(look):
    return vitscope.page(look, layers=[5])


HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<!--<script>",
    "]]> &lt;/script&gt; &amp;",
    "line\u2028and\u2029paragraph",
    "'; alert(1); //`${alert(1)}",
    os.fsdecode(b"\xff\xfe</SCRIPT >"),
]


# The document.


def test_it_is_one_document_with_its_parts_in_order(page):
    text = page.html()
    document = Document(text)
    assert text.startswith('<!doctype html>\n<html lang="en">')
    assert 'charset="utf-8"' in text[:1024]
    scripts = [attributes.get("id") for tag, attributes in document.elements if tag == "script"]
    blocks = [f"vitscope-block-{i}" for i in range(len(page.payload.blocks))]
    assert scripts == ["vitscope-payload", *blocks, None]
    types = {attributes.get("type") for tag, attributes in document.elements if tag == "script"}
    assert types == {"application/json", "text/plain", None}
    assert ("div", {"id": "vitscope"}) in document.elements
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in document.elements
    assert document.header == page.payload.header
    assert document.blocks == page.payload.blocks
    assert document.texts["title"] == "chelsea.jpg · vitscope-tiny"


def test_the_policy_lets_only_the_viewer_run(page):
    document = Document(page.html())
    first_script = next(i for i, (tag, _) in enumerate(document.elements) if tag in ("script", "style"))
    policies = [
        (i, attributes["content"])
        for i, (tag, attributes) in enumerate(document.elements)
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    ((place, policy),) = policies
    assert place < first_script
    digest = {
        kind: base64.b64encode(hashlib.sha256(document.texts[kind].encode()).digest()).decode()
        for kind in ("script", "style")
    }
    assert dict(part.strip().split(" ", 1) for part in policy.split(";")) == {
        "default-src": "'none'",
        "script-src": f"'sha256-{digest['script']}'",
        "style-src": f"'sha256-{digest['style']}'",
        "img-src": "data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert document.texts["script"] == VIEWER["page.js"]
    assert document.texts["style"] == VIEWER["page.css"]


def test_nothing_in_it_points_elsewhere(page):
    for tag, attributes in Document(page.html()).elements:
        assert not {"onerror", "onload", "style", "href"} & set(attributes), tag
        assert attributes.get("src", "data:image/").startswith("data:image/")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_name_becomes_markup(look, hostile):
    shown = replace(look.shown[0], name=hostile, note=hostile)
    settings = look.settings | {"model": look.settings["model"] | {"name": hostile, "weights": hostile}}
    named = replace(look, shown=(shown,), settings=settings)
    made = vitscope.page(named, layers=[5], title=hostile)
    text = made.html()
    text.encode("utf-8")  # no lone surrogate is left
    document = Document(text)
    plain = Document(vitscope.page(look, layers=[5]).html())
    assert [tag for tag, _ in document.elements] == [tag for tag, _ in plain.elements]
    expected = "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 else c for c in hostile)
    entry = document.header["looks"][0]
    assert entry["images"][0]["name"] == entry["images"][0]["note"] == entry["model"] == expected
    assert document.texts["title"] == document.header["title"] == expected
    alternative = next(attributes["alt"] for tag, attributes in document.elements if tag == "img")
    assert alternative == expected
    data = text[text.index('id="vitscope-payload">') + len('id="vitscope-payload">') : text.index("</script>")]
    assert not set("<>&\u2028\u2029") & set(data)


def test_without_javascript_there_is_a_sentence_and_the_picture(page):
    text = page.html()
    fallback = text[text.index("<noscript>") : text.index("</noscript>")]
    assert "needs JavaScript" in fallback
    image = page.payload.header["looks"][0]["images"][0]
    assert f'<img src="{image["seen"]}" alt="chelsea.jpg">' in fallback


# The built viewer.


@pytest.mark.parametrize("name", VIEWER)
def test_a_viewer_that_is_not_built_is_named(page, viewer, name):
    (viewer / name).unlink()
    with pytest.raises(OutputError, match=rf"the viewer is not built: found no static/{name}; run make viewer"):
        page.html()


@pytest.mark.parametrize(("name", "text"), [("page.js", "'</SCRIPT>'"), ("page.js", "a<!--b"), ("page.css", "</style")])
def test_a_viewer_that_would_end_its_own_element_is_refused(page, viewer, name, text):
    (viewer / name).write_text(text)
    with pytest.raises(OutputError, match=rf"built viewer's {name} holds '(</|<!--)"):
        page.html()


def test_line_ends_are_the_parsers(page, viewer):
    (viewer / "page.js").write_bytes(b"a();\r\nb();\rc();")
    document = Document(page.html())
    assert document.texts["script"] == "a();\nb();\nc();"


def test_the_real_viewer_is_in_the_package(page, monkeypatch):
    monkeypatch.setattr(html, "files", resources.files)
    assert len(Document(page.html()).texts["script"]) > 1000


# The file.


def names_in(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_it_is_saved_whole(page, tmp_path):
    path = page.save(tmp_path / "deep" / "photo.html")
    assert path == tmp_path / "deep" / "photo.html"
    assert path.read_bytes() == page.html().encode()
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()
    assert names_in(tmp_path / "deep") == ["photo.html"]


def test_nothing_is_overwritten_without_force(page, tmp_path):
    path = tmp_path / "photo.htm"
    path.write_text("kept")
    with pytest.raises(OutputError, match=r"exists already; nothing was overwritten: give --force \(force=True\)"):
        page.save(path)
    assert path.read_text() == "kept"
    page.save(path, force=True)
    assert path.read_bytes() == page.html().encode()


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_or_link_is_no_file(page, tmp_path, force):
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "target").write_text("kept")
    (tmp_path / "link.html").symlink_to(tmp_path / "target")
    for name in ("folder", "link"):
        with pytest.raises(OutputError, match=rf"{name}\.html is a folder or a link; expected a file"):
            page.save(tmp_path / f"{name}.html", force=force)
    with pytest.raises(OutputError, match="target is a file; expected a folder, to write"):
        page.save(tmp_path / "target" / "photo.html", force=force)
    os.mkfifo(tmp_path / "pipe.html")
    with pytest.raises(OutputError, match=r"pipe\.html is no ordinary file"):
        page.save(tmp_path / "pipe.html", force=force)
    assert (tmp_path / "target").read_text() == "kept"
    assert names_in(tmp_path) == ["folder.html", "link.html", "pipe.html", "target"]


def test_a_page_is_named_as_one(page, tmp_path):
    for name in ("photo", "photo.png", "photo.html.bak"):
        with pytest.raises(ArgumentError, match=r"a page is one HTML file; found .*expected a name ending in \.html"):
            page.save(tmp_path / name)
    with pytest.raises(OutputError, match=r"cannot write to /proc: .*choose another folder"):
        page.save("/proc/photo.html")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
def test_a_full_disk_or_an_interruption_leaves_nothing_half_written(page, tmp_path, monkeypatch, failure):
    (tmp_path / "photo.html").write_text("earlier")

    def parts(payload: Payload):
        yield "<!doctype html> but no "
        raise failure

    monkeypatch.setattr("vitscope.viewer.page.html_parts", parts)
    with pytest.raises((OutputError, KeyboardInterrupt)) as caught:
        page.save(tmp_path / "photo.html", force=True)
    if isinstance(failure, OSError):
        assert "photo.html: No space left on device; nothing was written" in str(caught.value)
    assert names_in(tmp_path) == ["photo.html"]
    assert (tmp_path / "photo.html").read_text() == "earlier"


# A look saves itself.


def test_a_look_saves_its_page_alone(look, tmp_path):
    (path,) = look.save(tmp_path / "photo.html", layers=[1, "blocks.4.attn"], title="A cat")
    assert names_in(tmp_path) == ["photo.html"]
    document = Document(path.read_text("utf-8"))
    assert document.header["title"] == "A cat"
    assert [i for i, entry in enumerate(document.image()["attention"]) if entry] == [1, 4]
    assert look.save(str(tmp_path / "other.HTM"), limit_bytes=1) == [tmp_path / "other.HTM"]
    small = Document((tmp_path / "other.HTM").read_text("utf-8"))
    assert [i for i, entry in enumerate(small.image()["attention"]) if entry] == [5]


def test_what_is_in_the_way_is_said_before_anything_is_computed(look, tmp_path, monkeypatch):
    (tmp_path / "photo.html").write_text("kept")
    monkeypatch.setattr("vitscope.viewer.page.page", lambda *looks, **options: pytest.fail("computed"))
    with pytest.raises(OutputError, match="exists already"):
        look.save(tmp_path / "photo.html")


@pytest.mark.parametrize("choice", [{"query": "cls"}, {"mass": 0.5}, {"formats": ("svg",)}, {"page": False}])
def test_choices_of_a_folder_are_none_of_a_page(look, tmp_path, choice):
    with pytest.raises(
        ArgumentError, match=f"{next(iter(choice))} is a choice for a folder of pictures; photo.html is"
    ):
        look.save(tmp_path / "photo.html", **choice)
    assert names_in(tmp_path) == []


def test_several_images_are_one_page(bundled, tmp_path):
    look = bundled.look([vitscope.sample_photo(), vitscope.sample_photo()])
    (path,) = look.save(tmp_path / "photo.html", layers=[0])
    assert len(Document(path.read_text("utf-8")).header["looks"][0]["images"]) == 2


def test_a_folder_holds_the_page_too(look, tmp_path, monkeypatch):
    from vitscope.render import files

    monkeypatch.setattr(files, "_figures", lambda look, choices: {})
    written = look.save(tmp_path / "out", layers=[2], title="A cat")
    assert "page.html" in {path.name for path in written}
    document = Document((tmp_path / "out" / "page.html").read_text("utf-8"))
    assert document.header["title"] == "A cat"
    assert [i for i, entry in enumerate(document.image()["attention"]) if entry] == [2]
    assert (tmp_path / "out" / "page.html").stat().st_mode & 0o777 == 0o666 & ~umask()
    without = look.save(tmp_path / "out", page=False, force=True)  # a page in it is no stranger
    assert "page.html" not in {path.name for path in without}


def test_looks_side_by_side(look, bundled):
    made = vitscope.page([look, bundled.look(vitscope.sample_photo())], layers=[5])
    assert isinstance(made, Page)
    assert made.payload.header["compare"] is True
    assert repr(made).startswith("Page('chelsea.jpg · vitscope-tiny', looks=2, bytes=")
