"""The camera of a photo of a known surface: begun where the localisation network projects it, fitted to the mask."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from ..mesh import Mesh
from ..mesh.raycast import caster_of
from ..scene.silhouette import mask_box

SIDE = 48  # pixels along the longer side of the mask that silhouettes are compared at
TURNS, HEIGHTS = 16, (0.0, 0.35, 0.7)  # tried where the network's projection is no camera; radians
STEPS = 60  # of the refinement
_SETTLED = 8  # rounds in which a place is matched to the mask's box


def pose_from_pixels(
    points: Float[np.ndarray, "n 3"], pixels: Float[np.ndarray, "n 2"], intrinsics: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "3 3"] | None:
    """Camera-from-object rotation that explains where points are seen; None where no camera does.

    Iterative least squares after a linear start (OpenCV's solvePnP).
    """
    if len(points) < 6 or not np.isfinite(pixels).all():
        return None
    try:
        good, turn, _ = cv2.solvePnP(points.astype(np.float64), pixels.astype(np.float64), intrinsics, None)
    except cv2.error:
        return None
    matrix = cv2.Rodrigues(turn)[0] if good else None
    return matrix if matrix is not None and np.isfinite(matrix).all() else None


def orbit_rotations() -> list[Float[np.ndarray, "3 3"]]:
    """Camera-from-object rotations of cameras around the object that look at it, upright."""
    found = []
    for height in HEIGHTS:
        for turn in np.arange(TURNS) * (2 * math.pi / TURNS):
            found.append(looking(float(turn), height))
    return found


def looking(turn: float, height: float) -> Float[np.ndarray, "3 3"]:
    """Camera-from-object rotation of a camera turned about +y from +z, and raised; radians."""
    about = Rotation.from_euler("y", -turn).as_matrix()
    down = Rotation.from_euler("x", height).as_matrix()
    return np.diag([1.0, -1.0, -1.0]) @ down @ about


class MaskFit:
    """Cameras of known intrinsics judged by how well they show a surface where the mask is.

    Args:
        mesh: the surface.
        mask: of the working photo.
        intrinsics: of its pixels.
    """

    def __init__(self, mesh: Mesh, mask: Bool[np.ndarray, "h w"], intrinsics: Float[np.ndarray, "3 3"]) -> None:
        self.mesh, self.inverse, self.intrinsics = mesh, np.linalg.inv(intrinsics), intrinsics
        self.box = low, high = np.array(mask_box(mask), float).reshape(2, 2)
        size = float((high - low).max())
        # A square with room for what lies beyond the mask.
        steps = (np.arange(SIDE) + 0.5) / SIDE * 1.4 * size - 0.7 * size
        grid = np.stack(np.meshgrid(steps, steps), axis=-1) + 0.5 * (low + high)
        self.rays = np.concatenate((grid.reshape(-1, 2), np.ones((SIDE * SIDE, 1))), axis=1) @ self.inverse.T
        at = np.floor(grid).astype(int)
        within = (at >= 0).all(-1) & (at < mask.shape[::-1]).all(-1)
        at = np.clip(at, 0, np.array(mask.shape[::-1]) - 1)
        self.seen = (mask[at[..., 1], at[..., 0]] & within).ravel()

    def place(self, rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, " 3"]:
        """Camera-from-object translation at which the surface's box in the photo is the mask's, in size and place."""
        turned = self.mesh.vertices @ rotation.T
        low, high = self.box
        rays = np.array([[low[0], low[1], 1], [high[0], high[1], 1]]) @ self.inverse.T
        wanted_middle, wanted_size = 0.5 * (rays[0] + rays[1])[:2], np.abs(rays[1] - rays[0])[:2].max()
        depth = float(np.ptp(turned[:, :2], axis=0).max() / wanted_size)
        depth = max(depth, 1.05 * float(np.abs(turned[:, 2]).max()))
        move = np.array([*(wanted_middle * depth), depth])
        for _ in range(_SETTLED):
            on_image = (turned[:, :2] + move[:2]) / (turned[:, 2:] + move[2])
            size = float(np.ptp(on_image, axis=0).max())
            nearest = 1e-3 - float(turned[:, 2].min())
            move[2] = max(move[2] * size / wanted_size, nearest)
            on_image = (turned[:, :2] + move[:2]) / (turned[:, 2:] + move[2])
            move[:2] += (wanted_middle - 0.5 * (on_image.min(0) + on_image.max(0))) * move[2]
        return move

    def overlap(self, rotation: Float[np.ndarray, "3 3"]) -> float:
        """IoU, 0..1, of the surface's silhouette at its place with the mask."""
        eye = -rotation.T @ self.place(rotation)
        hit = caster_of(self.mesh).cast(np.broadcast_to(eye, self.rays.shape), self.rays @ rotation).hit
        union = int(np.count_nonzero(hit | self.seen))
        return int(np.count_nonzero(hit & self.seen)) / max(union, 1)

    def best(self, candidates: Sequence[Float[np.ndarray, "3 3"]], *, turn: float) -> Float[np.ndarray, "3 3"]:
        """The candidate that overlaps most, turned a little so that it overlaps more.

        Args:
            turn: how far the refinement looks at first, radians; a prior of that width keeps it near.
        """
        start = max(candidates, key=self.overlap)

        def cost(vector: np.ndarray) -> float:
            near = 0.02 * float(np.square(vector / turn).sum())
            return near - self.overlap(Rotation.from_rotvec(vector).as_matrix() @ start)

        corners = np.concatenate((np.zeros((1, 3)), turn * np.eye(3)))
        found = minimize(cost, np.zeros(3), method="Nelder-Mead", options={"maxfev": STEPS, "initial_simplex": corners})
        return Rotation.from_rotvec(found.x).as_matrix() @ start
