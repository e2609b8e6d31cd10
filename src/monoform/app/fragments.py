"""Pieces of HTML. Whatever comes from outside passes through `escape`, here and nowhere else."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

LABELS = {
    "iou": "Mesh against mask (IoU)",
    "euler_number": "Euler number",
    "components": "Separate pieces",
    "area": "Surface area (world units²)",
    "volume": "Volume (world units³)",
    "bounds": "Bounds (x, y, z)",
    "origin": "Mask from",
    "confidence": "Mask confidence",
    "parts": "Parts in the mask",
}


def escape(value: object) -> str:
    """Text for HTML, inside or outside quotes; half letters, of names that are no UTF-8, are replaced."""
    return html.escape(str(value).encode("utf-8", "replace").decode("utf-8"), quote=True)


def link(target: str) -> str:
    """A relative address of a file whose name may hold anything; './' keeps 'a:b' from reading as a protocol."""
    return escape("./" + quote(target))


def readable(value: Any) -> str:
    """A value of result.json in words, not yet escaped."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        nested = any(isinstance(item, list | tuple) for item in value)
        return (" to " if nested else ", ").join(readable(item) for item in value)
    return str(value)


def label(key: str) -> str:
    """A key of result.json in words, not yet escaped."""
    words = key.replace("_", " ")
    return LABELS.get(key, words[:1].upper() + words[1:])


def table(rows: Mapping[str, Any]) -> str:
    """Two columns, name and value; nothing where there are no rows."""
    lines = (f"<tr><th scope=row>{escape(label(k))}</th><td>{escape(readable(v))}</td></tr>" for k, v in rows.items())
    return f"<table>{''.join(lines)}</table>" if rows else ""


def bars(seconds: Mapping[str, Any]) -> str:
    """Timings with a bar each; entries that are no number are left out."""
    numbers = {key: float(value) for key, value in seconds.items() if isinstance(value, int | float)}
    longest = max([*numbers.values(), 1e-9])
    lines = (
        f"<tr><th scope=row>{escape(label(key))}</th><td>{value:.2f} s</td><td class=bar>"
        f'<meter min=0 max="{longest:.6f}" value="{max(value, 0):.6f}" aria-hidden=true></meter></td></tr>'
        for key, value in numbers.items()
    )
    return f"<table>{''.join(lines)}</table>" if numbers else ""


def card(title: str, body: str) -> str:
    """A box with a heading; nothing where there is no body."""
    return f"<section class=card><h2>{escape(title)}</h2>{body}</section>" if body else ""


def figure(media: str, caption: str, kind: str = "") -> str:
    """A picture or film (HTML) with its caption (text)."""
    return f'<figure class="{kind}">{media}<figcaption>{escape(caption)}</figcaption></figure>'


def image(uri: str, alternative: str, attributes: str = "") -> str:
    """An img element."""
    return f'<img src="{escape(uri)}" alt="{escape(alternative)}" {attributes}>'


def bullets(items: Iterable[object]) -> str:
    """A list of sentences."""
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def file_size(count: int) -> str:
    """Bytes in kB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(count / 1e3, 0.1):.1f} kB"
