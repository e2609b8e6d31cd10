"""Web connections to the public internet alone, for addresses that strangers name.

The host's name is looked up once and what is connected to is the address that was looked at: a name that leads to
another place the second time changes nothing, and each redirect is a new connection.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import urllib.request
from typing import Any

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # IPv4 addresses behind NAT64
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet: not of this machine, a private net, a link or a group.

    >>> is_public("8.8.8.8"), is_public("::ffff:127.0.0.1")
    (True, False)
    """
    try:
        found: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(each.is_global and not each.is_multicast and not each.is_reserved for each in _meant(found))


def _meant(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address stands for; else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inner: list[Address] = [each for each in (address.ipv4_mapped, address.sixtofour) if each is not None]
    inner += address.teredo or ()
    if address in _TRANSLATED:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return inner or [address]


def connect_publicly(host: str, port: int, timeout: Any = None) -> socket.socket:
    """A connection to a host, if all that its name stands for is public.

    Raises:
        OSError: its name leads elsewhere, or nobody answers.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not found or not all(is_public(str(place[0])) for *_, place in found):
        raise ConnectionRefusedError(f"{host} is no address of the public internet, and only those are followed")
    fault: OSError | None = None
    for family, kind, protocol, _, place in found:
        made = socket.socket(family, kind, protocol)
        try:
            if isinstance(timeout, int | float):
                made.settimeout(timeout)
            made.connect(place)
            return made
        except OSError as error:
            made.close()
            fault = error
    assert fault is not None
    raise fault


class _Plain(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = connect_publicly(self.host, self.port, self.timeout)


class _Secure(http.client.HTTPSConnection):
    def connect(self) -> None:
        plain = connect_publicly(self.host, self.port, self.timeout)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


class PublicHTTPHandler(urllib.request.HTTPHandler):
    """Opens http addresses of the public internet."""

    def http_open(self, req: urllib.request.Request) -> Any:
        """See `urllib.request.HTTPHandler`."""
        return self.do_open(_Plain, req)


class PublicHTTPSHandler(urllib.request.HTTPSHandler):
    """Opens https addresses of the public internet."""

    def https_open(self, req: urllib.request.Request) -> Any:
        """See `urllib.request.HTTPSHandler`."""
        return self.do_open(_Secure, req)
