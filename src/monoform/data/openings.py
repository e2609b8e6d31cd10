"""Solids with a side missing: what their outward faces wrap around counts as inside, though a path leads in."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage

from ..mesh import Mesh, sample_surface
from ..mesh.topology import boundary_edges
from .voxels import VoxelGrid

_SAMPLES = 3000
_LATTICE = 4  # winding numbers are computed at every fourth cell
_SOLID = 0.85  # a region counts only if somewhere in it the surface is wrapped around this much of the view
_NEAR = 2  # cells from the surface within which a winding number made of samples cannot be trusted


def close_openings(mesh: Mesh, grid: VoxelGrid) -> Bool[np.ndarray, "x y z"]:
    """Cells that the flood reached through an opening but that lie inside: winding number above 0.5.

    The generalised winding number (Jacobson et al. 2013) is summed over surface samples as dipoles (Barill et al.
    2018, equation 1) on a coarse lattice away from the surface; its two classes then grow through free cells until
    they meet. Meshes without an open edge have no such cells.
    """
    none = np.zeros_like(grid.outside)
    merged = mesh.merged()
    if len(merged.faces) == 0 or not boundary_edges(merged.faces, len(merged.vertices)).any():
        return none
    trusted = np.zeros_like(grid.outside)
    lattice = (slice(None, None, _LATTICE),) * 3
    far = ~ndimage.binary_dilation(grid.surface, np.ones((3, 3, 3), bool), iterations=_NEAR)
    trusted[lattice] = (grid.outside & far)[lattice]
    winding = winding_numbers(mesh, grid.centers(trusted))
    if not (winding > _SOLID).any():
        return none
    cells = np.argwhere(trusted)
    inside, outside, core = none.copy(), none.copy(), none.copy()
    for values, chosen in ((inside, winding > 0.5), (outside, winding <= 0.5), (core, winding > _SOLID)):
        i, j, k = cells[chosen].T
        values[i, j, k] = True
    for step in range(4 * _LATTICE):
        front, other = (inside, outside) if step % 2 == 0 else (outside, inside)
        ndimage.binary_dilation(front, mask=grid.outside & ~other, output=front)
    labels, _ = ndimage.label(inside)
    solid = np.unique(labels[core & inside])
    return np.isin(labels, solid[solid > 0])


def winding_numbers(mesh: Mesh, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """How often the surface wraps around each point; good to a few percent away from the surface."""
    samples, faces, _ = sample_surface(mesh, _SAMPLES, seed=0)
    positions = torch.from_numpy(samples).float()
    dipoles = torch.from_numpy(mesh.face_normals[faces] * (mesh.face_areas.sum() / len(faces))).float()
    moment, squared = (positions * dipoles).sum(1), (positions * positions).sum(1)
    result = []
    for part in torch.from_numpy(points).float().split(1024):
        flux = torch.addmm(moment, part, dipoles.T, alpha=-1.0)
        distance = torch.addmm(squared, part, positions.T, alpha=-2.0) + (part * part).sum(1, keepdim=True)
        inverse = distance.clamp_min_(1e-6).rsqrt_()
        result.append((flux * inverse * inverse * inverse).sum(1) / (4.0 * math.pi))
    return torch.cat(result).double().numpy() if result else np.zeros(0)
