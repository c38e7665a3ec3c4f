"""Pictures from URLs, against a server on this machine's loopback."""

import http.server
import io
import threading

import numpy as np
import pytest
from PIL import Image

from vitscope.errors import ImageError
from vitscope.images import download as module
from vitscope.images.decode import open_picture
from vitscope.images.download import download

COLOUR = np.random.default_rng(3).integers(0, 256, (7, 11, 3), dtype=np.uint8)


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(COLOUR).save(buffer, "PNG")
    return buffer.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    requests: list[tuple[str, str]]
    patience: threading.Event

    def do_GET(self):
        self.requests.append((self.path, self.headers["User-Agent"]))
        path = self.path.partition("?")[0]
        if path == "/silent.png":
            self.patience.wait(10)
        elif path.startswith("/to-"):
            self.send_response(302)
            self.send_header(
                "Location", {"/to-file": "file:///etc/passwd", "/to-ftp": "ftp://127.0.0.1/x"}.get(path, "/dog.png")
            )
            self.end_headers()
        elif path == "/none.png":
            self.send_error(404)
        else:
            self.answer({"/page.png": b"<!doctype html><p>no"}.get(path, png()), path == "/short.png")

    def answer(self, body, cut):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    handler = type("Here", (Handler,), {"requests": [], "patience": threading.Event()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        handler.address = f"http://127.0.0.1:{running.server_port}"
        yield handler
        handler.patience.set()
        running.shutdown()
        thread.join()


def test_a_picture_from_a_url(server):
    picture = open_picture(f"{server.address}/some/dog.png?token=secret")
    assert np.array_equal(np.asarray(picture.image), COLOUR)
    assert picture.name == "dog.png"
    ((path, agent),) = server.requests
    assert path == "/some/dog.png?token=secret"
    assert agent.startswith("vitscope/")


def test_spaces_and_letters_are_escaped_once(server):
    assert open_picture(f"{server.address}/big dög%20.png?q=a b").name == "big dög .png"
    assert server.requests[0][0] == "/big%20d%C3%B6g%20.png?q=a%20b"


def test_redirects_are_followed_but_not_out_of_http(server):
    assert open_picture(f"{server.address}/to-dog").size == (7, 11)
    for target, reason in (("to-file", "not allowed"), ("to-ftp", "unknown url type: ftp")):
        with pytest.raises(ImageError, match=f"{target}: .*{reason}"):
            open_picture(f"{server.address}/{target}")


def test_what_is_not_there(server):
    with pytest.raises(ImageError, match=r"/none\.png: the server answered 404 Not Found") as caught:
        open_picture(f"{server.address}/none.png?token=secret")
    assert "secret" not in str(caught.value)
    with pytest.raises(ImageError, match=r"/page\.png: a web page"):
        open_picture(f"{server.address}/page.png")


def test_a_connection_that_ends_early(server):
    with pytest.raises(ImageError, match=r"bytes too early"):
        open_picture(f"{server.address}/short.png")


def test_a_server_that_says_nothing(server):
    with pytest.raises(ImageError, match=r"could not be fetched .*timed out"):
        download(f"{server.address}/silent.png", silence_seconds=0.05)


def test_limits_of_size_and_time(server, monkeypatch):
    size = len(png())
    assert download(f"{server.address}/dog.png", max_bytes=size) == png()
    with pytest.raises(ImageError, match=f"more than {size - 1:,} bytes"):
        download(f"{server.address}/dog.png", max_bytes=size - 1)
    monkeypatch.setattr(module, "TOTAL_SECONDS", -1.0)
    with pytest.raises(ImageError, match="not complete after"):
        download(f"{server.address}/dog.png")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x.png", "http://", "http://[bad/x.png", "http://127.0.0.1:port/x"])
def test_no_server_and_no_url(url, monkeypatch):
    monkeypatch.delenv("http_proxy", raising=False)
    with pytest.raises(ImageError, match=r"^http://.*could not be fetched") as caught:
        open_picture(url + "?secret")
    assert "secret" not in str(caught.value)
