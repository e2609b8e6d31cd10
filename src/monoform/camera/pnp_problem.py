"""Points, the places where they are seen, and what a pose gets wrong: the least squares of `pnp`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from .least_squares import NormalEquations, State, levenberg_marquardt
from .lie import se3_exp
from .pnp_closed_form import orthographic_pose, perspective_pose
from .rigid import transform_points

DEPTH = 10.0
"""Of the world's origin before an orthographic camera."""
NEAREST = 1e-6
"""Depths are kept above this share of the mean distance, so that points behind the camera have a large finite error."""


@dataclass(frozen=True, eq=False)
class PnpProblem:
    """h poses to be found side by side; a state has "pose", camera_from_world, and "zoom", the logarithm of a factor.

    Attributes:
        points: in the world.
        plane: the pixels mapped back through the intrinsics.
        weights: 0 leaves a point out.
        pixels_from_plane: the intrinsics' upper left part, in which errors are measured.
        orthographic: whether depths do not matter.
        free_zoom: whether a perspective camera's focal length is refined; an orthographic one's scale always is.
    """

    points: Float[Tensor, "h n 3"]
    plane: Float[Tensor, "h n 2"]
    weights: Float[Tensor, "h n"]
    pixels_from_plane: Float[Tensor, "h 2 2"]
    orthographic: bool
    free_zoom: bool

    def closed_form(self) -> State:
        """Poses without a start."""
        if self.orthographic:
            pose, zoom = orthographic_pose(self.points, self.plane, self.weights, DEPTH)
            return {"pose": pose, "zoom": zoom}
        pose = perspective_pose(self.points, self.plane, self.weights)
        return {"pose": pose, "zoom": torch.zeros_like(pose[:, 0, 0])}

    def errors(self, state: State) -> Float[Tensor, "h n"]:
        """Distances in the image between where points are seen and where the poses put them."""
        apart = self._seen(self._local(state), state["zoom"]) - self.plane
        return (apart @ self.pixels_from_plane.mT).norm(dim=2)

    def depths(self, state: State) -> Float[Tensor, "h n"]:
        """Of the points before the cameras."""
        return transform_points(state["pose"], self.points)[:, :, 2]

    def refined(self, state: State, weights: Float[Tensor, "h n"], steps: int) -> State:
        """The poses after steps of Levenberg and Marquardt."""
        problem = replace(self, weights=weights)
        return levenberg_marquardt(state, problem._equations, _moved, steps=steps).values

    def _local(self, state: State) -> Float[Tensor, "h n 3"]:
        local = transform_points(state["pose"], self.points)
        if self.orthographic:
            return local
        nearest = NEAREST * state["pose"][:, :3, 3].norm(dim=1)[:, None, None]
        return torch.cat([local[:, :, :2], torch.maximum(local[:, :, 2:], nearest)], dim=2)

    def _seen(self, local: Float[Tensor, "h n 3"], zoom: Float[Tensor, " h"]) -> Float[Tensor, "h n 2"]:
        flat = local[:, :, :2] if self.orthographic else local[:, :, :2] / local[:, :, 2:]
        return flat * zoom.exp()[:, None, None]

    def _equations(self, state: State) -> NormalEquations:
        """Of the motion of the camera's axes (rotation, translation), then of the zoom."""
        local = self._local(state)
        seen = self._seen(local, state["zoom"])
        # One row of numbers for each unknown: sums over points then read memory in order.
        x, y, z = local.mT.unbind(1)
        one, zero = torch.ones_like(x), torch.zeros_like(x)
        if self.orthographic:
            rows = [
                torch.stack([zero, z, -y, one, zero, zero], dim=1),
                torch.stack([-z, zero, x, zero, one, zero], dim=1),
            ]
        else:
            near = 1.0 / z
            u, v = x * near, y * near
            rows = [
                torch.stack([-u * v, 1.0 + u * u, -v, near, zero, -u * near], dim=1),
                torch.stack([-1.0 - v * v, u * v, u, zero, near, -v * near], dim=1),
            ]
        zoom, free = state["zoom"].exp()[:, None, None], float(self.orthographic or self.free_zoom)
        plane = [torch.cat([row * zoom, free * seen[:, None, :, axis]], dim=1) for axis, row in enumerate(rows)]
        parts = []
        for axis in range(2):
            mix = self.pixels_from_plane[:, axis, :, None, None]
            jacobian = mix[:, 0] * plane[0] + mix[:, 1] * plane[1]
            residual = ((seen - self.plane) * mix[:, None, :, 0, 0]).sum(dim=2)
            weighted = self.weights * residual
            matrix = (jacobian * self.weights[:, None]) @ jacobian.mT
            parts.append((0.5 * (weighted * residual).sum(dim=1), matrix, (jacobian @ weighted[:, :, None])[:, :, 0]))
        return NormalEquations(*(one + other for one, other in zip(*parts, strict=True)))


def _moved(state: State, step: Float[Tensor, "h 7"]) -> State:
    return {"pose": se3_exp(step[:, :6]) @ state["pose"], "zoom": state["zoom"] + step[:, 6]}
