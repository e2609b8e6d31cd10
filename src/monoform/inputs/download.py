"""Files behind http(s) addresses, within a size and a time in all."""

from __future__ import annotations

import base64
import http.client
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from typing import Any

from ..computing import require_network
from ..errors import InputError
from .files import MAX_BYTES
from .public_addresses import PublicHTTPHandler, PublicHTTPSHandler

MAX_SECONDS = 60.0
STEP = 1 << 16
_URL = re.compile(r"^https?://", re.IGNORECASE)


def is_url(source: object) -> bool:
    """Whether this is an http(s) address."""
    return isinstance(source, str) and _URL.match(source) is not None


def shown_url(url: str) -> str:
    """An address without the user's name and password, which no message or file repeats.

    >>> shown_url("https://me:secret@host/cup.png")
    'https://host/cup.png'
    """
    return re.sub(r"^(https?://)[^/?#]*@", r"\1", url, flags=re.IGNORECASE)


def download(url: str, timeout: float = MAX_SECONDS, *, limit: int = MAX_BYTES, public: bool = False) -> bytes:
    """The bytes at an address; only http and https are followed.

    Args:
        url: with or without a user's name and password before its host.
        timeout: seconds in all, from the look-up of the host's name to the last byte.
        limit: bytes.
        public: connect to addresses of the public internet alone, whatever a name or a redirect leads to, and through
            no proxy.

    Raises:
        InputError: it cannot be fetched, takes longer, or sends more.
    """
    require_network(f"The file of {shown_url(url)}", "save it and give its path")
    fetching = _Fetching(url, timeout, limit, public)
    fetching.start()
    fetching.join(timeout)
    shown = shown_url(url)
    if fetching.is_alive():
        fetching.given_up = True
        raise InputError(
            f"{shown} cannot be fetched: it is not done after {timeout:g} s. Save the file, give its path."
        )
    error = fetching.error
    if error is not None:
        raise InputError(
            f"{shown} cannot be fetched: {_reason(error)}. Check the address and the connection."
        ) from error
    if len(fetching.data) > limit:
        raise InputError(f"{shown} sends more than {limit / 1e6:.0f} MB: save a smaller copy and give its path.")
    return bytes(fetching.data)


class _Fetching(threading.Thread):
    """A download that can be left: the limit of a socket is for each read alone, so that a slow server has no end."""

    def __init__(self, url: str, timeout: float, limit: int, public: bool) -> None:
        super().__init__(daemon=True)
        self.url, self.timeout, self.limit, self.public = url, timeout, limit, public
        self.data, self.given_up = bytearray(), False
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            with _opener(self.public).open(_request(self.url), timeout=self.timeout) as response:
                self._read(response)
        except Exception as error:  # urllib passes on whatever its sockets, codecs and parsers raise
            self.error = error

    def _read(self, response: Any) -> None:
        length = response.headers.get("Content-Length", "")
        wanted = int(length) if length.isdecimal() and len(length) < 20 else None
        if wanted is not None and wanted > self.limit:
            self.data = bytearray(self.limit + 1)
            return
        while not self.given_up and len(self.data) <= self.limit:
            part = response.read(STEP)
            if not part:
                break
            self.data += part
        if wanted is not None and len(self.data) < wanted:
            raise ConnectionError(f"the connection ended after {len(self.data)} of {wanted} bytes")


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        self._require_web(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Message) -> Any:
        self._require_web(urllib.parse.urljoin(req.full_url, headers.get("location") or headers.get("uri") or ""))
        return super().http_error_302(req, fp, code, msg, headers)  # type: ignore[arg-type]

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    @staticmethod
    def _require_web(url: str) -> None:
        if not is_url(url):
            scheme = url.partition(":")[0][:20]
            raise urllib.error.URLError(f"it leads on to an address of {scheme}, and only http and https are followed")


def _opener(public: bool) -> urllib.request.OpenerDirector:
    """An opener of web addresses alone, of all that urllib can open."""
    opener = urllib.request.OpenerDirector()
    connecting: tuple[type[urllib.request.BaseHandler], ...] = (
        (PublicHTTPHandler, PublicHTTPSHandler)
        if public
        else (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler)
    )
    for handler in (
        *connecting,
        urllib.request.UnknownHandler,
        urllib.request.HTTPDefaultErrorHandler,
        _Redirects,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _request(url: str) -> urllib.request.Request:
    quoted = urllib.parse.quote(shown_url(url), safe="%/:=&?~#+!$,;'@()*[]")
    request = urllib.request.Request(quoted, headers={"User-Agent": "monoform"})
    user = re.match(r"^https?://([^/?#]*)@", url, flags=re.IGNORECASE)
    if user:
        words = urllib.parse.unquote(user[1]).encode()
        request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(words).decode())
    return request


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        if 300 <= error.code < 400:
            return f"the server leads on without end ({error.code})"
        return f"the server says {error.code} {error.reason}".strip()
    if isinstance(error, http.client.IncompleteRead):
        return "the connection ended before all was sent"
    reason = getattr(error, "reason", None) or error
    return (str(reason).strip() or type(error).__name__).rstrip(".")
