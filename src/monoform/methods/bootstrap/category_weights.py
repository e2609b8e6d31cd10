"""A folder that holds the weights of several categories, each in a folder of its name."""

from __future__ import annotations

from pathlib import Path

from ...errors import InputError
from ...text import printable
from ...training.weights import CONFIG


def weights_of(folder: str, category: str) -> str:
    """The folder of one category's weights; `folder` itself where no category is named.

    Raises:
        InputError: it has none of this category; the sentence names those that it has.
    """
    if not category:
        return folder
    place = Path(folder) / category
    if Path(category).name == category and (place / CONFIG).is_file():
        return str(place)
    there = sorted(printable(each.parent.name) for each in Path(folder).glob(f"*/{CONFIG}"))
    has = f"there are {', '.join(there)}" if there else "convert or train some first"
    raise InputError(f"{printable(folder)} holds no weights of the category {printable(category)!r}: {has}.")
