"""Photos whose pose was found, added to what a scene was trained from (Yen-Chen et al. 2021, self-supervision)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..camera import Camera, stored_camera, transforms_from_cameras
from ..data.captures.transforms import UP_AXIS
from ..errors import InputError
from ..inputs import picture_orientation, read_json
from ..inputs.download import is_url
from ..scene.result_files import write_json
from .pose_scenes import PoseTarget

TRANSFORMS = "transforms.json"
WRITER = "monoform pose"


def require_addable(folder: Path, scene: PoseTarget, photos: Sequence[str | Path]) -> None:
    """Refuse what `write_extended_capture` could not write, before poses are sought.

    Raises:
        InputError: the scene has no photos of its own, a photo is no file or is stored mirrored, or the folder has a
            transforms.json that is not ours.
    """
    if not scene.views:
        raise InputError("The scene has no photos of its own: what it was trained from is not known, nothing is added.")
    for photo in photos:
        if is_url(photo):
            raise InputError(f"{photo} is no file, which a capture could name: save it, and give its path.")
        if Path(photo).is_file() and picture_orientation(photo) in (2, 4, 5, 7):
            raise InputError(f"{photo} is stored mirrored by its EXIF, which no camera sees: save it again upright.")
    file = folder / TRANSFORMS
    if os.path.lexists(file) and (file.is_symlink() or not file.is_file()):
        raise InputError(f"{file} is no file of ours: give another folder.")
    if file.is_file() and read_json(file).get("written_by") != WRITER:
        raise InputError(f"{file} is a capture of its own, which is not written over: give another folder.")


def write_extended_capture(folder: Path, scene: PoseTarget, added: Sequence[tuple[Path, Camera]]) -> int:
    """Write FOLDER/transforms.json, with the scene's own photos and the added ones, for `monoform train scene`.

    Photos stay where they are. Cameras are those of the scene's world, z up, for the pixels as the files store them,
    which is what readers of captures see. A photo that is there already (the same file) is left as it is.

    Args:
        added: photos, and the cameras of their upright pixels.

    Returns:
        How many were added.

    Raises:
        InputError: as `require_addable`.
    """
    require_addable(folder, scene, [path for path, _ in added])
    known = {view.image.resolve() for view in scene.views}
    new = [
        (path.resolve(), stored_camera(camera, picture_orientation(path), str(path)))
        for path, camera in added
        if path.resolve() not in known
    ]
    named = [(str(view.image.resolve()), view.camera) for view in scene.views]
    content = transforms_from_cameras([*named, *((str(path), camera) for path, camera in new)])
    splits = [view.split for view in scene.views] + ["train"] * len(new)
    masks = [view.mask for view in scene.views] + [None] * len(new)
    for frame, split, mask in zip(content["frames"], splits, masks, strict=True):
        frame["split"] = split
        if mask is not None:
            frame["mask_path"] = str(mask.resolve())
    content |= {UP_AXIS: "z", "written_by": WRITER}
    write_json(folder / TRANSFORMS, content)
    return len(new)
