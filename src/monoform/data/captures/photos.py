"""Where the photos of a capture lie when its cameras do not say, and cameras for photos that were made smaller."""

from __future__ import annotations

from pathlib import Path

from ...camera import Camera
from ...errors import InputError
from ...inputs import listed

USUAL = ("images", "image", "photos", "rgb", "input")
OTHERS = ("mask", "depth", "normal", "seg", "label", "alpha", "matte", "held_out")  # pictures that are no photos
_ROUNDED = 1.0  # pixels by which a size may differ from the exact fraction


def photo_folders(root: Path) -> list[Path]:
    """Folders in which photos are looked for, the likeliest first.

    `images`, then `images_2` and so on by their number, then other usual names; where there is none of these, all that
    are not called like masks and the like. Last the capture's folder itself.
    """
    folders = [entry for entry in listed(root) if entry.is_dir()]
    usual = [folder for folder in folders if folder.name.lower() in USUAL or folder.name.lower().startswith("images")]
    others = [folder for folder in folders if not any(word in folder.name.lower() for word in OTHERS)]
    return [*(sorted(usual, key=_likeliness) or others), root]


def _likeliness(folder: Path) -> tuple[int, int, str]:
    name = folder.name.lower()
    number = name.removeprefix("images_")
    if name == USUAL[0]:
        return 0, 0, name
    if number.isdigit():
        return 1, int(number), name
    return 2, USUAL.index(name) if name in USUAL else len(USUAL), name


def camera_of_size(camera: Camera, size: tuple[int, int], photo: Path) -> Camera:
    """The camera for a photo that was made smaller or larger as a whole.

    Args:
        size: (width, height) of the photo in pixels.

    Raises:
        InputError: the photo has another shape: it was cut or turned.
    """
    width, height = size
    if size == (camera.width, camera.height):
        return camera
    # Both sides come from one factor, each rounded by itself.
    low = max((width - _ROUNDED) / camera.width, (height - _ROUNDED) / camera.height)
    high = min((width + _ROUNDED) / camera.width, (height + _ROUNDED) / camera.height)
    if low > high:
        raise InputError(
            f"The photo {photo} has {width} x {height} pixels, its camera {camera.width} x {camera.height}, which is "
            "another shape; give the photos that the cameras were made for, or smaller copies of them."
        )
    return camera.resized(width, height)
