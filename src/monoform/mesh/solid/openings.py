"""Solids with a side missing: what their outward faces wrap around counts as inside, though a path leads in."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from .. import Mesh
from ..edges import boundary_edges
from .voxels import VoxelGrid, grown
from .winding import dipole_winding_number

_SAMPLES = 3000
_PROBES, _PROBE_SAMPLES = 2000, 1000  # the first, coarse look that spares most meshes the whole
_LATTICE_POINTS = 10_000
_SOLID = 0.85  # a region counts only if somewhere in it the surface is wrapped around this much of the view
_OPEN_SHARE = 0.3  # of the border of a region may be open, not more: leaves that lean together wrap nothing


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
    far = grid.outside & ~grown(grid.surface, corners=True)  # beside it a sum over samples cannot be trusted
    places = np.flatnonzero(far)
    probes = np.zeros_like(far)
    probes.reshape(-1)[np.random.default_rng(0).choice(places, min(_PROBES, len(places)), replace=False)] = True
    if not (dipole_winding_number(mesh, grid.centers(probes), samples=_PROBE_SAMPLES) > _SOLID - 0.1).any():
        return none
    spacing = int(np.clip(round((len(places) / _LATTICE_POINTS) ** (1 / 3)), 2, 8))
    lattice = (slice(None, None, spacing),) * 3
    trusted = np.zeros_like(far)
    trusted[lattice] = far[lattice]
    winding = dipole_winding_number(mesh, grid.centers(trusted), samples=_SAMPLES)
    if not (winding > _SOLID).any():
        return none
    cells = np.argwhere(trusted)
    inside, outside, core = none.copy(), none.copy(), none.copy()
    for values, chosen in ((inside, winding > 0.5), (outside, winding <= 0.5), (core, winding > _SOLID)):
        i, j, k = cells[chosen].T
        values[i, j, k] = True
    free_for_inside, free_for_outside = grid.outside & ~outside, grid.outside & ~inside
    for _ in range(3 * spacing):
        inside = grown(inside) & free_for_inside
        free_for_outside &= ~inside
        outside = grown(outside) & free_for_outside
        free_for_inside &= ~outside
    return _wrapped(inside, core & inside, grid)


def _wrapped(
    inside: Bool[np.ndarray, "x y z"], core: Bool[np.ndarray, "x y z"], grid: VoxelGrid
) -> Bool[np.ndarray, "x y z"]:
    """The connected regions of `inside` that have a core and whose border is mostly surface."""
    labels, count = ndimage.label(inside)
    opening, border = np.zeros(count + 1), np.zeros(count + 1)
    beyond = grid.outside & ~inside
    for axis in range(3):
        for step in (1, -1):
            region = np.roll(labels, step, axis=axis)
            opening += np.bincount(region[beyond & (region > 0)], minlength=count + 1)
            border += np.bincount(region[~inside & (region > 0)], minlength=count + 1)
    kept = np.zeros(count + 1, bool)
    kept[np.unique(labels[core])] = True
    kept &= opening < _OPEN_SHARE * border
    kept[0] = False
    return kept[labels]
