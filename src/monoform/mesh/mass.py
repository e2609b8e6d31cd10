"""Mass, center of mass and inertia of closed meshes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..errors import InputError
from .mesh import Mesh


@dataclass(frozen=True, eq=False)
class MassProperties:
    """How heavy a solid of even density is, and how hard to turn.

    Attributes:
        mass: density times volume.
        center: of mass.
        inertia: about the center, in the mesh's axes, mass times length squared.
    """

    mass: float
    center: Float[np.ndarray, " 3"]
    inertia: Float[np.ndarray, "3 3"]


def mass_properties(mesh: Mesh, density: float = 1.0) -> MassProperties:
    """Integrals over the tetrahedra between the faces and one point (Tonon 2005), exact for a closed mesh.

    Args:
        density: mass in a unit of volume.

    Raises:
        InputError: the mesh encloses no volume.
    """
    origin = mesh.bounds.mean(axis=0)
    corners = mesh.triangles - origin
    volumes = np.linalg.det(corners) / 6.0
    total = float(volumes.sum())
    if not total > 0:
        raise InputError(f"The mesh encloses a volume of {total:g}; a closed one with faces outwards has mass.")
    center = (volumes[:, None] * corners.sum(axis=1) / 4.0).sum(axis=0) / total
    # Second moments of a tetrahedron with one corner at the origin: V / 20 (sum of x x' + (sum of x) (sum of x)').
    sums = corners.sum(axis=1)
    moments = np.einsum("f,fki,fkj->ij", volumes, corners, corners) + np.einsum("f,fi,fj->ij", volumes, sums, sums)
    about = moments / 20.0 - total * np.outer(center, center)
    inertia = density * (np.trace(about) * np.eye(3) - about)
    return MassProperties(density * total, center + origin, inertia)
