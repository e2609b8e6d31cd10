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
    """Open the page of a result in the browser; it is written first where it is missing."""

    result: tyro.conf.Positional[Path]
    """A result folder, or a folder of a batch with its index.html."""
    print_only: bool = False
    """Print the page's address instead of opening it."""


def read(words: list[str]) -> View:
    """The options."""
    return parse(View, "view", words)


def run(words: list[str]) -> int:
    """Find or write the page, then open it."""
    asked = read(words)
    address = _page(asked.result).resolve().as_uri()
    print(address)
    if not asked.print_only and not webbrowser.open(address):
        raise InputError(f"No browser could be opened: open {address} yourself.")
    return 0


def _page(folder: Path) -> Path:
    require_folder(folder, "result folder")
    for name in ("report.html", "index.html"):
        if (folder / name).is_file():
            return folder / name
    from ..app.report import write_report
    from ..outputs import require_free_file
    from ..scene.result_files import REPORT, RESULT, result_in

    folder = result_in(folder)
    if (folder / REPORT).is_file():
        return folder / REPORT
    if not (folder / RESULT).is_file():
        raise InputError(f"{folder} holds no {RESULT}; give the folder of a finished result.")
    require_free_file(folder / REPORT)
    return write_report(folder)
