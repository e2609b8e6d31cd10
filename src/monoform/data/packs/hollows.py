"""What lies between front and back: the longest free stretch along each pixel's ray, and the planes that mirror."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float16
from scipy.spatial import cKDTree

from ...camera import Camera
from ...mesh.solid.inside import Solid

MIRRORS = 24  # upright planes that are tried, half a turn about +y in equal steps
_STEPS = 64  # looks along a ray, between front and back
_LEAST = 0.03  # world units; what is free for less is no hollow
_REFLECTED, _AGAINST = 500, 4000  # points that are mirrored, and those among which the nearest is looked for


def hollow_views(
    solid: Solid,
    cameras: Camera,
    front: Float16[np.ndarray, "n h w"],
    back: Float16[np.ndarray, "n h w"],
) -> Float16[np.ndarray, "n h w 2"]:
    """Depths along the camera's z axis where the longest free stretch of each pixel's ray begins and ends.

    Free is what can be reached from outside (`Solid`), to about a cell of its grid. Inf where there is none.
    """
    found = np.full((*front.shape, 2), np.inf, np.float16)
    share = (np.arange(_STEPS) + 0.5) / _STEPS
    for i in range(len(cameras)):
        rows, columns = np.nonzero(np.isfinite(front[i]) & np.isfinite(back[i]))
        near, far = (maps[i, rows, columns].astype(np.float64) for maps in (front, back))
        pixels = torch.from_numpy(np.stack((columns, rows), -1) + 0.5)[None]
        camera = cameras[i].to("cpu", torch.float64)
        start, end = (camera.unproject(pixels, torch.from_numpy(depth)[None])[0].numpy() for depth in (near, far))
        places = start[:, None] + share[:, None] * (end - start)[:, None]
        free = solid.grid.look_up(solid.grid.outside, places.reshape(-1, 3)).reshape(len(rows), _STEPS)
        begins, length = _longest_run(free)
        depths = near + (far - near) * np.stack((begins, begins + length)) / _STEPS
        wide = depths[1] - depths[0] > _LEAST
        found[i, rows[wide], columns[wide]] = depths[:, wide].T
    return found


def _longest_run(free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First index and length of the longest run of true values in each row."""
    begins, longest = np.zeros(len(free), int), np.zeros(len(free), int)
    run = np.zeros(len(free), int)
    for column in range(free.shape[1]):
        run = np.where(free[:, column], run + 1, 0)
        better = run > longest
        longest[better] = run[better]
        begins[better] = column + 1 - run[better]
    return begins, longest


def mirror_errors(solid: Solid, *, seed: int) -> Float16[np.ndarray, " 24"]:
    """How far the object is from its image in each of `MIRRORS` upright planes: mean distance in world units.

    Plane i has the normal (cos a, 0, sin a) with a = i pi / MIRRORS and lies in the middle of the object's extent along
    it. The spacing of the points that are compared is taken off.
    """
    points = solid.surface(_REFLECTED + _AGAINST, seed=seed).points
    points = points[np.random.default_rng(seed).permutation(len(points))]
    some, tree = points[:_REFLECTED], cKDTree(points[_REFLECTED:])
    spacing = tree.query(some)[0].mean()
    errors = []
    for angle in np.arange(MIRRORS) * np.pi / MIRRORS:
        normal = np.array([np.cos(angle), 0.0, np.sin(angle)])
        along = points @ normal
        middle = 0.5 * (along.min() + along.max())
        image = some - 2 * (some @ normal - middle)[:, None] * normal
        errors.append(max(tree.query(image)[0].mean() - spacing, 0.0))
    return np.array(errors, np.float16)
