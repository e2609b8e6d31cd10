"""Speaks to `monoform serve`, with nothing but Python's own library: for programs that bring a Python of their own."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Tell = Callable[[str, float | None], None]
WAIT = 1.0  # seconds between two questions after a job


class ServiceError(RuntimeError):
    """What the service says, or that it cannot be reached, in one sentence."""


class Service:
    """A running service.

    Args:
        address: such as http://127.0.0.1:8000.
        token: where the service asks for one.
        timeout: seconds for each request.
    """

    def __init__(self, address: str = "http://127.0.0.1:8000", token: str = "", timeout: float = 60.0) -> None:
        if not address.lower().startswith(("http://", "https://")):
            raise ServiceError(f"{address!r} is no address of a service: give one such as http://127.0.0.1:8000.")
        self.address, self.token, self.timeout = address.rstrip("/"), token, timeout

    def about(self) -> dict[str, Any]:
        """Version, methods and limits."""
        return dict(self._json("GET", "/"))

    def submit(
        self,
        photo: bytes,
        name: str = "photo.png",
        *,
        mask: bytes | None = None,
        form: Mapping[str, object] | None = None,
        patience: float = 600.0,
    ) -> str:
        """Send a photo.

        Args:
            photo: a file's bytes, such as PNG or JPEG.
            name: of it; the result is named after it.
            mask: a file's bytes, white where the object is.
            form: further fields, such as method, seed, faces; several values as a list.
            patience: seconds for which it is tried again while there is no room.

        Returns:
            The job's number.
        """
        files = {"photo": (name, photo)} | ({} if mask is None else {"mask": ("mask.png", mask)})
        kind, body = _multipart(form or {}, files)
        until = time.monotonic() + patience
        while True:
            try:
                return str(self._json("POST", "/reconstruct", body, {"Content-Type": kind})["id"])
            except _NoRoom as full:
                if time.monotonic() + full.seconds > until:
                    raise
                time.sleep(full.seconds)

    def status(self, job: str) -> dict[str, Any]:
        """How far a job is."""
        return dict(self._json("GET", f"/jobs/{job}"))

    def wait(self, job: str, tell: Tell | None = None, *, stop: Callable[[], bool] | None = None) -> dict[str, Any]:
        """Wait for a job.

        Args:
            tell: called with what is being done, and the share of it that is done, 0..1, where that is known.
            stop: asked now and then whether to break the job off.

        Raises:
            ServiceError: it failed, or was broken off.
        """
        try:
            while True:
                found = self.status(job)
                if found["state"] == "failed":
                    raise ServiceError(found["message"])
                if found["state"] == "done":
                    return found
                if stop is not None and stop():
                    raise ServiceError("Broken off.")
                if tell is not None:
                    tell(*_progress(found))
                time.sleep(WAIT)
        except BaseException:
            self.forget(job)
            raise

    def file(self, job: str, name: str) -> bytes:
        """A file of a finished job's result."""
        return self._ask("GET", f"/jobs/{job}/files/{name}")

    def archive(self, job: str) -> bytes:
        """The whole result as a zip file."""
        return self._ask("GET", f"/jobs/{job}/result.zip")

    def forget(self, job: str) -> None:
        """Break a job off, or let its result be removed; no matter whether it is there."""
        try:
            self._ask("DELETE", f"/jobs/{job}")
        except ServiceError:
            return

    def _json(self, *asked: Any) -> Any:
        try:
            return json.loads(self._ask(*asked))
        except ValueError as error:
            raise ServiceError(f"{self.address} does not answer as monoform does.") from error

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        shown = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request = urllib.request.Request(self.address + path, body, {**shown, **(headers or {})}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            sentence = _sentence(error)
            if error.code == 429:
                raise _NoRoom(sentence, float(error.headers.get("Retry-After") or 10)) from error
            raise ServiceError(sentence) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise ServiceError(f"{self.address} cannot be reached: {reason}. Is `monoform serve` running?") from error


class _NoRoom(ServiceError):
    def __init__(self, sentence: str, seconds: float) -> None:
        super().__init__(sentence)
        self.seconds = seconds


def _progress(found: Mapping[str, Any]) -> tuple[str, float | None]:
    if found["state"] == "waiting":
        return f"{found['position']} before it in the queue", None
    left, spent = found["seconds_left"], found["seconds"]
    return found["doing"], None if not left else spent / (spent + left)


def _sentence(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"The service says {error.code} {error.reason}."


def _multipart(form: Mapping[str, object], files: Mapping[str, tuple[str, bytes]]) -> tuple[str, bytes]:
    """Content type and body of a form with files."""
    mark = uuid.uuid4().hex
    parts: list[bytes] = []
    for key, value in form.items():
        several = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        parts += [_part(mark, f'name="{key}"', str(each).encode()) for each in several]
    for key, (name, data) in files.items():
        plain = "".join("_" if each in '"\\\r\n' else each for each in name)
        parts.append(_part(mark, f'name="{key}"; filename="{plain}"', data))
    return f"multipart/form-data; boundary={mark}", b"".join([*parts, f"--{mark}--\r\n".encode()])


def _part(mark: str, head: str, data: bytes) -> bytes:
    return f"--{mark}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
