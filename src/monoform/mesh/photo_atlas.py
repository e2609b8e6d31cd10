"""An atlas for what one photo shows: a chart as the camera sees it, and flat views from the sides for all else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix

from .atlas import along_axis, connected_labels, covering_others, dominant_direction, own_planes, with_seams
from .edges import adjacent_faces
from .mesh import Mesh
from .packing import pack

if TYPE_CHECKING:
    from ..camera import Camera

FAIR = 0.25  # cosine between a face and the line of sight from which the camera sees it well enough
UNSEEN = 0.6  # length that a side of hidden surface has in the atlas, against one that the camera sees
_STEEPEST = 0.4  # least cosine between a face and the direction along which it is laid flat
_CALM = 5  # rounds in which normals are averaged with those of neighbors, so that charts have few islands
_ROUNDS = 6
_SIDES = 6


def photo_atlas(mesh: Mesh, camera: Camera, *, resolution: int = 1024) -> Mesh:
    """Texture coordinates in 0..1 without overlap, whose largest chart is what `camera` sees of `mesh`.

    Faces that it sees at a fair angle lie in the atlas as they do in its image. All others, and those that such faces
    hide, are laid flat along the camera's axes, with `UNSEEN` times as many texels along each side. Vertices on seams
    are doubled; any old texture is dropped.
    """
    welded = mesh.merged()
    axes = camera.camera_from_world[0, :3, :3].double().cpu().numpy()
    calm = _calm_normals(welded)
    middles = welded.triangles.mean(axis=1)
    facing = np.minimum(facing_of(middles, calm, camera), 2 * facing_of(middles, welded.face_normals, camera))
    side = _sides(welded.face_normals @ axes.T, calm @ axes.T)
    turned = (welded.vertices @ axes.T)[welded.faces]
    image, depth = _in_image(welded, camera)
    front = facing > FAIR
    flat = np.where(front[:, None, None], image[welded.faces], UNSEEN * along_axis(turned, side))
    laid = UNSEEN * along_axis(turned, side), UNSEEN * own_planes(turned)
    chart = _numbered(np.where(front, 0, 1 + connected_labels(welded.faces, np.where(front, -1, side))), front)
    order = np.argsort(np.where(front, depth[welded.faces].min(axis=1), 0.0), kind="stable")
    for round_ in range(_ROUNDS):
        corners = pack(flat, chart, resolution, main=True)
        folded = covering_others(corners[order] * resolution, resolution)
        if len(folded) == 0:
            break
        again = np.zeros(len(chart), bool)
        again[order[folded]] = True
        parts = connected_labels(welded.faces, _SIDES * (2 * chart + again) + side)
        apart = np.arange(len(chart)) if round_ + 2 >= _ROUNDS else parts
        flat[again] = laid[round_ + 2 >= _ROUNDS][again]
        front &= ~again  # once laid flat elsewhere, a face is no part of the image any more
        chart = _numbered(np.where(again, chart.max() + 1 + apart, chart), front)
    else:
        corners = pack(flat, chart, resolution, main=True)
    return with_seams(welded, corners, chart)


def facing_of(
    points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], camera: Camera
) -> Float[np.ndarray, " n"]:
    """Cosines between normals and the directions from their points to the camera."""
    if camera.model == "pinhole":
        toward = camera.position[0].double().cpu().numpy() - points
        toward /= np.linalg.norm(toward, axis=1, keepdims=True).clip(1e-12)
    else:
        toward = -camera.world_from_camera[0, :3, 2].double().cpu().numpy()
    return (normals * toward).sum(axis=1)


def _in_image(mesh: Mesh, camera: Camera) -> tuple[Float[np.ndarray, "v 2"], Float[np.ndarray, " v"]]:
    """Places of the vertices in the camera's image, y upwards, about in units of the world; and their depths."""
    camera = camera.to("cpu", torch.float64)
    pixels, depth = (found[0].numpy() for found in camera.project(torch.from_numpy(mesh.vertices)[None]))
    unit = (np.median(depth) if camera.model == "pinhole" else 1.0) / float(camera.intrinsics[0, 0, 0])
    return pixels * (unit, -unit), depth


def _calm_normals(mesh: Mesh) -> Float[np.ndarray, "f 3"]:
    """Unit normals of faces after some rounds of averaging over neighbors."""
    first, second = adjacent_faces(mesh.faces)
    ones = np.ones(2 * len(first))
    joined = np.concatenate([first, second]), np.concatenate([second, first])
    neighbors = coo_matrix((ones, joined), shape=(len(mesh.faces),) * 2).tocsr()
    total = mesh.face_normals * mesh.face_areas[:, None]
    for _ in range(_CALM):
        total = 0.25 * (total + neighbors @ total)
    return total / np.linalg.norm(total, axis=1, keepdims=True).clip(1e-300)


def _sides(normals: Float[np.ndarray, "f 3"], calm: Float[np.ndarray, "f 3"]) -> Int[np.ndarray, " f"]:
    """The axis along which each face is laid flat: that of its surroundings, unless it is too steep for that."""
    side = dominant_direction(calm)
    along = normals[np.arange(len(side)), side // 2] * (1 - 2 * (side % 2))
    return np.where(along > _STEEPEST, side, dominant_direction(normals))


def _numbered(label: Int[np.ndarray, " f"], main: np.ndarray) -> Int[np.ndarray, " f"]:
    """Numbers without gaps, 0 for the main chart even where it is empty."""
    found = np.unique(np.where(main, -1, label), return_inverse=True)[1].reshape(-1).astype(np.int64)
    return found if main.any() else found + 1
