"""The published cameras as numbers that can be optimized, and as what the discriminator is told of them.

Conventions of the release: a camera is a 4 x 4 matrix to the world with OpenGL's axes, and a focal length in image
widths; an orthographic one has no focal length and its whole matrix is divided by its scale, so that the last entry is
1 / scale. `flipped` says whether the data set turns its cameras' y axis, z axis and translation around.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from ...camera import quaternion_from_rotation, rotation_from_quaternion

DEPTH = 10.0
"""Of the origin before orthographic cameras."""
Focals = Float[Tensor, " n"] | None


@dataclass(frozen=True, eq=False)
class PoseParameters:
    """Cameras as what inversion optimizes.

    Attributes:
        quaternion: (w, x, y, z) of the rotation from world to camera.
        offset: of the world's origin in the image plane, times the scale.
        scale: of the object in the image.
        focal: logarithm of (2 focal lengths in image widths - 1), so that every value is a camera; None: orthographic.
    """

    quaternion: Float[Tensor, "n 4"]
    offset: Float[Tensor, "n 2"]
    scale: Float[Tensor, " n"]
    focal: Focals = None

    def matrices(self, *, flipped: bool) -> tuple[Float[Tensor, "n 4 4"], Focals]:
        """The cameras' matrices to the world, and their focal lengths; quaternions may have any length but 0."""
        rotation = rotation_from_quaternion(normalize(self.quaternion, dim=-1)).mT
        scale = self.scale[:, None]
        if self.focal is None:
            length, place = None, torch.cat([self.offset, torch.full_like(scale, DEPTH)], dim=1)
        else:
            length = 1.0 + self.focal.exp()
            place = torch.cat([self.offset, length[:, None]], dim=1) / scale
        position = (rotation @ place[:, :, None])[:, :, 0]
        top = torch.cat([rotation, position[:, :, None]], dim=2)
        if flipped:
            top = top * top.new_tensor([1.0, -1.0, -1.0, -1.0])
        bottom = top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(len(top), 1, 4)
        matrix = torch.cat([top, bottom], dim=1)
        return (matrix / scale[:, :, None], None) if length is None else (matrix, length / 2.0)

    @classmethod
    def of_matrices(cls, world_from_camera: Float[Tensor, "n 4 4"], focal: Focals, *, flipped: bool) -> PoseParameters:
        """The parameters of cameras: the inverse of `matrices`.

        A perspective camera's focal length must be above half an image width, and the origin must not lie in its plane.
        """
        camera_from_world, offset, scale = _placed(world_from_camera, focal, flipped)
        shifted = None if focal is None else torch.log(2.0 * focal - 1.0)
        return cls(quaternion_from_rotation(camera_from_world[:, :3, :3]), offset, scale, shifted)


def inverse_matrices(matrices: Float[Tensor, "n 4 4"]) -> Float[Tensor, "n 4 4"]:
    """Rigid motions back, of perspective or of scaled orthographic cameras; those of the latter have no scale."""
    rotation = matrices[:, :3, :3] / matrices[:, 3:, 3:]
    result = torch.zeros_like(matrices)
    result[:, :3, :3] = rotation.mT
    result[:, :3, 3] = -(rotation.mT @ matrices[:, :3, 3:])[:, :, 0]
    result[:, 3, 3] = 1.0
    return result


def condition_vectors(
    world_from_camera: Float[Tensor, "n 4 4"], focal: Focals, *, flipped: bool
) -> Float[Tensor, "n 13"]:
    """What the discriminator is told: log focal length (0: orthographic), offset, scale, rotation row by row."""
    camera_from_world, offset, scale = _placed(world_from_camera, focal, flipped)
    length = torch.zeros_like(scale) if focal is None else focal.log()
    return torch.cat([length[:, None], offset, scale[:, None], camera_from_world[:, :3, :3].flatten(1)], dim=1)


def rotation_degrees(first: Float[Tensor, "n 4 4"], second: Float[Tensor, "n 4 4"]) -> Float[Tensor, " n"]:
    """Angle between the rotations of two cameras, by the arc cosine of the trace as the paper measures it."""
    one, two = (matrix[:, :3, :3] / matrix[:, 3:, 3:] for matrix in (first, second))
    trace = (one * two).sum(dim=(1, 2))
    return torch.acos(((trace - 1.0) / 2.0).clamp(-1.0, 1.0)) * (180.0 / math.pi)


def perturbed_poses(
    world_from_camera: Float[Tensor, "n 4 4"], degrees: float, draws: Float[Tensor, " n"]
) -> Int[Tensor, " n"]:
    """Which pose of a set stands for each, to disturb poses without leaving their distribution.

    Args:
        degrees: how far off they are on average.
        draws: uniform numbers 0..1.
    """
    count = len(world_from_camera)
    chosen = []
    for pose, draw in zip(world_from_camera, draws, strict=True):
        distance = rotation_degrees(pose.expand(count, 4, 4), world_from_camera)
        chosen.append((distance - draw * degrees * 2.0).abs().argmin())
    return torch.stack(chosen)


def _placed(
    world_from_camera: Float[Tensor, "n 4 4"], focal: Focals, flipped: bool
) -> tuple[Float[Tensor, "n 4 4"], Float[Tensor, "n 2"], Float[Tensor, " n"]]:
    """Motions to the camera, and offsets and scales of the parameters."""
    if flipped:
        signs = torch.ones(4, 4).to(world_from_camera)
        signs[:3, 1:] = -1.0
        world_from_camera = world_from_camera * signs
    inverse = inverse_matrices(world_from_camera)
    place = -inverse[:, :3, 3]
    scale = 1.0 / world_from_camera[:, 3, 3] if focal is None else 2.0 * focal / place[:, 2]
    return inverse, place[:, :2] * scale[:, None], scale
