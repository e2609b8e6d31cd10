"""Points around a mesh with signed distances, and an even cloud on it, as LIST's training takes them (Arshad and Beksi
2023, supplement; the sampling of its release)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from ...errors import InputError
from ...mesh import Mesh, sample_surface
from ...mesh.closest import closest_weights
from ...mesh.solid.inside import Solid
from ...mesh.solid.winding import winding_number

SIGMAS = (0.003, 0.01, 0.07)
_PAIRS = 1 << 22  # point and triangle pairs at a time
Sign = Literal["solid", "winding", "raw"]


@dataclass(frozen=True)
class SdfOptions:
    """How an object is sampled, in a box whose longest side is 1.

    Attributes:
        points: on the surface, and at each of the offsets.
        sigmas: standard deviations of the offsets.
        farthest: of the surface points, spread as far from each other as they can.
        sign: solid, what cannot be reached from outside is inside, for meshes with holes and inner walls too; winding,
            the winding number, exact for closed meshes and slow; raw, (1 - 2 winding) times the distance.
        voxels: cells along the longest side that tell inside from outside (solid).
        seed: of all randomness; an object's draws depend on it and its name.
    """

    points: int = 50_000
    sigmas: tuple[float, ...] = SIGMAS
    farthest: int = 5_000
    sign: Sign = "solid"
    voxels: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.farthest <= self.points:
            raise InputError(
                f"{self.farthest} farthest points cannot be chosen among {self.points}: --farthest takes 1 to --points."
            )
        if not self.sigmas or min(self.sigmas) <= 0:
            raise InputError(f"Offsets must lie above 0, and there must be one: --sigmas is {self.sigmas}.")
        if self.voxels < 8:
            raise InputError(f"--voxels is {self.voxels}; it must be at least 8.")
        if self.sign not in ("solid", "winding", "raw"):
            raise InputError(f"The sign is told by solid, winding or raw, not by {self.sign!r}.")


@dataclass(frozen=True, eq=False)
class SdfSamples:
    """A mesh, points on it and signed distances around it.

    Attributes:
        mesh: scaled.
        surface: points on the mesh.
        near: for each sigma x, y, z and signed distance (negative inside), row i from surface point i.
        farthest: rows of the surface points.
    """

    mesh: Mesh
    surface: Float[np.ndarray, "n 3"]
    near: dict[float, Float[np.ndarray, "n 4"]]
    farthest: Int[np.ndarray, " k"]


def unit_box(mesh: Mesh) -> Mesh:
    """The mesh centred on its bounding box, the longest side 1.

    Raises:
        InputError: it has no faces or no extent.
    """
    if len(mesh.faces) == 0:
        raise InputError("The mesh has no faces; give one with triangles.")
    used = mesh.vertices[np.unique(mesh.faces)]
    low, high = used.min(axis=0), used.max(axis=0)
    side = float((high - low).max())
    if not side > 0:
        raise InputError("The mesh has no extent: all of its corners lie at one place.")
    return Mesh((mesh.vertices - 0.5 * (low + high)) / side, mesh.faces)


def sample_sdf(mesh: Mesh, options: SdfOptions, *, generator: np.random.Generator) -> SdfSamples:
    """Scale a mesh to the unit box and draw its points.

    Raises:
        InputError: the mesh has no faces, no extent or no area.
    """
    scaled = unit_box(mesh)
    surface = sample_surface(scaled, options.points, seed=int(generator.integers(1 << 31)))[0]
    surface = generator.permutation(surface)
    solid = Solid(scaled, size=1.0 / options.voxels) if options.sign == "solid" else None
    near = {}
    for sigma in options.sigmas:
        points = surface + sigma * generator.normal(size=surface.shape)
        if solid is not None:
            distance = solid.signed_distance(points)
        else:
            distance = signed_distance(scaled, points, clip=options.sign == "winding")
        near[sigma] = np.concatenate([points, distance[:, None]], axis=1)
    return SdfSamples(scaled, surface, near, farthest_points(surface, options.farthest))


def signed_distance(mesh: Mesh, points: Float[np.ndarray, "n 3"], *, clip: bool = True) -> Float[np.ndarray, " n"]:
    """Distance to the surface times 1 - 2 w with the winding number w: negative inside.

    Args:
        clip: keep the factor in -1..1 and round it to either; without, overlaps of closed parts count several times, as
            in a widely used library's default.
    """
    factor = 1.0 - 2.0 * winding_number(mesh, points)
    if clip:
        factor = np.where(factor < 0, -1.0, 1.0)
    return factor * exact_distance(mesh, points)


def exact_distance(mesh: Mesh, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Distance to the nearest triangle: of every triangle to every point (Ericson 2005, section 5.1.5)."""
    result = np.zeros(len(points))
    step = max(1, _PAIRS // (8 * max(len(mesh.faces), 1)))
    for start in range(0, len(points), step):
        part = points[start : start + step]
        triangles = np.broadcast_to(mesh.triangles, (len(part), *mesh.triangles.shape)).reshape(-1, 3, 3)
        queries = np.repeat(part, len(mesh.faces), axis=0)
        reached = np.einsum("nk,nkc->nc", closest_weights(triangles, queries), triangles)
        result[start : start + step] = np.linalg.norm(reached - queries, axis=1).reshape(len(part), -1).min(axis=1)
    return result


def farthest_points(points: Float[np.ndarray, "n 3"], count: int, *, start: int = 0) -> Int[np.ndarray, " k"]:
    """Rows of points each of which is, of all, the farthest from those before it (Eldar et al. 1997); in float32.

    Raises:
        InputError: more are asked for than there are.
    """
    if not 1 <= count <= len(points):
        raise InputError(f"{count} farthest points are asked for, of {len(points)}.")
    x, y, z = np.ascontiguousarray(points.T, np.float32)
    chosen = np.zeros(count, np.int64)
    chosen[0] = start
    least = np.full(len(points), np.inf, np.float32)
    for number in range(1, count):
        last = chosen[number - 1]
        gap = np.square(x - x[last])
        gap += np.square(y - y[last])
        gap += np.square(z - z[last])
        np.minimum(least, gap, out=least)
        chosen[number] = least.argmax()
    return chosen


def drawn_counts(fractions: Sequence[float], total: int) -> list[int]:
    """How many points are drawn at each offset: the fraction of the total, halves to the even number."""
    return [int(np.round(fraction * total)) for fraction in fractions]
