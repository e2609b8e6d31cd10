"""The items of an evaluation: each in a folder of its own, with its scores, once it is measured."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError, WriteError
from ..inputs import read_text
from ..outputs import Kind, atomic_folder, remove_folder, require_replaceable
from .protocol import Protocol
from .table import ObjectScores

SCORES, SECONDS = "scores.json", "seconds"


def _kind(protocol: Protocol) -> Kind:
    """The folders of measured items."""
    return Kind("measured item", SCORES, pattern="|".join(filter(None, (r"scores\.json", protocol.files))))


def clear_items(protocol: Protocol, folders: Sequence[Path]) -> None:
    """Remove what was measured before; all of it or, where something else lies there, nothing."""
    found = [folder for folder in folders if folder.is_dir()]
    for folder in found:
        require_replaceable(folder, _kind(protocol))
    for folder in found:
        remove_folder(folder)


def holds_items(place: Path) -> bool:
    """Whether anything was measured in a folder."""
    return next(place.rglob(SCORES), None) is not None


def require_current(protocol: Protocol, place: Path, folders: Sequence[str]) -> Sequence[str]:
    """Remove what was measured of something that has changed since; the names of the items that stay."""
    rows = item_rows(protocol, place, folders)
    old = [
        number
        for number, name in enumerate(protocol.names)
        if name in rows and protocol.has_changed(number, rows[name][1])
    ]
    clear_items(protocol, [place / folders[number] for number in old])
    return [name for name in rows if name not in {protocol.names[number] for number in old}]


def measured_item(protocol: Protocol, place: Path, number: int) -> str | None:
    """Measure an item and keep its scores; where that cannot be done, the reason."""
    begun = time.perf_counter()
    try:
        with atomic_folder(place / protocol.folder(protocol.names[number]), _kind(protocol)) as draft:
            content = dict(protocol.measure(number, draft))
            content[SECONDS] = round(time.perf_counter() - begun, 3)
            (draft / SCORES).write_text(json.dumps(content, indent=1), encoding="utf-8")
    except WriteError:
        raise
    except InputError as error:
        return str(error)
    return None


def item_rows(
    protocol: Protocol, place: Path, folders: Sequence[str]
) -> dict[str, tuple[ObjectScores, Mapping[str, Any]]]:
    """Of each measured item, in their order, its row of the table and all that is kept of it."""
    found = {}
    for name, each in zip(protocol.names, folders, strict=True):
        folder = place / each
        if (folder / SCORES).is_file():
            try:
                content = json.loads(read_text(folder / SCORES))
                found[name] = (_row(protocol, name, content), content)
            except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
                raise InputError(f"{folder / SCORES} is damaged: remove {folder}, and it is made again.") from error
    return found


def _row(protocol: Protocol, name: str, content: Mapping[str, Any]) -> ObjectScores:
    """The scores of an item, its seconds last."""
    told = {key: value for key, value in content.items() if key != SECONDS}
    took = {SECONDS: float(content[SECONDS])} if SECONDS in content else {}
    images = told["images"] if isinstance(told.get("images"), list) else [0]
    category, _, last = name.partition("/") if "/" in name else ("", "", name)
    return ObjectScores(last, category, len(images), {**protocol.scores(told), **took})
