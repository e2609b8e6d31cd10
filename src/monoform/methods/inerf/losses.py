"""Colours of a rendered picture against those of the photo where its points fall: residuals with their derivative."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...camera import Camera
from ...camera.least_squares import NormalEquations, State, huber
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
class Linearized:
    """Residuals around the present values.

    A color changes by its four slopes: by its place on the plane at depth 1 (x, y), by the logarithm of the
    gain and by the offset. Places change by the six numbers of the motion, and by the logarithm of the focal length.

    Attributes:
        residual: rendered minus seen colors.
        slopes: of the residual by x, by y, by gain and by offset.
        by_pose: derivative of (x, y) by the motion and by the zoom.
        share: weight of a point in the mean over all points and colors.
    """

    residual: Float[Tensor, "b 3 n"]
    slopes: tuple[Tensor, Tensor, Tensor, Tensor]
    by_pose: Float[Tensor, "b 7 2 n"]
    share: Float[Tensor, "b 1 n"]

    def sums(self, weights: Float[Tensor, "b 3 n"]) -> tuple[Float[Tensor, "b 9 9"], Float[Tensor, "b 9"]]:
        """J^T W J and J^T W r."""
        across, _, gain, offset = self.slopes
        pulled = [weights * slope for slope in self.slopes]
        (xx, xg, xo), xr = ((pulled[0] * one).sum(1) for one in (across, gain, offset)), self._with(pulled[0])
        (xy, yy, yg, yo), yr = ((pulled[1] * one).sum(1) for one in self.slopes), self._with(pulled[1])
        first, second = self.by_pose.unbind(2)
        xx, xy, yy = xx[:, None], xy[:, None], yy[:, None]
        weighted = torch.cat((xx * first + xy * second, xy * first + yy * second), dim=2)
        pose = torch.cat((first, second), dim=2)
        other = torch.stack((torch.cat((xg, yg), 1), torch.cat((xo, yo), 1), torch.cat((xr, yr), 1)), dim=2)
        corner, mixed = weighted @ pose.mT, pose @ other
        gg, go = ((pulled[2] * one).sum((1, 2)) for one in (gain, offset))
        tone = torch.stack((gg, go, go, (pulled[3] * offset).sum((1, 2))), dim=1).reshape(-1, 2, 2)
        # The order is motion, gain and offset, zoom.
        whole = torch.cat((torch.cat((corner, mixed[..., :2]), 2), torch.cat((mixed[..., :2].mT, tone), 2)), dim=1)
        vector = torch.cat((mixed[..., 2], *(self._with(one).sum(1, keepdim=True) for one in pulled[2:])), dim=1)
        order = torch.tensor([0, 1, 2, 3, 4, 5, 7, 8, 6], device=vector.device)
        return whole[:, order][:, :, order], vector[:, order]

    def _with(self, pulled: Tensor) -> Float[Tensor, "b n"]:
        return (pulled * self.residual).sum(1)

    def scores(self, weights: Float[Tensor, "b 3 n"]) -> Float[Tensor, "b n 9"]:
        """What each point adds to J^T W r."""
        x, y, gain, offset = (self._with(weights * slope)[:, None] for slope in self.slopes)
        pose = x * self.by_pose[:, :, 0] + y * self.by_pose[:, :, 1]
        return torch.cat((pose[:, :6], gain, offset, pose[:, 6:]), dim=1).mT


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
        seen = self.linearized(values)
        loss, robust = huber(seen.residual, self.delta)
        matrix, vector = seen.sums(seen.share * robust)
        cost = (loss * seen.share).sum((1, 2))
        return _with_priors(NormalEquations(cost, matrix, vector), values, self.brightness, self.zoom)

    def linearized(self, values: State) -> Linearized:
        """Rendered minus seen colours, and how they change with the nine numbers."""
        camera = camera_of(self.level.camera, values)
        gain, offset = values["brightness"][:, None, :1].exp(), values["brightness"][:, None, 1:]
        plane, by_motion, front = on_plane(camera, self.reference.points)
        scale, middle = camera.intrinsics[:, :2, :2], camera.intrinsics[:, :2, 2:]
        layers, inside = self.level.at(scale @ plane + middle)
        inside = (inside & front)[:, None]
        rendered = gain * self.reference.colors.mT
        residual = torch.where(inside, rendered + offset - layers[:, :3], torch.full_like(rendered, OUTSIDE))
        across, down = layers[:, 3:6] * inside, layers[:, 6:] * inside
        xx, xy, yx, yy = scale.flatten(1)[:, :, None, None].unbind(1)
        weight = self.reference.weights[:, None]
        return Linearized(
            residual=residual,
            slopes=(-(across * xx + down * yx), -(across * xy + down * yy), rendered * inside, inside.to(rendered)),
            by_pose=torch.cat((by_motion, plane[:, None]), dim=1),
            share=weight / (3.0 * weight.sum(-1, keepdim=True)).clamp_min(1e-6),
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


def on_plane(
    camera: Camera, points: Float[Tensor, "b n 3"]
) -> tuple[Float[Tensor, "b 2 n"], Float[Tensor, "b 6 2 n"], Bool[Tensor, "b n"]]:
    """Points on the plane at depth 1, their derivative by a motion in the camera's axes, and which are in front.

    A motion of the camera by (w, v) moves what it sees by -w x local - v.
    """
    x, y, z = transform_points(rigid_inverse(camera.world_from_camera), points).unbind(-1)
    front = z > 1e-6
    none = torch.zeros_like(x)
    if camera.model == "pinhole":
        near = 1.0 / torch.where(front, z, torch.ones_like(z))
        x, y = x * near, y * near
        columns = [(x * y, 1.0 + y * y), (-1.0 - x * x, -x * y), (y, -x), (-near, none), (none, -near)]
        columns.append((x * near, y * near))
    else:
        columns = [(none, z), (-z, none), (y, -x), (none - 1.0, none), (none, none - 1.0), (none, none)]
    by_motion = torch.stack([row for column in columns for row in column], dim=1)
    return torch.stack((x, y), dim=1), by_motion.unflatten(1, (6, 2)), front


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
