"""A page about a running training: its latest pictures, which loads itself anew as long as there may be newer ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from urllib.parse import quote

from ..outputs import atomic_file

PAGE = "index.html"
REFRESH = 10  # seconds
EARLIER = 50  # pictures of one name that are shown beside the latest
STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:1rem auto;"
    "padding:0 1rem}img{width:100%;image-rendering:pixelated}details img{max-width:24rem}figure{margin:0 0 1rem}"
)


def write_page(folder: Path, *, step: int, steps: int, note: str, running: bool) -> None:
    """Write the page of the pictures NAME_STEP.png in a folder.

    Args:
        folder: of the pictures, in which the page comes to lie.
        step: how far the training is; pictures of later steps are of a session that was stopped.
        steps: of the whole training.
        note: about its losses.
        running: whether there may be newer pictures.

    Raises:
        WriteError: the folder cannot be written.
    """
    state = f"Step {step:,} of {steps:,}" + (f": {note}" if note else "") + ("" if running else ". Not running.")
    refresh = f'<meta http-equiv="refresh" content="{REFRESH}">' if running else ""
    sections = "".join(_section(name, found) for name, found in _pictures(folder, step).items())
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{refresh}<title>Training · monoform</title>'
        f"<style>{STYLE}</style></head><body><h1>Training</h1><p>{escape(state)}</p>{sections}</body></html>\n"
    )
    with atomic_file(folder / PAGE) as path:
        path.write_text(page, encoding="utf-8")


def _pictures(folder: Path, step: int) -> dict[str, dict[int, str]]:
    """Files by name and step, the latest step first."""
    found: dict[str, dict[int, str]] = {}
    for name, at, file in sorted(_named(folder), key=lambda each: (each[0], -each[1])):
        if at <= step:
            found.setdefault(name, {})[at] = file
    return found


def _named(folder: Path) -> Iterator[tuple[str, int, str]]:
    for path in folder.glob("*.png"):
        if match := re.fullmatch(r"(.+)_(\d{7,})\.png", path.name):
            yield match[1], int(match[2]), path.name


def _section(name: str, found: dict[int, str]) -> str:
    (latest, first), *earlier = found.items()
    more = "".join(_figure(file, f"step {step:,}") for step, file in earlier[:EARLIER])
    more = f"<details><summary>earlier</summary>{more}</details>" if more else ""
    return f"<h2>{escape(name)}</h2>{_figure(first, f'step {latest:,}')}{more}"


def _figure(file: str, caption: str) -> str:
    image = f'<img src="./{escape(quote(file))}" alt="{escape(caption)}" loading="lazy">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"
