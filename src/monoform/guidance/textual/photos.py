"""The photos of a folder for a textual inversion: what is no photo is left out, and named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ...data.images.fitting import plain_rgb
from ...errors import InputError
from ...inputs import is_clutter, open_picture
from ...inputs.photo_folders import named_photos

PREPARED = {"image.png": ("mask.png", "rgba.png")}
"""What `prepare photos --layout rgba` writes beside a photo is no further photo."""


@dataclass(frozen=True)
class Photos:
    """Photos in sRGB, what is transparent on white.

    Attributes:
        images: of any sizes.
        left_out: sentences about the files that are not used.
    """

    images: tuple[Image.Image, ...]
    left_out: tuple[str, ...]


def read_photos(data: str | Path) -> Photos:
    """The photos of a folder, or one photo.

    Raises:
        InputError: there is none.
    """
    folder = Path(data)
    images, left_out = [], []
    if folder.is_dir():
        names = {path.name for path in folder.iterdir() if path.is_file() and not is_clutter(path.name)}
        beside = {other for name, others in PREPARED.items() if name in names for other in others}
        named = [path for path, _ in _named(folder) if not (Path(path).parent == folder and Path(path).name in beside)]
        taken = {Path(path).name for path in named}
        left_out = [f"{name} is left out: it is no photo." for name in sorted(names - taken)]
    else:
        named = [str(data)]
    for path in named:
        try:
            images.append(plain_rgb(open_picture(path).image))
        except InputError as error:
            if not folder.is_dir():
                raise
            left_out.append(f"{path} is left out: {error}")
    if not images:
        raise InputError(f"{data} holds no photo that can be used: {' '.join(left_out) or 'it is empty.'}")
    return Photos(tuple(images), tuple(left_out))


def _named(folder: Path) -> list[tuple[str, str]]:
    try:
        return named_photos([str(folder)])
    except InputError:
        return []
