"""What is looked at before a request is read: who asks, from where, how much is sent, and whether there is room."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlsplit

from ..queue import Full, JobQueue, Stopped

PATIENCE = 30.0  # seconds for which a sender may be silent
OPEN = ("/health",)
Message = dict[str, Any]


class Gate:
    """Answers what is not to be let in; an ASGI application around another.

    Args:
        app: the other.
        queue: in which each upload needs a place.
        upload: path of the requests that do.
        token: that a request shows as `Authorization: Bearer TOKEN`; None: all are let in.
        hosts: names by which the service may be called, without ports; None: any.
        largest: bytes of all other requests.
    """

    def __init__(
        self,
        app: Callable[..., Any],
        *,
        queue: JobQueue,
        upload: str,
        token: str | None = None,
        hosts: Collection[str] | None = None,
        largest: int = 1 << 16,
    ) -> None:
        self.app, self.queue, self.upload, self.token, self.hosts = app, queue, upload, token, hosts
        self.largest = largest

    async def __call__(self, scope: Message, receive: Callable[[], Any], send: Callable[[Message], Any]) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refused(scope, headers)
        if refused is not None:
            await _answer(send, *refused)
        elif scope["method"] == "POST" and scope["path"] == self.upload:
            await self._upload(scope, receive, send, headers)
        else:
            body = _Body(receive, send, self.largest)
            await self.app(scope, body.receive, body.send)

    def _refused(self, scope: Message, headers: dict[str, str]) -> tuple[int, str] | None:
        host = _host_of("//" + headers.get("host", ""))
        if self.hosts is not None and host not in self.hosts:
            return 421, "This service is not known by that name: start it with --allow-host NAME."
        origin = headers.get("origin")
        if scope["method"] not in ("GET", "HEAD") and origin is not None:
            place = urlsplit(origin).netloc if "//" in origin else None
            if place != headers.get("host"):
                return 403, "Pages of other sites may not send anything here."
        if self.token is not None and scope["path"] not in OPEN:
            shown = headers.get("authorization", "")
            if not hmac.compare_digest(shown.encode(), f"Bearer {self.token}".encode()):
                return 401, "This service needs its token: Authorization: Bearer TOKEN."
        return None

    async def _upload(self, scope: Message, receive: Any, send: Any, headers: dict[str, str]) -> None:
        most = int(self.queue.limits.megabytes * 1e6)
        length = headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > most):
            await _answer(send, 413, _too_large(most))
            return
        try:
            self.queue.reserve()
        except Full as full:
            await _answer(send, 429, "There is no room in the queue: try again later.", retry=full.seconds)
            return
        except Stopped:
            await _answer(send, 503, "The service is stopping.", retry=30)
            return
        place = scope.setdefault("state", {})
        place["reserved"] = True
        try:
            body = _Body(receive, send, most)
            await self.app(scope, body.receive, body.send)
        finally:
            if place["reserved"]:  # no job has come of it
                self.queue.release()


class _Body:
    """The body of a request, up to a size and without long silences; past them the answer is given here."""

    def __init__(self, receive: Any, send: Any, most: int) -> None:
        self._receive, self._send, self.left, self.most = receive, send, most, most
        self.over = self.whole = False

    async def receive(self) -> Message:
        if self.over:
            return {"type": "http.disconnect"}
        if self.whole:  # what comes now is that the client has gone, whenever that is
            return dict(await self._receive())
        try:
            message: Message = await asyncio.wait_for(self._receive(), PATIENCE)
        except TimeoutError:
            return await self._end(408, "The request stopped coming.")
        self.left -= len(message.get("body", b""))
        if self.left < 0:
            return await self._end(413, _too_large(self.most))
        self.whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if not self.over:
            await self._send(message)

    async def _end(self, code: int, sentence: str) -> Message:
        self.over = True
        await _answer(self._send, code, sentence)
        return {"type": "http.disconnect"}


def _too_large(most: int) -> str:
    return f"A request may have {most / 1e6:g} MB at most: send a smaller copy of the photo."


def _host_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


async def _answer(send: Any, code: int, sentence: str, retry: int | None = None) -> None:
    body = json.dumps({"detail": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [] if retry is None else [(b"retry-after", str(retry).encode())]
    headers += [(b"www-authenticate", b"Bearer")] if code == 401 else []
    headers += [(b"connection", b"close")] if code in (408, 413) else []
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
