"""monoform prepare check"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ..inputs.remote import AnyPath

Format = Literal[
    "auto",
    "srn",
    "dvr",
    "dtu",
    "two_object",
    "captures",
    "transforms",
    "blender",
    "llff",
    "colmap",
    "images",
    "categories",
    "shapenet",
    "pix3d",
]


@dataclass(frozen=True)
class Check:
    """Say what is in a folder of posed images, of shapes or in a set of photos, or the first thing that is wrong."""

    data: Annotated[str, tyro.conf.arg(metavar="DIR")]
    """Its folder; for srn also the path that the folders have in common before _train, _val and _test; for categories
    also an address that fsspec knows, such as gs://bucket/datasets."""
    format: Format = "auto"
    """How it is laid out: many objects (the first four), captures of several
    scenes (captures), a capture of one scene, a set of photos of one square size
    with a dataset.json (images), the folder of published photo sets of a category, p3d, imagenet, cub, carla
    (categories), or what LIST learns from: ShapeNet's renderings with shapes (shapenet), Pix3D as published or prepared
    (pix3d); auto tells by the names of the files."""
    quick: bool = False
    """Decode only the first and the last view of each object; of LIST's data one picture, and no samples."""


def run(asked: Check) -> int:
    """Check, and print a line a split."""
    import warnings

    from ..data.capture import detect_capture
    from ..data.captures.check import CAPTURES, check_capture
    from ..data.categories.check import categories_in
    from ..data.posed.check import check_data
    from ..data.sdf.check import check_shapes, detect_layout
    from ..inputs.remote import RemotePath, any_path
    from ..progress import work
    from ..text import printable
    from .main import interruptible

    interruptible()
    place = any_path(asked.data)
    if asked.format == "categories" or isinstance(place, RemotePath):
        return _check_categories(place, asked.quick)
    if asked.format == "images" or (asked.format == "auto" and _is_image_set(place)):
        return _check_images(place)
    if asked.format == "auto" and categories_in(place):
        return _check_categories(place, asked.quick)
    shapes = detect_layout(place) if asked.format == "auto" else asked.format
    if shapes in ("shapenet", "pix3d"):
        with work("reading the shapes", unit="object") as show:
            told = check_shapes(place, shapes, quick=asked.quick, progress=show)
        print("\n".join(printable(line) for line in told))
        return 0
    capture = detect_capture(place) if asked.format == "auto" else asked.format
    if capture in CAPTURES:
        with work("reading the capture", unit="photo") as show:
            print(check_capture(place, capture, quick=asked.quick, progress=show))  # type: ignore[arg-type]
        return 0
    with work("reading the data set", unit="object") as show, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is left out is printed below
        found = check_data(place, asked.format, quick=asked.quick, progress=show)  # type: ignore[arg-type]
    for split in found:
        print(split.sentence())
    return 0


def _is_image_set(data: Path) -> bool:
    """A file, or a folder with labels of photos."""
    return data.is_file() or (data / "dataset.json").is_file() or (data / "data.mdb").is_file()


def _check_categories(data: AnyPath, quick: bool) -> int:
    from ..data.categories.check import check_categories
    from ..progress import work

    with work("reading the photos", unit="photo") as show:
        told = check_categories(data, quick=quick, progress=show)
    print("\n".join(told))
    return 0


def _check_images(data: Path) -> int:
    from ..data.images import ImageSet
    from ..progress import work

    with work("reading the photos", unit="photo") as show:
        images = ImageSet(data)
        images.check(show)
    labels = f"labels of {images.label_size} numbers" if images.has_labels else "no labels"
    print(f"{len(images)} pictures of {images.resolution} x {images.resolution} pixels, {labels}.")
    return 0
