"""Kinds of folders that commands write: each is known by a record inside, which lists the files that are ours."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..inputs import read_json

NEVER_MIND = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})  # what file managers leave wherever they look
LOCK = ".monoform.lock"


@dataclass(frozen=True)
class Kind:
    """One sort of folder.

    Attributes:
        name: for sentences, after "no": "result of monoform".
        record: file that is written into every such folder, a JSON object.
        owned: content of the record -> names of what was written beside it; None where the record is another's.
        tolerated: names that may lie in the folder before anything is written, and are left alone.
        pictures: names of folders within, and below, that hold nothing but pictures with our mark.
        spare: names that are worth nothing as long as nothing else is there.
        pattern: of names that are ours with and without a record, in folders within one of ours.
        finished: whether anything was finished in a folder; None: as soon as it holds any other file.
    """

    name: str
    record: str
    owned: Callable[[Mapping[str, Any]], Collection[str] | None] = lambda _: None
    tolerated: frozenset[str] = frozenset()
    spare: frozenset[str] = frozenset()
    pictures: frozenset[str] = frozenset()
    pattern: str = ""
    finished: Callable[[Path], bool] | None = None

    def owned_in(self, folder: Path) -> frozenset[str] | None:
        """Names in `folder` that are ours; None where it is no folder of this kind."""
        if self.pattern:
            return frozenset(name for name in os.listdir(folder) if re.fullmatch(self.pattern, name))
        record = folder / self.record
        if record.is_symlink() or not record.is_file():
            return None
        try:
            names = self.owned(read_json(record))
            return None if names is None else frozenset({*names, self.record, LOCK})
        except (InputError, KeyError, TypeError, AttributeError):
            return None
