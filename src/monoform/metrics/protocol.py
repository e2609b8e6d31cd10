"""What an evaluation measures, and how: the part of it that each protocol says itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Protocol(ABC):
    """What is measured, and how.

    Attributes:
        names: of the items, CATEGORY/ITEM or ITEM; the same whenever the same is asked for.
        skipped: what is left out from the start, a sentence each.
        weights: SHA-256 of the weights that are measured; empty where there are none, or only in memory.
        doing: what is being done, for those who wait.
        unit: what an item is.
        free: options that say which items there are, and change none: more can be added to what is measured.
        apart: whether categories are different things, so that means over all of them say nothing.
        files: pattern of the names of the files that `measure` writes.
    """

    names: Sequence[str]
    skipped: Sequence[str] = ()
    weights: str = ""
    doing: str = "measuring"
    unit: str = "object"
    free: Sequence[str] = ()
    apart: bool = False
    files: str = ""

    @abstractmethod
    def measure(self, number: int, folder: Path) -> Mapping[str, Any]:
        """The scores of an item, as plain values; files beside them go into the folder.

        Raises:
            InputError: the item cannot be measured; it is left out.
        """

    def scores(self, content: Mapping[str, Any]) -> Mapping[str, float]:
        """The numbers in what `measure` returned, or in what was read of it; those that the tables show.

        Raises:
            TypeError, ValueError, KeyError: it is not of that form.
        """
        if not all(isinstance(value, (int, float)) for value in content.values()):
            raise TypeError("not all of it are numbers")
        return {name: float(value) for name, value in content.items()}

    def has_changed(self, number: int, content: Mapping[str, Any]) -> bool:
        """Whether what an item was measured of has changed since, so that it is measured again."""
        del number, content
        return False

    def folder(self, name: str) -> str:
        """The folder of an item, within that of the evaluation."""
        return name

    def together(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> Mapping[str, float]:
        """Scores of all items together that are no means over them; they stand with the means of all."""
        del out, contents
        return {}

    def finish(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> str | None:
        """Write what else is told of all items together; what is printed above the table, if anything."""
        del out, contents
        return None
