"""Closed surfaces of simple make: bodies of revolution, boxes, tubes, smooth unions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from skimage.measure import marching_cubes

from ...mesh import Mesh

Vector = Sequence[float] | Float[np.ndarray, " 3"]


def lathe(profile: Float[np.ndarray, "k 2"], *, segments: int = 32) -> Mesh:
    """A profile (radius, height) turned about +y: from the axis at the bottom to the axis at the top.

    The first and last radius are taken as 0. Going up the profile, the outside is on the right.
    """
    rings = len(profile) - 2
    angle = 2 * np.pi * np.arange(segments) / segments
    circle = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    inner = profile[1:-1]
    body = np.zeros((rings, segments, 3))
    body[..., 0], body[..., 2] = inner[:, :1] * circle[:, 0], inner[:, :1] * circle[:, 1]
    body[..., 1] = inner[:, 1:]
    poles = np.array([[0.0, profile[0, 1], 0.0], [0.0, profile[-1, 1], 0.0]])
    vertices = np.concatenate([body.reshape(-1, 3), poles])
    return Mesh(vertices, _closed_strip(rings, segments))


def tube(path: Float[np.ndarray, "k 3"], radius: float | Float[np.ndarray, " k"], *, segments: int = 12) -> Mesh:
    """A round tube along a path, its ends closed; `radius` one for all or one at each point of the path."""
    tangents = np.gradient(path, axis=0)
    tangents /= np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-12)
    across = np.zeros_like(path)
    start = np.eye(3)[np.abs(tangents[0]).argmin()]
    for i, tangent in enumerate(tangents):  # carried along without twist
        start = start - (start @ tangent) * tangent
        start = across[i] = start / np.linalg.norm(start)
    other = np.cross(tangents, across)
    angle = 2 * np.pi * np.arange(segments) / segments
    circle = np.cos(angle)[None, :, None] * across[:, None] + np.sin(angle)[None, :, None] * other[:, None]
    body = path[:, None] + np.broadcast_to(np.asarray(radius, float), (len(path),))[:, None, None] * circle
    vertices = np.concatenate([body.reshape(-1, 3), path[[0, -1]]])
    return Mesh(vertices, _closed_strip(len(path), segments))


def box(sides: Vector, *, center: Vector = (0.0, 0.0, 0.0), taper: float = 0.0) -> Mesh:
    """An upright box; with `taper` the top is smaller by that share."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    vertices = corners * np.asarray(sides, float)
    vertices[corners[:, 1] > 0] *= (1 - taper, 1.0, 1 - taper)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))])
    return Mesh(vertices + np.asarray(center, float), faces)


def ellipsoid(radii: Vector, *, center: Vector = (0.0, 0.0, 0.0), rings: int = 14) -> Mesh:
    """An ellipsoid with its axes along x, y and z."""
    angle = np.linspace(0, np.pi, rings + 2)
    ball = lathe(np.stack([np.sin(angle), -np.cos(angle)], axis=1), segments=2 * rings)
    return Mesh(ball.vertices * np.asarray(radii, float) + np.asarray(center, float), ball.faces)


def smooth_union(distances: Sequence[Callable[[np.ndarray], np.ndarray]], *, blend: float, cells: int = 56) -> Mesh:
    """The surface around several shapes (signed distances of points, inside the unit cube) melted together.

    Exponential smooth minimum: -blend * log(sum(exp(-d / blend))).
    """
    ticks = np.linspace(-0.55, 0.55, cells)
    points = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
    values = np.stack([distance(points) for distance in distances])
    least = values.min(axis=0)
    joined = least - blend * np.log(np.exp(-(values - least) / blend).sum(axis=0))
    volume = np.pad(joined.reshape(cells, cells, cells), 1, constant_values=1.0)
    vertices, faces, _, _ = marching_cubes(volume, 0.0, gradient_direction="descent")
    spacing = ticks[1] - ticks[0]
    return Mesh((vertices.astype(np.float64) - 1) * spacing + ticks[0], faces.astype(np.int64))


def placed(mesh: Mesh, *, offset: Vector = (0, 0, 0), turn: float = 0.0, tilt: float = 0.0) -> Mesh:
    """The mesh tilted about x, turned about y (radians) and then moved."""
    c, s, d, e = np.cos(turn), np.sin(turn), np.cos(tilt), np.sin(tilt)
    world_from_mesh = np.eye(4)
    world_from_mesh[:3, :3] = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ np.array(
        [[1, 0, 0], [0, d, -e], [0, e, d]]
    )
    world_from_mesh[:3, 3] = offset
    return mesh.transformed(world_from_mesh)


def painted(mesh: Mesh, color: Float[np.ndarray, " 3"]) -> Mesh:
    """The mesh in one colour (0..1)."""
    colors = np.tile(np.rint(255 * np.clip(color, 0, 1)).astype(np.uint8), (len(mesh.vertices), 1))
    return Mesh(mesh.vertices, mesh.faces, vertex_colors=colors)


def joined(parts: Sequence[Mesh]) -> Mesh:
    """Parts with vertex colours as one mesh; they may overlap."""
    starts = np.cumsum([0, *[len(part.vertices) for part in parts]])
    colors = [
        np.full((len(p.vertices), 3), 204, np.uint8) if p.vertex_colors is None else p.vertex_colors for p in parts
    ]
    return Mesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=False)]),
        vertex_colors=np.concatenate(colors),
    )


def _closed_strip(rings: int, segments: int) -> np.ndarray:
    """Faces of rings of vertices one above the other, closed by two further vertices, the lower end's first."""
    ring, place = np.meshgrid(np.arange(rings - 1), np.arange(segments), indexing="ij")
    a = (ring * segments + place).reshape(-1)
    b = (ring * segments + (place + 1) % segments).reshape(-1)
    c, d = a + segments, b + segments
    first, second = np.arange(segments), (np.arange(segments) + 1) % segments
    top = (rings - 1) * segments
    lower, upper = np.full(segments, rings * segments), np.full(segments, rings * segments + 1)
    return np.concatenate(
        [
            np.stack([a, b, d], axis=1),
            np.stack([a, d, c], axis=1),
            np.stack([lower, second, first], axis=1),
            np.stack([upper, top + first, top + second], axis=1),
        ]
    )
