"""Points, the places where they are seen, and what a pose gets wrong: the least squares of `pnp`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from .least_squares import NormalEquations, State, levenberg_marquardt
from .lie import hat, se3_exp
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
        residual = (seen - self.plane) @ self.pixels_from_plane.mT
        one, zero = torch.ones_like(local[:, :, 0]), torch.zeros_like(local[:, :, 0])
        if self.orthographic:
            rows = torch.stack([one, zero, zero, zero, one, zero], dim=2)
        else:
            x, y, z = local.unbind(2)
            rows = torch.stack([one / z, zero, -x / z**2, zero, one / z, -y / z**2], dim=2)
        of_points = rows.unflatten(2, (2, 3)) * state["zoom"].exp()[:, None, None, None]
        of_zoom = seen[..., None] * float(self.orthographic or self.free_zoom)
        jacobian = torch.cat([-of_points @ hat(local), of_points, of_zoom], dim=3)
        jacobian = self.pixels_from_plane[:, None] @ jacobian
        weighted = jacobian * self.weights[:, :, None, None]
        cost = 0.5 * (residual.square().sum(2) * self.weights).sum(1)
        flat, residual = weighted.flatten(1, 2), residual.flatten(1)
        matrix = flat.mT @ jacobian.flatten(1, 2)
        return NormalEquations(cost, matrix, (flat * residual[:, :, None]).sum(1))


def _moved(state: State, step: Float[Tensor, "h 7"]) -> State:
    return {"pose": se3_exp(step[:, :6]) @ state["pose"], "zoom": state["zoom"] + step[:, 6]}
