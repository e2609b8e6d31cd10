"""What a trained scene is looked at with: a textured mesh, and a film all around it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch

from ...camera import Camera, orbit
from ...mesh import Mesh, bake, extract, largest, simplify, unwrap
from ...render.video import drawn, write_video
from ...scene.fusion import fused
from .scene import Scene

RESOLUTION, FACES, TEXTURE = 144, 30_000, 1024
VIEWS, LONGEST = 64, 240  # pictures from which the surface is put together, at most, and pixels of their longer side
FIELD_OF_VIEW, ELEVATION = math.radians(30.0), math.radians(15.0)


def scene_mesh(
    scene: Scene,
    *,
    resolution: int = RESOLUTION,
    faces: int = FACES,
    texture: int = TEXTURE,
    parts: int = 1,
    view_count: int = VIEWS,
) -> Mesh:
    """The surface that the scene shows to its training photos' cameras, with the colours that it shows them.

    Level sets of the density are no surfaces: densities grow slowly where photos agree little. Without photos the
    cameras stand all around.

    Args:
        resolution: cells along the bounds.
        faces: triangles.
        texture: side in pixels.
        parts: separate solids that stay.
        view_count: pictures from which it is put together, at most.

    Raises:
        InputError: there is no surface.
    """
    bounds, device = scene.field.bounds, next(scene.net.parameters()).device
    field = fused(scene.renderer(), looking(scene, view_count), bounds.cpu(), resolution=resolution, device=device)
    surface = simplify(largest(extract(field, resolution=resolution), n=parts), faces)
    return bake.from_field(unwrap(surface, resolution=texture), field, texture)


def looking(scene: Scene, view_count: int = VIEWS) -> list[Camera]:
    """Small cameras at the poses of at most `view_count` photos."""
    views = scene.of_split("train")
    if not views:
        return list(scene_orbit(scene, frames=24, size=LONGEST))
    found = []
    for view in views[:: -(-len(views) // view_count)]:
        width, height = view.camera.width, view.camera.height
        share = min(1.0, LONGEST / max(width, height))
        found.append(view.camera.resized(max(1, round(share * width)), max(1, round(share * height))))
    return found


def scene_orbit(scene: Scene, *, frames: int = 36, size: int = 256, elevation: float = ELEVATION) -> Camera:
    """Cameras all around a scene that show its content in full, from `elevation` radians above."""
    distance = scene.radius / math.sin(0.5 * FIELD_OF_VIEW)
    around = orbit(frames, elevation=elevation, distance=distance, fov_y=FIELD_OF_VIEW, width=size, height=size)
    poses = around.world_from_camera.float().clone()
    poses[:, :3, 3] += torch.tensor(scene.center)
    return replace(around, world_from_camera=poses, intrinsics=around.intrinsics.float())


def write_turntable(
    scene: Scene, file: Path, *, frames: int = 36, size: int = 256, elevation: float = ELEVATION, fps: float = 0.0
) -> None:
    """A film of the field all around it, .mp4, .gif, .webp or .apng; it takes three seconds where `fps` is 0."""
    around = scene_orbit(scene, frames=frames, size=size, elevation=elevation)
    pictures = drawn(lambda camera: scene.render(camera)[0].numpy(), around)
    write_video(pictures, file, fps=fps or max(1.0, frames / 3.0))
