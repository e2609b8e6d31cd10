"""Pictures of meshes by casting one ray through each pixel centre."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from ..camera import Camera
from ..errors import InputError
from ..mesh.mesh import Mesh
from ..mesh.raycast import Hits, caster_of
from ..mesh.texture import surface_colors
from .camera_render import CameraRender

Shading = Literal["texture", "lit", "shaded", "normal", "depth", "silhouette"]
SHADINGS: tuple[Shading, ...] = ("texture", "lit", "shaded", "normal", "depth", "silhouette")
_AMBIENT = 0.25
_CLAY = 0.85


def render_mesh(
    mesh: Mesh,
    camera: Camera,
    *,
    background: tuple[float, float, float] = (1.0, 1.0, 1.0),
    shading: Shading = "texture",
    samples: int = 1,
) -> CameraRender:
    """Draw `mesh` as one pinhole or orthographic camera sees it.

    Args:
        background: sRGB 0..1 where no surface is seen.
        shading: "texture" the plain surface colour; "lit" that colour under a light at the camera (Lambert);
            "shaded" a white surface under it; "normal" world-to-camera normals as colours (x right, y up, z towards
            the viewer); "depth" near is bright; "silhouette" black.
        samples: each pixel is the mean over a grid of samples x samples rays.

    Raises:
        InputError: more than one camera, an unknown shading, or `samples` below 1.
    """
    if len(camera) != 1:
        raise InputError(f"render_mesh draws one camera, not {len(camera)}; loop over them, for example camera[0].")
    if shading not in SHADINGS:
        raise InputError(f"Unknown shading {shading!r}; choose one of {', '.join(SHADINGS)}.")
    if samples < 1:
        raise InputError(f"samples is {samples}; it must be 1 or more.")
    fine = camera if samples == 1 else camera.resized(camera.width * samples, camera.height * samples)
    render = _render(mesh, fine.to("cpu", torch.float64), np.asarray(background, np.float32), shading)
    return render if samples == 1 else _reduced(render, samples)


def _render(mesh: Mesh, camera: Camera, background: np.ndarray, shading: Shading) -> CameraRender:
    shape = (camera.height, camera.width)
    rgb = np.broadcast_to(background, (*shape, 3)).copy()
    mask = np.zeros(shape, bool)
    depth = np.full(shape, np.inf, np.float32)
    normal = np.zeros((*shape, 3), np.float32)
    x0, y0, x1, y1 = _window(mesh, camera)
    if x1 > x0 and y1 > y0:
        origins, directions = _window_rays(camera, x0, y0, x1, y1)
        hits = caster_of(mesh).cast(origins, directions)
        window = (slice(y0, y1), slice(x0, x1))
        found = hits.hit.reshape(y1 - y0, x1 - x0)
        forward = camera.world_from_camera[0, :3, 2].numpy()
        mask[window] = found
        depth[window][found] = hits.t[hits.hit] * (directions[hits.hit] @ forward)
        normals = _normals(mesh, hits)
        normal[window][found] = normals
        rgb[window][found] = _colors(mesh, camera, hits, normals, directions[hits.hit], depth[window][found], shading)
    return CameraRender(rgb, mask, mask.astype(np.float32), depth, normal)


def _window(mesh: Mesh, camera: Camera) -> tuple[int, int, int, int]:
    """The part of the image that the mesh can cover: x0, y0, x1, y1 in whole pixels."""
    if len(mesh.faces) == 0:
        return 0, 0, 0, 0
    projected = camera.project(torch.from_numpy(mesh.used_vertices)[None])
    pixels, depth = (values[0].numpy() for values in projected)
    if camera.model == "pinhole" and depth.min() < 1e-6:
        return (0, 0, camera.width, camera.height) if depth.max() > 0 else (0, 0, 0, 0)
    size = np.array([camera.width, camera.height])
    low = np.floor(pixels.min(axis=0)).clip(0, size).astype(int)
    high = np.ceil(pixels.max(axis=0)).clip(0, size).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _window_rays(camera: Camera, x0: int, y0: int, x1: int, y1: int) -> tuple[np.ndarray, np.ndarray]:
    """Origins and directions of the window's rays, row-major; directions have length 1 along the camera's z axis.

    A pixel's point in the plane z = 1 is linear in its column and its row, so that whole images are one sum of a row
    and a column of vectors (`Camera.rays` is the plain form).
    """
    pose, inverse = camera.world_from_camera[0].numpy(), np.linalg.inv(camera.intrinsics[0].numpy())
    across, down, center = (pose[:3, :3] @ inverse).T if camera.model == "pinhole" else _parallel(pose, inverse)
    columns, rows = np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5
    plane = (rows[:, None, None] * down + center) + columns[None, :, None] * across
    plane = plane.reshape(-1, 3)
    if camera.model == "pinhole":
        return np.broadcast_to(pose[:3, 3], plane.shape), plane
    return plane, np.broadcast_to(pose[:3, 2], plane.shape)


def _parallel(pose: np.ndarray, inverse: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps in the world of one column and one row of an orthographic image, and where pixel (0, 0) begins."""
    x, y = pose[:3, 0], pose[:3, 1]
    across, down = inverse[0, 0] * x + inverse[1, 0] * y, inverse[0, 1] * x + inverse[1, 1] * y
    return across, down, inverse[0, 2] * x + inverse[1, 2] * y + pose[:3, 3]


def _normals(mesh: Mesh, hits: Hits) -> Float[np.ndarray, "m 3"]:
    """Corner normals interpolated at the hits."""
    corners = mesh.corner_normals[hits.face[hits.hit]].astype(np.float32)
    smooth = np.einsum("nk,nkc->nc", hits.barycentric[hits.hit].astype(np.float32), corners)
    length = np.linalg.norm(smooth, axis=1, keepdims=True)
    return smooth / np.maximum(length, 1e-12)


def _colors(
    mesh: Mesh,
    camera: Camera,
    hits: Hits,
    normals: np.ndarray,
    directions: np.ndarray,
    depth: np.ndarray,
    shading: Shading,
) -> Float[np.ndarray, "m 3"]:
    if shading == "silhouette":
        return np.zeros((len(normals), 3), np.float32)
    if shading == "depth":
        near, far = float(depth.min()), float(depth.max())
        bright = 1.0 - 0.8 * (depth - near) / max(far - near, 1e-12)
        return np.repeat(bright[:, None], 3, axis=1).astype(np.float32)
    if shading == "normal":
        in_camera = normals @ camera.world_from_camera[0, :3, :3].numpy().astype(np.float32)
        return 0.5 + 0.5 * in_camera * np.array([1, -1, -1], np.float32)
    if shading == "shaded":
        color = np.full((len(normals), 3), _CLAY, np.float32)
    else:
        color = surface_colors(mesh, hits.face[hits.hit], hits.barycentric[hits.hit])
    if shading == "texture":
        return color
    length = np.sqrt(np.einsum("ij,ij->i", directions, directions))
    facing = np.abs(np.einsum("ij,ij->i", normals, directions) / length).astype(np.float32)
    light = _AMBIENT + (1.0 - _AMBIENT) * facing[:, None]
    return color * light


def _reduced(render: CameraRender, samples: int) -> CameraRender:
    """Means over blocks of samples; depth and normal over the samples that meet the mesh."""
    alpha = _block_mean(render.alpha, samples)
    share = np.maximum(alpha, 1e-12)
    depth = _block_mean(np.where(render.mask, render.depth, np.float32(0)), samples) / share
    normal = _block_mean(render.normal, samples)
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    mask = alpha >= 0.5
    return CameraRender(
        rgb=_block_mean(render.rgb, samples),
        mask=mask,
        alpha=alpha,
        depth=np.where(mask, depth, np.float32(math.inf)).astype(np.float32),
        normal=np.where(mask[..., None], normal / np.maximum(length, 1e-12), np.float32(0)).astype(np.float32),
    )


def _block_mean(image: np.ndarray, samples: int) -> np.ndarray:
    height, width = image.shape[0] // samples, image.shape[1] // samples
    return image.reshape(height, samples, width, samples, *image.shape[2:]).mean(axis=(1, 3), dtype=np.float32)
