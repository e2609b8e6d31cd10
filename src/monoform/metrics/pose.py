"""Distances between two camera poses."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ..camera import so3_log


def rotation_error(
    world_from_camera: Float[Tensor, "*b 4 4"], reference: Float[Tensor, "*b 4 4"]
) -> Float[Tensor, "*b"]:
    """Angle in radians, 0..pi, of the rotation between two poses.

    The length of the rotation's logarithm: unlike the arc cosine of the trace it resolves angles near 0 and pi.
    """
    return so3_log(reference[..., :3, :3].mT @ world_from_camera[..., :3, :3]).norm(dim=-1)


def translation_error(
    world_from_camera: Float[Tensor, "*b 4 4"], reference: Float[Tensor, "*b 4 4"]
) -> Float[Tensor, "*b"]:
    """Distance between two camera centres, in world units."""
    return (world_from_camera[..., :3, 3] - reference[..., :3, 3]).norm(dim=-1)
