"""The true surfaces of the objects of a data set, where evaluations find them."""

from __future__ import annotations

from pathlib import Path

from ...errors import InputError
from ...mesh import Mesh
from .disn import DisnObjects
from .pix3d import Pix3dObjects

TRUTHS = ("isosurface", "mesh")
SCALED = "isosurf_scaled.obj"


def truth_file(objects: DisnObjects | Pix3dObjects, index: int) -> Path | None:
    """The file of an object's true surface; None where there is none."""
    root, place = _place(objects, index)
    files = [root / folder / place / SCALED for folder in TRUTHS]
    return next((file for file in files if file.is_file()), None)


def truth_of(objects: DisnObjects | Pix3dObjects, index: int) -> Mesh:
    """An object's true surface.

    Raises:
        InputError: it is missing or damaged.
    """
    file = truth_file(objects, index)
    if file is None:
        root, place = _place(objects, index)
        raise InputError(f"There is no {SCALED} in {root / TRUTHS[0] / place}; `monoform prepare sdf` makes it.")
    return Mesh.load(file)


def _place(objects: DisnObjects | Pix3dObjects, index: int) -> tuple[Path, Path]:
    if isinstance(objects, DisnObjects):
        each = objects.objects[index]
        return objects.root, Path(each.category) / each.name
    photo = objects.photos[index]
    return objects.root / "data", Path(photo.category) / photo.model
