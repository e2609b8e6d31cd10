"""A camera as something to fit: a small motion from a start, and the logarithm of a zoom."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from ..camera import Camera, se3_exp

About = Literal["camera", "world"]


def moved(
    world_from_camera: Float[Tensor, "b 4 4"], tangent: Float[Tensor, "b 6"], *, about: About = "camera"
) -> Float[Tensor, "b 4 4"]:
    """Poses after the motions exp(tangent); at tangent 0 the poses themselves.

    Args:
        tangent: rotation vector in radians, then the translational part in world units (`monoform.camera.se3_exp`).
        about: "camera": multiplied from the right, the motion is in the camera's axes about its own centre. "world":
            from the left, in the world's axes about the world's origin, as in iNeRF (Yen-Chen et al. 2021, section
            3.2); an orbit around the object is then a pure rotation.
    """
    motion = se3_exp(tangent)
    return world_from_camera @ motion if about == "camera" else motion @ world_from_camera


def zoomed(intrinsics: Float[Tensor, "b 3 3"], log_zoom: Float[Tensor, " b"]) -> Float[Tensor, "b 3 3"]:
    """Intrinsics whose focal lengths and skew are multiplied by exp(log_zoom); the principal point stays."""
    factor = log_zoom.exp()[:, None, None]
    keep = intrinsics.new_tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    return intrinsics * (keep + (1.0 - keep) * factor)


def moved_camera(
    camera: Camera,
    tangent: Float[Tensor, "b 6"],
    log_zoom: Float[Tensor, " b"] | None = None,
    *,
    about: About = "camera",
) -> Camera:
    """The cameras after `moved`, and after `zoomed` where a zoom is given; gradients reach both."""
    intrinsics = camera.intrinsics if log_zoom is None else zoomed(camera.intrinsics, log_zoom)
    pose = moved(camera.world_from_camera, tangent, about=about)
    return replace(camera, world_from_camera=pose, intrinsics=intrinsics)
