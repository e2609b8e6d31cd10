"""What each photo of a transforms.json is for: nerfstudio's lists of file names, or a field of the frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ...errors import InputError
from ...inputs.photo_names import NameTable

Use = Literal["train", "val", "test"]
USES: tuple[Use, ...] = ("train", "val", "test")


def told_uses(content: Mapping[str, Any], names: Sequence[str], file: Path) -> list[Use | None] | None:
    """Split of each frame; None for all where the file has no splits, None for a frame that is in no list.

    A photo may be in both the lists for validation and for testing, and is then for testing. Where there is a list of
    photos to train on, those in no list are for nothing, as in nerfstudio; without one they are trained on.

    Args:
        content: of the transforms.json.
        names: the file path of each frame.

    Raises:
        InputError: a list is none, names what no frame or several frames are called, or contradicts another.
    """
    listed = _listed(content, names, file)
    rest: Use | None = None if content.get("train_filenames") else "train"
    uses: list[Use | None] = []
    split_known = bool(listed) or any(content.get(f"{use}_filenames") for use in USES)
    for number, frame in enumerate(content["frames"]):
        own, by_list = frame.get("split"), listed.get(number)
        if own is None:
            uses.append(by_list or rest)
            continue
        if own not in USES:
            raise InputError(f"{file}: {names[number]} has the split {own!r}; choose one of {', '.join(USES)}.")
        if by_list is not None and by_list != own:
            raise InputError(f"{file}: {names[number]} has the split {own!r} but is in {by_list}_filenames.")
        uses.append(own)
        split_known = True
    return uses if split_known else None


def _listed(content: Mapping[str, Any], names: Sequence[str], file: Path) -> dict[int, Use]:
    table, found = NameTable(names), dict[int, Use]()
    for use in USES:  # test goes last, so that it wins over val
        field = f"{use}_filenames"
        wanted = content.get(field)
        if wanted is None:
            continue
        if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
            raise InputError(f"{file}: {field} must be a list of names of photos, or be left out.")
        for name in wanted:
            numbers = table.matching(name)
            if not numbers:
                raise InputError(f"{file}: {field} names {name!r}, but no frame has this file_path.")
            if len({names[number] for number in numbers}) > 1:
                shown = " and ".join(names[number] for number in numbers[:2])
                raise InputError(f"{file}: {field} names {name!r}, which can be {shown}; give the folder too.")
            for number in numbers:
                if found.get(number) == "train" and use != "train":
                    raise InputError(f"{file}: {name!r} is in train_filenames and in {field}; keep it in one of them.")
                found[number] = use
    return found
