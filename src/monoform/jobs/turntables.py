"""The film of a result, and the same film in further formats."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..camera import Camera
from ..mesh import Mesh
from ..mesh.texture import to_bytes
from ..render.video import write_video
from ..scene import Reconstruction
from .camera_paths import open_path
from .exports import ExportOptions
from .pictures import filmed, own_turntable, turntable

TURNTABLE, FPS = "turntable.mp4", 24.0


def write_turntables(
    reconstruction: Reconstruction,
    mesh: Mesh | None,
    exports: ExportOptions,
    folder: Path,
    *,
    frames: int,
    around: Camera | None = None,
) -> dict[str, str]:
    """Write turntable.mp4, and the further formats that `exports` asks for.

    Args:
        mesh: that is filmed; None: the field, as the method itself draws it.
        frames: of one turn, where there is no path.
        around: cameras of a film of the field; None: the house's.

    Returns:
        What is in each further file, by its name.
    """
    path = None if exports.camera_path is None else open_path(exports.camera_path)
    cameras, fps = (around, FPS) if path is None else (path.cameras, path.fps or FPS)
    drawn: Iterable[np.ndarray]
    if mesh is None:
        drawn = own_turntable(reconstruction, frames=frames, cameras=cameras)
    else:
        drawn = turntable(mesh, frames=frames) if path is None else filmed(mesh, path.cameras)
    if exports.films:
        drawn = [to_bytes(frame) for frame in drawn]  # drawn once for all formats
    write_video(drawn, folder / TURNTABLE, fps=fps)
    for suffix in exports.films:
        write_video(drawn, (folder / TURNTABLE).with_suffix(f".{suffix}"), fps=fps)
    what = "film of one full turn" if path is None else "film along a path"
    return {f"turntable.{suffix}": f"{what}, as {suffix}" for suffix in exports.films}
