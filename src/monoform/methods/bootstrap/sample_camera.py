"""The camera that a sample is seen from: one of the training set's, the same for the same latent."""

from __future__ import annotations

import hashlib

import torch
from jaxtyping import Float
from torch import Tensor

from .config import Scene
from .pose_parameters import PoseParameters


def drawn_pose(scene: Scene, latent: Float[Tensor, " z"]) -> Float[Tensor, " p"] | None:
    """Quaternion, offset, scale, and the focal length of perspective cameras; None where the scene holds no poses."""
    if not scene.poses:
        return None
    digest = hashlib.sha256(latent.cpu().float().numpy().tobytes()).digest()
    chosen = int.from_bytes(digest[:8], "little") % len(scene.poses)
    matrix = torch.tensor(scene.poses[chosen], dtype=torch.float32).reshape(1, 4, 4)
    focal = torch.tensor([scene.pose_focals[chosen]]) if scene.projection == "perspective" else None
    pose = PoseParameters.of_matrices(matrix, focal, flipped=scene.flipped)
    parts = [pose.quaternion[0], pose.offset[0], pose.scale]
    return torch.cat(parts if pose.focal is None else [*parts, pose.focal])


def pose_of(numbers: Float[Tensor, " p"]) -> PoseParameters:
    """One pose of these numbers."""
    row = numbers[None].cpu()
    return PoseParameters(row[:, :4], row[:, 4:6], row[:, 6], row[:, 7] if row.shape[1] > 7 else None)
