"""Cameras and renderings of the published layouts, with the same light on every view of an object."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, UInt8

from ...camera import Camera, look_at, spherical_position
from ...camera.integer_centers import integer_center_camera
from ...mesh import Mesh
from ...render.mesh import render_mesh

SRN_FOCAL = 131.25 / 128  # of the image's side
NMR_DISTANCE, NMR_ELEVATION, NMR_FIELD_OF_VIEW = 2.732, math.radians(30.0), math.radians(30.0)
_TURNS = 5  # of the spiral over the upper half
_AMBIENT = 0.45
_LIGHT = np.array([0.36, 0.80, 0.48], np.float32)  # unit vector towards the light, in the object's frame


def scattered_cameras(count: int, distance: float, size: int, *, generator: np.random.Generator) -> Camera:
    """Cameras uniform on the sphere, looking at the origin, with the focal length of the published cars."""
    azimuth = torch.from_numpy(generator.uniform(0.0, 2.0 * math.pi, count))
    elevation = torch.from_numpy(np.arcsin(generator.uniform(-1.0, 1.0, count)))
    return _square_cameras(azimuth, elevation, distance, size, SRN_FOCAL * size)


def spiral_cameras(count: int, distance: float, size: int) -> Camera:
    """Cameras on a spiral over the upper half of the sphere, from the horizon to the top, evenly spread by height."""
    share = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return _square_cameras(2.0 * math.pi * _TURNS * share, torch.asin(share), distance, size, SRN_FOCAL * size)


def circle_cameras(count: int, size: int) -> Camera:
    """Cameras on a circle at 30 degrees of elevation, with a field of view of 30 degrees."""
    azimuth = torch.arange(count, dtype=torch.float64) * (2.0 * math.pi / count)
    focal = 0.5 * size / math.tan(0.5 * NMR_FIELD_OF_VIEW)
    return _square_cameras(azimuth, torch.full_like(azimuth, NMR_ELEVATION), NMR_DISTANCE, size, focal)


def lit_pictures(
    mesh: Mesh, cameras: Camera, *, samples: int = 2
) -> tuple[UInt8[np.ndarray, "v h w 3"], Float[np.ndarray, "v h w"]]:
    """Pictures over white and the share of each pixel that the mesh covers.

    The light stands still with the object and wraps around it (half Lambert), so that all views agree on every colour.
    """
    images, alphas = [], []
    for camera in cameras:
        render = render_mesh(mesh, camera, background=(0.0, 0.0, 0.0), samples=samples)
        alpha = render.alpha[..., None]
        # Both sides of a face are seen; the side that is seen counts.
        view = camera.world_from_camera[0, :3, 2].numpy().astype(np.float32)
        normal = np.where((render.normal @ view)[..., None] > 0.3, -render.normal, render.normal)
        light = _AMBIENT + (1.0 - _AMBIENT) * (0.5 + 0.5 * normal @ _LIGHT)
        composite = render.rgb * light[..., None] + 1.0 - alpha  # the render is already multiplied by alpha
        images.append(np.rint(255 * np.clip(composite, 0, 1)).astype(np.uint8))
        alphas.append(render.alpha)
    return np.stack(images), np.stack(alphas)


def _square_cameras(
    azimuth: Float[torch.Tensor, " n"],
    elevation: Float[torch.Tensor, " n"],
    distance: float,
    size: int,
    focal: float,
) -> Camera:
    pose = look_at(spherical_position(azimuth, elevation, distance)).float()
    return integer_center_camera(pose, size, size, focal)
