"""Pictures of a result: the mesh over the photo, and all around it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from jaxtyping import Float

from ..camera import Camera, orbit
from ..errors import InputError
from ..mesh import Mesh
from ..metrics import mask_iou
from ..render import render_mesh
from ..render.mesh import lit_picture
from ..render.video import drawn
from ..scene import Reconstruction
from ..scene.photo_camera import working_camera

OUTLINE = (1.0, 0.25, 0.1)


def overlay(reconstruction: Reconstruction, mesh: Mesh) -> tuple[Float[np.ndarray, "h w 3"], float]:
    """The mesh drawn over the working photo, the mask's outline in red; and the IoU of silhouette and mask.

    The silhouette is found by casting rays from the reconstruction's camera at its mesh.

    Raises:
        InputError: there is no photo with mask and camera (`can_be_overlaid`).
    """
    if not reconstruction.can_be_overlaid:
        raise InputError("An overlay needs a photo, its mask and its camera, which this reconstruction has not all.")
    photo = reconstruction.photo
    camera = working_camera(reconstruction.camera, photo)
    seen = render_mesh(mesh, camera, shading="shaded")
    assert photo.mask is not None
    mask = photo.mask > 0.5
    gray = (photo.rgb @ np.full((3, 1), 1 / 6, np.float32)) + 0.3
    picture = np.where(seen.mask[..., None], 0.35 * photo.rgb + 0.65 * seen.rgb, np.broadcast_to(gray, photo.rgb.shape))
    picture = np.ascontiguousarray(picture, dtype=np.float32)
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, OUTLINE, max(1, round(max(photo.size) / 500)), cv2.LINE_AA)
    return picture, float(mask_iou(seen.mask, mask))


def turntable(
    mesh: Mesh, *, frames: int = 60, size: int = 384, elevation: float = math.radians(15), samples: int = 1
) -> Iterator[Float[np.ndarray, "size size 3"]]:
    """Views of the mesh from all around, starting at the front.

    Args:
        frames: number of views.
        size: their side in pixels.
        elevation: of the camera in radians.
        samples: each pixel is the mean of samples x samples rays.
    """
    return filmed(mesh, around(frames, size, elevation), samples=samples)


def filmed(mesh: Mesh, cameras: Camera, *, samples: int = 1) -> Iterator[Float[np.ndarray, "h w 3"]]:
    """The mesh as each of these cameras sees it, on white under a light at the camera."""
    yield lit_picture(mesh, cameras[0], samples=samples)  # builds what all views share, once
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        yield from pool.map(lambda camera: lit_picture(mesh, camera, samples=samples), list(cameras)[1:])


def own_turntable(
    reconstruction: Reconstruction,
    *,
    frames: int = 60,
    size: int = 384,
    elevation: float = math.radians(15),
    cameras: Camera | None = None,
) -> Iterator[Float[np.ndarray, "size size 3"]]:
    """The same views as of `turntable`, or of other cameras, as the method itself draws them.

    Raises:
        InputError: it draws none.
    """
    cameras = around(frames, size, elevation) if cameras is None else cameras
    return drawn(lambda camera: reconstruction.render(camera, what="field").rgb, cameras, "filming the field")


def around(frames: int, size: int, elevation: float) -> Camera:
    """Cameras all around the world's origin that show the sphere of radius 0.5; the first is in front."""
    return orbit(frames, elevation=elevation, distance=2.2, fov_y=math.radians(28), width=size, height=size)


def four_views(mesh: Mesh, *, size: int = 320) -> Float[np.ndarray, "size width 3"]:
    """Front, right, back and left side by side."""
    views = turntable(mesh, frames=4, size=size, elevation=math.radians(10), samples=2)
    return np.concatenate(list(views), axis=1)
