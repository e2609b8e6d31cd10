"""A film all around what a folder holds: a result, or a trained scene."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..ranges import require_range
from ..render.video import write_video
from ..scene import load
from ..scene.result_files import RESULT, result_in
from .camera_paths import open_path
from .pictures import around, filmed, own_turntable
from .pose_scenes import load_trained


@dataclass(frozen=True)
class TurntableOptions:
    """The way of the camera and the film.

    Attributes:
        frames: of one full turn.
        size: side of the frames in pixels.
        elevation: of the camera in radians, positive above.
        fps: frames in a second, where a path does not say it.
        camera_path: file with the cameras, in place of frames, size and elevation.
    """

    frames: int = 40
    size: int = 384
    elevation: float = math.radians(10.0)
    fps: float = 30.0
    camera_path: str | Path | None = None

    def __post_init__(self) -> None:
        require_range("--frames", self.frames, 1, 10_000)
        require_range("--size", self.size, 2, 4096)
        if not abs(self.elevation) < 0.5 * math.pi:
            degrees = math.degrees(self.elevation)
            raise InputError(f"The camera is {degrees:g} degrees above the object; it must lie between -90 and 90.")


def film_folder(
    folder: str | Path, file: Path, options: TurntableOptions | None = None, *, device: str = "cpu"
) -> Path:
    """Write a film (.mp4, .gif, .webp or .apng): one full turn of a result's mesh or a scene's radiance field.

    Of a result it may also follow a camera path.

    Raises:
        InputError: the folder holds neither, or the film cannot be written.
    """
    folder, options = result_in(folder), options or TurntableOptions()
    size, elevation = options.size, options.elevation
    if options.camera_path is not None and not (folder / RESULT).is_file():
        raise InputError("--camera-path is for films of results: leave it out for a scene.")
    path = None if options.camera_path is None else open_path(options.camera_path)
    if not (folder / RESULT).is_file():
        from ..methods.nerf.products import write_turntable

        scene = load_trained(folder, device=device)
        write_turntable(scene, file, frames=options.frames, size=size, elevation=elevation, fps=options.fps)
        return file
    found = load(folder)
    cameras = around(options.frames, size, elevation) if path is None else path.cameras
    frames = own_turntable(found, cameras=cameras) if found.draws_itself else filmed(found.mesh(), cameras)
    return write_video(frames, file, fps=options.fps if path is None else path.fps or options.fps)
