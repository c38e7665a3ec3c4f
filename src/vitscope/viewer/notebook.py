"""A page in a notebook: a widget that fetches its numbers from the running kernel, and a picture where none runs.

A saved notebook keeps the script, the style and the picture, never queries and keys: a few hundred
kilobytes, whatever the model. The widget asks for the header and the blocks by messages.
"""

import base64
from collections.abc import Callable
from functools import cache
from typing import Any

from vitscope.viewer.html import static, to_json
from vitscope.viewer.payload import Payload

PICTURE_BYTES = 400_000  # of the picture in base64; a saved notebook holds it twice
WIDGET_BYTES = 12_000_000  # of the payload, which a remote notebook sends over its line

MimeBundle = dict[str, Any]


def mime_bundle(payload: Callable[[], Payload], picture: bytes, text: str) -> MimeBundle:
    """What Jupyter shows: the widget where it can, else the PNG `picture`, else `text`.

    Without anywidget installed, the picture alone. A picture that takes more than PICTURE_BYTES is left out.
    """
    encoded = base64.b64encode(picture).decode("ascii") if len(picture) * 4 / 3 <= PICTURE_BYTES else ""
    bundle: MimeBundle = {"text/plain": text} | ({"image/png": encoded} if encoded else {})
    if not has_anywidget():
        return bundle
    made = _widget_class()(payload(), f"data:image/png;base64,{encoded}" if encoded else "")
    shown = made._repr_mimebundle_()
    widget = shown[0] if isinstance(shown, tuple) else shown
    return {**(widget or {}), **bundle}


@cache
def has_anywidget() -> bool:
    """Whether the library that notebooks' widgets are made with is installed."""
    try:
        import anywidget  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        return False
    return True


def answer(payload: Payload, content: Any) -> tuple[dict[str, Any], list[bytes]] | None:
    """The message and buffers for what a view of the widget asks; None for what has no meaning."""
    if not isinstance(content, dict) or not isinstance(content.get("view"), str):
        return None
    view, index = content["view"], content.get("index")
    if content.get("want") == "header":
        return {"view": view, "index": 0, "header": to_json(payload.header)}, []
    if content.get("want") == "block" and type(index) is int and 0 <= index < len(payload.blocks):
        return {"view": view, "index": index}, [payload.blocks[index]]
    return None


@cache
def _widget_class() -> Any:
    """The widget's class, made when first needed, as anywidget is optional."""
    import anywidget
    import traitlets

    class PageWidget(anywidget.AnyWidget):
        """The page of a payload, in a notebook's output."""

        _esm = static("widget.js")
        _css = static("page.css")
        _picture = traitlets.Unicode("").tag(sync=True)

        def __init__(self, payload: Payload, picture: str) -> None:
            super().__init__(_picture=picture)
            self._payload = payload
            self.on_msg(self._hear)

        def _hear(self, _widget: Any, content: Any, _buffers: Any) -> None:
            if (found := answer(self._payload, content)) is not None:
                self.send(found[0], buffers=found[1])

    return PageWidget
