"""monoform app"""

from __future__ import annotations

import os
import webbrowser
from dataclasses import dataclass

from .options import parse
from .serving import Serving, opened_queue

PASSWORD = "MONOFORM_PASSWORD"


@dataclass(frozen=True, kw_only=True)
class App(Serving):
    """Open a web page: drop a photo, correct its mask, watch the reconstruction, turn the result, take it along.

    Ctrl-C stops it in order.
    """

    port: int = 7860
    """Port to listen on; 0 for a free one."""
    password: str | None = None
    """That the user monoform has to give. Default: the environment variable MONOFORM_PASSWORD, else none."""
    queue: int = 20
    """Photos that wait, at most."""
    print_only: bool = False
    """Print the page's address instead of opening it."""


def read(words: list[str]) -> App:
    """The options."""
    return parse(App, "app", words)


def run(words: list[str]) -> int:
    """Serve the page until it is stopped."""
    asked = read(words)
    from ..errors import InputError
    from ..ranges import require_range
    from .main import begin

    require_range("--port", asked.port, 0, 65535)
    device = begin(asked)
    try:
        import gradio  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InputError("monoform app needs Gradio: pip install 'monoform[app]'.") from error
    from ..app.service.offered import Offer
    from ..app.service.server import serve
    from ..app.service.sockets import bound_socket
    from ..app.web.site import create_site

    limits = asked.limits(queue=asked.queue, grace=1.0)
    offer = Offer(asked.methods)
    hosts = asked.hosts()
    password = asked.password or os.environ.get(PASSWORD) or None
    listening = bound_socket(asked.host, asked.port)
    queue = opened_queue(limits, device)
    try:
        site = create_site(queue, offer.methods, device=device, hosts=hosts, password=password)
        address = f"http://{asked.host}:{listening.getsockname()[1]}"
        print(f"The app is at {address} until Ctrl-C.")
        if hosts is None and password is None:
            print("Whoever reaches this address may use it: add --password WORD to ask for one.")
        if not asked.print_only:
            webbrowser.open(address)
        serve(site, listening, limits)
    finally:
        listening.close()
        queue.close()
    print("Stopped.")
    return 0
