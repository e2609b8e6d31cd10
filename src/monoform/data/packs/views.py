"""Pictures of a mesh from random cameras under random light, as a learner sees them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float16, Int8, UInt8

from ...camera import Camera
from ...camera.poses import look_at, spherical_position
from ...camera.rigid import rigid
from ...mesh import Mesh
from ...render.mesh import render_mesh


@dataclass(frozen=True)
class ViewOptions:
    """How views are drawn at random; angles in radians.

    Attributes:
        count: views of each object.
        size: width and height in pixels.
        samples: each pixel is the mean of samples x samples rays.
        field_of_view: range for the whole picture.
        elevation: usual range.
        elevation_rare: range of a share `rare` of the views.
        rare: share of the views with elevations of `elevation_rare`.
        roll: standard deviation.
        margin: range of the free border on the tightest side, as a share of the picture.
        ambient: range of the share of light that comes from everywhere.
        unlit: share of views with no shading at all.
        jitter: strength of changes in brightness, contrast, saturation and tint; 0 for none.
    """

    count: int = 10
    size: int = 128
    samples: int = 2
    field_of_view: tuple[float, float] = (math.radians(20.0), math.radians(60.0))
    elevation: tuple[float, float] = (0.0, math.radians(35.0))
    elevation_rare: tuple[float, float] = (math.radians(-10.0), math.radians(60.0))
    rare: float = 0.3
    roll: float = math.radians(2.0)
    margin: tuple[float, float] = (0.02, 0.15)
    ambient: tuple[float, float] = (0.45, 0.85)
    unlit: float = 0.1
    jitter: float = 0.25


@dataclass(frozen=True, eq=False)
class Views:
    """Views of one object.

    Attributes:
        images: sRGB and coverage; color is not multiplied by it, and 0 where it is 0.
        depth: along the camera's z axis, inf off the object.
        normals: unit vectors in the camera frame (x right, y down, z forward) times 127, 0 off the object.
        cameras: of the views.
    """

    images: UInt8[np.ndarray, "n h w 4"]
    depth: Float16[np.ndarray, "n h w"]
    normals: Int8[np.ndarray, "n h w 3"]
    cameras: Camera


def render_views(mesh: Mesh, options: ViewOptions, *, generator: np.random.Generator) -> Views:
    """Draw `options.count` random views, every one with the whole object in frame.

    Raises:
        InputError: the mesh has no faces.
    """
    cameras = random_cameras(mesh, options, generator=generator)
    images, depths, normals = [], [], []
    for camera in cameras:
        render = render_mesh(mesh, camera, background=(0.0, 0.0, 0.0), samples=options.samples)
        rotation = camera.world_from_camera[0, :3, :3].numpy().astype(np.float32)
        in_camera = render.normal @ rotation
        # Both sides of a face are seen: the side that is seen faces the camera.
        in_camera = np.where(in_camera[..., 2:] > 0.3, -in_camera, in_camera)
        color = render.rgb / np.maximum(render.alpha, 1e-6)[..., None]
        color = _jittered(_lit(color, in_camera, options, generator), options.jitter, generator)
        alpha = render.alpha[..., None]
        images.append(_bytes(np.concatenate([np.where(alpha > 0, color, 0), alpha], axis=-1)))
        depths.append(render.depth.astype(np.float16))
        normals.append(np.rint(127 * in_camera).astype(np.int8))
    return Views(np.stack(images), np.stack(depths), np.stack(normals), cameras)


def random_cameras(mesh: Mesh, options: ViewOptions, *, generator: np.random.Generator) -> Camera:
    """Pinhole cameras around the mesh, no two at the same azimuth, each at the distance where the mesh fits."""
    count, size = options.count, options.size
    turn = generator.random()
    azimuth = 2 * math.pi * (turn + (np.arange(count) + generator.uniform(0, 1, count)) / count)
    usual = generator.uniform(*options.elevation, count)
    rare = generator.uniform(*options.elevation_rare, count)
    elevation = np.where(generator.random(count) < options.rare, rare, usual)
    fov = generator.uniform(*options.field_of_view, count)
    roll = generator.normal(0.0, options.roll, count).clip(-3 * options.roll, 3 * options.roll)
    margin = generator.uniform(*options.margin, count)
    shift = generator.uniform(-1, 1, (count, 2))
    # Only the order of azimuths was regular: views are exchangeable.
    azimuth = azimuth[generator.permutation(count)]
    eye = spherical_position(torch.from_numpy(azimuth), torch.from_numpy(elevation), 1.0)
    upright_pose = look_at(eye)
    cosine, sine = torch.cos(torch.from_numpy(roll)), torch.sin(torch.from_numpy(roll))
    spin = torch.eye(3, dtype=torch.float64).repeat(count, 1, 1)
    spin[:, 0, 0], spin[:, 0, 1], spin[:, 1, 0], spin[:, 1, 1] = cosine, -sine, sine, cosine
    rotation = upright_pose[:, :3, :3] @ spin
    used = mesh.vertices[np.unique(mesh.faces)] if len(mesh.faces) else mesh.vertices
    position = [
        _fitting_position(used, rotation[i].numpy(), fov[i], 1.0 - 2.0 * margin[i], margin[i] * shift[i])
        for i in range(count)
    ]
    pose = rigid(rotation, torch.from_numpy(np.stack(position)))
    return Camera.from_fov(pose.float(), torch.from_numpy(fov).float(), size, size)


def _fitting_position(
    vertices: np.ndarray, rotation: np.ndarray, fov: float, share: float, shift: np.ndarray
) -> Float[np.ndarray, " 3"]:
    """Where a camera of this orientation stands so that the vertices fill `share` of its picture, `shift` off centre.

    The planes of the view's pyramid, moved to touch the vertices, meet in pairs along lines; the camera stands as far
    back as the tighter pair asks. `shift` is in pictures, at most half of what is left free.
    """
    local = vertices @ rotation
    slope = math.tan(0.5 * fov) * share
    position = np.zeros(3)
    low, high = np.zeros(2), np.zeros(2)
    for axis in range(2):
        high[axis] = (local[:, axis] - slope * local[:, 2]).max()
        low[axis] = (local[:, axis] + slope * local[:, 2]).min()
    position[2] = min((low[axis] - high[axis]) / (2 * slope) for axis in range(2))
    # Centred on each axis: equal angles are left on both sides, as seen from this depth.
    for axis in range(2):
        position[axis] = _centered(local[:, axis], local[:, 2] - position[2])
    nearest = float(local[:, 2].min()) - position[2]  # what is nearest moves furthest
    position[:2] += shift * 2 * math.tan(0.5 * fov) * nearest
    return rotation @ position


def _centered(across: np.ndarray, depth: np.ndarray) -> float:
    """The offset from which the largest and the smallest tangent, (across - offset) / depth, are opposite."""
    low, high = float(across.min()), float(across.max())
    for _ in range(16):
        middle = 0.5 * (low + high)
        tangents = (across - middle) / depth
        if tangents.max() + tangents.min() > 0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _lit(color: np.ndarray, normals: np.ndarray, options: ViewOptions, generator: np.random.Generator) -> np.ndarray:
    """Lambert shading under one light over the camera's shoulder, of a slightly random tint."""
    ambient = generator.uniform(*options.ambient)
    direction = generator.normal(size=3) + np.array([0.0, -0.8, -1.2])  # mostly from above and from the camera's side
    direction /= np.linalg.norm(direction)
    tint = 1.0 + 0.08 * generator.normal(size=3)
    strength = generator.uniform(0.8, 1.2)
    if generator.random() < options.unlit:
        return color
    facing = np.maximum(normals @ direction.astype(np.float32), 0.0)[..., None]
    return color * (ambient + (1.0 - ambient) * facing * strength * tint.astype(np.float32)).astype(np.float32)


def _jittered(color: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Other brightness, contrast, saturation and tint, as of another photographic camera."""
    gain, contrast, saturation = 1.0 + strength * generator.uniform(-1, 1, 3)
    tint = 1.0 + 0.3 * strength * generator.uniform(-1, 1, 3)
    gray = color.mean(axis=-1, keepdims=True)
    color = gray + saturation * (color - gray)
    color = (0.5 + contrast * (color - 0.5)) * gain * tint
    return color.astype(np.float32)


def _bytes(values: np.ndarray) -> UInt8[np.ndarray, "*any"]:
    return np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
