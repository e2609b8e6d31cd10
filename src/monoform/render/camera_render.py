"""The picture of one camera, whatever was rendered, and its rendering by any ray renderer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from ..camera import Camera
from ..errors import InputError
from ..nn.field import Field
from .chunks import slices
from .ray_renderer import RayColors, RayRenderer
from .volume import SEEN, normals

RAYS = 16_384  # that are rendered at once

# Colors of a camera's pixels, row by row: a method's own picture, super-resolved, say.
ImageRenderer = Callable[[Camera], RayColors]


@dataclass(frozen=True, eq=False)
class CameraRender:
    """What a camera sees of an object.

    Attributes:
        rgb: sRGB 0..1.
        mask: whether at least half of the pixel is covered.
        alpha: the share that is covered.
        depth: along the camera's z axis in world units, inf where nothing is.
        normal: unit vectors in the world frame, 0 where nothing is; of a mesh smooth except at hard edges.
    """

    rgb: Float[np.ndarray, "h w 3"]
    mask: Bool[np.ndarray, "h w"]
    alpha: Float[np.ndarray, "h w"]
    depth: Float[np.ndarray, "h w"]
    normal: Float[np.ndarray, "h w 3"]


@torch.no_grad()
def camera_colors(renderer: RayRenderer, camera: Camera) -> RayColors:
    """Colors of one camera's pixels, row by row, on the renderer's background."""
    origins, directions = (rays[0] for rays in camera.rays())
    seen = [renderer(origins[part], directions[part]) for part in slices(len(origins), RAYS)]
    return RayColors(
        torch.cat([one.rgb for one in seen]).clamp(0.0, 1.0),
        torch.cat([one.alpha for one in seen]),
        torch.cat([one.distance for one in seen]),
    )


@torch.no_grad()
def render_camera(
    image: ImageRenderer,
    camera: Camera,
    field: Field,
    *,
    own: tuple[float, float, float] | None = (1.0, 1.0, 1.0),
    background: tuple[float, float, float] | None = None,
) -> CameraRender:
    """One camera's picture as a method draws it.

    Args:
        image: the colors of a camera's pixels.
        field: what is seen, for the normals at the mean depth.
        own: the background of these colors, sRGB 0..1; None where it is not plain.
        background: sRGB 0..1 in place of that, where something shows through; None keeps it.

    Raises:
        InputError: more than one camera; the picture has another size than the camera; or its background is
            not plain and another is asked for.
    """
    if len(camera) != 1:
        raise InputError(f"A picture is of one camera, not of {len(camera)}; loop over them, for example camera[0].")
    camera = camera.to(field.bounds.device)
    seen = image(camera)
    height, width = camera.height, camera.width
    if seen.rgb.shape != (height * width, 3):
        raise InputError(
            f"The picture has colors of the shape {tuple(seen.rgb.shape)}; a camera of {width} x {height} pixels "
            f"needs ({height * width}, 3), row by row."
        )
    origins, directions = (rays[0].to(seen.rgb) for rays in camera.rays())
    alpha, distance = seen.alpha.clamp(0.0, 1.0), seen.distance
    rgb = seen.rgb
    if background is not None:
        if own is None:
            raise InputError("What is behind this scene is part of it, and no other background can be given.")
        rgb = rgb + (1.0 - alpha)[:, None] * (rgb.new_tensor(background) - rgb.new_tensor(own))
    hit = (alpha > SEEN) & (distance > 0)
    forward = camera.world_from_camera[0, :3, 2].to(seen.rgb)
    depth = torch.where(hit, distance * (directions @ forward), torch.inf)
    normal = torch.zeros_like(rgb)
    for part in slices(len(rgb), RAYS):
        chosen = part.start + hit[part].nonzero()[:, 0]
        if len(chosen):
            normal[chosen] = normals(field, origins[chosen] + distance[chosen, None] * directions[chosen])
    values = (rgb.clamp(0.0, 1.0), alpha, depth, normal)
    found = [value.float().cpu().numpy().reshape(height, width, -1) for value in values]
    return CameraRender(found[0], found[1][..., 0] >= 0.5, found[1][..., 0], found[2][..., 0], found[3])
