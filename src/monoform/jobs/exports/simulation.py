"""An object for simulators of robots: URDF and MJCF with mass, inertia and convex parts, meshes beside them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import scipy  # whose parts load when they are used

from ...mesh import Mesh, closest_points, is_watertight, sample_surface, simplify
from ...mesh.mass import MassProperties, mass_properties
from ...mesh.topology import volume
from ...outputs import atomic_file
from ...outputs.export_names import Simulator

FACES = 2000  # of what is decomposed, whose time grows with them
LARGEST_PART = 64  # corners of a convex part, what physics engines bear well
FRICTION = 1.0


@dataclass(frozen=True, eq=False)
class Body:
    """A rigid body in meters, z up.

    Attributes:
        mesh: what is seen.
        mass: of the closed volume.
        parts: convex, what is touched.
        told: mass, center of mass, inertia, and how well the parts fit, for result.json.
        notices: what could not be done.
    """

    mesh: Mesh
    mass: MassProperties
    parts: tuple[Mesh, ...]
    told: dict[str, Any]
    notices: tuple[str, ...] = ()


def body_of(mesh: Mesh, *, outer: Mesh | None = None, density: float = 1000.0, parts: int = 8) -> Body:
    """The body of a closed mesh in meters.

    Args:
        outer: its outer surface, where `mesh` is hollow: what is touched.
        density: kilograms in a cubic meter.
        parts: convex parts at most; more than one needs the package coacd.

    Raises:
        InputError: the mesh encloses no volume.
    """
    mass = mass_properties(mesh, density)
    notices: list[str] = []
    if not is_watertight(mesh):
        notices.append("The mesh is not closed: its mass and inertia are guesses.")
    outer = simplify(mesh if outer is None else outer, FACES)
    found = _decomposed(outer, parts) if parts > 1 else None
    if found is None:
        found = [_hull(outer.merged().vertices)]
        if parts > 1:
            notices.append(
                "A simulator touches the convex hull: for convex parts install coacd (pip install "
                "'monoform[simulation]')."
            )
    ratio = sum(volume(part) for part in found) / volume(outer)
    points, _, _ = sample_surface(outer, 2000, seed=0)
    away = np.min([closest_points(part, points).distance for part in found], axis=0)
    told = {
        "mass_kg": mass.mass,
        "center_of_mass_m": mass.center.tolist(),
        "inertia_kg_m2": mass.inertia.tolist(),
        "density_kg_m3": density,
        "convex_parts": len(found),
        "volume_of_parts": round(ratio, 4),
        "surface_to_parts_m": float(away.mean()),
    }
    return Body(mesh, mass, tuple(found), told, tuple(notices))


def write_body(body: Body, folder: Path, formats: Sequence[Simulator], name: str) -> dict[str, str]:
    """Write object.urdf and object.xml, object.obj to be seen and part_00.stl and so on to be touched."""
    before = {path.name for path in folder.iterdir()}
    body.mesh.export(folder / "object.obj")
    for number, part in enumerate(body.parts):
        part.export(folder / f"part_{number:02d}.stl")
    beside = {path.name for path in folder.iterdir()} - before
    told = dict.fromkeys(sorted(beside), "belongs to the object for simulators")
    texture = next((file for file in sorted(beside) if file.endswith(".png")), None)
    for kind in dict.fromkeys(formats):
        file = folder / ("object.urdf" if kind == "urdf" else "object.xml")
        text = _urdf(body, name) if kind == "urdf" else _mjcf(body, name, texture)
        with atomic_file(file) as temporary:
            temporary.write_text(text, encoding="utf-8")
        told[file.name] = f"the object with mass and inertia, as {kind.upper()}"
    return told


def _urdf(body: Body, name: str) -> str:
    collisions = "\n".join(
        f'    <collision>\n      <geometry><mesh filename="part_{number:02d}.stl"/></geometry>\n    </collision>'
        for number in range(len(body.parts))
    )
    moments = " ".join(f'i{"xyz"[row]}{"xyz"[column]}="{body.mass.inertia[row, column]:.9g}"' for row, column in _UPPER)
    return f"""<?xml version="1.0"?>
<robot name={quoteattr(name)}>
  <link name="object">
    <inertial>
      <origin xyz="{_words(body.mass.center)}" rpy="0 0 0"/>
      <mass value="{body.mass.mass:.9g}"/>
      <inertia {moments}/>
    </inertial>
    <visual>
      <geometry><mesh filename="object.obj"/></geometry>
    </visual>
{collisions}
  </link>
</robot>
"""


def _mjcf(body: Body, name: str, texture: str | None) -> str:
    count = range(len(body.parts))
    assets = [f'    <mesh name="part_{number:02d}" file="part_{number:02d}.stl"/>' for number in count]
    assets.insert(0, '    <mesh name="object" file="object.obj"/>')
    look = 'rgba="0.7 0.7 0.7 1"'
    if texture is not None:
        assets.append(f'    <texture name="object" type="2d" file={quoteattr(texture)}/>')
        assets.append('    <material name="object" texture="object"/>')
        look = 'material="object"'
    geoms = "\n".join(
        f'      <geom type="mesh" mesh="part_{number:02d}" group="3" friction="{FRICTION:g} 0.005 0.0001" mass="0"/>'
        for number in count
    )
    moments = " ".join(f"{body.mass.inertia[row, column]:.9g}" for row, column in _DIAGONAL_FIRST)
    listed = "\n".join(assets)
    return f"""<mujoco model={quoteattr(name)}>
  <compiler angle="radian" inertiafromgeom="false"/>
  <asset>
{listed}
  </asset>
  <worldbody>
    <body name="object">
      <freejoint/>
      <inertial pos="{_words(body.mass.center)}" mass="{body.mass.mass:.9g}" fullinertia="{moments}"/>
      <geom type="mesh" mesh="object" {look} contype="0" conaffinity="0" group="2" mass="0"/>
{geoms}
    </body>
  </worldbody>
</mujoco>
"""


_UPPER = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
_DIAGONAL_FIRST = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


def _words(vector: np.ndarray) -> str:
    return " ".join(f"{value:.9g}" for value in vector)


def _decomposed(mesh: Mesh, parts: int) -> list[Mesh] | None:
    """Convex parts by approximate decomposition (Wei et al. 2022); None where the package is not installed."""
    try:
        import coacd
    except ImportError:
        return None
    merged = mesh.merged()
    coacd.set_log_level("error")
    with redirect_stdout(StringIO()):
        found = coacd.run_coacd(
            coacd.Mesh(merged.vertices, merged.faces),
            threshold=0.05,
            max_convex_hull=parts,
            preprocess_resolution=30,
            resolution=1000,
            mcts_iterations=60,
            max_ch_vertex=LARGEST_PART,
            decimate=True,
            seed=0,
        )
    return [_hull(np.asarray(vertices)) for vertices, _ in found]


def _hull(points: np.ndarray) -> Mesh:
    """The convex hull, faces outwards."""
    hull = scipy.spatial.ConvexHull(points)
    faces = hull.simplices.copy()
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inwards = (normals * hull.equations[:, :3]).sum(axis=1) < 0
    faces[inwards] = faces[inwards][:, ::-1]
    mesh = Mesh(points, faces)
    return mesh.submesh(np.arange(len(faces)))
