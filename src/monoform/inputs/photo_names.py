"""Which photo a name means: the one place for all lists, files of cameras and folders of masks that name photos.

Names come from other systems and programs: with backslashes, `./`, absolute, without their ending, with accents in
another Unicode form, or with fewer or more folders before them than here.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .listing import listed

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".heif", ".avif", ".gif", ".ppm", ".tga")
_TRIED = (".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG")
_ABSOLUTE = re.compile(r"^(/|[A-Za-z]:/)")


def plain_name(name: str) -> str:
    """A name with slashes, without `.`, `..` and doubled slashes as far as words tell, accents composed.

    >>> plain_name(".\\\\images//front/../0000.png")
    'images/0000.png'
    """
    return re.sub(r"^/+", "/", posixpath.normpath(unicodedata.normalize("NFC", name.replace("\\", "/"))))


@dataclass(frozen=True)
class _Parts:
    """A name taken apart: its folders, its stem, its ending in small letters or none."""

    folders: tuple[str, ...]
    stem: str
    ending: str

    @classmethod
    def of(cls, name: str) -> _Parts:
        *folders, last = plain_name(name).split("/")
        stem, ending = posixpath.splitext(last)
        if ending.lower() not in ENDINGS:
            stem, ending = last, ""
        return cls(tuple(one for one in folders if one), stem, ending.lower())

    def same_file(self, other: _Parts) -> bool:
        return self.stem == other.stem and (self.ending == other.ending or not self.ending or not other.ending)

    def shared(self, other: _Parts) -> int:
        """How many folders before the file are the same."""
        count = 0
        for one, two in zip(reversed(self.folders), reversed(other.folders), strict=False):
            if one != two:
                break
            count += 1
        return count

    def within(self, other: _Parts) -> bool:
        """Whether all folders of one are the last of the other."""
        return self.shared(other) == min(len(self.folders), len(other.folders))


def stem_of(name: str) -> str:
    """The last part of a name without the ending of a picture; other dots are part of the name."""
    return _Parts.of(name).stem


def matching(wanted: str, names: Sequence[str], *, elsewhere: bool = False) -> list[int]:
    """The positions of the names that can mean this photo; several where the name does not tell which.

    The whole path goes first; then one of which the other is the end (`0002.png` or `/data/images/0002.png` for
    `images/0002.png`).

    Args:
        elsewhere: the photo may be a copy in another folder: then those with the most last folders in common.
    """
    own = _Parts.of(wanted)
    parts = [(number, other) for number, name in enumerate(names) if own.same_file(other := _Parts.of(name))]
    exact = [number for number, other in parts if other == own]
    same = exact or [number for number, other in parts if other.folders == own.folders]
    if same:
        return same
    inside = [(number, other) for number, other in parts if own.within(other)]
    # A name without folders is the end of every path: one that agrees in more folders is meant rather.
    inside = inside or (parts if elsewhere else [])
    most = max((own.shared(other) for _, other in inside), default=0)
    return [number for number, other in inside if own.shared(other) == most]


class NameTable:
    """`matching` for many questions about the same names: only those with the same stem are compared."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._by_stem: dict[str, list[int]] = {}
        for number, name in enumerate(self.names):
            self._by_stem.setdefault(_Parts.of(name).stem, []).append(number)

    def matching(self, wanted: str, *, elsewhere: bool = False) -> list[int]:
        """The photos that a name means; see the function `matching`."""
        among = self._by_stem.get(_Parts.of(wanted).stem, [])
        found = matching(wanted, [self.names[number] for number in among], elsewhere=elsewhere)
        return [among[number] for number in found]


def find_photo(root: Path, name: str, *, other_ending: bool = False) -> Path:
    """The file of a photo that a list in `root` names; paths out of the folder are followed, for reading.

    Args:
        other_ending: whether NAME.png does for NAME.jpg, as in folders of smaller copies.

    Raises:
        InputError: there is none.
    """
    plain = plain_name(name)
    tails = [plain]
    if _ABSOLUTE.match(plain):  # written on another machine: as much of its end as there is here
        parts = [one for one in plain.split("/") if one]
        tails += ["/".join(parts[start:]) for start in range(1, len(parts))]
    for tail in dict.fromkeys((name, *tails)):
        given = root / tail
        for file in (given, *(given.parent / f"{given.name}{ending}" for ending in _TRIED)):
            if os.path.isfile(file):
                return file
    for tail in tails:
        found = _found_by_listing(root / tail, other_ending)
        if found is not None:
            return found
    raise InputError(
        f"There is no photo {root / plain} (nor with .png or .jpg); check the names in the file of cameras."
    )


def _found_by_listing(given: Path, other_ending: bool) -> Path | None:
    """The file of this name in another Unicode form, or with another ending."""
    if not os.path.isdir(given.parent):
        return None
    wanted = _Parts.of(given.name)
    for file in listed(given.parent):
        own = _Parts.of(file.name)
        same = own.stem == wanted.stem if other_ending and own.ending else own.same_file(wanted)
        if same and own.ending and os.path.isfile(file):
            return file
    return None


def find_mask(photo: str | Path, folder: str | Path) -> Path:
    """The mask of a photo in a folder of masks: NAME_mask.png or NAME.png, in the photo's own sub-folders first.

    For rig/front/0000.png these are FOLDER/rig/front/0000.png, FOLDER/front/0000.png, FOLDER/0000.png, then a mask of
    that name anywhere in the folder, if there is only one.

    Raises:
        InputError: there is no folder, none is there, or several sub-folders have one.
    """
    photo, folder = Path(photo), Path(folder)
    stem, parents = photo.stem, [part for part in photo.parent.parts if part not in ("/", "..", ".")]
    names = (f"{stem}_mask.png", f"{stem}.png", f"{photo.name}.png", f"{stem}_mask.jpg", f"{stem}.jpg", f"{stem}.jpeg")
    own = os.path.realpath(photo)
    for start in range(len(parents) + 1):
        for name in names:
            file = folder.joinpath(*parents[start:], name)
            if os.path.isfile(file) and os.path.realpath(file) != own:
                return file
    below = [Path(inside, name) for inside, _, files in os.walk(folder) for name in names if name in files]
    below = [file for file in below if os.path.realpath(file) != own]
    if len({file.parent for file in below}) > 1:
        raise InputError(
            f"The folder {folder} holds {len(below)} masks named {below[0].name}, and none in the folders of {photo}: "
            "lay the masks out in the folders of their photos."
        )
    if below:
        return below[0]
    raise InputError(f"The folder {folder} holds no mask for {photo}: neither {stem}.png nor {stem}_mask.png is there.")
