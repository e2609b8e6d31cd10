"""monoform prepare images"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ..errors import InputError


@dataclass(frozen=True)
class Images:
    """Bring photos of one kind of object to one square size, as generators learn from them.

    Writes 00000/img00000000.png and so on, and dataset.json with a label for each where all photos have one. Photos
    that cannot be read are reported and left out.
    """

    data: Path
    """Folder or zip file of photos (labels in its dataset.json), LMDB database (LSUN), cifar-10-python.tar.gz, or
    MNIST's train-images-idx3-ubyte.gz with the labels beside it."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR|FILE.zip")]
    """Folder or zip file of the set."""
    transform: Literal["none", "center-crop", "center-crop-wide", "pad", "stretch"] = "none"
    """How photos become square: the square in the middle, the band in the middle on black, white borders, or another
    shape; none: they are."""
    resolution: Annotated[str | None, tyro.conf.arg(metavar="N|WxH")] = None
    """Pixels along a side, a power of two; for center-crop-wide the width and the height of the band."""
    max_images: int | None = None
    """Take the first so many photos."""
    fov: float | None = None
    """Field of view in degrees that becomes the label of photos without labels."""
    labels: bool = True
    """Keep the labels of photos, where all have one."""
    overwrite: bool = False
    """Replace a zip file that it did not write."""


def run(asked: Images) -> int:
    """Prepare, and say what came out; 2 where a photo could not be read."""
    from ..data.images.prepare import SetOptions, prepare_images
    from ..progress import work
    from ..text import printable
    from .main import interruptible

    interruptible()
    width, height = _size(asked.resolution)
    options = SetOptions(asked.transform, width, height, asked.max_images, asked.fov, asked.labels)
    with work("preparing photos", unit="photo") as show:
        made = prepare_images(asked.data, asked.out, options, overwrite=asked.overwrite, progress=show)
    for name, reason in made.failed.items():
        print(printable(f"{name} is left out: {reason}"))
    if made.small:
        print(f"{len(made.small)} photos are smaller than what is cut from them and left out, like {made.small[0]}.")
    if made.without_label:
        print(f"{made.without_label} of {len(made.names)} photos have no label: all labels are left out.")
    labels = "with labels" if made.labelled else "without labels"
    print(printable(f"{len(made.names)} pictures of {made.side} x {made.side} pixels, {labels}, are in {asked.out}."))
    return 2 if made.failed else 0


def _size(word: str | None) -> tuple[int | None, int | None]:
    if word is None:
        return None, None
    found = re.fullmatch(r"(\d{1,5})(?:[xX](\d{1,5}))?", word)
    if found is None:
        raise InputError(f"--resolution is {word}; give a number of pixels such as 256, or 256x144.")
    return int(found[1]), int(found[2] or found[1])
