"""Pictures of a result: the mesh over the photo, and all around it."""

from __future__ import annotations

import math

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ..camera import orbit
from ..metrics import mask_iou
from ..render import render_mesh
from ..scene import Reconstruction

OUTLINE = (1.0, 0.25, 0.1)


def overlay(reconstruction: Reconstruction) -> tuple[UInt8[np.ndarray, "h w 3"], float]:
    """The mesh drawn over the working photo, the mask's outline in red; and the IoU of silhouette and mask.

    The silhouette is found by casting rays from the reconstruction's camera at its mesh.
    """
    photo = reconstruction.photo
    camera = reconstruction.camera.cropped(*(round(v) for v in photo.crop)).resized(*photo.size)
    seen = render_mesh(reconstruction.mesh(), camera, shading="shaded")
    assert photo.mask is not None
    mask = photo.mask > 0.5
    grey = photo.rgb.mean(axis=2, keepdims=True) * 0.5 + 0.3
    picture = np.where(seen.mask[..., None], 0.35 * photo.rgb + 0.65 * seen.rgb, np.broadcast_to(grey, photo.rgb.shape))
    picture = np.ascontiguousarray(picture, dtype=np.float32)
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, OUTLINE, max(1, round(max(photo.size) / 500)), cv2.LINE_AA)
    return _bytes(picture), float(mask_iou(seen.mask, mask))


def turntable(
    reconstruction: Reconstruction, *, frames: int = 60, size: int = 384, elevation: float = math.radians(15)
) -> list[UInt8[np.ndarray, "h w 3"]]:
    """Views of the mesh from all around, starting at the front.

    Args:
        frames: number of views; size: their side in pixels; elevation: of the camera in radians.
    """
    cameras = orbit(frames, elevation=elevation, distance=2.2, fov_y=math.radians(28), width=size, height=size)
    mesh = reconstruction.mesh()
    return [_bytes(render_mesh(mesh, cameras[index]).rgb) for index in range(frames)]


def four_views(reconstruction: Reconstruction, *, size: int = 320) -> UInt8[np.ndarray, "size width 3"]:
    """Front, right, back and left side by side."""
    return np.concatenate(turntable(reconstruction, frames=4, size=size, elevation=math.radians(10)), axis=1)


def _bytes(image: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
