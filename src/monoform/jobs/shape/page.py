"""The page of a comparison: each picture, its true object from another side, and the answers side by side."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...outputs import atomic_file
from ...text import printable
from .options import PAGE
from .tables import Rows

SHOWN = ("f_0.1", "iou", "silhouette_iou", "closed")
HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Shapes compared · monoform</title>
<style>body{font:14px/1.4 system-ui,sans-serif;margin:1.5em;color:#222;background:#fff}table{border-collapse:collapse}
td,th{padding:.3em .5em;text-align:left;vertical-align:top;border-top:1px solid #ddd}img{width:128px;height:128px;
object-fit:contain;background:#fff;border:1px solid #eee}td small{display:block;color:#555}</style>
"""


def write_page(out: Path, rows: Rows, pictures: Path, told: str) -> Path:
    """Write OUT/index.html, which shows files of OUT and the pictures of the inputs.

    Args:
        rows: scores by label, then by input.
        pictures: folder of the inputs.
        told: which inputs these are.
    """
    names = list(dict.fromkeys(name for own in rows.values() for name in own))
    where = "inputs" if pictures == out / "inputs" else pictures.resolve().as_uri()
    head = "".join(f"<th>{_text(title)}</th>" for title in ("input", "truth", *rows))
    body = "".join(_row(out, name, rows, where) for name in names)
    note = "Of each answer: as its own camera sees it, and from another side once it is aligned."
    page = (
        f"{HEAD}<h1>Shapes compared</h1><p>{_text(told)}</p><p>{note}</p><table><tr>{head}</tr>{body}</table></html>\n"
    )
    with atomic_file(out / PAGE) as draft:
        draft.write_text(page, encoding="utf-8")
    return out / PAGE


def _row(out: Path, name: str, rows: Rows, where: str) -> str:
    cells = [_image(f"{where}/{quote(name)}.png", name) + f"<small>{_text(name)}</small>"]
    cells.append(_image(f"truths/{quote(name)}.png", "the true object from another side"))
    cells += [_answer(out, label, name, own.get(name)) for label, own in rows.items()]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n"


def _answer(out: Path, label: str, name: str, content: Mapping[str, Any] | None) -> str:
    if content is None:
        return "not measured"
    if content.get("failed"):
        return f"no answer<small>{_text(content.get('reason', ''))}</small>"
    folder = f"{quote(label)}/{quote(name)}"
    shown = [
        _image(f"{folder}/{file}", label) for file in ("seen.png", "side.png") if (out / label / name / file).is_file()
    ]
    figures = [
        f"{_text(key)} {value:.3g}"
        for key, value in content.items()
        if isinstance(value, (int, float)) and key.endswith(SHOWN) and not key.startswith("none_")
    ]
    return "".join(shown) + f"<small>{'<br>'.join(figures)}</small>"


def _image(source: str, alternative: str) -> str:
    return f'<img loading="lazy" src="{escape(source)}" alt="{_text(alternative)}">'


def _text(value: object) -> str:
    return escape(printable(str(value)))
