"""monoform view RESULT"""

from __future__ import annotations

import webbrowser
from dataclasses import dataclass
from pathlib import Path

import tyro

from ..errors import InputError
from ..inputs import require_folder
from .options import parse


@dataclass(frozen=True)
class View:
    """Open the page of a result in the browser, written first where it is missing, or that of a training as it goes.

    With --live a server shows it in three dimensions, with its cameras and their photos, and renders of any view.
    """

    result: tyro.conf.Positional[Path]
    """A result folder, one of a batch with its index.html, or one of a training; with --live a result or a scene."""
    live: bool = False
    """Serve a live view until Ctrl-C, by viser."""
    host: str = "127.0.0.1"
    """Address that --live listens on; 0.0.0.0 lets other machines in."""
    port: int = 8080
    """Port that --live listens on."""
    print_only: bool = False
    """Print the page's address instead of opening it."""


def read(words: list[str]) -> View:
    """The options."""
    return parse(View, "view", words)


def run(words: list[str]) -> int:
    """Find or write the page, then open it."""
    asked = read(words)
    if asked.live:
        return _live(asked)
    address = _page(asked.result).resolve().as_uri()
    print(address)
    if not asked.print_only and not webbrowser.open(address):
        raise InputError(f"No browser could be opened: open {address} yourself.")
    return 0


def _live(asked: View) -> int:
    """Serve until Ctrl-C."""
    import threading

    from ..app.live import opened, serve_live
    from ..app.service.sockets import bound_socket
    from ..interrupts import on_signals
    from ..ranges import require_range

    require_range("--port", asked.port, 1, 65535)
    require_folder(asked.result, "result folder")
    shown = opened(asked.result)
    bound_socket(asked.host, asked.port).close()  # viser would silently take another port
    server, ended = serve_live(shown, host=asked.host, port=asked.port), threading.Event()
    on_signals(lambda *_: ended.set())
    address = f"http://{asked.host}:{server.get_port()}"
    print(f"The live view is at {address} until Ctrl-C.")
    if not asked.print_only:
        webbrowser.open(address)
    ended.wait()
    server.stop()
    print("Stopped.")
    return 0


def _page(folder: Path) -> Path:
    require_folder(folder, "result folder")
    for name in ("report.html", "index.html", "pictures/index.html"):
        if (folder / name).is_file():
            return folder / name
    from ..app.report import write_report
    from ..outputs import require_free_file
    from ..scene.result_files import REPORT, RESULT, result_in

    folder = result_in(folder)
    if (folder / REPORT).is_file():
        return folder / REPORT
    if not (folder / RESULT).is_file():
        if (folder / "training.json").is_file():
            raise InputError(f"The training in {folder} has no pictures yet: it writes some with each evaluation.")
        raise InputError(f"{folder} holds no {RESULT}; give the folder of a finished result.")
    require_free_file(folder / REPORT)
    return write_report(folder)
