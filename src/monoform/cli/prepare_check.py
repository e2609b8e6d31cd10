"""monoform prepare check"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Check:
    """Say what is in a folder of posed images or in a set of photos, or the first thing that is wrong with it."""

    data: Path
    """Its folder; for srn also the path that the folders have in common before _train, _val and _test."""
    format: Literal["auto", "srn", "dvr", "dtu", "two_object", "transforms", "blender", "llff", "colmap", "images"] = (
        "auto"
    )
    """How it is laid out: many objects (the first four), a capture of one scene, or (images) a set of photos of one
    square size with a dataset.json; auto tells by the names of the files."""
    quick: bool = False
    """Decode only the first and the last view of each object."""


def run(asked: Check) -> int:
    """Check, and print a line a split."""
    import warnings

    from ..data.capture import detect_capture
    from ..data.captures.check import CAPTURES, check_capture
    from ..data.posed.check import check_data
    from ..progress import work
    from .main import interruptible

    interruptible()
    if asked.format == "images" or (asked.format == "auto" and _is_image_set(asked.data)):
        return _check_images(asked.data)
    capture = detect_capture(asked.data) if asked.format == "auto" else asked.format
    if capture in CAPTURES:
        with work("reading the capture", unit="photo") as show:
            print(check_capture(asked.data, capture, quick=asked.quick, progress=show))  # type: ignore[arg-type]
        return 0
    with work("reading the data set", unit="object") as show, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is left out is printed below
        found = check_data(asked.data, asked.format, quick=asked.quick, progress=show)  # type: ignore[arg-type]
    for split in found:
        print(split.sentence())
    return 0


def _is_image_set(data: Path) -> bool:
    """A file, or a folder with labels of photos."""
    return data.is_file() or (data / "dataset.json").is_file() or (data / "data.mdb").is_file()


def _check_images(data: Path) -> int:
    from ..data.images import ImageSet
    from ..progress import work

    with work("reading the photos", unit="photo") as show:
        images = ImageSet(data)
        images.check(show)
    labels = f"labels of {images.label_size} numbers" if images.has_labels else "no labels"
    print(f"{len(images)} pictures of {images.resolution} x {images.resolution} pixels, {labels}.")
    return 0
