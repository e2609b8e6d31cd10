"""What a camera sees of a mesh at each pixel center: a z-buffer over all triangles, or one ray for each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from ..camera import Camera
from ..mesh.mesh import Mesh
from ..mesh.raster import spans
from ..mesh.raycast import caster_of
from ..mesh.topology import face_labels, is_watertight, signed_volumes

_NEAR = 1e-6  # depth from which on a surface is before the camera
_DENSE = 8  # faces for each pixel from which rays, which pass most faces by, are quicker
_FLAT = 1e-12  # square pixels


@dataclass(frozen=True, eq=False)
class Visible:
    """The nearest surface at those pixels where there is one.

    Attributes:
        rows: of the pixels, each of which occurs once.
        columns: of the pixels.
        face: index of the mesh's face.
        weights: of the face's three corners.
        depth: along the camera's z axis.
    """

    rows: Int[np.ndarray, " n"]
    columns: Int[np.ndarray, " n"]
    face: Int[np.ndarray, " n"]
    weights: Float[np.ndarray, "3 n"]
    depth: Float[np.ndarray, " n"]

    def interpolated(self, corners: Float[np.ndarray, "c 3 f"]) -> Float[np.ndarray, "c n"]:
        """Channels given at the corners of all faces, where the surface is seen."""
        one, two, three = self.weights
        return np.stack(
            [
                one * first.take(self.face) + two * second.take(self.face) + three * third.take(self.face)
                for first, second, third in corners
            ]
        )


def visible(mesh: Mesh, camera: Camera) -> Visible:
    """The surface at the pixel centers of one camera in float64; both sides of each face count."""
    if len(mesh.faces) == 0:
        return _nothing()
    projected = camera.project(torch.from_numpy(mesh.vertices)[None])
    pixels, depth = (values[0].numpy() for values in projected)
    used = slice(None) if len(mesh.used_vertices) == len(depth) else np.unique(mesh.faces)
    if camera.model == "pinhole" and depth[used].min() < _NEAR:
        return _cast(mesh, camera, (0, 0, camera.width, camera.height)) if depth[used].max() > 0 else _nothing()
    x0, y0, x1, y1 = _window(pixels[used], camera)
    if len(mesh.faces) > _DENSE * (x1 - x0) * (y1 - y0):
        return _cast(mesh, camera, (x0, y0, x1, y1)) if x1 > x0 and y1 > y0 else _nothing()
    return _rasterized(mesh, camera, pixels.T.copy(), depth)


def directions_at(
    camera: Camera, columns: Int[np.ndarray, " n"], rows: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "3 n"]:
    """Directions of length 1 along the camera's z axis through pixel centers (`Camera.rays` is the plain form)."""
    pose = camera.world_from_camera[0].numpy()
    if camera.model != "pinhole":
        return np.broadcast_to(pose[:3, 2:3], (3, len(columns)))
    across, down, center = (pose[:3, :3] @ np.linalg.inv(camera.intrinsics[0].numpy())).T[..., None]
    return across * (columns + 0.5) + (down * (rows + 0.5) + center)


def _nothing() -> Visible:
    none = np.zeros(0, np.int64)
    return Visible(none, none, none, np.zeros((3, 0), np.float32), np.zeros(0, np.float32))


def _window(pixels: Float[np.ndarray, "n 2"], camera: Camera) -> tuple[int, int, int, int]:
    """The part of the image around all pixels: x0, y0, x1, y1."""
    size = np.array([camera.width, camera.height])
    low = np.floor(pixels.min(axis=0)).clip(0, size).astype(int)
    high = np.ceil(pixels.max(axis=0)).clip(0, size).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _cast(mesh: Mesh, camera: Camera, window: tuple[int, int, int, int]) -> Visible:
    x0, y0, x1, y1 = window
    rows, columns = (each.reshape(-1) for each in np.mgrid[y0:y1, x0:x1])
    directions = directions_at(camera, columns, rows).T
    origins = np.broadcast_to(camera.position[0].numpy(), directions.shape)
    if camera.model != "pinhole":
        pixels = torch.from_numpy(np.stack([columns, rows], axis=1) + 0.5)[None]
        origins = camera.unproject(pixels, pixels.new_zeros(pixels.shape[:2]))[0].numpy()
    hits = caster_of(mesh).cast(origins, directions)
    hit = hits.hit
    weights = hits.barycentric[hit].astype(np.float32).T.copy()
    return Visible(rows[hit], columns[hit], hits.face[hit], weights, hits.t[hit])


def _rasterized(
    mesh: Mesh, camera: Camera, pixels: Float[np.ndarray, "2 v"], depth: Float[np.ndarray, " v"]
) -> Visible:
    """A z-buffer, for a mesh that lies before the camera as a whole.

    Compared is 1/z, which is linear in the image (z itself for parallel rays), less its mean.
    """
    corners = mesh.faces.T.copy()
    x, y = pixels[:, corners]
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    shown = np.flatnonzero(area < -_FLAT if _outer_sides_alone(mesh) else np.abs(area) > _FLAT)
    x, y, area, z = x[:, shown], y[:, shown], area[shown], depth[corners[:, shown]]
    pinhole = camera.model == "pinhole"
    near = 1.0 / z if pinhole else -z
    near -= near.mean() if near.size else 0.0
    found = spans(x, y, camera.width, camera.height)
    second = np.stack([y[2] - y[0], x[0] - x[2]]) / area  # weights of the corners, by column and by row
    third = np.stack([y[0] - y[1], x[1] - x[0]]) / area
    slope = second * (near[1] - near[0]) + third * (near[2] - near[0])
    along, level = slope[0], near[0] - slope[0] * (x[0] - 0.5) - slope[1] * (y[0] - 0.5)
    first = level[found.face] + along[found.face] * found.start + slope[1][found.face] * found.row
    steps = found.steps()
    nearness = np.repeat(along.astype(np.float32)[found.face], found.count)
    nearness *= steps.astype(np.float32)
    nearness += np.repeat(first.astype(np.float32), found.count)
    pixel = np.repeat(found.row * np.int32(camera.width) + found.start, found.count) + steps
    pixel, chosen = _nearest(pixel, nearness, camera.height * camera.width)
    face = np.repeat(found.face, found.count)[chosen]
    rows, columns = np.divmod(pixel, np.int32(camera.width))

    def at_face(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32).take(face)

    dx, dy = columns + np.float32(0.5) - at_face(x[0]), rows + np.float32(0.5) - at_face(y[0])
    weights = np.empty((3, len(face)), np.float32)
    weights[1], weights[2] = (at_face(by_x) * dx + at_face(by_y) * dy for by_x, by_y in (second, third))
    weights[0] = 1 - weights[1] - weights[2]
    z = np.stack([at_face(each) for each in z])
    if pinhole:  # what is linear in the image is weight / z
        weights /= z
        weights /= weights.sum(axis=0)
    return Visible(rows, columns, shown[face], weights, (weights * z).sum(axis=0))


def _nearest(
    pixel: Int[np.ndarray, " n"], nearness: Float[np.ndarray, " n"], count: int
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Those of `count` pixels that occur, in order, and where in the list the greatest nearness of each is."""
    best = np.full(count, -np.inf, np.float32)
    np.maximum.at(best, pixel, nearness)
    first = np.flatnonzero(nearness == best.take(pixel)).astype(np.int32)
    owner = np.full(count, -1, np.int32)
    owner[pixel.take(first)] = first
    shown = np.flatnonzero(owner >= 0).astype(np.int32)
    return shown, owner.take(shown)


def _outer_sides_alone(mesh: Mesh) -> bool:
    """Whether nothing but outer sides can be seen from outside: of a closed mesh none of whose parts is inside out."""
    known = mesh.__dict__.get("_outer_sides_alone")
    if known is None:
        known = mesh.__dict__["_outer_sides_alone"] = is_watertight(mesh) and _least_volume(mesh) > 0
    return known


def _least_volume(mesh: Mesh) -> float:
    """The signed volume of the part that has the least."""
    return float(np.bincount(face_labels(mesh), weights=signed_volumes(mesh)).min())
