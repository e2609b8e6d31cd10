"""Pictures of meshes: what is seen at each pixel center, colored and lit."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8

from ..camera import Camera, orbit
from ..errors import InputError
from ..mesh.mesh import Mesh
from ..mesh.texture import sample_texture, surface_colors, to_bytes
from .camera_render import CameraRender
from .visible import Visible, directions_at, visible

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
    seen = visible(mesh, camera)
    if len(seen.face):
        place = seen.rows, seen.columns
        normals = _normals(mesh, seen)
        mask[place], depth[place], normal[place] = True, seen.depth, normals.T
        rgb[place] = _colors(mesh, camera, seen, normals, shading)
    return CameraRender(rgb, mask, mask.astype(np.float32), depth, normal)


def lit_picture(mesh: Mesh, camera: Camera, *, samples: int = 1) -> Float[np.ndarray, "h w 3"]:
    """The colors alone of `render_mesh` with shading "lit" on white, in half its time."""
    fine = camera.resized(camera.width * samples, camera.height * samples).to("cpu", torch.float64)
    rgb = np.ones((fine.height * fine.width, 3), np.float32)
    seen = visible(mesh, fine)
    if len(seen.face):
        colors = _colors(mesh, fine, seen, _normals(mesh, seen), "lit")
        rgb[seen.rows * fine.width + seen.columns] = colors
    picture = rgb.reshape(fine.height, fine.width, 3)
    return picture if samples == 1 else _block_mean(picture, samples)


def _normals(mesh: Mesh, seen: Visible) -> Float[np.ndarray, "3 m"]:
    """Corner normals interpolated where the surface is seen."""
    corners = mesh.__dict__.get("_normal_channels")
    if corners is None:
        corners = mesh.__dict__["_normal_channels"] = _channels(mesh.corner_normals)
    smooth = seen.interpolated(corners)
    return smooth / np.maximum(_length(smooth), 1e-12)


def _texture_places(mesh: Mesh, seen: Visible) -> Float[np.ndarray, "2 m"]:
    corners = mesh.__dict__.get("_uv_channels")
    if corners is None:
        assert mesh.uv is not None
        corners = mesh.__dict__["_uv_channels"] = _channels(mesh.uv[mesh.faces])
    return seen.interpolated(corners)


def _channels(corners: Float[np.ndarray, "f 3 c"]) -> Float[np.ndarray, "c 3 f"]:
    return np.ascontiguousarray(corners.transpose(2, 1, 0), dtype=np.float32)


def _length(vectors: Float[np.ndarray, "3 m"]) -> Float[np.ndarray, " m"]:
    return np.sqrt((vectors * vectors).sum(axis=0))


def _colors(
    mesh: Mesh, camera: Camera, seen: Visible, normals: Float[np.ndarray, "3 m"], shading: Shading
) -> Float[np.ndarray, "m 3"]:
    if shading == "silhouette":
        return np.zeros((len(seen.face), 3), np.float32)
    if shading == "depth":
        near, far = float(seen.depth.min()), float(seen.depth.max())
        bright = 1.0 - 0.8 * (seen.depth - near) / max(far - near, 1e-12)
        return np.repeat(bright[:, None], 3, axis=1).astype(np.float32)
    if shading == "normal":
        in_camera = normals.T @ camera.world_from_camera[0, :3, :3].numpy().astype(np.float32)
        return 0.5 + 0.5 * in_camera * np.array([1, -1, -1], np.float32)
    if shading == "shaded":
        color = np.full((len(seen.face), 3), _CLAY, np.float32)
    elif mesh.uv is not None and mesh.texture is not None:
        color = sample_texture(mesh.texture, _texture_places(mesh, seen).T)
    else:
        color = surface_colors(mesh, seen.face, seen.weights.T)
    if shading == "texture":
        return color
    sight = directions_at(camera, seen.columns, seen.rows).astype(np.float32)
    facing = np.abs((normals * sight).sum(axis=0)) / _length(sight)
    return color * (_AMBIENT + (1.0 - _AMBIENT) * facing)[:, None]


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
    total = sum(
        image[row::samples, column::samples].astype(np.float32) for row in range(samples) for column in range(samples)
    )
    return np.asarray(total / np.float32(samples * samples))


def around_mesh(mesh: Mesh, *, views: int = 4, size: int = 200) -> list[UInt8[np.ndarray, "size size 3"]]:
    """Pictures of the whole mesh from all around, the first from the front, wherever and however large it is."""
    low, high = mesh.bounds
    middle, extent = (low + high) / 2, float(np.linalg.norm(high - low)) or 1.0
    unit = replace(mesh, vertices=(mesh.vertices - middle) / extent)
    cameras = orbit(views, elevation=math.radians(15), distance=2.2, fov_y=math.radians(28), width=size, height=size)
    return [to_bytes(render_mesh(unit, camera, shading="lit", samples=2).rgb) for camera in cameras]


Mesh.drawn = staticmethod(around_mesh)
