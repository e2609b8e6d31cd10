"""Labels of a shape: signed distances at points, and surface points with normals and colors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float16, Int8, UInt8

from ...errors import InputError
from ...mesh import Mesh
from ...mesh.raycast import caster_of
from ...mesh.solid.inside import Solid, SurfacePoints
from ...mesh.texture import surface_colors, to_bytes


@dataclass(frozen=True)
class LabelOptions:
    """How points are drawn around one object, inside the sphere of radius 0.5 at the origin.

    Attributes:
        points: with a signed distance; those that no other option asks for are uniform in the sphere of radius `ball`.
        surface: points on the surface.
        noise: standard deviations of the offsets from the surface.
        near_shares: share of all points at each of `noise`.
        thin_share: share of further points at the smallest offset, drawn more often where the object is thin.
        ball: radius of the sphere of the uniform points.
        voxels: cells along a unit of length, for telling inside from outside.
    """

    points: int = 20_480
    surface: int = 8_192
    noise: tuple[float, ...] = (0.005, 0.015, 0.05)
    near_shares: tuple[float, ...] = (0.25, 0.2, 0.15)
    thin_share: float = 0.2
    ball: float = 0.55
    voxels: int = 160

    def __post_init__(self) -> None:
        if len(self.noise) != len(self.near_shares):
            raise InputError(f"noise has {len(self.noise)} entries, near_shares {len(self.near_shares)}; give as many.")
        if sum(self.near_shares) + self.thin_share > 1:
            raise InputError("near_shares and thin_share add up to more than 1; lower them.")


@dataclass(frozen=True, eq=False)
class Labels:
    """Points around an object and on its surface, in random order, so that any run of them is a fair sample.

    Attributes:
        points: positions.
        sdf: signed distances of `points`, negative inside.
        surface_points: positions on the surface.
        surface_normals: outward unit normals of `surface_points`, times 127.
        surface_colors: sRGB of `surface_points`.
    """

    points: Float16[np.ndarray, "p 3"]
    sdf: Float16[np.ndarray, " p"]
    surface_points: Float16[np.ndarray, "s 3"]
    surface_normals: Int8[np.ndarray, "s 3"]
    surface_colors: UInt8[np.ndarray, "s 3"]


def label(mesh: Mesh, options: LabelOptions, *, generator: np.random.Generator, solid: Solid | None = None) -> Labels:
    """Draw points around and on a mesh and measure them.

    Args:
        solid: of the mesh; made here where it is not given.

    Raises:
        InputError: the mesh has no faces or no area.
    """
    solid = solid or Solid(mesh, size=1.0 / options.voxels)
    surface = solid.surface(options.surface, seed=int(generator.integers(1 << 31)))
    order = generator.permutation(options.surface)
    # Distances are measured where the rounded points are.
    points = sample_points(mesh, surface, options, generator=generator).astype(np.float16)
    sdf = solid.signed_distance(points.astype(np.float64))
    return Labels(
        points=points,
        sdf=sdf.astype(np.float16),
        surface_points=surface.points[order].astype(np.float16),
        surface_normals=np.rint(127 * surface.normals[order]).astype(np.int8),
        surface_colors=to_bytes(surface_colors(mesh, surface.faces[order], surface.barycentric[order])),
    )


def sample_points(
    mesh: Mesh, surface: SurfacePoints, options: LabelOptions, *, generator: np.random.Generator
) -> Float[np.ndarray, "p 3"]:
    """Points at several distances from the surface, near thin parts, and uniform in the ball, in random order."""
    parts = []
    for noise, share in zip(options.noise, options.near_shares, strict=True):
        chosen = generator.integers(len(surface.points), size=round(share * options.points))
        parts.append(surface.points[chosen] + noise * generator.normal(size=(len(chosen), 3)))
    count = round(options.thin_share * options.points)
    if count:
        weights = 1.0 / thickness(mesh, surface)
        chosen = generator.choice(len(weights), size=count, p=weights / weights.sum())
        parts.append(surface.points[chosen] + min(options.noise) * generator.normal(size=(count, 3)))
    rest = options.points - sum(map(len, parts))
    directions = generator.normal(size=(rest, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    parts.append(options.ball * directions * generator.random((rest, 1)) ** (1 / 3))
    return generator.permutation(np.concatenate(parts))


def thickness(mesh: Mesh, surface: SurfacePoints, *, least: float = 0.01, most: float = 0.3) -> Float[np.ndarray, " n"]:
    """Thickness of the object along the inward normal of each surface point, clamped to `least`..`most`."""
    inward = -surface.normals
    t = caster_of(mesh).cast(surface.points + 1e-4 * inward, inward).t
    return np.clip(np.where(np.isfinite(t), t, least), least, most)
