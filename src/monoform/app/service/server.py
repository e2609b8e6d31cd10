"""Runs the service until Ctrl-C or SIGTERM, then lets it end in order."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from ..queue import Limits

SPARE = 50  # connections besides those that upload


def serve(app: Callable[..., Any], listening: socket.socket, limits: Limits) -> None:
    """Answer until a signal says to stop; then jobs that run get the grace that the limits give."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=limits.queue + limits.workers + SPARE,
        timeout_graceful_shutdown=max(1, round(limits.grace)),
        timeout_keep_alive=15,
        lifespan="on",
    )
    _Server(config).run(sockets=[listening])


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals end the service and nothing else: it leaves with 0."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self.handle_exit) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
