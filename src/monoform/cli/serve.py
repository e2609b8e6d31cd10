"""monoform serve"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..computing import Computing
from .options import parse

TOKEN = "MONOFORM_TOKEN"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Serve(Computing):
    """Reconstruct photos that come over HTTP: POST /reconstruct, then GET /jobs/ID and its result.zip.

    The address /openapi.json describes all of it. Ctrl-C stops it in order.
    """

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 lets other machines in."""
    port: int = 8000
    """Port to listen on; 0 for a free one."""
    token: str | None = None
    """Word that requests have to show as Authorization: Bearer TOKEN. Default: the environment variable
    MONOFORM_TOKEN, else none."""
    methods: tuple[str, ...] = ("lift", "inflate")
    """Methods that may be asked for, the default first."""
    weights: tuple[str, ...] = ()
    """METHOD=FOLDER: weights for a method that is offered."""
    allow_urls: bool = False
    """Fetch photos from addresses that requests name; those of private networks are refused all the same."""
    allow_host: tuple[str, ...] = ()
    """Further names by which the service may be called. Default: only those of this machine where --host is one of
    them, else any."""
    workers: int = 1
    """Jobs at once, each in a process of its own."""
    queue: int = 100
    """Jobs that wait, at most; then requests are answered with 429."""
    seconds: float = 600.0
    """A job may take."""
    keep: float = 60.0
    """Minutes for which a finished result is kept."""
    results: int = 200
    """Finished results that are kept, at most."""
    megabytes: float = 32.0
    """Of a request, at most."""
    megapixels: float = 50.0
    """Of a photo, at most."""
    memory: float = 8.0
    """GB of memory of each worker process, beyond which its job fails; 0 for no bound. Linux, on the CPU."""
    grace: float = 10.0
    """Seconds that jobs get to end when the service is stopped."""


def read(words: list[str]) -> Serve:
    """The options."""
    return parse(Serve, "serve", words)


def run(words: list[str]) -> int:
    """Serve until it is stopped."""
    asked = read(words)
    from ..errors import InputError
    from ..ranges import require_range
    from .main import begin

    require_range("--port", asked.port, 0, 65535)
    device = begin(asked)
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InputError("monoform serve needs FastAPI: pip install 'monoform[serve]'.") from error
    import torch

    from ..app.queue import JobQueue, Limits
    from ..app.service.offered import Offer
    from ..app.service.routes import create_app
    from ..app.service.server import serve
    from ..app.service.sockets import bound_socket

    limits = Limits(
        queue=asked.queue,
        workers=asked.workers,
        seconds=asked.seconds,
        keep=asked.keep,
        results=asked.results,
        megabytes=asked.megabytes,
        megapixels=asked.megapixels,
        memory=asked.memory,
        grace=asked.grace,
    )
    token = asked.token or os.environ.get(TOKEN) or None
    offer = Offer(asked.methods, weights_by_method(asked.weights))
    hosts = allowed_hosts(asked.host, asked.allow_host)
    listening = bound_socket(asked.host, asked.port)
    threads = max(1, torch.get_num_threads() // limits.workers)
    queue = JobQueue(limits, threads=threads, bounded=device == "cpu")
    try:
        host, port = listening.getsockname()[:2]
        print(f"Serving at http://{f'[{host}]' if ':' in host else host}:{port} until Ctrl-C.")
        if hosts is None and token is None:
            print("Whoever reaches this address may use it: add --token WORD to ask for one.")
        app = create_app(queue, offer, urls=asked.allow_urls, device=device, token=token, hosts=hosts)
        serve(app, listening, limits)
    finally:
        listening.close()
        queue.close()
    print("Stopped.")
    return 0


def allowed_hosts(host: str, further: tuple[str, ...]) -> set[str] | None:
    """Names by which a server may be called; None: any, where other machines are let in.

    A page elsewhere can give its own name the address of this machine: what is for this machine answers to its names.
    """
    local = host in LOOPBACK
    return {*further, host, *(LOOPBACK if local else ())} if local or further else None


def weights_by_method(words: tuple[str, ...]) -> dict[str, str]:
    """METHOD=FOLDER words.

    Raises:
        InputError: one is something else.
    """
    from ..errors import InputError

    found = {}
    for word in words:
        method, equals, folder = word.partition("=")
        if not equals or not folder:
            raise InputError(f"--weights {word}: give METHOD=FOLDER.")
        if not os.path.isdir(folder):
            raise InputError(f"--weights {word}: there is no folder {folder}.")
        found[method] = os.path.abspath(folder)
    return found
