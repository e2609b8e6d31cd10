"""Where the content of a capture lies, and how its cameras stand."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera.sphere import nearest_point
from ...errors import InputError
from .capture import Capture

_AGAINST, _UPRIGHT = -0.17, 0.35  # cosine of 100 degrees, sine of 20 degrees
_IN_FRONT = 0.9  # share of the cameras


def content_sphere(capture: Capture) -> tuple[tuple[float, float, float], float]:
    """Centre and radius of what a capture shows, in the world.

    Of its points all but the outermost hundredth; without points, around the place that the cameras look at, what the
    longer side of the middle one of the photos shows there.
    """
    if capture.points is not None and len(capture.points) >= 100:
        low, high = torch.quantile(capture.points.float(), torch.tensor([0.005, 0.995]), dim=0)
        center = 0.5 * (low + high)
        distance = (capture.points - center).norm(dim=-1)
        return _triple(center), float(torch.quantile(distance, 0.99))
    cameras = [view.camera for view in capture.views]
    position = torch.cat([camera.position for camera in cameras]).double()
    forward = torch.cat([camera.world_from_camera[:, :3, 2] for camera in cameras]).double()
    upward = torch.cat([-camera.world_from_camera[:, :3, 1] for camera in cameras]).double()
    if capture.near_far is None or faces_inward(position, forward, upward):
        center = nearest_point(position, forward)[0]
    else:
        center = _middle(position, forward, capture.near_far)
    depth = ((center - position) * forward).sum(dim=-1)
    tangent = torch.tensor(
        [0.5 * max(c.width / float(c.intrinsics[0, 0, 0]), c.height / float(c.intrinsics[0, 1, 1])) for c in cameras]
    )
    radius = float((depth * tangent).median())
    if not radius > 0:
        raise InputError(f"The cameras of {capture.root} look at no common place; give centre and radius of the scene.")
    return _triple(center), radius


def faces_inward(position: Float[Tensor, "v 3"], forward: Float[Tensor, "v 3"], upward: Float[Tensor, "v 3"]) -> bool:
    """Whether cameras stand around what they look at, rather than all on one side of it.

    They do when some look against others, or when they look past their common upward direction from all sides, so that
    the mean camera has no upright; and when what they look at is in front of them.
    """
    middle, up = forward.mean(dim=0), upward.mean(dim=0)
    lengths = float(middle.norm() * up.norm())
    against = float((forward @ forward.T).min()) < _AGAINST
    upright = lengths > 0 and float(torch.linalg.cross(middle, up).norm()) > _UPRIGHT * lengths
    if len(position) < 3 or (upright and not against):
        return False
    depth = ((nearest_point(position, forward)[0] - position) * forward).sum(dim=1)
    return float((depth > 0).double().mean()) > _IN_FRONT


def _middle(position: Tensor, forward: Tensor, near_far: Tensor) -> Tensor:
    """Center of the content of forward-facing photos: on the mean axis, midway in disparity of nearest and farthest."""
    near, far = near_far.double().mean(dim=0)
    depth = 2.0 / (1.0 / near + 1.0 / far)
    return position.mean(dim=0) + depth * torch.nn.functional.normalize(forward.mean(dim=0), dim=0)


def _triple(values: Tensor) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return (x, y, z)
