"""Where photos of a set lie: one after another by name, with their labels as they stand there."""

from __future__ import annotations

import os
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from PIL import Image

from ...errors import InputError
from ...inputs import is_clutter, listed_below, open_picture, read_bytes, read_json_value, require_folder
from ...inputs.archives import damaged, open_archive, read_exactly
from ...inputs.files import MAX_BYTES
from ...inputs.json_files import parsed_json
from ...inputs.pictures import Orientation, picture_suffixes
from .labels import FILE, labels_by_name

MAX_LABEL_BYTES = 192 << 20  # of dataset.json: some 400 bytes a picture
MAX_LIST_BYTES = 64 << 20  # of an archive's list of members: some 80 bytes a picture
ADVICE = "copy the archive again"


@runtime_checkable
class PhotoSource(Protocol):
    """Photos of a set.

    Attributes:
        place: what the user gave.
        names: of the photos, sorted.
    """

    place: Path
    names: list[str]

    def open(self, number: int, *, orientation: Orientation = "stored", profile: bool = False) -> Image.Image:
        """The photo's pixels.

        Raises:
            InputError: it is damaged or no picture.
        """

    def labels(self) -> dict[str, Any] | None:
        """Labels by name; None where there are none.

        Raises:
            InputError: they are damaged.
        """


class FolderPhotos:
    """All pictures below a folder."""

    def __init__(self, folder: Path) -> None:
        require_folder(folder, "folder of photos")
        self.place = folder
        found = (file.relative_to(folder).as_posix() for file in listed_below(folder))
        self.names = sorted(name for name in found if is_picture(name))

    def open(self, number: int, *, orientation: Orientation = "stored", profile: bool = False) -> Image.Image:
        """As of `PhotoSource`."""
        name = self.names[number]
        data = read_bytes(self.place / name)
        shown = str(self.place / name)
        return open_picture(data, orientation=orientation, profile=profile, smallest=1, called=shown).image

    def labels(self) -> dict[str, Any] | None:
        """As of `PhotoSource`."""
        file = self.place / FILE
        if not file.exists():
            return None
        return labels_by_name(read_json_value(file, limit=MAX_LABEL_BYTES), str(file))


class ZipPhotos:
    """All pictures of a zip file, which each process opens for itself."""

    def __init__(self, file: Path) -> None:
        self.place = file
        members = {member.filename: member for member in self._archive().infolist() if not member.is_dir()}
        self.members = {name: member for name, member in members.items() if not any(map(is_clutter, name.split("/")))}
        self.names = sorted(name for name in self.members if is_picture(name))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_opened"}

    def _archive(self) -> zipfile.ZipFile:
        process, _, archive = self.__dict__.get("_opened", (None, None, None))
        if process != os.getpid():
            stack = ExitStack()
            archive = stack.enter_context(
                open_archive(self.place, limit=1 << 60, advice=ADVICE, list_limit=MAX_LIST_BYTES)
            )
            self._opened = os.getpid(), stack, archive
        return archive

    def read(self, name: str, limit: int = MAX_BYTES) -> bytes:
        """The bytes of a member.

        Raises:
            InputError: it is damaged or too large.
        """
        member = self.members[name]
        if member.file_size > limit:
            raise InputError(
                f"{name} in {self.place} has {member.file_size / 1e6:.0f} MB; up to {limit / 1e6:.0f} are read."
            )
        try:
            with self._archive().open(member) as file:
                return bytes(read_exactly(file, member.file_size))  # type: ignore[arg-type]
        except InputError:
            raise
        except Exception as error:  # zipfile, zlib and struct raise whatever they stumble over
            raise damaged(f"{name} in {self.place}", error, ADVICE) from error

    def open(self, number: int, *, orientation: Orientation = "stored", profile: bool = False) -> Image.Image:
        """As of `PhotoSource`."""
        name = self.names[number]
        shown = f"{name} in {self.place}"
        return open_picture(self.read(name), orientation=orientation, profile=profile, smallest=1, called=shown).image

    def labels(self) -> dict[str, Any] | None:
        """As of `PhotoSource`."""
        if FILE not in self.members:
            return None
        shown = f"{FILE} in {self.place}"
        try:
            text = self.read(FILE, MAX_LABEL_BYTES).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{shown} is no text in UTF-8: write it again.") from error
        return labels_by_name(parsed_json(text, shown, "write it again"), shown)


def is_picture(name: str) -> bool:
    """Whether a file's name ends as those of pictures do."""
    return Path(name).suffix.lower() in picture_suffixes()
