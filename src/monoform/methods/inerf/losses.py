"""Colours of a rendered picture against those of the photo where its points fall: residuals with their derivative."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...camera.least_squares import NormalEquations, State, huber
from ...camera.lie import hat
from ...camera.rigid import rigid_inverse, transform_points
from ...inversion import moved, zoomed
from .frames import Level
from .reference import Reference

OUTSIDE = 0.3  # the residual of a point that leaves the photo


@dataclass(frozen=True)
class AffineBrightness:
    """How brightness may differ between scene and photo: gain and offset, and how far from 1 and 0 they are likely.

    Attributes:
        gain: standard deviation of the logarithm of the gain.
        offset: standard deviation of the offset, in units of color 0..1.

    A standard deviation of 0 holds its number.
    """

    gain: float = 0.2
    offset: float = 0.05


@dataclass(frozen=True, eq=False)
class Alignment:
    """The least squares problem of one level.

    The values are "pose" (b, 4, 4), "brightness" (b, 2: logarithm of the gain, offset) and "zoom" (b, 1: logarithm of
    the focal lengths' factor); the steps are a motion in the camera's axes, then brightness, then zoom.

    Attributes:
        reference: what the scene shows from the poses of the start of the level.
        level: the photo at the level's size.
        brightness: how brightness may differ.
        zoom: standard deviation of the zoom's logarithm; 0 holds the focal lengths.
        delta: colours beyond which a difference counts less (Huber).
    """

    reference: Reference
    level: Level
    brightness: AffineBrightness
    zoom: float = 0.0
    delta: float = 0.08

    def equations(self, values: State) -> NormalEquations:
        """Half the mean of robust squares over all weighted points, three colours each, and its derivative."""
        residual, jacobian, weight = self.residuals(values)
        loss, robust = huber(residual, self.delta)
        total = 3.0 * weight.sum(-1).clamp_min(1e-6)
        share = (weight / total[:, None])[..., None]
        weighted = jacobian * (share * robust)[..., None]
        matrix = torch.einsum("bncj,bnck->bjk", weighted, jacobian)
        vector = torch.einsum("bncj,bnc->bj", weighted, residual)
        cost = (loss * share).sum((1, 2))
        return _with_priors(NormalEquations(cost, matrix, vector), values, self.brightness, self.zoom)

    def residuals(self, values: State) -> tuple[Float[Tensor, "b n 3"], Float[Tensor, "b n 3 9"], Float[Tensor, "b n"]]:
        """Rendered minus seen colours, their derivative by the nine numbers, and weights of points."""
        camera = camera_of(self.level.camera, values)
        gain, offset = values["brightness"][:, :1, None].exp(), values["brightness"][:, 1:, None]
        pixels, by_motion, by_zoom, front = projected(camera, self.reference.points)
        layers, inside = self.level.at(pixels)
        inside = inside & front
        rendered = gain * self.reference.colors
        residual = rendered + offset - layers[..., :3]
        residual = torch.where(inside[..., None], residual, torch.full_like(residual, OUTSIDE))
        slope = torch.stack((layers[..., 3:6], layers[..., 6:9]), dim=-1) * inside[..., None, None]
        by_pose = -(slope @ by_motion)
        by_brightness = torch.stack((rendered, torch.ones_like(rendered)), dim=-1) * inside[..., None, None]
        return (
            residual,
            torch.cat((by_pose, by_brightness, -(slope @ by_zoom[..., None])), dim=-1),
            self.reference.weights,
        )

    def move(self, values: State, step: Float[Tensor, "b 9"]) -> State:
        """The values after a step; gain and focal length stay within a factor of e."""
        return {
            "pose": moved(values["pose"], step[:, :6]),
            "brightness": (values["brightness"] + step[:, 6:8]).clamp(-1.0, 1.0),
            "zoom": (values["zoom"] + step[:, 8:]).clamp(-1.0, 1.0),
        }


def camera_of(camera: Camera, values: State) -> Camera:
    """A camera at the values' poses and zooms."""
    intrinsics = zoomed(camera.intrinsics.expand(len(values["pose"]), 3, 3), values["zoom"][:, 0])
    return replace(camera, world_from_camera=values["pose"], intrinsics=intrinsics)


def projected(
    camera: Camera, points: Float[Tensor, "b n 3"]
) -> tuple[Float[Tensor, "b n 2"], Float[Tensor, "b n 2 6"], Float[Tensor, "b n 2"], Tensor]:
    """Pixels of points, their derivative by a motion in the camera's axes and by the zoom, and who is in front."""
    local = transform_points(rigid_inverse(camera.world_from_camera), points)
    depth = local[..., 2:]
    front = depth[..., 0] > 1e-6
    pinhole = camera.model == "pinhole"
    safe = torch.where(front[..., None], depth, torch.ones_like(depth)) if pinhole else torch.ones_like(depth)
    plane = local[..., :2] / safe
    scale = camera.intrinsics[:, None, :2, :2]
    from_center = (scale @ plane[..., None])[..., 0]
    pixels = from_center + camera.intrinsics[:, None, :2, 2]
    # d plane / d local: [1/z 0 -x/z^2; 0 1/z -y/z^2], without the last column where lines of sight are parallel.
    column = -plane / safe if pinhole else torch.zeros_like(plane)
    eye = torch.eye(2).to(plane) / safe[..., None]
    by_local = scale @ torch.cat((eye, column[..., None]), dim=-1)
    # A motion of the camera by (w, v) moves what it sees by -w x local - v.
    by_motion = torch.cat((by_local @ hat(local), -by_local), dim=-1)
    return pixels, by_motion, from_center, front


def _with_priors(
    equations: NormalEquations, values: State, brightness: AffineBrightness, zoom: float
) -> NormalEquations:
    """Equations with priors as further residuals; variables that are held get a zero derivative."""
    deviations = (brightness.gain, brightness.offset, zoom)
    present = torch.cat((values["brightness"], values["zoom"]), dim=-1)
    matrix, vector, cost = equations.matrix.clone(), equations.vector.clone(), equations.cost.clone()
    for number, deviation in enumerate(deviations):
        row = 6 + number
        if deviation <= 0:
            matrix[:, row], matrix[:, :, row], vector[:, row] = 0.0, 0.0, 0.0
            continue
        # As strong as a mean colour difference of 0.005 that all points share.
        strength = (0.005 / deviation) ** 2
        matrix[:, row, row] += strength
        vector[:, row] += strength * present[:, number]
        cost += 0.5 * strength * present[:, number].square()
    return NormalEquations(cost, matrix, vector)
