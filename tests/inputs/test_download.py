"""Downloads, from a server on this machine: an end to slow ones, and nothing but the web is followed."""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from monoform.errors import InputError
from monoform.inputs.download import download, shown_url


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind = self.path.strip("/").split("?")[0]
        if kind == "drip":
            self.answer(200, {"Content-Length": "1000"})
            self.drip()
        elif kind == "head":
            self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
            self.drip()
        elif kind in PLACES:
            self.answer(302, {"Location": PLACES[kind]})
        elif kind == "short":
            self.answer(200, {"Content-Length": "1000"})
            self.wfile.write(b"abc")
        elif kind == "huge":
            self.answer(200, {"Content-Length": str(10**15)})
        elif kind == "endless":
            self.answer(200, {})
            for _ in range(100):
                self.wfile.write(bytes(1 << 16))
        elif kind == "user":
            self.answer(200, {})
            self.wfile.write(self.headers.get("Authorization", "").encode())
        elif kind == "good":
            self.answer(200, {"Content-Length": "4"})
            self.wfile.write(b"good")
        else:
            self.answer(404, {})

    def answer(self, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def drip(self) -> None:
        with contextlib.suppress(ConnectionError):
            self.drops()

    def drops(self) -> None:
        for _ in range(100):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def log_message(self, *_: object) -> None: ...


PLACES = {
    "ftp": "ftp://127.0.0.1:1/cup.png",
    "file": "file:///etc/passwd",
    "data": "data:text/plain,hello",
    "loop": "/loop",
    "on": "/good",
    "nowhere": "http://127.0.0.1:1/cup.png",
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_what_a_server_sends_is_had(address: str) -> None:
    assert download(f"{address}/good") == b"good"
    assert download(f"{address}/on") == b"good"
    assert download(f"{address}/good?wörter=a b") == b"good"


@pytest.mark.parametrize("kind", ["drip", "head"])
def test_a_slow_server_is_left_after_a_time_in_all(kind: str, address: str) -> None:
    start = time.monotonic()
    with pytest.raises(InputError, match=r"cannot be fetched: it is not done after 0\.3 s"):
        download(f"{address}/{kind}", 0.3)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("ftp", "an address of ftp, and only http and https are followed"),
        ("file", "an address of file, and only"),
        ("data", "an address of data, and only"),
        ("loop", "leads on without end"),
        ("nowhere", "refused"),
        ("short", "ended after 3 of 1000 bytes"),
        ("huge", "sends more than"),
        ("endless", "sends more than"),
        ("none", "the server says 404 Not Found"),
    ],
)
def test_what_cannot_be_had_is_told_with_its_reason(kind: str, words: str, address: str) -> None:
    with pytest.raises(InputError, match=words):
        download(f"{address}/{kind}", 10, limit=1_000_000)


def test_passwords_are_sent_and_never_shown(address: str) -> None:
    url = address.replace("://", "://me:se%20cret@")
    assert base64.b64decode(download(f"{url}/user").split()[1]) == b"me:se cret"
    with pytest.raises(InputError) as refused:
        download(f"{url}/none")
    assert "cret" not in str(refused.value) and "404" in str(refused.value)
    assert shown_url("http://host/a@b") == "http://host/a@b"


@pytest.mark.parametrize("url", ["http://", "http://[::1", "http://host:99999999/", "http://a b/", "http://\x00/"])
def test_addresses_that_are_none_are_told(url: str) -> None:
    with pytest.raises(InputError, match=r"cannot be fetched: .+\. Check the address"):
        download(url, 10)
