"""monoform app"""

from __future__ import annotations

import os
import webbrowser
from dataclasses import dataclass

from ..computing import Computing
from .options import parse

PASSWORD = "MONOFORM_PASSWORD"


@dataclass(frozen=True)
class App(Computing):
    """Open a web page: drop a photo, correct its mask, watch the reconstruction, turn the result, take it along.

    Ctrl-C stops it in order.
    """

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 lets other machines in."""
    port: int = 7860
    """Port to listen on; 0 for a free one."""
    password: str | None = None
    """That the user monoform has to give. Default: the environment variable MONOFORM_PASSWORD, else none."""
    methods: tuple[str, ...] = ("lift", "inflate")
    """Methods that may be chosen, the default first."""
    allow_host: tuple[str, ...] = ()
    """Further names by which the app may be called. Default: only those of this machine where --host is one of them,
    else any."""
    workers: int = 1
    """Photos at once, each in a process of its own."""
    queue: int = 20
    """Photos that wait, at most."""
    seconds: float = 600.0
    """A reconstruction may take."""
    keep: float = 60.0
    """Minutes for which a finished result is kept."""
    megabytes: float = 32.0
    """Of a photo's file, at most."""
    megapixels: float = 50.0
    """Of a photo, at most."""
    memory: float = 8.0
    """GB of memory of each worker process, beyond which its job fails; 0 for no bound. Linux, on the CPU."""
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
    from .serve import allowed_hosts

    require_range("--port", asked.port, 0, 65535)
    device = begin(asked)
    try:
        import gradio  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InputError("monoform app needs Gradio: pip install 'monoform[app]'.") from error
    import torch

    from ..app.queue import JobQueue, Limits
    from ..app.service.offered import Offer
    from ..app.service.server import serve
    from ..app.service.sockets import bound_socket
    from ..app.web.site import create_site

    limits = Limits(
        queue=asked.queue,
        workers=asked.workers,
        seconds=asked.seconds,
        keep=asked.keep,
        megabytes=asked.megabytes,
        megapixels=asked.megapixels,
        memory=asked.memory,
        grace=1.0,
    )
    offer = Offer(asked.methods)
    hosts = allowed_hosts(asked.host, asked.allow_host)
    password = asked.password or os.environ.get(PASSWORD) or None
    listening = bound_socket(asked.host, asked.port)
    threads = max(1, torch.get_num_threads() // limits.workers)
    queue = JobQueue(limits, threads=threads, bounded=device == "cpu")
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
