"""The photos of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import InputError
from .listing import is_clutter
from .names import name_of, safe_name
from .photo_names import ENDINGS

RESULT = "result.json"  # a folder that holds it was written here; its pictures are no photos


def named_photos(words: Sequence[str], *, leave: Path | None = None) -> list[tuple[str, str]]:
    """Each photo that is meant, and a name for its result: files and URLs as they are, of a folder all photos in it.

    A photo of a sub-folder is named after both, SUB-NAME. Hidden files and folders, masks (NAME_mask.png beside a photo
    NAME) and result folders are left out.

    Args:
        words: paths and URLs.
        leave: a folder that is not looked into: where results go.

    Raises:
        InputError: a folder holds no photo.
    """
    found = []
    for word in words:
        if not os.path.isdir(word):
            found.append((word, name_of(word)))
            continue
        inside = list(_photos_of(Path(word), leave))
        if not inside:
            endings = ", ".join(ending[1:] for ending in ENDINGS)
            raise InputError(f"The folder {word} holds no photo: there is no file that ends in one of {endings}.")
        for path in inside:
            place = path.relative_to(word)
            found.append((str(path), safe_name("-".join([*place.parts[:-1], place.stem]))))
    return found


def _photos_of(folder: Path, leave: Path | None) -> Iterator[Path]:
    """Photos of a folder, sorted by path; links to folders are not followed, so that the search ends."""
    left = None if leave is None else leave.resolve()
    for root, folders, files in os.walk(folder):
        here = Path(root)
        if here != folder and (RESULT in files or here.resolve() == left):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not is_clutter(name))
        pictures = sorted(name for name in files if not is_clutter(name) and Path(name).suffix.lower() in ENDINGS)
        stems = {Path(name).stem for name in pictures}
        for name in pictures:
            stem = Path(name).stem
            if not (stem.endswith("_mask") and stem.removesuffix("_mask") in stems):
                yield here / name
