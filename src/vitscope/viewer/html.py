"""A payload as one HTML file that needs nothing else: script, style, pictures and numbers stand in it.

Names and labels reach the browser as JSON in which no character can begin markup, and a
Content-Security-Policy lets nothing run or load but what the file itself carries.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from typing import Any

from vitscope.errors import OutputError
from vitscope.viewer.payload import Payload

_SCRIPT, _STYLE = "page.js", "page.css"
_ENDS = {_SCRIPT: re.compile(r"</script|<!--", re.IGNORECASE), _STYLE: re.compile(r"</style|<!--", re.IGNORECASE)}
_UNSAFE = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_WITHOUT_SCRIPT = (
    "This page computes its maps in the browser and needs JavaScript, which is off. It shows this picture:"
)


def to_html(payload: Payload) -> str:
    """The whole document."""
    return "".join(html_parts(payload))


def html_parts(payload: Payload) -> Iterator[str]:
    """The document in pieces, one a block, so that it is never held whole."""
    script, style = static(_SCRIPT), static(_STYLE)
    title = escape(payload.header["title"])
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script, style)}">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<div id="vitscope"><noscript>{_fallback(payload.header)}</noscript></div>\n'
        f'<script type="application/json" id="vitscope-payload">{to_json(payload.header)}</script>\n'
    )
    for i, block in enumerate(payload.blocks):
        data = base64.b64encode(block).decode("ascii")
        yield f'<script type="text/plain" id="vitscope-block-{i}">{data}</script>\n'
    yield f"<script>{script}</script>\n</body>\n</html>\n"


def to_json(value: Any) -> str:
    """JSON that may stand in a script element or in JavaScript: nothing in it can begin markup or end a line."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda match: _UNSAFE[match[0]], text)


def static(name: str) -> str:
    """A file of the built viewer, its line ends read as \\n, which is what the browser's parser makes of them."""
    try:
        text = (files("vitscope.viewer") / "static" / name).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise OutputError(f"the viewer is not built: found no static/{name}; run make viewer") from error
    if name in _ENDS and (found := _ENDS[name].search(text)):  # the widget's module stands in no element
        raise OutputError(
            f"the built viewer's {name} holds {found[0]!r}, which would end its element; build it with that escaped"
        )
    return text


def _policy(script: str, style: str) -> str:
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _fallback(header: dict[str, Any]) -> str:
    """What stands there without JavaScript."""
    image = header["looks"][0]["images"][0]
    return f'<p>{_WITHOUT_SCRIPT}</p><img src="{image["seen"]}" alt="{escape(image["name"])}">'
