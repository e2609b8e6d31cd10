"""Several photos of one object, with the cameras that a capture tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..data import open_capture
from ..errors import InputError
from ..matting import segment
from ..scene import Photo, View
from ..scene.centred import centred


@dataclass(frozen=True)
class PosedPhotos:
    """Views of one object.

    Attributes:
        path: a folder or a transforms.json, in one of the layouts of `monoform.data.open_capture`.
        chosen: numbers of the views that are used, from 0; none for all.
        up: the axis that points up in the files' world; auto takes the one that the photos' upper edges point along.
    """

    path: str
    chosen: tuple[int, ...] = ()
    up: Literal["auto", "y", "z"] = "auto"

    def __str__(self) -> str:
        """As result.json keeps what was asked for."""
        return f"{self.path} {' '.join(map(str, self.chosen)) or 'all'}, up {self.up}"

    @property
    def name(self) -> str:
        """Of the result folder: that of the folder which holds the views."""
        path = Path(self.path).resolve()
        return (path.parent if path.suffix else path).name or "views"

    def open(self, *, masks: str | None = None, matting: str = "auto") -> list[View]:
        """The photos with masks and cameras, in a world where the object lies in the sphere of radius 0.5.

        Args:
            masks: folder with NAME.png or NAME_mask.png for each photo; None: their alpha, else found by `matting`.

        Raises:
            InputError: the capture, a photo or a mask cannot be used; the sentence names it.
        """
        known = open_capture(self.path, up=self.up).views
        for number in self.chosen:
            if not 0 <= number < len(known):
                raise InputError(f"{self.path} has {len(known)} views, counted from 0; {number} is not there.")
        views = []
        for number in self.chosen or range(len(known)):
            file, camera = str(known[number].image), known[number].camera
            photo = Photo.open(file, mask=masks and mask_of(file, masks))
            if (photo.width, photo.height) != (camera.width, camera.height):
                raise InputError(
                    f"{file} has {photo.width} x {photo.height} pixels, its camera {camera.width} x {camera.height}; "
                    "they must be the same."
                )
            views.append(View(segment(photo, backend=matting), camera))
        return centred(views)


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
