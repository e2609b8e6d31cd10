"""Photos whose pose was found, added to what a scene was trained from (Yen-Chen et al. 2021, self-supervision)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..camera import Camera, transforms_from_cameras
from ..errors import InputError
from ..scene.result import write_json
from .pose_scenes import KnownScene

TRANSFORMS = "transforms.json"


def write_extended_capture(folder: Path, scene: KnownScene, added: Sequence[tuple[Path, Camera]]) -> int:
    """Write FOLDER/transforms.json, with the scene's own photos and the added ones, for `monoform train scene`.

    Photos stay where they are. Cameras are those of the scene's world, z up. A photo that is there already
    (the same file) is left as it is.

    Returns:
        How many were added.

    Raises:
        InputError: the scene has no photos of its own.
    """
    if not scene.views:
        raise InputError("The scene has no photos of its own: what it was trained from is not known, nothing is added.")
    known = {view.image.resolve() for view in scene.views}
    new = [(path.resolve(), camera) for path, camera in added if path.resolve() not in known]
    named = [(str(view.image.resolve()), view.camera) for view in scene.views]
    content = transforms_from_cameras([*named, *((str(path), camera) for path, camera in new)])
    splits = [view.split for view in scene.views] + ["train"] * len(new)
    for frame, split in zip(content["frames"], splits, strict=True):
        frame["split"] = split
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / TRANSFORMS, content)
    return len(new)
