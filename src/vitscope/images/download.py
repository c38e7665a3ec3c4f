"""Pictures from http and https URLs, with limits on time and size. No other scheme, no cache, no cookies."""

import http.client
import time
import urllib.error
import urllib.request
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import quote, urlsplit, urlunsplit

from vitscope.errors import ImageError
from vitscope.images.naming import shown_url

SILENCE_SECONDS = 30.0  # how long the server may say nothing
TOTAL_SECONDS = 300.0
MAX_BYTES = 512 * 2**20
_CHUNK = 2**16


def download(url: str, *, max_bytes: int = MAX_BYTES, silence_seconds: float = SILENCE_SECONDS) -> bytes:
    """The bytes behind an http or https URL. Raises ImageError, naming the URL without its query."""
    shown = shown_url(url)
    try:
        request = urllib.request.Request(_quoted(url), headers={"User-Agent": _user_agent(), "Accept": "image/*,*/*"})
        with _opener().open(request, timeout=silence_seconds) as response:
            return _body(response, shown, max_bytes)
    except urllib.error.HTTPError as error:
        with error:
            raise ImageError(
                f"{shown}: the server answered {error.code} {error.reason}; expected a picture; check the URL, or "
                "download the file and pass its path"
            ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error) or type(error).__name__
        raise ImageError(
            f"{shown}: could not be fetched ({reason}); check the URL and the network, or download the file and "
            "pass its path"
        ) from error


def _body(response: http.client.HTTPResponse, shown: str, max_bytes: int) -> bytes:
    deadline = time.monotonic() + TOTAL_SECONDS
    body = bytearray()
    while chunk := response.read1(_CHUNK):
        body += chunk
        if len(body) > max_bytes:
            raise ImageError(
                f"{shown}: more than {max_bytes:,} bytes; expected a picture below that; download it and pass a "
                "smaller copy"
            )
        if time.monotonic() > deadline:
            raise ImageError(f"{shown}: not complete after {TOTAL_SECONDS:.0f} s; download it and pass its path")
    if response.length:  # what the server announced and did not send
        raise ImageError(f"{shown}: the connection ended {response.length:,} bytes too early; try again")
    return bytes(body)


def _opener() -> urllib.request.OpenerDirector:
    """Without the handlers for file:, ftp: and data:, which a redirect could otherwise lead to."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _quoted(url: str) -> str:
    """The URL with spaces and non-ASCII letters escaped, as browsers do; existing escapes are kept."""
    parts = urlsplit(url)
    path, query = quote(parts.path, safe="/%:@!$&'()*+,;=~"), quote(parts.query, safe="/%:@!$&'()*+,;=~?[]")
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _user_agent() -> str:
    try:
        return f"vitscope/{version('vitscope')}"
    except PackageNotFoundError:  # run from a source tree
        return "vitscope/unknown"
