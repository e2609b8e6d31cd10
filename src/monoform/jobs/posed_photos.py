"""Several photos of one object, with the cameras that a transforms.json tells."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..camera.transforms_json import cameras_from_transforms
from ..errors import InputError
from ..matting import segment
from ..scene import Photo, View
from ..scene.centred import centred

TRANSFORMS = "transforms.json"


@dataclass(frozen=True)
class PosedPhotos:
    """Views of one object.

    Attributes:
        path: a transforms.json of nerfstudio or instant-ngp, or the folder that holds one.
        chosen: numbers of the frames that are used, from 0; none for all.
        up: the axis that points up in the file's world.
    """

    path: str
    chosen: tuple[int, ...] = ()
    up: Literal["y", "z"] = "z"

    def __str__(self) -> str:
        """As result.json keeps what was asked for."""
        return f"{self.path} {' '.join(map(str, self.chosen)) or 'all'}, {self.up} up"

    @property
    def file(self) -> Path:
        """The transforms.json."""
        path = Path(self.path)
        return path / TRANSFORMS if path.is_dir() else path

    @property
    def name(self) -> str:
        """Of the result folder: that of the folder which holds the views."""
        return self.file.resolve().parent.name or "views"

    def open(self, *, masks: str | None = None, matting: str = "auto") -> list[View]:
        """The photos with masks and cameras, in a world where the object lies in the sphere of radius 0.5.

        Args:
            masks: folder with NAME.png or NAME_mask.png for each photo; None: their alpha, else found by `matting`.

        Raises:
            InputError: the file, a photo or a mask cannot be used; the sentence names it.
        """
        frames = self._frames()
        for number in self.chosen:
            if not 0 <= number < len(frames):
                raise InputError(
                    f"{self.file} lists {len(frames)} frames, counted from 0; {number} is not there."
                )
        views = []
        for number in self.chosen or range(len(frames)):
            name, camera = frames[number]
            photo = Photo.open(_photo_file(self.file.parent, name), mask=masks and mask_of(name, masks))
            if (photo.width, photo.height) != (camera.width, camera.height):
                raise InputError(
                    f"{name} has {photo.width} x {photo.height} pixels, its camera in {self.file} "
                    f"{camera.width} x {camera.height}; they must be the same."
                )
            views.append(View(segment(photo, backend=matting), camera))
        return centred(views)

    def _frames(self):
        if not self.file.is_file():
            raise InputError(f"There is no {self.file}: give a transforms.json, or the folder that holds one.")
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{self.file} cannot be read as JSON ({error}).") from error
        size = None
        if isinstance(content, dict) and "camera_angle_x" in content and "w" not in content:
            size = _first_size(self.file.parent, content)
        return cameras_from_transforms(content, image_size=size, world_up=self.up)


def mask_of(photo: str, folder: str) -> str:
    """The mask of a photo in a folder of masks: NAME_mask.png or NAME.png.

    Raises:
        InputError: neither is there.
    """
    stem = Path(photo).stem
    for path in (Path(folder) / f"{stem}_mask.png", Path(folder) / f"{stem}.png"):
        if path.is_file() and path.resolve() != Path(photo).resolve():
            return str(path)
    raise InputError(f"The folder {folder} holds no mask for {photo}: neither {stem}.png nor {stem}_mask.png is there.")


def _photo_file(folder: Path, name: str) -> str:
    """The file of a frame; the synthetic NeRF scenes leave out the ending .png."""
    path = folder / name
    return str(path if path.is_file() or path.suffix else path.with_name(path.name + ".png"))


def _first_size(folder: Path, content: dict) -> tuple[int, int] | None:
    """(width, height) of the first photo, where the file tells no size."""
    frames = content.get("frames")
    if not isinstance(frames, list) or not frames or not isinstance(frames[0], dict):
        return None
    photo = Photo.open(_photo_file(folder, str(frames[0].get("file_path", ""))))
    return photo.width, photo.height
