"""monoform serve"""

from __future__ import annotations

import os
from dataclasses import dataclass

from .options import parse
from .serving import Serving, opened_queue

TOKEN = "MONOFORM_TOKEN"


@dataclass(frozen=True, kw_only=True)
class Serve(Serving):
    """Reconstruct photos that come over HTTP: POST /reconstruct, then GET /jobs/ID and its result.zip.

    The address /openapi.json describes all of it. Ctrl-C stops it in order.
    """

    port: int = 8000
    """Port to listen on; 0 for a free one."""
    token: str | None = None
    """Word that requests have to show as Authorization: Bearer TOKEN. Default: the environment variable
    MONOFORM_TOKEN, else none."""
    weights: tuple[str, ...] = ()
    """METHOD=FOLDER: weights for a method that is offered."""
    allow_urls: bool = False
    """Fetch photos from addresses that requests name; those of private networks are refused all the same."""
    queue: int = 100
    """Jobs that wait, at most; then requests are answered with 429."""
    results: int = 200
    """Finished results that are kept, at most."""
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
    from ..app.service.offered import Offer
    from ..app.service.routes import create_app
    from ..app.service.server import serve
    from ..app.service.sockets import bound_socket

    limits = asked.limits(queue=asked.queue, results=asked.results, grace=asked.grace)
    token = asked.token or os.environ.get(TOKEN) or None
    offer = Offer(asked.methods, weights_by_method(asked.weights))
    hosts = asked.hosts()
    listening = bound_socket(asked.host, asked.port)
    queue = opened_queue(limits, device)
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
