"""Several photos of one object, with the cameras of a capture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..camera import upright_camera
from ..errors import InputError
from ..inputs import picture_orientation
from ..inputs.photo_names import find_mask
from ..matting import segment
from ..scene import Photo, View
from ..scene.centered import centered

if TYPE_CHECKING:
    from ..data.capture import CaptureView


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
        """The form in which result.json records the request."""
        return f"{self.path} {' '.join(map(str, self.chosen)) or 'all'}, up {self.up}"

    @property
    def name(self) -> str:
        """Of the result folder: that of the folder which holds the views."""
        path = Path(self.path).resolve()
        return (path.parent if path.suffix else path).name or "views"

    def open(self, *, masks: str | None = None, matting: str = "auto", device: str = "cpu") -> list[View]:
        """The photos with masks and cameras, in a world where the object lies in the sphere of radius 0.5.

        Args:
            masks: folder with NAME.png or NAME_mask.png for each photo, in the photos' sub-folders where these repeat;
                None: the photos' alpha, else the capture's own masks, else found by `matting`.
            device: where its network computes.

        Raises:
            InputError: the capture, a photo or a mask cannot be used; the sentence names it.
        """
        from ..data import open_capture  # slow to import, and one photo needs none of it

        known = open_capture(self.path, up=self.up).views
        for number in self.chosen:
            if not 0 <= number < len(known):
                raise InputError(f"{self.path} has {len(known)} views, counted from 0; {number} is not there.")
        chosen = [known[number] for number in self.chosen or range(len(known))]
        given = masks_of([str(view.image) for view in chosen], masks)
        return centered([_view(view, mask, matting, device) for view, mask in zip(chosen, given, strict=True)])


def _view(known: CaptureView, mask: str | None, matting: str, device: str) -> View:
    """Photo and camera, both upright; both as they are stored where EXIF says mirrored, which no camera sees."""
    from ..data.capture import require_size

    require_size(known)
    file, stored = str(known.image), picture_orientation(known.image)
    upright = stored in (1, 3, 6, 8)
    orientation: Literal["upright", "stored"] = "upright" if upright else "stored"
    photo = Photo.open(file, mask=mask, orientation=orientation, mask_drawn_on="stored")
    if photo.mask is None and known.mask is not None:
        photo = Photo.open(file, mask=known.mask, orientation=orientation, mask_drawn_on="stored")
    camera = upright_camera(known.camera, photo.stored_as, file) if upright else known.camera
    return View(segment(photo, backend=matting, device=device), camera)


def masks_of(photos: Sequence[str], folder: str | None) -> list[str | None]:
    """The mask of each photo in a folder of masks; none where there is no folder.

    Raises:
        InputError: a photo has none, or two photos have the same.
    """
    if folder is None:
        return [None] * len(photos)
    found: dict[str, str] = {}
    for photo in photos:
        mask = str(find_mask(photo, folder))
        other = found.setdefault(mask, photo)
        if os.path.abspath(other) != os.path.abspath(photo):
            raise InputError(
                f"{mask} would be the mask of {other} and of {photo}: lay the masks out in the folders of their photos."
            )
    return [str(find_mask(photo, folder)) for photo in photos]
