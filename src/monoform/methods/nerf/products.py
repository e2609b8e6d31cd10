"""What a trained scene is looked at with: a textured mesh, and a film all around it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from ...camera import Camera, orbit
from ...mesh import Mesh, bake, extract, largest, simplify, unwrap
from ...render.video import write_video
from .scene import Scene

LEVEL = 15.0  # density of the surface, per radius of the content
RESOLUTION, FACES, TEXTURE = 256, 30_000, 1024
FIELD_OF_VIEW, ELEVATION = math.radians(30.0), math.radians(15.0)


def scene_mesh(
    scene: Scene, *, resolution: int = RESOLUTION, faces: int = FACES, texture: int = TEXTURE, parts: int = 1
) -> Mesh:
    """The surface where the density is 15 per radius, with a texture that is baked from the field.

    Args:
        resolution: cells along the bounds; faces: triangles; texture: side in pixels; parts: separate solids that stay.

    Raises:
        InputError: no density is that high.
    """
    surface = extract(scene.field, resolution=resolution, level=LEVEL / scene.radius)
    surface = simplify(largest(surface, n=parts), faces)
    return bake.from_field(unwrap(surface, resolution=texture), scene.field, texture)


def scene_orbit(scene: Scene, *, frames: int = 36, size: int = 256) -> Camera:
    """Cameras all around a scene that show its content in full."""
    distance = scene.radius / math.sin(0.5 * FIELD_OF_VIEW)
    around = orbit(frames, elevation=ELEVATION, distance=distance, fov_y=FIELD_OF_VIEW, width=size, height=size)
    poses = around.world_from_camera.float().clone()
    poses[:, :3, 3] += torch.tensor(scene.centre)
    return replace(around, world_from_camera=poses, intrinsics=around.intrinsics.float())


def write_turntable(scene: Scene, file: Path, *, frames: int = 36, size: int = 256) -> None:
    """A film of the field all around it, .mp4 or .gif."""

    def pictures() -> Iterator[Float[np.ndarray, "h w 3"]]:
        for camera in scene_orbit(scene, frames=frames, size=size):
            yield scene.render(camera)[0].numpy()

    write_video(pictures(), file, fps=max(1.0, frames / 3.0))
