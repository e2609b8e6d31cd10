"""What strangers name is fetched from the public internet alone, whatever its name or its redirects lead to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from monoform.errors import InputError
from monoform.inputs import public_addresses
from monoform.inputs.download import download
from monoform.inputs.public_addresses import is_public

# fmt: off
PRIVATE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:db8::1", "no-address",
]
# fmt: on
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


class Server(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        port = self.server.server_address[1]
        places = {"/name": f"http://inside.test:{port}/good", "/number": f"http://127.0.0.2:{port}/good"}
        self.send_response(302 if self.path in places else 200)
        self.send_header("Location", places.get(self.path, ""))
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"good")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server at a name that counts as public here; beside it a name that does not."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found = {"outside.test": "127.0.0.1", "inside.test": "127.0.0.3", "127.0.0.2": "127.0.0.2"}
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, **_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found[host], port))],
    )
    monkeypatch.setattr(public_addresses, "is_public", lambda address: address == "127.0.0.1")
    Server.asked.clear()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_a_public_name_is_fetched(port: int) -> None:
    assert download(f"http://outside.test:{port}/good", public=True) == b"good"


@pytest.mark.parametrize("place", ["name", "number"])
def test_redirects_are_looked_at_again(port: int, place: str) -> None:
    with pytest.raises(InputError, match="no address of the public internet"):
        download(f"http://outside.test:{port}/{place}", public=True)
    assert Server.asked == [f"/{place}"]


def test_names_of_private_places_are_refused_and_proxies_not_asked(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    with pytest.raises(InputError, match="no address of the public internet"):
        download(f"http://inside.test:{port}/good", public=True)
    assert Server.asked == []
