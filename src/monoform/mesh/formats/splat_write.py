"""A `Mesh` as Gaussians in the PLY layout of 3D Gaussian splatting (Kerbl et al. 2023)."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from ..mesh import Mesh
from ..sample import sample_surface
from ..texture import surface_colors

SH_0 = 0.5 / math.sqrt(math.pi)  # the constant spherical harmonic
OPACITY = 0.99
WIDTH, THICKNESS = 0.75, 0.1  # standard deviations: along the surface in mean spacings, across it in widths
NAMES = (
    *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"),
    *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
)


def splat_bytes(mesh: Mesh, count: int, *, seed: int = 0) -> bytes:
    """The file: flat Gaussians on the surface, their third axis its normal, the same color from all sides.

    As viewers read them: colors are coefficients of the constant harmonic, (sRGB - 0.5) / 0.2821; opacities go through
    a logistic function, scales through an exponential; rotations are quaternions, w first. Higher harmonics are absent.

    Raises:
        InputError: the mesh has no area.
    """
    points, faces, weights = sample_surface(mesh, count, seed=seed)
    normals = mesh.face_normals[faces]
    width = WIDTH * math.sqrt(float(mesh.face_areas.sum()) / count)
    rows = np.empty((count, len(NAMES)), "<f4")
    rows[:, 0:3], rows[:, 3:6] = points, normals
    rows[:, 6:9] = (surface_colors(mesh, faces, weights) - 0.5) / SH_0
    rows[:, 9] = math.log(OPACITY / (1.0 - OPACITY))
    rows[:, 10:13] = np.log([width, width, THICKNESS * width])
    rows[:, 13:17] = _turns_of_z(normals)
    properties = "".join(f"property float {name}\n" for name in NAMES)
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n{properties}end_header\n"
    return head.encode() + rows.tobytes()


def _turns_of_z(normals: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 4"]:
    """Unit quaternions (w, x, y, z) of the shortest turns from the z axis to unit vectors."""
    x, y, z = normals.T
    found = np.stack([1.0 + z, -y, x, np.zeros_like(z)], axis=1)
    found[z < -1.0 + 1e-9] = (0.0, 1.0, 0.0, 0.0)
    return found / np.linalg.norm(found, axis=1, keepdims=True)
