"""The photos of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath

from ..errors import InputError
from .download import is_url
from .listing import is_clutter
from .names import name_of, safe_name
from .photo_names import ENDINGS
from .remote import AnyPath, RemotePath, place_of

RESULT = "result.json"  # a folder that holds it was written here; its pictures are no photos


def named_photos(words: Sequence[str], *, leave: AnyPath | None = None) -> list[tuple[str, str]]:
    """Each photo that is meant, and a name for its result: files and URLs as they are, of a folder all photos in it.

    Folders and files may be addresses that fsspec knows.

    A photo of a sub-folder is named after both, SUB-NAME. Hidden files and folders, masks (NAME_mask.png beside a photo
    NAME) and result folders are left out.

    Args:
        words: paths, URLs, and addresses that fsspec knows.
        leave: a folder that is not looked into: where results go.

    Raises:
        InputError: a folder holds no photo.
    """
    found = []
    for word in words:
        if is_url(word):
            found.append((word, name_of(word)))
            continue
        place = place_of(word)
        if isinstance(place, RemotePath):
            inside = None if place.suffix.lower() in ENDINGS or not place.is_dir() else list(_remote_photos(place))
        else:
            word = word if "://" not in word else str(place)
            left = leave if isinstance(leave, Path) else None
            inside = list(_photos_of(place, left)) if os.path.isdir(word) else None
        if inside is None:
            found.append((word, name_of(place)))
            continue
        if not inside:
            endings = ", ".join(ending[1:] for ending in ENDINGS)
            raise InputError(f"The folder {word} holds no photo: there is no file that ends in one of {endings}.")
        for within in inside:
            parts = (*within.parts[:-1], within.stem)
            found.append((str(place / within), safe_name("-".join(parts))))
    return found


def _photos_of(folder: Path, leave: Path | None) -> Iterator[PurePath]:
    """Photos of a folder, as paths within it, sorted; links to folders are not followed, so that the search ends."""
    left = None if leave is None else leave.resolve()
    for root, folders, files in os.walk(folder):
        here = Path(root)
        if here != folder and (RESULT in files or here.resolve() == left):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not is_clutter(name))
        yield from (here.relative_to(folder) / name for name in _pictures_among(files))


def _remote_photos(folder: RemotePath) -> Iterator[PurePath]:
    """Photos of a folder behind an address, as paths within it, sorted."""
    below: dict[PurePath, list[str]] = {}
    for file in map(PurePosixPath, folder.files_below()):
        below.setdefault(file.parent, []).append(file.name)
    results = {place for place, files in below.items() if RESULT in files and place.parts}
    for place, files in below.items():
        hidden = any(is_clutter(part) for part in place.parts)
        if not hidden and results.isdisjoint((place, *place.parents)):
            yield from (place / name for name in _pictures_among(files))


def _pictures_among(files: Sequence[str]) -> Iterator[str]:
    """The photos among the files of one folder, sorted: pictures that are no masks of others."""
    pictures = sorted(name for name in files if not is_clutter(name) and Path(name).suffix.lower() in ENDINGS)
    stems = {Path(name).stem for name in pictures}
    for name in pictures:
        stem = Path(name).stem
        if not (stem.endswith("_mask") and stem.removesuffix("_mask") in stems):
            yield name
