"""A Look in a notebook: the page as a widget that the kernel feeds, and few bytes in what is saved."""

import base64
import io
import json
import sys

import pytest
from PIL import Image

from vitscope import page
from vitscope.viewer import notebook
from vitscope.viewer.notebook import PICTURE_BYTES, answer, mime_bundle

WIDGET = "application/vnd.jupyter.widget-view+json"
SAVED_BYTES = 1_000_000  # of what a notebook keeps of one output


@pytest.fixture(scope="module")
def look(bundled):
    from vitscope import sample_photo

    return bundled.look(sample_photo())


@pytest.fixture
def made(monkeypatch):
    """The widgets that are made, in order."""
    widgets = []
    widget_class = notebook._widget_class()

    def remember(*arguments):
        widgets.append(widget_class(*arguments))
        return widgets[-1]

    monkeypatch.setattr(notebook, "_widget_class", lambda: remember)
    return widgets


def test_a_look_shows_itself_as_a_widget_with_a_picture_to_fall_back_on(look, made):
    bundle = look._repr_mimebundle_()
    assert bundle[WIDGET]["model_id"] == made[0].model_id
    assert Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).format == "PNG"
    assert bundle["text/plain"] == repr(look)
    assert made[0]._picture == f"data:image/png;base64,{bundle['image/png']}"


def test_a_saved_notebook_keeps_neither_queries_nor_keys(look, made):
    bundle = look._repr_mimebundle_()
    state = made[0].get_state()
    assert not any(isinstance(value, bytes | memoryview) for value in state.values())
    assert len(json.dumps(bundle)) + len(json.dumps(state, default=str)) < SAVED_BYTES


def test_a_picture_too_large_to_save_is_left_out(look, made):
    bundle = mime_bundle(lambda: page(look).payload, bytes(PICTURE_BYTES), "words")
    assert "image/png" not in bundle
    assert made[0]._picture == ""
    assert WIDGET in bundle


def test_without_anywidget_the_picture_is_shown_and_nothing_is_encoded(look, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    notebook.has_anywidget.cache_clear()
    try:
        bundle = mime_bundle(lambda: pytest.fail("a payload was made"), look._repr_png_(), "words")
    finally:
        notebook.has_anywidget.cache_clear()
    assert set(bundle) == {"text/plain", "image/png"}


def test_the_kernel_answers_what_a_view_asks(look):
    payload = page(look).payload
    message, buffers = answer(payload, {"want": "header", "index": 0, "view": "a"})
    assert json.loads(message["header"]) == payload.header
    assert (message["view"], buffers) == ("a", [])
    message, buffers = answer(payload, {"want": "block", "index": 3, "view": "b"})
    assert (message, buffers) == ({"view": "b", "index": 3}, [payload.blocks[3]])


@pytest.mark.parametrize(
    "content",
    [
        None,
        "header",
        {"want": "header", "index": 0},
        {"want": "block", "index": -1, "view": "a"},
        {"want": "block", "index": 999, "view": "a"},
        {"want": "block", "index": True, "view": "a"},
        {"want": "block", "index": "3", "view": "a"},
        {"want": "weights", "index": 0, "view": "a"},
    ],
)
def test_what_has_no_meaning_gets_no_answer(look, content):
    assert answer(page(look).payload, content) is None


def test_the_widget_sends_what_was_asked_for(look, made, monkeypatch):
    look._repr_mimebundle_()
    sent = []
    monkeypatch.setattr(made[0], "send", lambda content, buffers=None: sent.append((content, buffers)))
    made[0]._handle_custom_msg({"want": "block", "index": 2, "view": "x"}, [])
    made[0]._handle_custom_msg({"want": "nothing", "view": "x"}, [])
    assert sent == [({"view": "x", "index": 2}, [made[0]._payload.blocks[2]])]


def test_a_page_shows_itself_as_a_widget_with_what_the_model_saw_to_fall_back_on(look, made):
    bundle = page(look)._repr_mimebundle_()
    assert bundle[WIDGET]["model_id"] == made[0].model_id
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert list(picture.getdata()) == list(look.shown[0].seen.getdata())
