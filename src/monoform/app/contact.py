"""The outcome of a batch: summary.csv for programs, index.html for people."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..inputs import read_bytes
from ..inputs.remote import AnyPath
from ..outputs import require_ours, written_file
from . import fragments as html
from .page import fill, package_text, policy
from .pictures import picture_uri
from .words import figures_in_words, fit_in_words, is_guessed

FIRST = ("name", "status", "message", "mask")  # by which a summary of any version is known
COLUMNS = (*FIRST, "seconds", "iou", "faces", "watertight", "components", "folder", "confidence")
RANKED = ("psnr", "fog", "clip", "rank")  # of results of several seeds
MARK = "<title>Results · monoform</title>"
STATES = {"done": "done", "kept": "kept from before", "failed": "failed"}


def write_summary(out: AnyPath, rows: Sequence[Mapping[str, Any]], unit: str = "photo") -> AnyPath:
    """Write `summary.csv` and the contact sheet `index.html` of a batch into `out`; return the sheet's path.

    Args:
        out: the folder that holds the results' folders, or its address.
        rows: one mapping a photo with the keys of `COLUMNS` and `RANKED`: `status` is "done", "kept" (made by an
            earlier run) or "failed", `message` the sentence of a failure, `folder` the result's folder relative to
            `out`. Only `name` and `status` are needed.
        unit: what a row is about.
    """
    for row in rows:
        if row.get("status") not in STATES:
            raise InputError(f"Row {row.get('name')!r} has status {row.get('status')!r}; use {', '.join(STATES)}.")
    columns = (*COLUMNS, *RANKED) if any(row.get("rank") is not None for row in rows) else COLUMNS
    style = package_text("page.css")
    page = fill(
        "contact.html",
        policy=policy(style=style),
        style=style,
        tally=html.escape(_tally(rows, unit)),
        failures=_failures([row for row in rows if row["status"] == "failed"]),
        sheet="".join(_tile(out, row) for row in rows if row["status"] != "failed"),
    )
    with written_file(out / "index.html") as sheet, written_file(out / "summary.csv") as table:
        sheet.write_text(page, encoding="utf-8")
        with table.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows({key: "" if row.get(key) is None else row[key] for key in columns} for row in rows)
    return out / "index.html"


def require_place(out: AnyPath) -> None:
    """Look whether the summary of a batch may be written into `out`.

    Raises:
        InputError: a file of its name is there that no batch wrote.
    """
    for name in ("summary.csv", "index.html"):
        place = out / name
        if isinstance(place, Path):
            require_ours(place, _is_ours)
        elif place.is_file() and not _is_ours(place):
            raise InputError(f"{place} is there and not monoform's: choose another -o, or move it.")


def _is_ours(place: AnyPath) -> bool:
    data = place.read_bytes() if isinstance(place, Path) else read_bytes(place)
    return data.startswith(",".join(FIRST).encode()) if place.suffix == ".csv" else MARK.encode() in data


def _tally(rows: Sequence[Mapping[str, Any]], unit: str) -> str:
    counts = {words: sum(row["status"] == status for row in rows) for status, words in STATES.items()}
    seconds = sum(row["seconds"] for row in rows if isinstance(row.get("seconds"), int | float))
    parts = [f"{len(rows)} {unit}{'s' if len(rows) != 1 else ''}"]
    parts += [f"{count} {words}" for words, count in counts.items() if count]
    parts += [f"{seconds:.1f} s of work"] if seconds else []
    guessed = sum(row["status"] != "failed" and is_guessed(row.get("mask")) for row in rows)
    parts += [f"{guessed} mask{'s' if guessed != 1 else ''} found automatically: look at them first"] if guessed else []
    return " · ".join(parts)


def _failures(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    items = "".join(
        f"<li><strong>{html.escape(row.get('name', ''))}</strong>: "
        f"{html.escape(row.get('message') or 'No reason given.')}</li>"
        for row in rows
    )
    return f"<section class=notices><h2>Failed</h2><ul>{items}</ul></section>"


def _tile(out: AnyPath, row: Mapping[str, Any]) -> str:
    name, folder = str(row.get("name", "")), str(row.get("folder") or row.get("name", ""))
    picture = _thumbnail(out / folder, name)
    report = out / folder / "report.html"
    title = html.escape(name)
    if report.is_file():
        address = html.link(f"{folder}/report.html")
        picture, title = f'<a href="{address}">{picture}</a>', f'<a href="{address}">{title}</a>'
    message = f"<p class=doubt>{html.escape(row['message'])}</p>" if row.get("message") else ""
    text = f"{title}{message}<p>{html.escape(_facts(row))}</p>"
    return f"<article class=card>{picture}<div class=text>{text}</div></article>"


def _thumbnail(folder: AnyPath, name: str) -> str:
    for file in ("overlay.png", "image.png", "image_000.png", "mask.png"):
        if (folder / file).is_file():
            try:
                return html.image(
                    picture_uri(folder / file, longest=256, quality=80), f"Picture of {name}", "loading=lazy"
                )
            except InputError:
                continue
    return "<div class=blank></div>"


def _facts(row: Mapping[str, Any]) -> str:
    faces, components, seconds = (row.get(key) for key in ("faces", "components", "seconds"))
    facts = [
        f"rank {row['rank']}: {figures_in_words(row)}" if isinstance(row.get("rank"), int) else "",
        f"{faces:,} faces" if isinstance(faces, int) else "",
        {True: "watertight", False: "not watertight"}.get(row.get("watertight", ""), ""),
        f"{components} pieces" if isinstance(components, int) and components != 1 else "",
        f"{seconds:.1f} s" if isinstance(seconds, int | float) else "",
        STATES["kept"] if row["status"] == "kept" else "",
        fit_in_words(row.get("iou"), row.get("confidence")),
    ]
    return " · ".join(fact for fact in facts if fact)
