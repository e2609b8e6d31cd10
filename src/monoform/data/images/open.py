"""Photos of a set, whatever they lie in."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ...errors import InputError
from ...inputs.files import is_folder, require_regular_file
from .published import published_source
from .sources import FolderPhotos, PhotoSource, ZipPhotos

WANTED = "give a folder or a zip file of PNG or JPEG files, or an LMDB database, CIFAR-10's or MNIST's archive"


def open_source(place: str | Path) -> PhotoSource:
    """The photos of a folder, a zip file, an LMDB database, or of CIFAR-10 or MNIST as they are published.

    Raises:
        InputError: there is none of these, or no photo in it.
    """
    place = Path(place)
    source = published_source(place)
    if source is None and is_folder(place):
        source = FolderPhotos(place)
    elif source is None:
        require_regular_file(place, advice=WANTED)
        if not zipfile.is_zipfile(place):
            raise InputError(f"{place} is no zip file: {WANTED}.")
        source = ZipPhotos(place)
    if not source.names:
        raise InputError(f"{place} holds no photo: {WANTED}.")
    return source
