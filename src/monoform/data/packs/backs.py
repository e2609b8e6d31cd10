"""Back surfaces: where the rays of a picture leave an object for the last time, and the color there."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float16, UInt8

from ...camera import Camera
from ...mesh import Mesh
from ...mesh.raycast import caster_of
from ...mesh.texture import surface_colors, to_bytes


def back_views(
    mesh: Mesh, cameras: Camera, covered: Bool[np.ndarray, "n h w"]
) -> tuple[Float16[np.ndarray, "n h w"], UInt8[np.ndarray, "n h w 3"]]:
    """Depth along the camera's z axis of the last meeting of each covered pixel's ray with the mesh, and its colour.

    Found by casting from behind the object towards the camera. Depth is inf and colour 0 where nothing is met.
    """
    depths = np.full(covered.shape, np.inf, np.float16)
    colors = np.zeros((*covered.shape, 3), np.uint8)
    behind = 4.0 * float(np.linalg.norm(mesh.bounds[1] - mesh.bounds[0]))
    for i in range(len(cameras)):
        rows, columns = np.nonzero(covered[i])
        camera = cameras[i].to("cpu", torch.float64)
        pixels = torch.from_numpy(np.stack((columns, rows), -1) + 0.5)[None]
        origins, directions = (rays[0].numpy() for rays in camera.rays(pixels))
        reach = float(np.linalg.norm(camera.position[0].numpy() - mesh.bounds.mean(0))) + behind
        hits = caster_of(mesh).cast(origins + reach * directions, -directions)
        found = hits.hit & (hits.t < reach)
        along = (reach - hits.t[found]) * (directions[found] @ camera.world_from_camera[0, :3, 2].numpy())
        depths[i, rows[found], columns[found]] = along
        found_colors = surface_colors(mesh, hits.face[found], hits.barycentric[found])
        colors[i, rows[found], columns[found]] = to_bytes(found_colors.astype(np.float32))
    return depths, colors
