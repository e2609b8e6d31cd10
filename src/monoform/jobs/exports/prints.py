"""A mesh as a solid to be printed: its size in millimeters, on the plate, cut flat, hollow, and surely closed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from ...errors import InputError
from ...mesh import Mesh, NoSurfaceError, extract, is_watertight, largest
from ...mesh.solid.manifolds import from_manifold, manifold3d, mended, to_manifold
from ...mesh.topology import volume
from ...outputs.export_names import Stand
from ...ranges import require_range
from ...scene.mesh_field import MeshField

if TYPE_CHECKING:
    from manifold3d import Manifold

SIZE = 100.0  # millimeters, where none is given
REBUILT = 128  # cells along the longest side of a surface that is made anew
CELLS = (64, 256)  # of the grid on which an inner wall is found, along the longest side
SPACING, SAMPLES = 0.2, (5_000, 400_000)  # of points on the outer wall, in walls; so the inner one is 0.5 % off at most
Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, -1.0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1.0]])  # from y up


@dataclass(frozen=True)
class PrintOptions:
    """How an object becomes a solid to be printed; lengths in millimeters, z up.

    Attributes:
        size: the largest extent, or three along x, y (to the back) and z (height); none: 100 where anything else is
            asked for.
        on_ground: whether its lowest point is moved to z = 0 and its middle to x = y = 0.
        stand: "photo": up is up in the photo; "stable": on the side on which it comes to rest most often.
        flat_base: so much of its lowest part is cut away; the size is that of the rest.
        hollow: thickness of the wall; 0: solid.
        drain: diameter of a hole through the lowest part of the wall; 0: none.
    """

    size: tuple[float, ...] = ()
    on_ground: bool = False
    stand: Stand = "photo"
    flat_base: float = 0.0
    hollow: float = 0.0
    drain: float = 0.0

    def __post_init__(self) -> None:
        if len(self.size) not in (0, 1, 3):
            raise InputError(f"--size-mm has {len(self.size)} numbers; give one, or three for x, y and z.")
        for value in self.size:
            require_range("--size-mm", value, 0.1, 100_000)
        if self.stand not in get_args(Stand):
            raise InputError(f"--stand is {self.stand!r}; choose photo or stable.")
        require_range("--flat-base", self.flat_base, 0, 100_000)
        require_range("--hollow", self.hollow, 0, 10_000)
        require_range("--drain", self.drain, 0, 10_000)
        if self.drain and not self.hollow:
            raise InputError("--drain is a hole into a hollow: give --hollow, the thickness of the wall, too.")

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return self != PrintOptions()


@dataclass(frozen=True, eq=False)
class Printable:
    """A solid to be printed.

    Attributes:
        mesh: in millimeters, z up.
        outer: its outer surface, the same unless it is hollow.
        told: size, volume and material for result.json.
        notices: what could not be done.
    """

    mesh: Mesh
    outer: Mesh
    told: dict[str, Any]
    notices: tuple[str, ...] = ()


def printable_solid(mesh: Mesh, options: PrintOptions) -> Printable:
    """The object of a mesh (y up, any unit) as a closed manifold; a texture stays, cuts get its median color.

    Raises:
        InputError: manifold3d is not installed, or the cut would leave nothing.
    """
    manifold3d()
    placed = _scaled(_standing(mesh.transformed(Z_UP), options.stand), options)
    placed, solid, notices = _closed(placed)
    whole = solid
    if options.flat_base:
        low, high = placed.bounds[:, 2]
        if not options.flat_base < high - low:
            raise InputError(f"--flat-base {options.flat_base:g} mm is all of an object of {high - low:.4g} mm height.")
        solid = solid.trim_by_plane((0.0, 0.0, 1.0), low + options.flat_base)
    outer = solid
    if options.hollow:
        inner = _hollow(from_manifold(solid, whole, placed), options.hollow)
        if inner is None:
            size = " x ".join(f"{value:.4g}" for value in _extents(placed.bounds))
            notices.append(f"A wall of {options.hollow:g} mm leaves no hollow in an object of {size} mm: it is solid.")
        else:
            solid = solid - inner
            solid = solid - _drain(inner, outer, options) if options.drain else solid
    made = from_manifold(solid, whole, placed)
    made = made if is_watertight(made) else mended(made)
    outside = made if solid is outer else from_manifold(outer, whole, placed)
    if options.on_ground:
        low, high = made.bounds
        way = (-0.5 * (low[0] + high[0]), -0.5 * (low[1] + high[1]), -low[2])
        made, outside = _moved(made, way), _moved(outside, way)
    told = {
        "size_mm": [round(value, 4) for value in _extents(made.bounds).tolist()],
        "volume_cm3": round(outer.volume() / 1000, 6),
        "material_cm3": round(volume(made) / 1000, 6),
        "area_cm2": round(float(made.face_areas.sum()) / 100, 6),
        "faces": len(made.faces),
    }
    return Printable(made, outside, told, tuple(notices))


def _standing(mesh: Mesh, stand: Literal["photo", "stable"]) -> Mesh:
    """The mesh turned onto the side on which its convex hull rests most often (Goldberg et al. 1999)."""
    if stand == "photo":
        return mesh
    import trimesh

    solid = trimesh.Trimesh(mesh.merged().vertices, mesh.merged().faces, process=False)
    turns, _ = trimesh.poses.compute_stable_poses(solid, sigma=0.0, n_samples=1)
    turn = np.eye(4)
    turn[:3, :3] = turns[0][:3, :3]
    return mesh.transformed(turn)


def _scaled(mesh: Mesh, options: PrintOptions) -> Mesh:
    """In millimeters, so large that it has its size after the cut."""
    extents = np.maximum(_extents(mesh.bounds), 1e-12)
    wanted = np.array(options.size or (SIZE,)) + np.array([0.0, 0.0, options.flat_base])
    factors = wanted / extents if len(options.size) == 3 else np.full(3, float((wanted / extents).min()))
    return mesh.transformed(np.diag([*factors, 1.0]))


def _closed(mesh: Mesh) -> tuple[Mesh, Manifold, list[str]]:
    """The mesh as a solid, mended where it is none yet."""
    solid = to_manifold(mesh) if is_watertight(mesh) else None
    if solid is not None:
        return mesh, solid, []
    apart = mended(mesh)
    solid = to_manifold(apart)
    if solid is not None:
        return apart, solid, ["The mesh touched itself: for printing its sheets were taken apart."]
    reach = 0.05 * float(_extents(mesh.bounds).max())
    rebuilt = mended(extract(MeshField(mesh, reach=reach), resolution=REBUILT))
    solid = to_manifold(rebuilt)
    if solid is None:
        raise InputError("No closed solid could be made of the mesh: give another --resolution.")
    return rebuilt, solid, ["The mesh was not closed: for printing its surface was made anew, without colors."]


def _hollow(outer: Mesh, wall: float) -> Manifold | None:
    """The largest part of what is deeper inside than the wall is thick; None where nothing is."""
    cells = math.ceil(_extents(outer.bounds).max() / (0.4 * wall))
    samples = math.ceil(float(outer.face_areas.sum()) / (SPACING * wall) ** 2)
    field = MeshField(outer, samples=min(max(samples, SAMPLES[0]), SAMPLES[1]), reach=3 * wall)
    try:
        inner = extract(field, resolution=min(max(cells, CELLS[0]), CELLS[1]), level=-wall)
    except NoSurfaceError:
        return None
    inner = largest(inner)
    return to_manifold(inner) or to_manifold(mended(inner))


def _drain(inner: Manifold, outer: Manifold, options: PrintOptions) -> Manifold:
    """A cylinder from below the object into the hollow, at the hollow's lowest point."""
    points = np.asarray(inner.to_mesh64().vert_properties)[:, :3]
    x, y, lowest = points[np.argmin(points[:, 2])]
    bottom = outer.bounding_box()[2] - 1.0
    height = lowest - bottom + max(options.hollow, options.drain)
    return manifold3d().Manifold.cylinder(height, 0.5 * options.drain, -1.0, 48).translate((x, y, bottom))


def _extents(bounds: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, " 3"]:
    return bounds[1] - bounds[0]


def _moved(mesh: Mesh, offset: tuple[float, float, float]) -> Mesh:
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return mesh.transformed(matrix)
