"""Scenes of two objects as pixelNeRF renders them: a transforms.json and RGBA pictures in a folder a scene.

`ROOT/{train,val,test}/**/transforms.json` (camera_angle_x; a file path and a Blender pose for each frame); of the
path only the last part counts: `NAME_obj.png` beside the file, composited over white. World Z up.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...camera import Camera, cameras_from_transforms, from_integer_centers
from ...errors import InputError
from ...inputs import listed_below, read_json, require_folder
from ...inputs.photo_names import plain_name, stem_of
from ...inputs.remote import AnyPath
from .files import boxes_of, read_images, resize_by_area, size_ratio
from .objects import Place, PosedObject, PosedObjects
from .srn import SPLITS, Split

NEAR, FAR = 4.0, 9.0
TRANSFORMS, OBJECT = "transforms.json", "_obj.png"


class TwoObjectScenes(PosedObjects):
    """Reader of one split; views are numbered as the file lists its frames.

    Args:
        data: the folder of the folders train, val and test.
        size: (height, width) that images are brought to by averaging areas; None leaves them as they are.

    Raises:
        InputError: the folder is missing or holds no scene.
    """

    near, far = NEAR, FAR

    def __init__(self, data: str | Path, split: Split = "train", *, size: tuple[int, int] | None = None) -> None:
        if split not in SPLITS:
            raise InputError(f"There is no split {split!r}; choose one of {', '.join(SPLITS)}.")
        root = Path(data) / split
        require_folder(root, "folder", advice=f"the scenes of the split {split} belong there")
        folders = [file.parent for file in listed_below(root, TRANSFORMS)]
        if not folders:
            raise InputError(f"There is no {TRANSFORMS} below {root}; each scene is a folder with one.")
        super().__init__([Place(folder, folder.relative_to(root).as_posix()) for folder in folders])
        self.size = size

    def _image_files(self, place: Place) -> list[AnyPath]:
        return [place.folder / f"{name}{OBJECT}" for name in _frame_names(place.folder / TRANSFORMS)]

    def _read(self, place: Place, files: list[AnyPath], views: list[int]) -> PosedObject:
        rgba = read_images([files[view] for view in views], "RGBA")
        alpha = rgba[..., 3:]
        white = rgba[..., :3] * alpha + (1.0 - alpha)
        content = read_json(place.folder / TRANSFORMS)
        # The pictures of the files say how large they are; what is left of the frames is their order.
        sized = {**content, "w": rgba.shape[2], "h": rgba.shape[1]}
        try:
            cameras = [camera for _, camera in cameras_from_transforms(sized)]
        except InputError as error:
            raise InputError(f"{place.folder}: {error}") from error
        ratio = size_ratio(rgba, self.size)
        resized = resize_by_area(white, self.size)
        placed = _published_center([cameras[view] for view in views], resized.shape[2], resized.shape[1])
        return self._seen(
            place, views, resized, placed, resize_by_area(alpha, self.size), boxes_of(alpha[..., 0] > 0, ratio)
        )


def _published_center(cameras: list[Camera], width: int, height: int) -> Camera:
    """The cameras at another size, with the principal point that the published code takes: half a pixel further."""
    resized = Camera.concatenate(cameras).resized(width, height)
    return replace(resized, intrinsics=from_integer_centers(resized.intrinsics))


def _frame_names(file: AnyPath) -> list[str]:
    frames = read_json(file).get("frames")
    if not isinstance(frames, list) or not frames:
        raise InputError(f"{file}: the field frames is missing or empty; it must list the views.")
    names = []
    for number, frame in enumerate(frames):
        path = frame.get("file_path") if isinstance(frame, dict) else None
        if not isinstance(path, str) or plain_name(path) in (".", "/"):
            raise InputError(f"{file}: frames[{number}] has no file_path; give the name of its picture.")
        names.append(stem_of(path))
    return names
